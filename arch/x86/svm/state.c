/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state between the VMCB and the neutral structures, and the VMCB in words. */
#include "arch/x86/svm/svm.h"

#include <stdio.h>

#include <vouch/assert.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>
#include <vouch/x86.h>

static struct x86_seg seg_from_vmcb(const struct vmcb_seg *s)
{
	return (struct x86_seg){ .sel = s->sel, .attr = s->attr, .limit = s->limit, .base = s->base };
}

/* FS and GS stay in the CPU while the guest's state is live there; VMSAVE brings them to the VMCB. */
static void sync_hidden(const struct vcpu *v)
{
	if (this_cpu()->vcpu == v)
		__asm__ volatile("vmsave %%rax" : : "a"(v->hw->vmcb_hpa.v) : "memory");
}

/*
 * LMA follows from LME and PG (APM 2 "Extended Feature Enable Register (EFER)"), and VMRUN takes it so. Bochs 2.7 has
 * already changed it when a MOV to CR0 that switches long mode on or off is intercepted.
 */
static uint64_t guest_efer(const struct vmcb *c)
{
	uint64_t efer = c->efer & ~(EFER_SVME | EFER_LMA);

	return (efer & EFER_LME) && (c->cr0 & CR0_PG) ? efer | EFER_LMA : efer;
}

static uint64_t guest_cr0(const struct vcpu_hw *hw)
{
	return hw->vmcb->cr0 | hw->cr0_caches;
}

void svm_cr0_set(struct vcpu_hw *hw, uint64_t val)
{
	uint16_t others = hw->vmcb->intercept_cr_write & (uint16_t)~SVM_CR0;

	hw->cr0_caches = val & (CR0_CD | CR0_NW);
	vmcb_put(hw, cr0, val & ~(CR0_CD | CR0_NW));
	vmcb_put(hw, intercept_cr_read, hw->cr0_caches ? SVM_CR0 : 0);
	vmcb_put(hw, intercept_cr_write, hw->cr0_caches ? others | SVM_CR0 : others);
}

void svm_env_load(const struct vcpu *v, struct x86_env *e)
{
	const struct vmcb *c = v->hw->vmcb;

	sync_hidden(v);
	e->rip = c->rip;
	e->rflags = c->rflags;
	e->cr0 = guest_cr0(v->hw);
	e->cr3 = c->cr3;
	e->cr4 = c->cr4;
	e->efer = guest_efer(c);
	e->cpl = c->cpl;
	e->pdpte = NULL;                        /* APM 2 "Legacy PAE Mode" (15.25.10): they are read at each walk */
	e->stepped = false;
	e->seg[SEG_ES] = seg_from_vmcb(&c->es);
	e->seg[SEG_CS] = seg_from_vmcb(&c->cs);
	e->seg[SEG_SS] = seg_from_vmcb(&c->ss);
	e->seg[SEG_DS] = seg_from_vmcb(&c->ds);
	e->seg[SEG_FS] = seg_from_vmcb(&c->fs);
	e->seg[SEG_GS] = seg_from_vmcb(&c->gs);
}

void svm_env_store(struct vcpu *v, const struct x86_env *e)
{
	struct vcpu_hw *hw = v->hw;

	vmcb_put(hw, rip, e->rip);
	vmcb_put(hw, rflags, e->rflags);
	vmcb_put(hw, int_state, hw->vmcb->int_state & ~SVM_INTSTATE_SHADOW);
	if (e->stepped)
		svm_event_trap(v);
}

uint64_t svm_reg_get(const struct vcpu *v, enum hvm_reg r)
{
	const struct vmcb *c = v->hw->vmcb;

	switch (r) {
	case HVM_CR0: return guest_cr0(v->hw);
	case HVM_CR2: return c->cr2;
	case HVM_CR3: return c->cr3;
	case HVM_CR4: return c->cr4;
	case HVM_EFER: return guest_efer(c);
	case HVM_PAT: return c->pat;
	case HVM_RIP: return c->rip;
	case HVM_RFLAGS: return c->rflags;
	case HVM_DR7: return c->dr7;
	case HVM_TSC_OFFSET: return c->tsc_offset;
	}
	panic("svm_reg_get: register %d", (int)r);
}

static void translations_change(struct vcpu *v)
{
	tlb_id_flush(&v->hw->asid);
	v->hw->unchecked = true;
}

void svm_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	struct vcpu_hw *hw = v->hw;

	switch (r) {
	case HVM_CR0: svm_cr0_set(hw, val); translations_change(v); return;
	case HVM_CR2: vmcb_put(hw, cr2, val); return;
	case HVM_CR3: vmcb_put(hw, cr3, val); translations_change(v); return;
	case HVM_CR4: vmcb_put(hw, cr4, val); translations_change(v); return;
	case HVM_EFER: vmcb_put(hw, efer, val | EFER_SVME); translations_change(v); return;
	case HVM_PAT: vmcb_put(hw, pat, val); hw->unchecked = true; return;
	case HVM_RIP: vmcb_put(hw, rip, val); return;
	case HVM_RFLAGS: vmcb_put(hw, rflags, val); return;
	case HVM_DR7: vmcb_put(hw, dr7, val); hw->unchecked = true; return;
	case HVM_TSC_OFFSET: vmcb_put(hw, tsc_offset, val); return;
	}
	panic("svm_reg_set: register %d", (int)r);
}

static bool event_text(uint64_t info, char *dst, size_t size)
{
	static const char *const types[8] = { [SVM_EVENT_INTR] = "interrupt", [SVM_EVENT_NMI] = "NMI",
					      [SVM_EVENT_EXC] = "exception", [SVM_EVENT_SOFT] = "INT" };
	const char *type = types[SVM_EVENT_TYPE(info)];

	if (info & SVM_EVENT_HAS_ERROR)
		snprintf(dst, size, "%s %u, error %x", type ? type : "?", SVM_EVENT_VECTOR(info), SVM_EVENT_ERROR(info));
	else
		snprintf(dst, size, "%s %u", type ? type : "?", SVM_EVENT_VECTOR(info));
	return info & SVM_EVENT_VALID;
}

static void check(struct refusals *r, const struct vmcb *c)
{
	const struct svm_cpu *s = this_cpu()->hvm;

	svm_check(r, c, &s->facts);
}

/* Emulators answer a refused VMRUN with their host's state in the VMCB, so the guest's is checked before. */
bool svm_state_ok(struct vcpu *v)
{
	struct refusals r;

	check(&r, v->hw->vmcb);
	/* VMRUN would take them, and switch off the caches of a CPU that others' guests use, too. */
	ASSERT_SLOW(!(v->hw->vmcb->cr0 & (CR0_CD | CR0_NW)));
	v->hw->unchecked = false;
	if (r.count)
		vm_stop(v->vm, STOP_UNHANDLED, "VMRUN would refuse the guest's state: %s 0x%lx: %s", r.list[0].field,
			r.list[0].value, r.list[0].rule);
	return !r.count;
}

void svm_dump(const struct vcpu *v)
{
	const struct vmcb *c = v->hw->vmcb;
	struct refusals r;
	char cut[48], last[48];
	bool was_cut = event_text(c->exit_int_info, cut, sizeof(cut)), had = event_text(c->event_inj, last, sizeof(last));

	if (svm_exit_is_invalid(c->exit_code))
		log_verdict("  an emulator may show its host's registers here: VMRUN refused the state");
	check(&r, c);
	if (r.count)
		log_verdict("  VMRUN's checks that the VMCB fails:");
	refusals_log(&r);
	log_verdict("  TR %04x %lx+%x LDT %04x GDT %lx+%x IDT %lx+%x", c->tr.sel, c->tr.base, c->tr.limit, c->ldtr.sel,
		    c->gdtr.base, c->gdtr.limit, c->idtr.base, c->idtr.limit);
	if (was_cut || had)
		log_verdict("  last injected: %s; under way at the exit: %s", had ? last : "nothing",
			    was_cut ? cut : "nothing");
}
