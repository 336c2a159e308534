/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMCS that is only an array of fields: what vmcs.h declares for host tests, and vmx_make_current(). VMWRITE to a field
 * of exit information aborts; a field keeps as many bits as its width has. One VMCS a process.
 */
#ifndef SUPPORT_VMCS_H
#define SUPPORT_VMCS_H

#include "arch/x86/vmx/vmcs.h"

struct vcpu;

struct fake_vmcs {
	uint64_t field[16][64];               /* by bits 14:13 and 11:10 of the encoding, then by bits 6:1 */
	unsigned int reads, writes;           /* VMREADs and VMWRITEs so far */
	const struct vcpu *current;           /* by vmx_make_current() */
};

extern struct fake_vmcs fake_vmcs;

/* What the CPU does: no count, and exit information may be set. */
uint64_t fake_vmcs_get(enum vmcs_field f);
void fake_vmcs_set(enum vmcs_field f, uint64_t val);

/*
 * A guest in 64-bit mode at CPL 0, paged by CR3 1000h, interrupts on, nothing pending; masks and controls as the VMX room
 * has them, no exit yet. hw's copy of the controls is the caller's.
 */
void fake_vmcs_reset(void);

#endif
