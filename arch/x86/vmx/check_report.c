/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM entry that failed: reads the VMCS for the checker; and the VM-instruction errors in words. */
#include "arch/x86/vmx/check.h"

#include <vouch/log.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/asm.h"

#define MSR_VMX_BASIC        0x480u
#define BASIC_ANY_ERROR_CODE (1ull << 56)

#define CPUID_EBX_SGX (1u << 2)         /* leaf 7 */
#define CPUID_EBX_RTM (1u << 11)

struct state_field {
	uint16_t field, at;
};

#define FIELD(field, member) { field, offsetof(struct vmcs_state, member) }

static const struct state_field fields[] = {
	FIELD(VMCS_PIN_CTRL, pin), FIELD(VMCS_CPU_CTRL, cpu), FIELD(VMCS_CPU_CTRL2, cpu2), FIELD(VMCS_EXIT_CTRL, exit),
	FIELD(VMCS_ENTRY_CTRL, entry), FIELD(VMCS_VPID, vpid), FIELD(VMCS_POSTED_VECTOR, posted_vector),
	FIELD(VMCS_POSTED_DESC, posted_desc), FIELD(VMCS_VIRTUAL_APIC, virtual_apic),
	FIELD(VMCS_APIC_ACCESS, apic_access), FIELD(VMCS_TPR_THRESHOLD, tpr_threshold),
	FIELD(VMCS_IO_BITMAP_A, io_bitmap_a), FIELD(VMCS_IO_BITMAP_B, io_bitmap_b),
	FIELD(VMCS_MSR_BITMAP, msr_bitmap), FIELD(VMCS_EPTP, eptp), FIELD(VMCS_EPTP_LIST, eptp_list),
	FIELD(VMCS_VMFUNC_CONTROLS, vmfunc), FIELD(VMCS_PML_ADDRESS, pml), FIELD(VMCS_VE_INFO, ve_info),
	FIELD(VMCS_VMREAD_BITMAP, vmread_bitmap), FIELD(VMCS_VMWRITE_BITMAP, vmwrite_bitmap),
	FIELD(VMCS_TSC_MULTIPLIER, tsc_multiplier), FIELD(VMCS_CR3_TARGET_COUNT, cr3_targets),
	FIELD(VMCS_EXIT_MSR_STORE, exit_msr_store), FIELD(VMCS_EXIT_MSR_STORE_COUNT, exit_msr_stores),
	FIELD(VMCS_EXIT_MSR_LOAD, exit_msr_load), FIELD(VMCS_EXIT_MSR_LOAD_COUNT, exit_msr_loads),
	FIELD(VMCS_ENTRY_MSR_LOAD, entry_msr_load), FIELD(VMCS_ENTRY_MSR_LOAD_COUNT, entry_msr_loads),
	FIELD(VMCS_ENTRY_INTR_INFO, intr_info), FIELD(VMCS_ENTRY_ERROR_CODE, error_code),
	FIELD(VMCS_ENTRY_INSN_LEN, insn_len),

	FIELD(VMCS_HOST_CR0, host.cr0), FIELD(VMCS_HOST_CR3, host.cr3), FIELD(VMCS_HOST_CR4, host.cr4),
	FIELD(VMCS_HOST_EFER, host.efer), FIELD(VMCS_HOST_PAT, host.pat), FIELD(VMCS_HOST_PERF_CTRL, host.perf_ctrl),
	FIELD(VMCS_HOST_ES, host.sel[VMCS_ES]), FIELD(VMCS_HOST_CS, host.sel[VMCS_CS]),
	FIELD(VMCS_HOST_SS, host.sel[VMCS_SS]), FIELD(VMCS_HOST_DS, host.sel[VMCS_DS]),
	FIELD(VMCS_HOST_FS, host.sel[VMCS_FS]), FIELD(VMCS_HOST_GS, host.sel[VMCS_GS]),
	FIELD(VMCS_HOST_TR, host.tr_sel), FIELD(VMCS_HOST_FS_BASE, host.fs_base),
	FIELD(VMCS_HOST_GS_BASE, host.gs_base), FIELD(VMCS_HOST_TR_BASE, host.tr_base),
	FIELD(VMCS_HOST_GDTR_BASE, host.gdtr_base), FIELD(VMCS_HOST_IDTR_BASE, host.idtr_base),
	FIELD(VMCS_HOST_SYSENTER_ESP, host.sysenter_esp), FIELD(VMCS_HOST_SYSENTER_EIP, host.sysenter_eip),
	FIELD(VMCS_HOST_RIP, host.rip),

	FIELD(VMCS_GUEST_CR0, guest.cr0), FIELD(VMCS_GUEST_CR3, guest.cr3), FIELD(VMCS_GUEST_CR4, guest.cr4),
	FIELD(VMCS_GUEST_DR7, guest.dr7), FIELD(VMCS_GUEST_EFER, guest.efer), FIELD(VMCS_GUEST_PAT, guest.pat),
	FIELD(VMCS_GUEST_PERF_CTRL, guest.perf_ctrl), FIELD(VMCS_GUEST_DEBUGCTL, guest.debugctl),
	FIELD(VMCS_GUEST_BNDCFGS, guest.bndcfgs), FIELD(VMCS_GUEST_GDTR_BASE, guest.gdtr_base),
	FIELD(VMCS_GUEST_GDTR_LIMIT, guest.gdtr_limit), FIELD(VMCS_GUEST_IDTR_BASE, guest.idtr_base),
	FIELD(VMCS_GUEST_IDTR_LIMIT, guest.idtr_limit), FIELD(VMCS_GUEST_SYSENTER_ESP, guest.sysenter_esp),
	FIELD(VMCS_GUEST_SYSENTER_EIP, guest.sysenter_eip), FIELD(VMCS_GUEST_RIP, guest.rip),
	FIELD(VMCS_GUEST_RFLAGS, guest.rflags), FIELD(VMCS_GUEST_ACTIVITY, guest.activity),
	FIELD(VMCS_GUEST_INTERRUPTIBILITY, guest.interruptibility),
	FIELD(VMCS_GUEST_PENDING_DBG, guest.pending_dbg), FIELD(VMCS_LINK_POINTER, guest.link_pointer),
	FIELD(VMCS_GUEST_PDPTE0, guest.pdpte[0]), FIELD(VMCS_GUEST_PDPTE1, guest.pdpte[1]),
	FIELD(VMCS_GUEST_PDPTE2, guest.pdpte[2]), FIELD(VMCS_GUEST_PDPTE3, guest.pdpte[3]),
};

void vmcs_state_read(struct vmcs_state *s, uint64_t (*read)(void *ctx, uint32_t field), void *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		*(uint64_t *)((char *)s + fields[i].at) = read(ctx, fields[i].field);
	for (uint32_t n = 0; n < VMCS_SEGS; n++) {      /* the encodings of ES to TR are two apart */
		struct vmcs_seg *x = &s->guest.seg[n];

		x->sel = read(ctx, VMCS_GUEST_ES + 2 * n);
		x->base = read(ctx, VMCS_GUEST_ES_BASE + 2 * n);
		x->limit = read(ctx, VMCS_GUEST_ES_LIMIT + 2 * n);
		x->access = read(ctx, VMCS_GUEST_ES_ACCESS + 2 * n);
	}
}

/* SDM 3C "VM Instruction Error Numbers" (30.4). */
static const char *const insn_errors[] = {
	[1] = "VMCALL in VMX root operation",
	[2] = "VMCLEAR of an invalid physical address",
	[3] = "VMCLEAR of the VMXON region",
	[4] = "VMLAUNCH with a VMCS that is not clear",
	[5] = "VMRESUME with a VMCS that was not launched",
	[6] = "VMRESUME after VMXOFF",
	[7] = "invalid control fields",
	[8] = "invalid host-state fields",
	[9] = "VMPTRLD of an invalid physical address",
	[10] = "VMPTRLD of the VMXON region",
	[11] = "VMPTRLD of another VMCS revision",
	[12] = "VMREAD or VMWRITE of a field that this CPU lacks",
	[13] = "VMWRITE of a read-only field",
	[15] = "VMXON in VMX root operation",
	[16] = "invalid executive-VMCS pointer",
	[17] = "executive VMCS not launched",
	[18] = "executive-VMCS pointer is not the VMXON pointer",
	[19] = "VMCALL with a VMCS that is not clear",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with another MSEG revision",
	[23] = "VMXOFF under dual-monitor treatment",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "invalid VM-execution control fields in the executive VMCS",
	[26] = "events blocked by MOV SS",
	[28] = "invalid operand of INVEPT or INVVPID",
};

const char *vmx_insn_error_text(uint32_t error)
{
	return error < ARRAY_SIZE(insn_errors) ? insn_errors[error] : NULL;
}

/* SDM 3B "Architectural Performance Monitoring": general counters from bit 0, fixed ones from bit 32. */
static uint64_t perf_ctrl_bits(void)
{
	struct cpuid_regs r = cpuid_leaf(10, 0);
	uint32_t general = (r.eax >> 8) & 0xff, fixed = r.edx & 0x1f;

	if (!(r.eax & 0xff))
		return 0;
	return ((1ull << (general < 32 ? general : 32)) - 1) | ((1ull << fixed) - 1) << 32;
}

static void read_facts(struct vmx_facts *f, const struct vmx_caps *caps)
{
	struct cpuid_regs sizes = cpuid_leaf(0x80000008, 0), leaf7 = cpuid_leaf(7, 0);
	uint64_t basic = 0;

	msr_read_safe(MSR_VMX_BASIC, &basic);
	*f = (struct vmx_facts){
		.caps = *caps,
		.phys_bits = sizes.eax & 0xff,
		.linear_bits = (sizes.eax >> 8) & 0xff,
		.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.perf_ctrl = perf_ctrl_bits(),
		.any_error_code = basic & BASIC_ANY_ERROR_CODE,
		.sgx = leaf7.ebx & CPUID_EBX_SGX,
		.rtm = leaf7.ebx & CPUID_EBX_RTM,
	};
}

/* Not vmcs_read(): which of the fields this CPU has need not be known here. */
static uint64_t read_field(void *ctx, uint32_t field)
{
	uint64_t val;

	(void)ctx;
	return vmcs_try_read(field, &val) ? val : 0;
}

void vmx_check_report(struct vcpu *v)
{
	const struct vmx_cpu *cpu = this_cpu()->hvm;
	struct vmcs_state s;
	struct vmx_facts f;
	struct refusals r;

	read_facts(&f, &cpu->caps);
	f.vmcs = v->hw->vmcs;
	vmcs_state_read(&s, read_field, NULL);
	if ((s.cpu & CPU_TPR_SHADOW) && !(s.virtual_apic & (PAGE_SIZE - 1)) && !vmx_too_wide(&f, s.virtual_apic))
		f.vtpr = ((const uint8_t *)hpa_to_ptr(hpa(s.virtual_apic)))[0x80];
	vmx_check(&r, &s, &f);
	if (r.count)
		log_verdict("  the manual's checks that the VMCS fails:");
	else
		log_verdict("  the VMCS passes all checks of the manual that Vouch knows");
	refusals_log(&r);
}
