/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What firmware and a boot loader leave for a Linux kernel: boot parameters, command line, memory map, and the state
 * of the first vCPU at the 32-bit entry (Linux "The Linux/x86 Boot Protocol", "32-bit Boot Protocol").
 */
#ifndef ARCH_X86_GUEST_LINUX_H
#define ARCH_X86_GUEST_LINUX_H

#include <vouch/bzimage.h>
#include <vouch/hvm.h>
#include <vouch/vm.h>

/* Low guest memory that the boot loader fills; Linux copies what it needs before it uses these pages. */
#define LINUX_GDT_GPA     0x6000ull
#define LINUX_PARAMS_GPA  0x7000ull
#define LINUX_CMDLINE_GPA 0x20000ull

/*
 * Writes the boot parameters (from head, the first BZ_HEAD_LEN bytes of the kernel file, as verified), the command line
 * and a GDT into vm's memory. rsdp is the GPA of the guest's RSDP. 0 or -EFAULT.
 */
__must_check int linux_prepare(struct vm *vm, const struct bzimage *bz, const uint8_t *head,
			       const struct linux_layout *at, uint64_t rsdp);

/* The vCPU's state at the kernel's entry. */
void linux_start_state(struct vcpu_start *s, const struct linux_layout *at);

#endif
