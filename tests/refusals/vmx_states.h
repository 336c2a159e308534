/* SPDX-License-Identifier: BSD-2-Clause */
/* A good VMCS for each mode, with the controls of Bochs' corei7_skylake_x; the host is made up. */
#ifndef TESTS_REFUSALS_VMX_STATES_H
#define TESTS_REFUSALS_VMX_STATES_H

#include <vouch/x86.h>

#include "arch/x86/vmx/check.h"

#define PAT_RESET 0x0007040600070406ull

static inline void segment(struct vmcs_state *s, unsigned int n, uint64_t sel, uint64_t base, uint64_t limit, uint64_t access)
{
	s->guest.seg[n] = (struct vmcs_seg){ sel, base, limit, access };
}

static inline struct vmcs_host good_host(void)
{
	return (struct vmcs_host){
		.cr0 = 0x80050033, .cr3 = 0x100000, .cr4 = 0x2020, .efer = 0xd01, .pat = PAT_RESET,
		.sel = { 0, 8, 16, 0, 0, 0 }, .tr_sel = 24, .fs_base = 0, .gs_base = 0xffff800000000000,
		.tr_base = 0xffffffff80200000, .gdtr_base = 0xffffffff80201000, .idtr_base = 0xffffffff80202000,
		.rip = 0xffffffff80203000,
	};
}

/* 64-bit code, all of Vouch's controls. */
static inline struct vmcs_state long_mode(void)
{
	struct vmcs_state s = {
		.pin = 0x16 | PIN_EXT_INTR | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPT_TIMER,
		.cpu = 0x04006172 | CPU_IO_BITMAPS | CPU_MSR_BITMAPS | CPU_SECONDARY | CPU_TPR_SHADOW,
		.cpu2 = CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED,
		.exit = 0x36dfb | EXIT_HOST_64 | EXIT_LOAD_EFER | EXIT_LOAD_PAT | EXIT_ACK_INTR,
		.entry = 0x11fb | ENTRY_IA32E | ENTRY_LOAD_DEBUG | ENTRY_LOAD_EFER | ENTRY_LOAD_PAT,
		.vpid = 1, .io_bitmap_a = 0x1000, .io_bitmap_b = 0x2000, .msr_bitmap = 0x3000, .virtual_apic = 0x4000,
		.eptp = 0x5000 | 3 << 3 | 6 | 1 << 6, .host = good_host(),
		.guest = {
			.cr0 = 0x80050033, .cr3 = 0x1000, .cr4 = 0x2020, .dr7 = 0x400, .efer = 0xd01, .pat = PAT_RESET,
			.gdtr_limit = 0xffff, .idtr_limit = 0xffff, .rip = 0xffffffff81000000, .rflags = 2,
			.link_pointer = UINT64_MAX,
		},
	};

	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		segment(&s, n, 0x18, 0, 0xffffffff, 0xc093);
	segment(&s, VMCS_CS, 0x10, 0, 0xffffffff, 0xa09b);
	segment(&s, VMCS_LDTR, 0, 0, 0, ACCESS_UNUSABLE);
	segment(&s, VMCS_TR, 0x40, 0xffff888000000000, 0x67, 0x8b);
	return s;
}

static inline struct vmcs_state legacy(uint64_t cr0, uint64_t cr4)
{
	struct vmcs_state s = long_mode();

	s.entry &= ~(uint64_t)ENTRY_IA32E;
	s.guest.cr0 = cr0 | 0x20;
	s.guest.cr4 = cr4 | 0x2000;
	s.guest.efer = 0;
	s.guest.rip = 0x100000;
	s.guest.seg[VMCS_CS].access = 0xc09b;
	return s;
}

static inline struct vmcs_state real_mode(void)
{
	struct vmcs_state s = legacy(0, 0);

	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		segment(&s, n, 0x7c0, 0x7c00, 0xffff, n == VMCS_CS ? 0x9b : 0x93);
	segment(&s, VMCS_LDTR, 0, 0, 0xffff, 0x82);
	segment(&s, VMCS_TR, 0, 0, 0xffff, 0x8b);
	s.guest.rip = 0;
	return s;
}

static inline struct vmcs_state v86_mode(void)
{
	struct vmcs_state s = legacy(CR0_PE | CR0_PG, CR4_VME);

	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		segment(&s, n, 0x1234, 0x12340, 0xffff, 0xf3);
	s.guest.rflags = 2 | RFLAGS_VM;
	s.guest.rip = 0x100;
	return s;
}

static inline struct vmcs_state pae_mode(void)
{
	struct vmcs_state s = legacy(CR0_PE | CR0_PG, CR4_PAE);

	s.guest.pdpte[0] = 0x10001;
	s.guest.pdpte[1] = 0xfffff12000 | 0xe19;        /* PWT, PCD and the ignored bits */
	s.guest.pdpte[2] = UINT64_MAX - 1;              /* not present */
	return s;
}

/* Without "unrestricted guest": SDM 3C calls for paging, code in CS and privilege levels that agree. */
static inline struct vmcs_state restricted(void)
{
	struct vmcs_state s = long_mode();

	s.cpu2 &= ~(uint64_t)CPU2_UNRESTRICTED;
	return s;
}

static inline struct vmcs_state user_code(void)
{
	struct vmcs_state s = restricted();

	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		segment(&s, n, 0x1b, 0, 0xffffffff, 0xc0f3);
	segment(&s, VMCS_CS, 0x13, 0, 0xffffffff, 0xa0fb);
	return s;
}

#endif
