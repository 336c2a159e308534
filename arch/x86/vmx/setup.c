/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX: is it there, switching it on, and building a vCPU's VMCS: controls, the host's state, the guest's after reset. */
#include "arch/x86/vmx/vmx.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/smp.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/nested.h"

#define CPUID_ECX_VMX          (1u << 5)      /* leaf 1 */
#define MSR_FEATURE_CONTROL    0x3au          /* IA32_FEATURE_CONTROL */

#define CAP_INVEPT_SINGLE      (1ull << 25)   /* IA32_VMX_EPT_VPID_CAP */
#define CAP_INVVPID_SINGLE     (1ull << 41)

#define VPID_LIMIT 0x10000u
#define LINK_NONE  UINT64_MAX
#define PAT_RESET  0x0007040600070406ull

/* TSC ticks between two PAUSEs of one loop at most, and how long a loop goes on before it exits: it may be waiting for a
 * lock (SDM 3C "PAUSE-loop exiting"). */
#define PLE_GAP    128u
#define PLE_WINDOW 4096u

const uint32_t vmx_live_msrs[VMX_LIVE_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX };

void vmcs_failed(enum vmcs_field f)
{
	panic("VMCS field %#x: VMREAD or VMWRITE failed", (unsigned int)f);
}

/* False: VMfail. */
static bool vmxon(hpa_t region)
{
	__asm__ goto volatile("vmxon %0; jbe %l1" : : "m"(region.v) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

static void vmclear(hpa_t region)
{
	__asm__ goto volatile("vmclear %0; jbe %l1" : : "m"(region.v) : "cc", "memory" : failed);
	return;
failed:
	panic("VMCLEAR failed");
}

static void vmptrld(hpa_t region)
{
	__asm__ goto volatile("vmptrld %0; jbe %l1" : : "m"(region.v) : "cc", "memory" : failed);
	return;
failed:
	panic("VMPTRLD failed");
}

const char *vmx_probe(void)
{
	struct vmx_controls ctl;
	const char *why = NULL;
	struct vmx_caps c;
	uint64_t fc;

	if (!(cpuid_leaf(1, 0).ecx & CPUID_ECX_VMX))
		return "this CPU has no Intel VT-x (VMX): use a machine that has, or give the virtual CPU the feature 'vmx'";
	/* Not every emulator has the MSR: without it nothing is switched off. */
	if (msr_read_safe(MSR_FEATURE_CONTROL, &fc))
		why = vmx_firmware_refusal(fc);
	if (why)
		return why;
	vmx_caps_read(&c);
	if (!vmx_controls_pick(&c, this_cpu()->host->options.features_off, &ctl, &why))
		return why;
	if (policy_has_tsc_aux() && !(ctl.cpu2 & CPU2_RDTSCP))
		return "this CPU's VT-x has no \"Enable RDTSCP\", though the CPU has RDTSCP or RDPID: take these from the "
		       "virtual CPU, or use a newer CPU";
	if (!c.vmcs_wb)
		return "this CPU's VT-x wants its VMCS uncached: use a newer CPU";
	/* SDM 3D "VMX-Fixed Bits in CR0" and "... in CR4" (A.7, A.8): Vouch runs with these set. */
	if ((cr0_read() & ~c.cr0_fixed1) || (cr4_read() & ~c.cr4_fixed1))
		return "this CPU's VT-x forbids a bit of CR0 or CR4 that Vouch runs with: use a newer CPU";
	return vmx_ept_refusal(&c);
}

/* Control registers and MSR as VMXON wants them, then VMXON itself. */
static bool switch_on(const struct vmx_cpu *c)
{
	uint64_t fc = 0;

	if (msr_read_safe(MSR_FEATURE_CONTROL, &fc) && !(fc & FEATURE_CONTROL_LOCK))
		msr_write(MSR_FEATURE_CONTROL, fc | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	cr0_write(cr0_read() | c->caps.cr0_fixed0);
	cr4_write(cr4_read() | c->caps.cr4_fixed0 | CR4_VMXE);
	*(uint32_t *)hpa_to_ptr(c->vmxon) = c->caps.revision;
	if (vmxon(c->vmxon))
		return true;
	cr4_write(cr4_read() & ~CR4_VMXE);
	return false;
}

int vmx_cpu_enable(struct pcpu *p)
{
	uint32_t off = p->host->options.features_off;
	struct vmx_cpu *c;
	const char *why;
	char uses[80];
	hpa_t page;

	if (!page_get_zeroed(&p->host->pages, PAGE_ORDER_4K, &page))
		return -ENOMEM;
	c = hpa_to_ptr(page);
	if (!page_get_zeroed(&p->host->pages, PAGE_ORDER_4K, &c->vmxon))
		goto no_vmxon;
	vmx_caps_read(&c->caps);
	if (!vmx_controls_pick(&c->caps, off, &c->ctl, &why) || !switch_on(c))
		goto failed;
	c->eptp_bits = vmx_eptp_bits(&c->caps, off);
	c->invept_single = c->caps.ept_vpid & CAP_INVEPT_SINGLE;
	tlb_ids_init(&c->ids, p->id, 1, c->ctl.cpu2 & CPU2_VPID ? VPID_LIMIT : 0,
		     c->caps.ept_vpid & CAP_INVVPID_SINGLE);
	spec_cpu_enable(p->host);
	p->hvm = c;
	if (p->id)
		return 0;
	vmx_features_text(c, uses, sizeof(uses));
	log_info("VMX on: features used:%s", uses);
	return 0;
failed:
	page_put(&p->host->pages, c->vmxon, PAGE_ORDER_4K);
	page_put(&p->host->pages, page, PAGE_ORDER_4K);
	return -EIO;
no_vmxon:
	page_put(&p->host->pages, page, PAGE_ORDER_4K);
	return -ENOMEM;
}

/*
 * The host as each VM exit puts it back: this CPU's, and constant. The exit sets the limits of GDT and IDT to FFFFh;
 * struct pcpu_arch's GDT is that long, and no vector reaches beyond the IDT.
 */
static void write_host(void)
{
	const struct pcpu_arch *a = this_cpu()->arch;

	vmcs_write(VMCS_HOST_CR0, cr0_read());
	vmcs_write(VMCS_HOST_CR3, cr3_read());
	vmcs_write(VMCS_HOST_CR4, cr4_read());
	vmcs_write(VMCS_HOST_CS, SEL_CODE);
	vmcs_write(VMCS_HOST_SS, SEL_DATA);
	vmcs_write(VMCS_HOST_DS, SEL_DATA);
	vmcs_write(VMCS_HOST_ES, SEL_DATA);
	vmcs_write(VMCS_HOST_FS, 0);
	vmcs_write(VMCS_HOST_GS, 0);
	vmcs_write(VMCS_HOST_TR, SEL_TSS);
	vmcs_write(VMCS_HOST_FS_BASE, 0);
	vmcs_write(VMCS_HOST_GS_BASE, 0);
	vmcs_write(VMCS_HOST_TR_BASE, (uint64_t)(uintptr_t)&a->tss);
	vmcs_write(VMCS_HOST_GDTR_BASE, (uint64_t)(uintptr_t)a->gdt);
	vmcs_write(VMCS_HOST_IDTR_BASE, (uint64_t)(uintptr_t)a->idt);
	vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_HOST_EFER, msr_read(MSR_EFER));
	vmcs_write(VMCS_HOST_PAT, msr_read(MSR_PAT));
	vmcs_write(VMCS_HOST_RIP, (uint64_t)(uintptr_t)vmx_exit_here);
}

static void let_go(void *arg)
{
	struct vmx_cpu *c = this_cpu()->hvm;
	const struct vcpu_hw *hw = arg;

	vmclear(hw->vmcs);
	if (c->current && c->current->hw == hw)
		c->current = NULL;
}

/*
 * Nothing of v's VMCS is in any CPU any more: it may be launched again, on any, or its memory used for something else. One
 * that has it active is asked to let go (SDM 3C "The VMCS Region: Software Access"), so v runs nowhere, and no lock is held.
 */
static void forget(const struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	uint32_t active = __atomic_load_n(&hw->home, __ATOMIC_ACQUIRE);
	unsigned int home = active ? active - 1 : this_cpu()->id;

	ASSERT(v->vm->host->cpu[home]->vcpu != v);
	cpu_call(home, let_go, hw);
	hw->launched = false;
	__atomic_store_n(&hw->home, 0, __ATOMIC_RELEASE);
}

/*
 * The vCPU it belongs to may be in turn on another CPU by now, which either finds that nobody has it active, or waits for its
 * call to be served: behind this.
 */
void vmx_let_go(void)
{
	struct vmx_cpu *c = this_cpu()->hvm;
	struct vcpu_hw *hw = c->current ? c->current->hw : NULL;

	if (!hw)
		return;
	let_go(hw);
	hw->launched = false;
	__atomic_store_n(&hw->home, 0, __ATOMIC_RELEASE);
}

/* Where vCPUs can move, a CPU has no more than one VMCS active: then hardly any move takes a call. */
void vmx_make_current(const struct vcpu *v)
{
	struct vmx_cpu *c = this_cpu()->hvm;
	unsigned int me = this_cpu()->id + 1;
	struct vcpu_hw *hw = v->hw;
	uint32_t home;

	if (c->current == v)
		return;
	if (this_cpu()->host->cpus > 1)
		vmx_let_go();
	home = __atomic_load_n(&hw->home, __ATOMIC_ACQUIRE);
	if (home && home != me)
		forget(v);
	vmptrld(hw->vmcs);
	c->current = v;
	__atomic_store_n(&hw->home, me, __ATOMIC_RELAXED);
	if (hw->host_of == me)
		return;
	/* Tables and stack are this CPU's now. */
	hw->host_of = me;
	hw->host_rsp = 0;
	write_host();
}

/* Opens reading. One bit an MSR, two ranges of 8192 MSRs: SDM 3C "MSR-Bitmap Address". */
static void msr_bitmap_open_read(uint8_t *map, uint32_t msr)
{
	uint32_t base = msr >= 0xc0000000u ? 0x400u : 0, bit = msr & 0x1fffu;

	map[base + bit / 8] &= (uint8_t)~(1u << bit % 8);
}

/* Opens reading and writing. */
static void msr_bitmap_open(uint8_t *map, uint32_t msr)
{
	msr_bitmap_open_read(map, msr);
	msr_bitmap_open_read(map + 0x800, msr);
}

/*
 * MSRs that the VMCS holds, or that stay in the CPU: Vouch itself relies on none of them. EFER, PAT and the TSC with its
 * offset are in the CPU as the guest has them too, but only Vouch may change them.
 */
static void msr_bitmap_build(uint8_t *map)
{
	static const uint32_t held[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE };
	static const uint32_t shown[] = { MSR_EFER, MSR_PAT, MSR_TSC };

	memset(map, 0xff, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		msr_bitmap_open_read(map, shown[i]);
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		msr_bitmap_open(map, held[i]);
	for (size_t i = 0; i < VMX_LIVE_MSRS; i++)
		if (vmx_live_msrs[i] != MSR_TSC_AUX || policy_has_tsc_aux())
			msr_bitmap_open(map, vmx_live_msrs[i]);
}

int vmx_vcpu_create(struct vcpu *v)
{
	struct page_alloc *pages = &v->vm->host->pages;
	const struct vmx_cpu *c = this_cpu()->hvm;

	_Static_assert(_Alignof(struct vcpu_hw) <= 8, "what hvm.h promises");
	if (!page_get_zeroed(pages, PAGE_ORDER_4K, &v->hw->vmcs))
		return -ENOMEM;
	if (!page_get(pages, PAGE_ORDER_4K, &v->hw->msr_bitmap))
		goto no_bitmap;
	if ((c->ctl.cpu2 & CPU2_APIC_ACCESS) && vmx_apic_create(v))
		goto no_apic;
	*(uint32_t *)hpa_to_ptr(v->hw->vmcs) = c->caps.revision;
	msr_bitmap_build(hpa_to_ptr(v->hw->msr_bitmap));
	return 0;
no_apic:
	page_put(pages, v->hw->msr_bitmap, PAGE_ORDER_4K);
no_bitmap:
	page_put(pages, v->hw->vmcs, PAGE_ORDER_4K);
	return -ENOMEM;
}

void vmx_vcpu_destroy(struct vcpu *v)
{
	struct page_alloc *pages = &v->vm->host->pages;
	struct vcpu_hw *hw = v->hw;

	forget(v);
	vmx_apic_destroy(v);
	page_put(pages, hw->msr_bitmap, PAGE_ORDER_4K);
	page_scrub(hw->vmcs, PAGE_ORDER_4K);
	page_put(pages, hw->vmcs, PAGE_ORDER_4K);
}

/*
 * What exits: everything Vouch has to decide, all VMX instructions (which need no control), and #DB and #AC, whose
 * endless delivery would otherwise never leave the guest.
 */
static void write_controls(struct vcpu *v, const struct vmx_cpu *c)
{
	struct vcpu_hw *hw = v->hw;

	hw->ctl = c->ctl;
	hw->apic_ctls = c->ctl.cpu2 & VMX_APIC_CTLS;
	hw->ctl.cpu2 &= ~VMX_APIC_CTLS;
	vmcs_write(VMCS_PIN_CTRL, hw->ctl.pin);
	vmcs_write(VMCS_CPU_CTRL, hw->ctl.cpu);
	vmcs_write(VMCS_CPU_CTRL2, hw->ctl.cpu2);
	vmcs_write(VMCS_EXIT_CTRL, hw->ctl.exit);
	vmcs_write(VMCS_ENTRY_CTRL, hw->ctl.entry);
	vmcs_write(VMCS_EXCEPTION_BITMAP, 1u << EXC_DB | 1u << EXC_AC | 1u << EXC_MC);
	vmcs_write(VMCS_PF_ERROR_MASK, 0);
	vmcs_write(VMCS_PF_ERROR_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write(VMCS_MSR_BITMAP, hw->msr_bitmap.v);
	vmcs_write(VMCS_TSC_OFFSET, v->tsc_offset);
	vmcs_write(VMCS_EPTP, hw->eptp);
	if (hw->ctl.cpu2 & CPU2_PLE) {
		vmcs_write(VMCS_PLE_GAP, PLE_GAP);
		vmcs_write(VMCS_PLE_WINDOW, PLE_WINDOW);
	}
	if (hw->ctl.cpu2 & CPU2_ENCLS)
		vmcs_write(VMCS_ENCLS_EXIT_BITMAP, UINT64_MAX);
}

/* What is the same after every reset. */
static void write_guest_rest(void)
{
	vmcs_write(VMCS_GUEST_LDTR, 0);
	vmcs_write(VMCS_GUEST_LDTR_BASE, 0);
	vmcs_write(VMCS_GUEST_LDTR_LIMIT, 0xffff);
	vmcs_write(VMCS_GUEST_LDTR_ACCESS, SEG_ATTR_P | 2);
	vmcs_write(VMCS_GUEST_TR, 0);
	vmcs_write(VMCS_GUEST_TR_BASE, 0);
	vmcs_write(VMCS_GUEST_TR_LIMIT, 0xffff);
	vmcs_write(VMCS_GUEST_TR_ACCESS, SEG_ATTR_P | 11);      /* busy 32-bit TSS */
	vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_GUEST_DR7, 0x400);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_write(VMCS_GUEST_PAT, PAT_RESET);
	vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(VMCS_GUEST_PENDING_DBG, 0);
	vmcs_write(VMCS_LINK_POINTER, LINK_NONE);
}

static void write_start(struct vcpu *v, const struct vcpu_start *s)
{
	vmx_state_init(v);
	vmx_reg_set(v, HVM_EFER, s->efer);
	vmx_reg_set(v, HVM_CR4, s->cr4);
	vmx_reg_set(v, HVM_CR0, s->cr0);
	vmx_reg_set(v, HVM_CR3, s->cr3);
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		vmx_seg_write(i, &s->seg[i]);
	vmcs_write(VMCS_GUEST_GDTR_BASE, s->gdt.base);
	vmcs_write(VMCS_GUEST_GDTR_LIMIT, s->gdt.limit);
	vmcs_write(VMCS_GUEST_IDTR_BASE, s->idt.base);
	vmcs_write(VMCS_GUEST_IDTR_LIMIT, s->idt.limit);
	vmcs_write(VMCS_GUEST_RIP, s->rip);
	vmcs_write(VMCS_GUEST_RSP, s->rsp);
	vmcs_write(VMCS_GUEST_RFLAGS, s->rflags | RFLAGS_FIXED);
}

void vmx_vcpu_reset(struct vcpu *v, const struct vcpu_start *s)
{
	const struct vmx_cpu *c = this_cpu()->hvm;
	const struct vcpu_hw old = *v->hw;
	struct vcpu_hw *hw = v->hw;

	forget(v);
	*hw = (struct vcpu_hw){ .vmcs = old.vmcs, .msr_bitmap = old.msr_bitmap, .apic_access = old.apic_access,
				.apic_mapped = old.apic_mapped, .dr6 = 0xffff0ff0,
				.timer_rate = VMX_MISC_TIMER_RATE(c->caps.misc), .eptp = v->vm->nested->root.v | c->eptp_bits };
	vmx_make_current(v);
	write_controls(v, c);
	vmx_apic_reset(v);
	write_guest_rest();
	write_start(v, s);
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[REG_RSP] = hw->guest_rsp = s->rsp;
	v->gpr[REG_RSI] = s->rsi;
	v->own_timer = hw->ctl.pin & PIN_PREEMPT_TIMER;
}

static struct tlb_ids *vmx_tlb_ids(struct pcpu *p)
{
	struct vmx_cpu *c = p->hvm;

	return &c->ids;
}

const struct hvm_ops vmx_ops = {
	.name = "VMX",
	.probe = vmx_probe,
	.cpu_enable = vmx_cpu_enable,
	.cpu_let_go = vmx_let_go,
	.hw_bytes = sizeof(struct vcpu_hw),
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.vcpu_reset = vmx_vcpu_reset,
	.vcpu_run = vmx_vcpu_run,
	.vcpu_dump = vmx_dump,
	.exit_text = vmx_exit_text,
	.kind_text = vmx_kind_text,
	.env_load = vmx_env_load,
	.env_store = vmx_env_store,
	.reg_get = vmx_reg_get,
	.reg_set = vmx_reg_set,
	.nested = &ept_format,
	.tlb_ids = vmx_tlb_ids,
};
