/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's paravirtual clock, documented in Linux' Documentation/virt/kvm/x86/msr.rst: the guest turns its TSC into time
 * without an exit. Vouch offers the stable form only: one scale for the VM's whole life.
 */
#ifndef ARCH_X86_EXIT_KVMCLOCK_H
#define ARCH_X86_EXIT_KVMCLOCK_H

#include <vouch/vcpu.h>

#define MSR_KVM_WALL_CLOCK  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u

/* As the MSR table calls them: 0, or -1 for #GP. */
int kvmclock_read(struct vcpu *v, uint32_t msr, uint64_t *val);
int kvmclock_write(struct vcpu *v, uint32_t msr, uint64_t val);
int kvmclock_wall_read(struct vcpu *v, uint32_t msr, uint64_t *val);
int kvmclock_wall_write(struct vcpu *v, uint32_t msr, uint64_t val);

/* Writes the vCPU's time record again, after its TSC changed. */
void kvmclock_update(struct vcpu *v);

/* Nanoseconds = ((ticks << shift, or >> -shift) * mul) >> 32. Pure; khz is not 0. */
void kvmclock_scale(uint64_t khz, uint32_t *mul, int8_t *shift);

#endif
