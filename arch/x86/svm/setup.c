/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM: is it there, switching it on, and building a vCPU's VMCB, permission maps and reset state. */
#include "arch/x86/svm/svm.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/mm/nested.h"

#define MSR_VM_CR        0xc0010114u
#define VM_CR_SVMDIS     (1ull << 4)
#define VM_CR_LOCK       (1ull << 3)
#define MSR_VM_HSAVE_PA  0xc0010117u

#define CPUID_SVM_ECX    (1u << 2)     /* 80000001 */
#define SVM_EDX_NPT      (1u << 0)     /* 8000000A */

#define IOPM_ORDER  2u                 /* 12 KiB are used: APM 2 "I/O Permissions Map" (15.10.1) */
#define IOPM_BYTES  0x3000u
#define MSRPM_ORDER 1u                 /* 8 KiB: APM 2 "MSR Permissions Map" (15.11) */
#define MSRPM_BYTES 0x2000u

/* PAUSEs in a row, less than a threshold of cycles apart, that make a guest exit: it may be waiting for a lock. */
#define PAUSE_COUNT     4096u
#define PAUSE_THRESHOLD 128u

const char *svm_probe(void)
{
	uint64_t vm_cr = 0;

	if (cpuid_read(0x80000000, 0).eax < 0x8000000a || !(cpuid_read(0x80000001, 0).ecx & CPUID_SVM_ECX))
		return "this CPU has no AMD-V (SVM): use a machine that has, or give the virtual CPU the feature 'svm'";
	/* Not every emulator has the MSR: without it nothing can be switched off. */
	if (msr_read_safe(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVMDIS))
		return vm_cr & VM_CR_LOCK ?
			"firmware has switched AMD-V off and locked it (VM_CR.SVMDIS): enable 'SVM Mode' in the BIOS set-up" :
			"AMD-V is switched off (VM_CR.SVMDIS): enable 'SVM Mode' in the BIOS set-up";
	if (!(cpuid_read(0x8000000a, 0).edx & SVM_EDX_NPT))
		return "this CPU's AMD-V has no nested paging (NPT), which Vouch needs: use a newer CPU, or give the virtual "
		       "CPU the feature 'npt'";
	if (cpuid_read(0x8000000a, 0).ebx < 2)
		return "this CPU's AMD-V offers no ASID for guests";
	return NULL;
}

/* Opens reading and writing. Two bits an MSR, in three ranges of 8192 MSRs: APM 2 "MSR Permissions Map" (15.11). */
static void msrpm_open(uint8_t *map, uint32_t msr)
{
	uint32_t base = msr >= 0xc0010000u ? 0x1000u : msr >= 0xc0000000u ? 0x800u : 0;
	uint32_t bit = (msr & 0x1fffu) * 2;

	map[base + bit / 8] &= (uint8_t)~(3u << (bit % 8));
}

/*
 * MSRs that #VMEXIT leaves in the guest's hands, or that the VMCB holds; Vouch itself relies on none of them. Not the
 * TSC: reading it by MSR is rare, and RDTSC has the offset without an exit.
 */
static void msrpm_build(uint8_t *map)
{
	static const uint32_t open[] = {
		MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
		MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	};

	memset(map, 0xff, MSRPM_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		msrpm_open(map, open[i]);
	if (policy_has_tsc_aux())
		msrpm_open(map, MSR_TSC_AUX);
}

/* Every port exits, and so does every MSR but a few: as this is so for all guests, they share the maps. */
static int maps_get(struct page_alloc *pages, struct svm_cpu *s)
{
	if (!page_get(pages, IOPM_ORDER, &s->iopm))
		return -ENOMEM;
	if (!page_get(pages, MSRPM_ORDER, &s->msrpm)) {
		page_put(pages, s->iopm, IOPM_ORDER);
		return -ENOMEM;
	}
	memset(hpa_to_ptr(s->iopm), 0xff, IOPM_BYTES);
	msrpm_build(hpa_to_ptr(s->msrpm));
	return 0;
}

/* Each CPU has its own page, and all have the boot CPU's maps. */
static int blocks_get(struct pcpu *p, struct svm_cpu *s)
{
	const struct svm_cpu *boot = p->host->cpu[0]->hvm;

	if (!page_get_zeroed(&p->host->pages, PAGE_ORDER_4K, &s->host_save))
		return -ENOMEM;
	if (p->id) {
		s->iopm = boot->iopm;
		s->msrpm = boot->msrpm;
		return 0;
	}
	if (!maps_get(&p->host->pages, s))
		return 0;
	page_put(&p->host->pages, s->host_save, PAGE_ORDER_4K);
	return -ENOMEM;
}

int svm_cpu_enable(struct pcpu *p)
{
	struct cpuid_regs leaf = cpuid_read(0x8000000a, 0);
	struct svm_cpu *s;
	char uses[48];
	hpa_t page;

	if (!page_get_zeroed(&p->host->pages, PAGE_ORDER_4K, &page))
		return -ENOMEM;
	s = hpa_to_ptr(page);
	if (blocks_get(p, s)) {
		page_put(&p->host->pages, page, PAGE_ORDER_4K);
		return -ENOMEM;
	}
	s->has = svm_features_of(leaf.ebx, leaf.edx, p->host->options.features_off);
	s->facts = svm_facts_read(cpuid_leaf);
	tlb_ids_init(&s->asids, p->id, 1, s->has.asids, s->has.flush_by_asid);
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
	spec_cpu_enable(p->host);
	msr_write(MSR_VM_HSAVE_PA, s->host_save.v);
	p->hvm = s;
	if (p->id)
		return 0;
	svm_features_text(&s->has, uses, sizeof(uses));
	log_info("SVM on: %u ASIDs, features used:%s; AVIC: %s", s->has.asids, uses,
		 s->has.avic ? "there, not used" : "none");
	return 0;
}

int svm_vcpu_create(struct vcpu *v)
{
	_Static_assert(_Alignof(struct vcpu_hw) <= 8, "what hvm.h promises");
	if (!page_get_zeroed(&v->vm->host->pages, PAGE_ORDER_4K, &v->hw->vmcb_hpa))
		return -ENOMEM;
	v->hw->vmcb = hpa_to_ptr(v->hw->vmcb_hpa);
	return 0;
}

void svm_vcpu_destroy(struct vcpu *v)
{
	page_scrub(v->hw->vmcb_hpa, PAGE_ORDER_4K);
	page_put(&v->vm->host->pages, v->hw->vmcb_hpa, PAGE_ORDER_4K);
}

/*
 * What exits: everything Vouch has to decide, every SVM instruction, and #DB and #AC, whose endless delivery would
 * otherwise never leave the guest. Host interrupts always do.
 */
static void set_intercepts(struct vmcb *c)
{
	c->intercept_cr_write = 1u << 4;                /* CR0: svm_cr0_set(); CR8: tpr.h */
	c->intercept_exceptions = SVM_EXCEPTIONS;
	c->intercept1 = SVM_INT1_INTR | SVM_INT1_NMI | SVM_INT1_INIT | SVM_INT1_CR0_SEL | SVM_INT1_RDPMC | SVM_INT1_INVD |
			SVM_INT1_CPUID | SVM_INT1_HLT | SVM_INT1_INVLPGA | SVM_INT1_IOIO | SVM_INT1_MSR | SVM_INT1_SHUTDOWN;
	c->intercept2 = SVM_INT2_VMRUN | SVM_INT2_VMMCALL | SVM_INT2_VMLOAD | SVM_INT2_VMSAVE | SVM_INT2_STGI |
			SVM_INT2_CLGI | SVM_INT2_SKINIT | SVM_INT2_WBINVD | SVM_INT2_MONITOR | SVM_INT2_MWAIT |
			SVM_INT2_MWAIT_ARMED | SVM_INT2_XSETBV | SVM_INT2_RDPRU;
}

/* Without the filter each PAUSE would exit: then better none. */
static void set_pause(struct vmcb *c)
{
	const struct svm_cpu *s = this_cpu()->hvm;

	if (!s->has.pause_filter)
		return;
	c->intercept1 |= SVM_INT1_PAUSE;
	c->pause_count = PAUSE_COUNT;
	c->pause_threshold = s->has.pause_threshold ? PAUSE_THRESHOLD : 0;
}

static struct vmcb_seg seg_to_vmcb(const struct x86_seg *s)
{
	return (struct vmcb_seg){ .sel = s->sel, .attr = s->attr, .limit = s->limit, .base = s->base };
}

static void set_start(struct vmcb *c, const struct vcpu_start *s)
{
	c->es = seg_to_vmcb(&s->seg[SEG_ES]);
	c->cs = seg_to_vmcb(&s->seg[SEG_CS]);
	c->ss = seg_to_vmcb(&s->seg[SEG_SS]);
	c->ds = seg_to_vmcb(&s->seg[SEG_DS]);
	c->fs = seg_to_vmcb(&s->seg[SEG_FS]);
	c->gs = seg_to_vmcb(&s->seg[SEG_GS]);
	c->gdtr = (struct vmcb_seg){ .limit = s->gdt.limit, .base = s->gdt.base };
	c->idtr = (struct vmcb_seg){ .limit = s->idt.limit, .base = s->idt.base };
	c->ldtr = (struct vmcb_seg){ .attr = SEG_ATTR_P | 2, .limit = 0xffff };
	c->tr = (struct vmcb_seg){ .attr = SEG_ATTR_P | 11, .limit = 0xffff };   /* busy 32-bit TSS */
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	c->efer = s->efer | EFER_SVME;
	c->rip = s->rip;
	c->rsp = s->rsp;
	c->rflags = s->rflags | RFLAGS_FIXED;
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	c->pat = 0x0007040600070406ull;
}

void svm_vcpu_reset(struct vcpu *v, const struct vcpu_start *s)
{
	const struct svm_cpu *cpu = this_cpu()->hvm;
	struct vcpu_hw *hw = v->hw;
	struct vmcb *c = vmcb_rewrite(hw);

	memset(c, 0, sizeof(*c));
	set_intercepts(c);
	set_start(c, s);
	svm_cr0_set(hw, s->cr0);
	c->iopm_pa = cpu->iopm.v;
	c->msrpm_pa = cpu->msrpm.v;
	c->tsc_offset = v->tsc_offset;
	c->int_ctl = SVM_INTCTL_V_MASKING;
	set_pause(c);
	c->np_enable = SVM_NP_ENABLE;
	c->nested_cr3 = v->vm->nested->root.v;

	v->tells_next = ((const struct svm_cpu *)this_cpu()->hvm)->has.nrip_save;
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[REG_RSP] = s->rsp;
	v->gpr[REG_RSI] = s->rsi;
	hw->asid = (struct tlb_id){ 0 };
	hw->v_tpr = 0;
	hw->cr8_exits = false;
	hw->unchecked = true;
	hw->event.valid = false;
	hw->nmi_masked = hw->iret_next = hw->stepping = hw->shadowed = hw->shadow_cut = false;
	memset(hw->dr, 0, sizeof(hw->dr));
	hw->tsc_aux = 0;
}

const struct hvm_ops svm_ops = {
	.name = "SVM",
	.probe = svm_probe,
	.cpu_enable = svm_cpu_enable,
	.hw_bytes = sizeof(struct vcpu_hw),
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.vcpu_reset = svm_vcpu_reset,
	.vcpu_run = svm_vcpu_run,
	.vcpu_dump = svm_dump,
	.exit_text = svm_exit_text,
	.kind_text = svm_kind_text,
	.env_load = svm_env_load,
	.env_store = svm_env_store,
	.reg_get = svm_reg_get,
	.reg_set = svm_reg_set,
	.nested = &npt_format,
	.tlb_ids = svm_tlb_ids,
};
