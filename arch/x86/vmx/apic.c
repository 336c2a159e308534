/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the CPU does of the guest's local APIC by itself (SDM 3C "APIC Virtualization and Virtual Interrupts"), on the very
 * page in which the local APIC keeps its registers (dev/lapic.h): there is nothing to copy. Step by step, as the CPU has
 * them: CR8 by the TPR shadow; the page at APIC_DEFAULT_BASE or the x2APIC's MSRs; the registers that only hold what was
 * written; delivery, EOI and self-IPI. What is left exits, or is told behind the write. All but the TPR shadow depends on
 * the mode that the guest has its APIC in, and changes with it.
 *
 * The page is in the nested tables only while their one vCPU is in xAPIC mode. Where several vCPUs share the tables they may be
 * in several modes, so there it is never: what they do in xAPIC mode exits, x2APIC mode is as ever.
 */
#include "arch/x86/vmx/vmx.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/mm/nested.h"

/* Of the MSR bitmap, SDM 3C "MSR-Bitmap Address": where the bits of MSR_X2APIC_FIRST are. */
#define X2APIC_READS  (MSR_X2APIC_FIRST / 8)
#define X2APIC_WRITES (0x800u + MSR_X2APIC_FIRST / 8)
#define BIT(n)        (1ull << (n))

_Static_assert(LAPIC_REGS == 64, "the bits of the x2APIC's MSRs are one word");

static bool has_shadow(const struct vcpu *v)
{
	return v->hw->ctl.cpu & CPU_TPR_SHADOW;
}

/* Mapped once, so that the tables are there and it can be mapped again at any time. */
int vmx_apic_create(struct vcpu *v)
{
	struct page_alloc *pages = &v->vm->host->pages;
	hpa_t page;

	if (v->vm->vcpus > 1)
		return 0;
	if (!page_get_zeroed(pages, PAGE_ORDER_4K, &page))
		return -ENOMEM;
	if (nested_map(v->vm->nested, gpa(APIC_DEFAULT_BASE), page, PAGE_SIZE, NESTED_DEVICE)) {
		page_put(pages, page, PAGE_ORDER_4K);
		return -ENOMEM;
	}
	v->hw->apic_access = page;
	v->hw->apic_mapped = true;
	return 0;
}

void vmx_apic_destroy(struct vcpu *v)
{
	if (!v->hw->apic_access.v)
		return;
	page_scrub(v->hw->apic_access, PAGE_ORDER_4K);
	page_put(&v->vm->host->pages, v->hw->apic_access, PAGE_ORDER_4K);
}

/* A local APIC that delivers nothing must not be sent anything either: then self-IPIs exit. */
static uint32_t controls_for(const struct vcpu *v)
{
	const struct lapic *l = v->lapic;
	uint32_t rest = CPU2_APIC_REGS | (lapic_delivers(l) ? CPU2_VIRT_INTR : 0);

	if (lapic_xapic_enabled(l))
		return v->vm->vcpus > 1 ? 0 : CPU2_APIC_ACCESS | rest;
	return lapic_x2apic_enabled(l) ? CPU2_X2APIC | rest : 0;
}

/* Only what the CPU virtualizes: anything else that got through would reach the host's own APIC. */
static void open_msrs(const struct vcpu_hw *hw, uint32_t ctls)
{
	uint8_t *map = hpa_to_ptr(hw->msr_bitmap);
	uint64_t reads = 0, writes = 0;

	if (ctls & CPU2_X2APIC)
		reads = writes = BIT(LAPIC_TPR);
	if ((ctls & CPU2_X2APIC) && (ctls & CPU2_VIRT_INTR))
		writes |= BIT(LAPIC_EOI) | BIT(LAPIC_SELF_IPI);
	if ((ctls & CPU2_X2APIC) && (ctls & CPU2_APIC_REGS)) {
		for (unsigned int n = 0; n < LAPIC_REGS; n++)
			reads |= lapic_page_shows(n) ? BIT(n) : 0;
		/* The CPU keeps it up to date for its own sake. */
		reads |= ctls & CPU2_VIRT_INTR ? BIT(LAPIC_PPR) : 0;
	}
	reads = ~reads;
	writes = ~writes;
	memcpy(map + X2APIC_READS, &reads, sizeof(reads));
	memcpy(map + X2APIC_WRITES, &writes, sizeof(writes));
}

/* The controls of APIC virtualization are off until vmx_apic_mode(). */
void vmx_apic_reset(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;

	if (!has_shadow(v))
		return;
	open_msrs(hw, 0);
	hw->tpr_threshold = 0;
	memset(hw->eoi_exit, 0, sizeof(hw->eoi_exit));
	v->lapic->changed = true;
	v->lapic->watched = false;
	ASSERT(!(ptr_to_hpa(v->lapic->page).v & (PAGE_SIZE - 1)));
	vmcs_write(VMCS_VIRTUAL_APIC, ptr_to_hpa(v->lapic->page).v);
	vmcs_write(VMCS_TPR_THRESHOLD, 0);
	if (hw->apic_access.v)
		vmcs_write(VMCS_APIC_ACCESS, hw->apic_access.v);
	if (!(hw->apic_ctls & CPU2_VIRT_INTR))
		return;
	vmcs_write(VMCS_GUEST_INTR_STATUS, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(hw->eoi_exit); i++)
		vmcs_write((enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * i), 0);
}

/*
 * Where the control is off the page would be plain memory to the CPU: it goes, so that accesses exit. That it does not
 * stay in a TLB is prepare_tlb()'s care, which nested_unmap() calls for.
 */
static void map_page(struct vcpu *v, bool on)
{
	struct vcpu_hw *hw = v->hw;
	int err;

	if (!hw->apic_access.v || on == hw->apic_mapped)
		return;
	err = on ? nested_map(v->vm->nested, gpa(APIC_DEFAULT_BASE), hw->apic_access, PAGE_SIZE, NESTED_DEVICE) :
		   nested_unmap(v->vm->nested, gpa(APIC_DEFAULT_BASE), PAGE_SIZE);
	ASSERT(!err);                           /* the tables are there: vmx_apic_create() */
	hw->apic_mapped = on;
}

void vmx_apic_mode(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint32_t ctls;

	if (!v->lapic->changed || !hw->apic_ctls)
		return;
	ctls = controls_for(v) & hw->apic_ctls;
	map_page(v, ctls & CPU2_APIC_ACCESS);
	if (ctls == (hw->ctl.cpu2 & VMX_APIC_CTLS))
		return;
	hw->ctl.cpu2 = (hw->ctl.cpu2 & ~VMX_APIC_CTLS) | ctls;
	vmcs_write(VMCS_CPU_CTRL2, hw->ctl.cpu2);
	open_msrs(hw, ctls);
	v->lapic->watched = ctls & CPU2_VIRT_INTR;
}

/* SDM 3C "Guest Interrupt Status": what is requested in bits 7:0, what is in service above. */
static void write_status(struct vcpu *v)
{
	const struct lapic *l = v->lapic;
	struct vcpu_hw *hw = v->hw;

	vmcs_write(VMCS_GUEST_INTR_STATUS, lapic_highest_irr(l) | (unsigned int)lapic_highest_isr(l) << 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(hw->eoi_exit); i++) {
		uint64_t levels = lapic_levels(l, i);

		if (levels == hw->eoi_exit[i])
			continue;
		hw->eoi_exit[i] = levels;
		vmcs_write((enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * i), levels);
	}
}

static void write_threshold(struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint8_t threshold = lapic_tpr_threshold(v->lapic);

	if (threshold == hw->tpr_threshold)
		return;
	hw->tpr_threshold = threshold;
	vmcs_write(VMCS_TPR_THRESHOLD, threshold);
}

void vmx_apic_prepare(struct vcpu *v)
{
	if (!has_shadow(v))
		return;
	if (!vmx_apic_delivers(v))
		write_threshold(v);
	else if (v->lapic->changed)
		write_status(v);
	v->lapic->changed = false;
}
