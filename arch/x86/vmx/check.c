/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM entry checks before it touches the guest: SDM 3C "Checks on VMX Controls and Host-State Area" (26.2). Vouch
 * runs in IA-32e mode and never in SMM, so of rules with an alternative only that half stands here. Left out is what
 * Vouch never switches on: tertiary and secondary VM-exit controls, processor trace, sub-page write permissions, and
 * the loading of CET, protection-key, speculation-control and FRED state.
 */
#include "arch/x86/vmx/check.h"

#include <vouch/x86.h>

#define VMFUNC_EPTP_SWITCHING 1ull
#define CPU_MONITOR_TRAP      (1u << 27)
#define MISC_INSN_LEN_0       (1ull << 30)

#define EPTP_TYPE(e)   ((e) & 7)
#define EPTP_LEVELS(e) ((((e) >> 3) & 7) + 1)
#define EPTP_AD        (1ull << 6)
#define EPTP_RESERVED  0xf80ull

/* IA32_VMX_EPT_VPID_CAP: SDM 3D "VPID and EPT Capabilities" (A.10). */
#define CAP_LEVELS_4   (1ull << 6)
#define CAP_LEVELS_5   (1ull << 7)
#define CAP_UC         (1ull << 8)
#define CAP_WB         (1ull << 14)
#define CAP_AD         (1ull << 21)

enum word { PIN, CPU, CPU2, EXIT, ENTRY };

static uint64_t word_of(const struct vmcs_state *s, enum word w)
{
	switch (w) {
	case PIN: return s->pin;
	case CPU: return s->cpu;
	case CPU2: return s->cpu & CPU_SECONDARY ? s->cpu2 : 0;
	case EXIT: return s->exit;
	case ENTRY: return s->entry;
	}
	return 0;
}

static void check_word(struct refusals *r, const struct vmcs_state *s, enum word w, const struct vmx_ctl *c)
{
	static const char *const names[] = {
		"pin-based controls", "primary processor-based controls", "secondary processor-based controls",
		"VM-exit controls", "VM-entry controls",
	};
	uint64_t val = word_of(s, w);

	refuse_if(r, ~val & c->must, names[w], val, "bits that this CPU wants set must be 1");
	refuse_if(r, val & ~(uint64_t)c->may, names[w], val, "bits that this CPU lacks must be 0");
}

static void check_words(struct refusals *r, const struct vmcs_state *s, const struct vmx_caps *c)
{
	check_word(r, s, PIN, &c->pin);
	check_word(r, s, CPU, &c->cpu);
	if (s->cpu & CPU_SECONDARY)
		check_word(r, s, CPU2, &c->cpu2);
	check_word(r, s, EXIT, &c->exit);
	check_word(r, s, ENTRY, &c->entry);
}

/* While one control is 1 another one must be 1, or 0. */
struct needs {
	enum word has, other;
	uint32_t has_bit, other_bit;
	bool set;
	const char *field, *rule;
};

static const struct needs needs[] = {
	{ PIN, PIN, PIN_VIRTUAL_NMI, PIN_NMI, true, "virtual NMIs", "needs NMI exiting" },
	{ CPU, PIN, CPU_NMI_WINDOW, PIN_VIRTUAL_NMI, true, "NMI-window exiting", "needs virtual NMIs" },
	{ CPU2, CPU, CPU2_X2APIC, CPU_TPR_SHADOW, true, "virtualize x2APIC mode", "needs the TPR shadow" },
	{ CPU2, CPU, CPU2_APIC_REGS, CPU_TPR_SHADOW, true, "APIC-register virtualization", "needs the TPR shadow" },
	{ CPU2, CPU, CPU2_VIRT_INTR, CPU_TPR_SHADOW, true, "virtual-interrupt delivery", "needs the TPR shadow" },
	{ CPU2, CPU2, CPU2_X2APIC, CPU2_APIC_ACCESS, false, "virtualize x2APIC mode", "excludes virtualize APIC accesses" },
	{ CPU2, PIN, CPU2_VIRT_INTR, PIN_EXT_INTR, true, "virtual-interrupt delivery", "needs external-interrupt exiting" },
	{ PIN, CPU2, PIN_POSTED_INTR, CPU2_VIRT_INTR, true, "process posted interrupts",
	  "needs virtual-interrupt delivery" },
	{ PIN, EXIT, PIN_POSTED_INTR, EXIT_ACK_INTR, true, "process posted interrupts",
	  "needs acknowledge interrupt on exit" },
	{ CPU2, CPU2, CPU2_UNRESTRICTED, CPU2_EPT, true, "unrestricted guest", "needs EPT" },
	{ CPU2, CPU2, CPU2_PML, CPU2_EPT, true, "enable PML", "needs EPT" },
	{ CPU2, CPU2, CPU2_MBEC, CPU2_EPT, true, "mode-based execute control for EPT", "needs EPT" },
	{ EXIT, PIN, EXIT_SAVE_PREEMPT, PIN_PREEMPT_TIMER, true, "save VMX-preemption timer value",
	  "needs activate VMX-preemption timer" },
};

static void check_needs(struct refusals *r, const struct vmcs_state *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const struct needs *n = &needs[i];
		uint64_t has = word_of(s, n->has);
		bool set = word_of(s, n->other) & n->other_bit;

		refuse_if(r, (has & n->has_bit) && set != n->set, n->field, has, n->rule);
	}
}

/* A page that the processor uses while a control is 1. */
struct page_field {
	enum word word;
	uint32_t bit;
	size_t at;
	const char *field;
};

#define PAGE(word, bit, member, field) { word, bit, offsetof(struct vmcs_state, member), field }

static const struct page_field pages[] = {
	PAGE(CPU, CPU_IO_BITMAPS, io_bitmap_a, "I/O-bitmap A address"),
	PAGE(CPU, CPU_IO_BITMAPS, io_bitmap_b, "I/O-bitmap B address"),
	PAGE(CPU, CPU_MSR_BITMAPS, msr_bitmap, "MSR-bitmap address"),
	PAGE(CPU, CPU_TPR_SHADOW, virtual_apic, "virtual-APIC address"),
	PAGE(CPU2, CPU2_APIC_ACCESS, apic_access, "APIC-access address"),
	PAGE(CPU2, CPU2_PML, pml, "PML address"),
	PAGE(CPU2, CPU2_SHADOW_VMCS, vmread_bitmap, "VMREAD-bitmap address"),
	PAGE(CPU2, CPU2_SHADOW_VMCS, vmwrite_bitmap, "VMWRITE-bitmap address"),
	PAGE(CPU2, CPU2_EPT_VE, ve_info, "virtualization-exception information address"),
};

static uint64_t member(const struct vmcs_state *s, size_t at)
{
	return *(const uint64_t *)((const char *)s + at);
}

static void check_address(struct refusals *r, const struct vmx_facts *f, const char *field, uint64_t address, uint64_t align)
{
	refuse_if(r, address & (align - 1), field, address, "must be aligned");
	refuse_if(r, vmx_too_wide(f, address), field, address, "must lie within the physical width");
}

static void check_pages(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (word_of(s, pages[i].word) & pages[i].bit)
			check_address(r, f, pages[i].field, member(s, pages[i].at), PAGE_SIZE);
}

static void check_apic(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	bool delivers = vmx_cpu2(s, CPU2_VIRT_INTR);

	if ((s->cpu & CPU_TPR_SHADOW) && !delivers) {
		refuse_if(r, s->tpr_threshold >> 4, "TPR threshold", s->tpr_threshold, "bits 31:4 must be 0");
		refuse_if(r, !vmx_cpu2(s, CPU2_APIC_ACCESS) && (s->tpr_threshold & 15) > f->vtpr >> 4, "TPR threshold",
			  s->tpr_threshold, "must not be above the virtual TPR's class");
	}
	if (s->pin & PIN_POSTED_INTR) {
		refuse_if(r, s->posted_vector >> 8, "posted-interrupt notification vector", s->posted_vector,
			  "bits 15:8 must be 0");
		check_address(r, f, "posted-interrupt descriptor address", s->posted_desc, 64);
	}
}

static void check_ept(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	uint64_t e = s->eptp, cap = f->caps.ept_vpid;
	bool type_ok = (EPTP_TYPE(e) == 0 && (cap & CAP_UC)) || (EPTP_TYPE(e) == 6 && (cap & CAP_WB));
	bool levels_ok = (EPTP_LEVELS(e) == 4 && (cap & CAP_LEVELS_4)) || (EPTP_LEVELS(e) == 5 && (cap & CAP_LEVELS_5));

	if (!vmx_cpu2(s, CPU2_EPT))
		return;
	refuse_if(r, !type_ok, "EPTP", e, "the memory type must be one that this CPU has for EPT");
	refuse_if(r, !levels_ok, "EPTP", e, "the page-walk length must be one that this CPU has");
	refuse_if(r, (e & EPTP_AD) && !(cap & CAP_AD), "EPTP", e, "bit 6 needs accessed and dirty flags for EPT");
	refuse_if(r, e & EPTP_RESERVED, "EPTP", e, "bits 11:7 must be 0");
	refuse_if(r, vmx_too_wide(f, e), "EPTP", e, "must lie within the physical width");
}

/* Only function 0 has been defined. */
static void check_vmfunc(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	if (!vmx_cpu2(s, CPU2_VMFUNC))
		return;
	refuse_if(r, s->vmfunc & ~VMFUNC_EPTP_SWITCHING, "VM-function controls", s->vmfunc, "bits 63:1 must be 0");
	if (!(s->vmfunc & VMFUNC_EPTP_SWITCHING))
		return;
	refuse_if(r, !vmx_cpu2(s, CPU2_EPT), "VM-function controls", s->vmfunc, "EPTP switching needs EPT");
	check_address(r, f, "EPTP-list address", s->eptp_list, PAGE_SIZE);
}

static void check_execution(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	uint64_t targets = (f->caps.misc >> 16) & 0x1ff;

	r->section = "VM-Execution Control Fields";
	check_words(r, s, &f->caps);
	check_needs(r, s);
	refuse_if(r, s->cr3_targets > targets, "CR3-target count", s->cr3_targets, "must not be above IA32_VMX_MISC's");
	check_pages(r, s, f);
	check_apic(r, s, f);
	refuse_if(r, vmx_cpu2(s, CPU2_VPID) && !s->vpid, "VPID", s->vpid, "0 is the host's");
	check_ept(r, s, f);
	check_vmfunc(r, s, f);
	refuse_if(r, vmx_cpu2(s, CPU2_TSC_SCALING) && !s->tsc_multiplier, "TSC multiplier", 0, "must not be 0");
}

static void check_msr_area(struct refusals *r, const struct vmx_facts *f, const char *field, uint64_t first, uint64_t count)
{
	uint64_t last = first + count * 16 - 1;

	if (!count)
		return;
	check_address(r, f, field, first, 16);
	refuse_if(r, !vmx_too_wide(f, first) && vmx_too_wide(f, last), field, first,
		  "the area must end within the physical width");
}

static void check_msr_areas(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	r->section = "VM-Exit Control Fields";
	check_msr_area(r, f, "VM-exit MSR-store address", s->exit_msr_store, s->exit_msr_stores);
	check_msr_area(r, f, "VM-exit MSR-load address", s->exit_msr_load, s->exit_msr_loads);
	r->section = "VM-Entry Control Fields";
	check_msr_area(r, f, "VM-entry MSR-load address", s->entry_msr_load, s->entry_msr_loads);
	refuse_if(r, s->entry & (ENTRY_SMM | ENTRY_DUAL_SMM), "VM-entry controls", s->entry,
		  "entry to SMM and deactivate dual-monitor treatment must be 0 outside SMM");
}

static bool vector_fits(unsigned int type, unsigned int vector)
{
	switch (type) {
	case INTR_NMI: return vector == EXC_NMI;
	case INTR_HW_EXC: return vector < 32;
	case INTR_OTHER: return vector == 0;
	default: return true;
	}
}

/* Vectors of exceptions that come with an error code. */
#define ERROR_CODES (1u << EXC_DF | 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP | 1u << EXC_PF | 1u << EXC_AC)

static void check_error_code(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	uint64_t i = s->intr_info;
	bool real = vmx_cpu2(s, CPU2_UNRESTRICTED) && !(s->guest.cr0 & CR0_PE);
	bool possible = INTR_TYPE(i) == INTR_HW_EXC && !real;
	bool usual = possible && INTR_VECTOR(i) < 32 && (ERROR_CODES & 1u << INTR_VECTOR(i));
	bool has = i & INTR_HAS_ERROR;

	refuse_if(r, has && !possible, "VM-entry interruption information", i,
		  "only exceptions in protected mode have an error code");
	refuse_if(r, has && possible && !usual && !f->any_error_code, "VM-entry interruption information", i,
		  "this vector has no error code");
	refuse_if(r, !has && usual && !f->any_error_code, "VM-entry interruption information", i,
		  "this vector needs an error code");
	refuse_if(r, has && s->error_code >> 16, "VM-entry exception error code", s->error_code, "bits 31:16 must be 0");
}

static void check_injection(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	uint64_t i = s->intr_info;
	unsigned int type = INTR_TYPE(i);
	bool software = type >= INTR_SOFT_INT && type <= INTR_SW_EXC;

	if (!(i & INTR_VALID))
		return;
	refuse_if(r, type == 1, "VM-entry interruption information", i, "type 1 is reserved");
	refuse_if(r, type == INTR_OTHER && !(f->caps.cpu.may & CPU_MONITOR_TRAP), "VM-entry interruption information", i,
		  "type 7 needs a CPU with the monitor trap flag");
	refuse_if(r, !vector_fits(type, INTR_VECTOR(i)), "VM-entry interruption information", i,
		  "the vector must fit the type");
	refuse_if(r, i & 0x7ffff000, "VM-entry interruption information", i, "bits 30:12 must be 0");
	check_error_code(r, s, f);
	refuse_if(r, software && s->insn_len > 15, "VM-entry instruction length", s->insn_len, "must be at most 15");
	refuse_if(r, software && !s->insn_len && !(f->caps.misc & MISC_INSN_LEN_0), "VM-entry instruction length",
		  s->insn_len, "must not be 0 on this CPU");
}

void vmx_check_controls(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	check_execution(r, s, f);
	check_msr_areas(r, s, f);
	check_injection(r, s, f);
}

static void check_fixed(struct refusals *r, const char *field, uint64_t val, uint64_t fixed0, uint64_t fixed1)
{
	refuse_if(r, ~val & fixed0, field, val, "bits that VMX operation fixes to 1 must be 1");
	refuse_if(r, val & ~fixed1, field, val, "bits that VMX operation fixes to 0 must be 0");
}

static void check_host_registers(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	const struct vmcs_host *h = &s->host;
	const uint64_t long_mode = EFER_LME | EFER_LMA;

	r->section = "Checks on Host Control Registers and MSRs";
	check_fixed(r, "host CR0", h->cr0, f->caps.cr0_fixed0, f->caps.cr0_fixed1);
	check_fixed(r, "host CR4", h->cr4, f->caps.cr4_fixed0, f->caps.cr4_fixed1);
	refuse_if(r, (h->cr4 & CR4_CET) && !(h->cr0 & CR0_WP), "host CR4", h->cr4, "CET needs CR0.WP");
	refuse_if(r, vmx_too_wide(f, h->cr3), "host CR3", h->cr3, "must lie within the physical width");
	refuse_if(r, vmx_not_canonical(f, h->sysenter_esp), "host IA32_SYSENTER_ESP", h->sysenter_esp, "must be canonical");
	refuse_if(r, vmx_not_canonical(f, h->sysenter_eip), "host IA32_SYSENTER_EIP", h->sysenter_eip, "must be canonical");
	refuse_if(r, (s->exit & EXIT_PERF_CTRL) && (h->perf_ctrl & ~f->perf_ctrl), "host IA32_PERF_GLOBAL_CTRL",
		  h->perf_ctrl, "reserved bits must be 0");
	refuse_if(r, (s->exit & EXIT_LOAD_PAT) && vmx_bad_pat(h->pat), "host IA32_PAT", h->pat,
		  "each byte must be a memory type");
	if (!(s->exit & EXIT_LOAD_EFER))
		return;
	refuse_if(r, h->efer & ~(f->efer | long_mode), "host IA32_EFER", h->efer, "reserved bits must be 0");
	refuse_if(r, (h->efer & long_mode) != (s->exit & EXIT_HOST_64 ? long_mode : 0), "host IA32_EFER", h->efer,
		  "LME and LMA must equal host address-space size");
}

static void check_host_segments(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	static const char *const selectors[] = { "host ES selector", "host CS selector", "host SS selector",
						 "host DS selector", "host FS selector", "host GS selector" };
	const struct vmcs_host *h = &s->host;
	const struct { const char *field; uint64_t base; } bases[] = {
		{ "host FS base", h->fs_base }, { "host GS base", h->gs_base }, { "host TR base", h->tr_base },
		{ "host GDTR base", h->gdtr_base }, { "host IDTR base", h->idtr_base },
	};

	r->section = "Checks on Host Segment and Descriptor-Table Registers";
	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
		refuse_if(r, h->sel[i] & 7, selectors[i], h->sel[i], "RPL and TI must be 0");
	refuse_if(r, h->tr_sel & 7, "host TR selector", h->tr_sel, "RPL and TI must be 0");
	refuse_if(r, !h->sel[VMCS_CS], "host CS selector", 0, "must not be 0");
	refuse_if(r, !h->tr_sel, "host TR selector", 0, "must not be 0");
	refuse_if(r, !h->sel[VMCS_SS] && !(s->exit & EXIT_HOST_64), "host SS selector", 0,
		  "must not be 0 without host address-space size");
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		refuse_if(r, vmx_not_canonical(f, bases[i].base), bases[i].field, bases[i].base, "must be canonical");
}

static void check_host_size(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	const struct vmcs_host *h = &s->host;

	r->section = "Checks Related to Address-Space Size";
	if (!(s->exit & EXIT_HOST_64)) {
		refuse_if(r, true, "host address-space size", s->exit, "must be 1 in IA-32e mode");
		refuse_if(r, s->entry & ENTRY_IA32E, "IA-32e mode guest", s->entry, "needs host address-space size");
		return;
	}
	refuse_if(r, !(h->cr4 & CR4_PAE), "host CR4", h->cr4, "PAE must be 1 with host address-space size");
	refuse_if(r, vmx_not_canonical(f, h->rip), "host RIP", h->rip, "must be canonical");
}

void vmx_check_host(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	check_host_registers(r, s, f);
	check_host_segments(r, s, f);
	check_host_size(r, s, f);
}

void vmx_check(struct refusals *r, const struct vmcs_state *s, const struct vmx_facts *f)
{
	r->count = 0;
	vmx_check_controls(r, s, f);
	vmx_check_host(r, s, f);
	vmx_check_guest(r, s, f);
}
