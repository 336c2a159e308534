/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state between the VMCS and the neutral structures, and the VMCS in words. */
#include "arch/x86/vmx/vmx.h"

#include <stdio.h>

#include <vouch/assert.h>
#include <vouch/gpa.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/exit/policy.h"

/* A write that changes one of these loads the PDPTEs anew: SDM 3A "PDPTE Registers". */
#define CR0_LOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_LOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

#define PDPTE_P 1ull

#define TR_BUSY_16 3u

/* ES to GS stand two apart in each of the four groups of fields. */
static enum vmcs_field seg_field(enum vmcs_field es, unsigned int seg)
{
	return (enum vmcs_field)((unsigned int)es + 2 * seg);
}

static uint32_t access_from_attr(uint16_t attr)
{
	return attr & SEG_ATTR_P ? (attr & 0xffu) | (attr & 0xf00u) << 4 : ACCESS_UNUSABLE;
}

static struct x86_seg seg_read(unsigned int seg)
{
	return (struct x86_seg){
		.sel = (uint16_t)vmcs_read(seg_field(VMCS_GUEST_ES, seg)),
		.attr = vmx_attr_from_access((uint32_t)vmcs_read(seg_field(VMCS_GUEST_ES_ACCESS, seg))),
		.limit = (uint32_t)vmcs_read(seg_field(VMCS_GUEST_ES_LIMIT, seg)),
		.base = vmcs_read(seg_field(VMCS_GUEST_ES_BASE, seg)),
	};
}

void vmx_seg_write(unsigned int seg, const struct x86_seg *s)
{
	vmcs_write(seg_field(VMCS_GUEST_ES, seg), s->sel);
	vmcs_write(seg_field(VMCS_GUEST_ES_ACCESS, seg), access_from_attr(s->attr));
	vmcs_write(seg_field(VMCS_GUEST_ES_LIMIT, seg), s->limit);
	vmcs_write(seg_field(VMCS_GUEST_ES_BASE, seg), s->base);
}

uint64_t vmx_cr4_guest(void)
{
	return policy_cr4() & ~(CR4_MCE | CR4_OSXSAVE | CR4_VMXE);
}

static uint64_t cr0_get(void)
{
	return (vmcs_read(VMCS_GUEST_CR0) & VMX_CR0_GUEST) | (vmcs_read(VMCS_CR0_SHADOW) & ~VMX_CR0_GUEST);
}

static uint64_t cr4_get(void)
{
	uint64_t owned = vmcs_read(VMCS_CR4_MASK);

	return (vmcs_read(VMCS_GUEST_CR4) & ~owned) | (vmcs_read(VMCS_CR4_SHADOW) & owned);
}

void vmx_state_init(struct vcpu *v)
{
	vmx_make_current(v);
	vmcs_write(VMCS_CR0_MASK, ~VMX_CR0_GUEST);
	vmcs_write(VMCS_CR0_SHADOW, 0);
	vmcs_write(VMCS_GUEST_CR0, 0);
	vmcs_write(VMCS_CR4_MASK, ~vmx_cr4_guest());
	vmcs_write(VMCS_CR4_SHADOW, 0);
	vmcs_write(VMCS_GUEST_CR4, 0);
}

static bool uses_pdptes(uint64_t cr0, uint64_t cr4, bool long_mode)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !long_mode;
}

static const uint64_t *pdptes_get(uint64_t pdpte[4])
{
	pdpte[0] = vmcs_read(VMCS_GUEST_PDPTE0);
	pdpte[1] = vmcs_read(VMCS_GUEST_PDPTE1);
	pdpte[2] = vmcs_read(VMCS_GUEST_PDPTE2);
	pdpte[3] = vmcs_read(VMCS_GUEST_PDPTE3);
	return pdpte;
}

void vmx_env_load(const struct vcpu *v, struct x86_env *e)
{
	vmx_make_current(v);
	e->rip = vmcs_read(VMCS_GUEST_RIP);
	e->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	e->cr0 = cr0_get();
	e->cr3 = vmcs_read(VMCS_GUEST_CR3);
	e->cr4 = cr4_get();
	e->efer = vmcs_read(VMCS_GUEST_EFER);
	e->pdpte = uses_pdptes(e->cr0, e->cr4, e->efer & EFER_LMA) ? pdptes_get(v->hw->pdpte) : NULL;
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		e->seg[i] = seg_read(i);
	/* SDM 3C "Guest Register State": the DPL of SS is the CPL, in every mode and for an unusable SS too. */
	e->cpl = (uint8_t)SEG_ATTR_DPL((unsigned int)vmcs_read(VMCS_GUEST_SS_ACCESS));
	e->stepped = false;
}

/* STI's and MOV SS's. */
static void end_shadow(void)
{
	uint64_t block = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	if (block & (BLOCK_STI | BLOCK_MOV_SS))
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, block & ~(uint64_t)(BLOCK_STI | BLOCK_MOV_SS));
}

void vmx_rip_set(struct vcpu *v, uint64_t rip, uint64_t rflags)
{
	end_shadow();
	vmcs_write(VMCS_GUEST_RFLAGS, rflags);
	vmcs_write(VMCS_GUEST_RIP, rip);
	vmx_event_trap(v);
}

void vmx_env_store(struct vcpu *v, const struct x86_env *e)
{
	vmx_make_current(v);
	if (e->stepped) {
		vmx_rip_set(v, e->rip, e->rflags);
		return;
	}
	end_shadow();
	vmcs_write(VMCS_GUEST_RFLAGS, e->rflags);
}

/*
 * The four entries at CR3, read once. False if the CPU would refuse one: SDM 3A "PDPTE Registers". Where no memory is,
 * all bits are ones.
 */
static bool pdptes_read(const struct vcpu *v, uint64_t pdpte[4])
{
	uint64_t reserved = ~0ull << v->vm->phys_bits | 0x1e6;
	bool good = true;

	if (gpa_read(v->vm, gpa(vmcs_read(VMCS_GUEST_CR3) & 0xffffffe0u), pdpte, 4 * sizeof(*pdpte)))
		return false;
	for (unsigned int i = 0; i < 4; i++)
		if ((pdpte[i] & PDPTE_P) && (pdpte[i] & reserved))
			good = false;
	return good;
}

/*
 * With EPT the CPU takes the PDPTEs of a guest with PAE paging from the VMCS, and loads them itself only at the guest's
 * own MOV to CR3 or CR4. Bad ones were refused before it came to this; should they have changed meanwhile, none is
 * present.
 */
static void pdptes_load(const struct vcpu *v)
{
	uint64_t pdpte[4];

	if (!uses_pdptes(cr0_get(), cr4_get(), vmcs_read(VMCS_GUEST_EFER) & EFER_LMA))
		return;
	if (!pdptes_read(v, pdpte))
		pdpte[0] = pdpte[1] = pdpte[2] = pdpte[3] = 0;
	vmcs_write(VMCS_GUEST_PDPTE0, pdpte[0]);
	vmcs_write(VMCS_GUEST_PDPTE1, pdpte[1]);
	vmcs_write(VMCS_GUEST_PDPTE2, pdpte[2]);
	vmcs_write(VMCS_GUEST_PDPTE3, pdpte[3]);
}

/* SDM 2B "MOV - Move to/from Control Registers": #GP for bad PDPTEs, and for long mode with a 16-bit TSS in TR. */
bool vmx_cr_takes(const struct vcpu *v, unsigned int cr, uint64_t val)
{
	uint64_t cr0 = cr0_get(), cr4 = cr4_get(), changed;
	bool loads, long_mode = vmcs_read(VMCS_GUEST_EFER) & EFER_LME, paging = cr0 & CR0_PG;
	uint64_t pdpte[4];

	if (cr == 0) {
		changed = cr0 ^ val;
		loads = changed & CR0_LOADS_PDPTES;
		cr0 = val;
	} else {
		changed = cr4 ^ val;
		loads = changed & CR4_LOADS_PDPTES;
		cr4 = val;
	}
	if (long_mode && !paging && (cr0 & CR0_PG))
		return (vmcs_read(VMCS_GUEST_TR_ACCESS) & SEG_ATTR_TYPE) != TR_BUSY_16;
	return !loads || !uses_pdptes(cr0, cr4, long_mode) || pdptes_read(v, pdpte);
}

static void cr0_set(struct vcpu *v, uint64_t val)
{
	uint64_t changed = cr0_get() ^ val;

	vmcs_write(VMCS_GUEST_CR0, (val & ~(CR0_CD | CR0_NW)) | CR0_NE);
	vmcs_write(VMCS_CR0_SHADOW, val);
	tlb_id_flush(&v->hw->id);
	if (changed & CR0_LOADS_PDPTES)
		pdptes_load(v);
}

static void cr4_set(struct vcpu *v, uint64_t val)
{
	uint64_t changed = cr4_get() ^ val;

	vmcs_write(VMCS_GUEST_CR4, val | CR4_VMXE | CR4_MCE);
	vmcs_write(VMCS_CR4_SHADOW, val);
	tlb_id_flush(&v->hw->id);
	if (changed & CR4_LOADS_PDPTES)
		pdptes_load(v);
}

/*
 * The "IA-32e mode guest" control says what EFER.LMA says, or the entry fails. VM exits store it again, and since every
 * write to EFER and to CR0.PG exits, what they store is what stands here: SDM 3C "Saving Control Registers, Debug
 * Registers, and MSRs" and the bit 5 of IA32_VMX_MISC.
 */
static void efer_set(struct vcpu *v, uint64_t val)
{
	struct vmx_controls *ctl = &v->hw->ctl;

	vmcs_write(VMCS_GUEST_EFER, val);
	ctl->entry = val & EFER_LMA ? ctl->entry | ENTRY_IA32E : ctl->entry & ~ENTRY_IA32E;
	vmcs_write(VMCS_ENTRY_CTRL, ctl->entry);
	tlb_id_flush(&v->hw->id);
}

static bool is_live(const struct vcpu *v)
{
	return this_cpu()->vcpu == v;
}

uint64_t vmx_dr6(const struct vcpu *v)
{
	uint64_t val = v->hw->dr6;

	if (is_live(v))
		__asm__ volatile("mov %%dr6, %0" : "=r"(val));
	return val;
}

void vmx_dr6_set(struct vcpu *v, uint64_t val)
{
	if (is_live(v))
		__asm__ volatile("mov %0, %%dr6" : : "r"(val));
	else
		v->hw->dr6 = val;
}

static void cr2_set(struct vcpu *v, uint64_t val)
{
	if (is_live(v))
		cr2_write(val);
	else
		v->hw->cr2 = val;
}

uint64_t vmx_reg_get(const struct vcpu *v, enum hvm_reg r)
{
	vmx_make_current(v);
	switch (r) {
	case HVM_CR0: return cr0_get();
	case HVM_CR2: return is_live(v) ? cr2_read() : v->hw->cr2;
	case HVM_CR3: return vmcs_read(VMCS_GUEST_CR3);
	case HVM_CR4: return cr4_get();
	case HVM_EFER: return vmcs_read(VMCS_GUEST_EFER);
	case HVM_PAT: return vmcs_read(VMCS_GUEST_PAT);
	case HVM_RIP: return vmcs_read(VMCS_GUEST_RIP);
	case HVM_RFLAGS: return vmcs_read(VMCS_GUEST_RFLAGS);
	case HVM_DR7: return vmcs_read(VMCS_GUEST_DR7);
	case HVM_TSC_OFFSET: return vmcs_read(VMCS_TSC_OFFSET);
	}
	panic("vmx_reg_get: register %d", (int)r);
}

void vmx_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	vmx_make_current(v);
	switch (r) {
	case HVM_CR0: cr0_set(v, val); return;
	case HVM_CR2: cr2_set(v, val); return;
	case HVM_CR3: vmcs_write(VMCS_GUEST_CR3, val); tlb_id_flush(&v->hw->id); pdptes_load(v); return;
	case HVM_CR4: cr4_set(v, val); return;
	case HVM_EFER: efer_set(v, val); return;
	case HVM_PAT: vmcs_write(VMCS_GUEST_PAT, val); return;
	case HVM_RIP: vmcs_write(VMCS_GUEST_RIP, val); return;
	case HVM_RFLAGS: vmcs_write(VMCS_GUEST_RFLAGS, val); return;
	case HVM_DR7: vmcs_write(VMCS_GUEST_DR7, val); return;
	case HVM_TSC_OFFSET: vmcs_write(VMCS_TSC_OFFSET, val); return;
	}
	panic("vmx_reg_set: register %d", (int)r);
}

void vmx_cpu_ctl(struct vcpu *v, uint32_t bits, bool on)
{
	uint32_t *cpu = &v->hw->ctl.cpu, want = on ? *cpu | bits : *cpu & ~bits;

	if (want == *cpu)
		return;
	*cpu = want;
	vmcs_write(VMCS_CPU_CTRL, want);
}

/* One of the fields of interruption information, of which the error code stands in another. */
static void event_text(uint64_t info, enum vmcs_field error, char *dst, size_t size)
{
	static const char *const types[8] = { [INTR_EXT] = "interrupt", [INTR_NMI] = "NMI", [INTR_HW_EXC] = "exception",
					      [INTR_SOFT_INT] = "INT", [INTR_PRIV_SW_EXC] = "ICEBP",
					      [INTR_SW_EXC] = "INT3 or INTO" };
	const char *type = types[INTR_TYPE(info)];

	if (info & INTR_HAS_ERROR)
		snprintf(dst, size, "%s %u, error %x", type ? type : "?", INTR_VECTOR(info), (uint32_t)vmcs_read(error));
	else
		snprintf(dst, size, "%s %u", type ? type : "?", INTR_VECTOR(info));
}

static void blocking_text(uint64_t block, char *dst, size_t size)
{
	snprintf(dst, size, "%s%s%s%s", block ? "blocked by" : "open", block & BLOCK_STI ? " STI" : "",
		 block & BLOCK_MOV_SS ? " MOV-SS" : "", block & BLOCK_NMI ? " NMI" : "");
}

void vmx_dump(const struct vcpu *v)
{
	char cut[48] = "nothing", last[48] = "nothing", block[48];
	uint64_t injected, vectoring;

	vmx_make_current(v);
	injected = vmcs_read(VMCS_ENTRY_INTR_INFO);
	vectoring = vmcs_read(VMCS_IDT_VECTORING_INFO);
	log_verdict("  TR %04x %lx+%x LDT %04x GDT %lx+%x IDT %lx+%x", (unsigned int)vmcs_read(VMCS_GUEST_TR),
		    vmcs_read(VMCS_GUEST_TR_BASE), (unsigned int)vmcs_read(VMCS_GUEST_TR_LIMIT),
		    (unsigned int)vmcs_read(VMCS_GUEST_LDTR), vmcs_read(VMCS_GUEST_GDTR_BASE),
		    (unsigned int)vmcs_read(VMCS_GUEST_GDTR_LIMIT), vmcs_read(VMCS_GUEST_IDTR_BASE),
		    (unsigned int)vmcs_read(VMCS_GUEST_IDTR_LIMIT));
	/* A VM exit clears the valid bit of what was injected and leaves the rest. */
	if (injected)
		event_text(injected, VMCS_ENTRY_ERROR_CODE, last, sizeof(last));
	if (vectoring & INTR_VALID)
		event_text(vectoring, VMCS_IDT_VECTORING_ERROR, cut, sizeof(cut));
	blocking_text(vmcs_read(VMCS_GUEST_INTERRUPTIBILITY), block, sizeof(block));
	log_verdict("  interrupts %s; latest injected: %s; under way at the exit: %s", block, last, cut);
}
