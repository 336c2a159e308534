/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Would a VM entry fail with this VMCS? Every broken rule of the manual, by name. Works on a copy of the fields, not on
 * the VMCS: the same code judges a current VMCS after a failure and made-up ones in tests.
 */
#ifndef ARCH_X86_VMX_CHECK_H
#define ARCH_X86_VMX_CHECK_H

#include "arch/x86/exit/refusal.h"
#include "arch/x86/vmx/vmx.h"

/* In the order of the field encodings. */
enum { VMCS_ES, VMCS_CS, VMCS_SS, VMCS_DS, VMCS_FS, VMCS_GS, VMCS_LDTR, VMCS_TR, VMCS_SEGS };

struct vmcs_seg {
	uint64_t sel, base, limit, access;
};

struct vmcs_host {
	uint64_t cr0, cr3, cr4, efer, pat, perf_ctrl;
	uint64_t sel[VMCS_GS + 1], tr_sel;
	uint64_t fs_base, gs_base, tr_base, gdtr_base, idtr_base;
	uint64_t sysenter_esp, sysenter_eip, rip;
};

struct vmcs_guest {
	uint64_t cr0, cr3, cr4, dr7, efer, pat, perf_ctrl, debugctl, bndcfgs;
	struct vmcs_seg seg[VMCS_SEGS];
	uint64_t gdtr_base, gdtr_limit, idtr_base, idtr_limit;
	uint64_t sysenter_esp, sysenter_eip, rip, rflags;
	uint64_t activity, interruptibility, pending_dbg, link_pointer, pdpte[4];
};

/* All fields that the checks look at. A field that the CPU lacks is 0. */
struct vmcs_state {
	uint64_t pin, cpu, cpu2, exit, entry;
	uint64_t vpid, posted_vector, posted_desc, virtual_apic, apic_access, tpr_threshold;
	uint64_t io_bitmap_a, io_bitmap_b, msr_bitmap, eptp, eptp_list, vmfunc, pml, ve_info;
	uint64_t vmread_bitmap, vmwrite_bitmap, tsc_multiplier, cr3_targets;
	uint64_t exit_msr_store, exit_msr_stores, exit_msr_load, exit_msr_loads, entry_msr_load, entry_msr_loads;
	uint64_t intr_info, error_code, insn_len;
	struct vmcs_host host;
	struct vmcs_guest guest;
};

/* What a CPU has, as far as the checks depend on it. */
struct vmx_facts {
	struct vmx_caps caps;
	unsigned int phys_bits, linear_bits;
	uint64_t efer, perf_ctrl;     /* bits that exist in IA32_EFER and IA32_PERF_GLOBAL_CTRL */
	bool any_error_code;          /* IA32_VMX_BASIC[56]: exceptions may come with or without an error code */
	bool sgx, rtm;
	hpa_t vmcs;                   /* the one that is entered */
	uint8_t vtpr;                 /* byte 80h of its virtual-APIC page */
};

void vmcs_state_read(struct vmcs_state *s, uint64_t (*read)(void *ctx, uint32_t field), void *ctx);

/* Each fills r, whatever it held. Pure; the fields may hold anything. */
void vmx_check(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f);

/* The parts of vmx_check(): each adds to r. check.c and check_guest.c. */
void vmx_check_controls(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f);
void vmx_check_host(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f);
void vmx_check_guest(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f);

/* A VM-instruction error by its number, or NULL. */
const char *vmx_insn_error_text(uint32_t error);
/* Of both parts: an address with bits that the processor does not have. */
static inline bool vmx_too_wide(const struct vmx_facts *f, uint64_t address)
{
	return address >> f->phys_bits;
}

static inline bool vmx_not_canonical(const struct vmx_facts *f, uint64_t address)
{
	uint64_t upper = address >> (f->linear_bits - 1);

	return upper && upper != UINT64_MAX >> (f->linear_bits - 1);
}

/* Each byte one of UC, WC, WT, WP, WB, UC-: SDM 3A "Programming the PAT". */
static inline bool vmx_bad_pat(uint64_t pat)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(pat >> (8 * i));

		if (type > 7 || type == 2 || type == 3)
			return true;
	}
	return false;
}

/* A secondary control counts only if the primary ones switch them on. */
static inline bool vmx_cpu2(const struct vmcs_state *s, uint32_t bit)
{
	return (s->cpu & CPU_SECONDARY) && (s->cpu2 & bit);
}

#endif
