/* SPDX-License-Identifier: BSD-2-Clause */
/* What head.S calls and needs. */
#ifndef ARCH_X86_BOOT_START_H
#define ARCH_X86_BOOT_START_H

/* Bytes that head.S keeps for the boot CPU's struct pcpu_arch and for struct host; start.c checks that they suffice. */
#define BOOT_ARCH_SIZE 0x12000
#define BOOT_HOST_SIZE 0x14000

#ifndef __ASSEMBLY__
#include <vouch/types.h>

/* On the boot CPU's stack, in long mode, with the boot tables. */
__noreturn void boot_start(uint32_t magic, uint32_t info, uint64_t load_base);
#endif

#endif
