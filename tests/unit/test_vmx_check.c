/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of a VM entry: a good VMCS for each mode is taken, and hundreds of bad ones, one change from a good one, are
 * refused by the rule they break and no other. The capabilities are those of Bochs' corei7_skylake_x.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <vouch/pcpu.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/vmx/check.h"
#include "tests/refusals/vmx_states.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/log.h"

#define HIGH_HALF 0xffffffff00000000ull
#define WIDE      (UINT64_MAX << 40)

static const struct vmx_facts skylake = {
	.caps = {
		.revision = 0x2b, .vmcs_wb = true,
		.pin = { 0x16, 0x7f }, .cpu = { 0x04006172, 0xf7f9fffe }, .cpu2 = { 0, 0x02177fff },
		.exit = { 0x36dfb, 0x7fffff }, .entry = { 0x11fb, 0xffff },
		.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3727ff,
		.misc = 0x600401e0, .ept_vpid = 0xf0106334141,
	},
	.phys_bits = 40, .linear_bits = 48, .efer = 0xd01, .perf_ctrl = 0x7000000ff, .vmcs = { 0x7000 },
};

static void taken_by(const struct vmx_facts *f, const struct vmcs_state *s, const char *what)
{
	struct refusals r;

	vmx_check(&r, s, f);
	if (r.count)
		fail_msg("%s: %s 0x%lx: %s", what, r.list[0].field, r.list[0].value, r.list[0].rule);
}

static void taken(struct vmcs_state s, const char *what)
{
	taken_by(&skylake, &s, what);
}

static unsigned int bad_states;

/* Refused for this reason and no other. */
static void refused_by(const struct vmx_facts *f, const struct vmcs_state *s, const char *field, const char *rule)
{
	struct refusals r;

	vmx_check(&r, s, f);
	if (r.count != 1 || strcmp(r.list[0].field, field) || strcmp(r.list[0].rule, rule)) {
		for (unsigned int i = 0; i < r.count && i < REFUSALS_MAX; i++)
			print_error("  %s 0x%lx: %s\n", r.list[i].field, r.list[i].value, r.list[i].rule);
		fail_msg("%u rules broken, expected only %s: %s", r.count, field, rule);
	}
	assert_non_null(r.list[0].section);
	bad_states++;
}

static uint64_t *at(struct vmcs_state *s, size_t offset)
{
	return (uint64_t *)(void *)((char *)s + offset);
}

/* One field of a good state takes a bad value. */
struct bad {
	size_t at;
	uint64_t val;
	const char *field, *rule;
};

#define AT(member) offsetof(struct vmcs_state, member)
#define SEG(n, member) AT(guest.seg[n].member)

static void refuses_values(struct vmcs_state good, const struct bad *b, size_t n)
{
	for (; n; n--, b++) {
		struct vmcs_state s = good;

		*at(&s, b->at) = b->val;
		refused_by(&skylake, &s, b->field, b->rule);
	}
}

/* Each bit of mask, toggled alone. */
static void refuses_bits(struct vmcs_state good, size_t offset, uint64_t mask, const char *field, const char *rule)
{
	for (unsigned int i = 0; i < 64; i++) {
		struct vmcs_state s = good;

		*at(&s, offset) ^= 1ull << i;
		if (mask & 1ull << i)
			refused_by(&skylake, &s, field, rule);
	}
}

static void takes_every_mode(void **ctx)
{
	struct vmcs_state compat = long_mode(), lme_only = legacy(CR0_PE, CR4_PAE), cs16 = real_mode();

	(void)ctx;
	taken(long_mode(), "64-bit mode");
	taken(user_code(), "64-bit user code");
	taken(restricted(), "64-bit mode without unrestricted guest");
	compat.guest.seg[VMCS_CS].access = 0xc09b;
	compat.guest.rip = 0xfffff000;
	taken(compat, "compatibility mode");
	taken(real_mode(), "real mode");
	cs16.guest.seg[VMCS_CS].access = 0x93;
	taken(cs16, "real mode with a data segment in CS");
	taken(legacy(CR0_PE, 0), "protected mode");
	taken(legacy(CR0_PE | CR0_PG, CR4_PSE), "32-bit paging");
	taken(pae_mode(), "PAE paging");
	taken(v86_mode(), "virtual-8086 mode");
	lme_only.guest.efer = EFER_LME;
	taken(lme_only, "long mode enabled, not yet active");
}

static void takes_what_only_looks_bad(void **ctx)
{
	struct vmcs_state s = long_mode();

	(void)ctx;
	s.guest.rip = 1ull << 47;               /* not canonical, but bits 63:48 are alike */
	taken(s, "RIP just beyond the canonical half");
	s = long_mode();
	s.guest.seg[VMCS_DS] = (struct vmcs_seg){ 3, UINT64_MAX, 5, ACCESS_UNUSABLE };
	s.guest.seg[VMCS_SS] = (struct vmcs_seg){ 0, UINT64_MAX, 5, ACCESS_UNUSABLE };
	s.guest.seg[VMCS_LDTR] = (struct vmcs_seg){ 4, 1ull << 60, 5, ACCESS_UNUSABLE };
	taken(s, "unusable segments may hold anything");
	s = long_mode();
	s.cpu &= ~(uint64_t)(CPU_SECONDARY | CPU_IO_BITMAPS | CPU_MSR_BITMAPS | CPU_TPR_SHADOW);
	s.cpu2 = s.eptp = s.io_bitmap_a = s.io_bitmap_b = s.msr_bitmap = s.virtual_apic = UINT64_MAX;
	s.tpr_threshold = UINT64_MAX;
	s.vpid = 0;
	taken(s, "fields of controls that are off");
	s = long_mode();
	s.exit_msr_store = s.exit_msr_load = s.entry_msr_load = UINT64_MAX;
	taken(s, "empty MSR areas");
	s.exit_msr_stores = s.exit_msr_loads = s.entry_msr_loads = 2;
	s.exit_msr_store = s.exit_msr_load = s.entry_msr_load = (1ull << 40) - 32;
	taken(s, "MSR areas at the end of memory");
	s = long_mode();
	s.cr3_targets = 4;
	s.guest.link_pointer = 0x8000;
	s.guest.cr0 |= CR0_CD | CR0_NW;
	taken(s, "four CR3 targets, a link pointer, caches off");
	s = long_mode();
	s.entry &= ~(uint64_t)(ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	s.guest.dr7 = s.guest.debugctl = s.guest.pat = s.guest.efer = s.guest.perf_ctrl = UINT64_MAX;
	s.guest.bndcfgs = UINT64_MAX;
	taken(s, "registers that are not loaded");
	s = v86_mode();
	s.guest.seg[VMCS_SS].sel = 0x1111;
	s.guest.seg[VMCS_SS].base = 0x11110;
	taken(s, "RPLs mean nothing in virtual-8086 mode");
}

static void takes_every_event(void **ctx)
{
	static const uint8_t with_error[] = { 8, 10, 11, 12, 13, 14, 17 }, without[] = { 0, 1, 3, 4, 5, 6, 7, 16, 18, 19 };
	struct vmcs_state s = legacy(CR0_PE | CR0_PG, CR4_PSE), real = real_mode();

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(with_error); i++) {
		s.intr_info = real.intr_info = INTR_VALID | INTR_HW_EXC << 8 | with_error[i];
		taken(real, "exception in real mode");
		s.intr_info |= INTR_HAS_ERROR;
		taken(s, "exception with an error code");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(without); i++) {
		s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | without[i];
		taken(s, "exception without an error code");
	}
	s.intr_info = INTR_VALID | INTR_NMI << 8 | 2;
	taken(s, "NMI");
	s.intr_info = UINT32_MAX & ~INTR_VALID;
	s.guest.interruptibility = BLOCK_MOV_SS;
	taken(s, "no event, interrupts blocked");
	s.guest.interruptibility = 0;
	for (unsigned int type = INTR_SOFT_INT; type <= INTR_SW_EXC; type++) {
		for (s.insn_len = 0; s.insn_len <= 15; s.insn_len++) {
			s.intr_info = INTR_VALID | type << 8 | 3;
			taken(s, "software interrupt or exception");
		}
	}
	s.guest.rflags |= RFLAGS_IF;
	s.intr_info = INTR_VALID | 0xff;
	taken(s, "external interrupt");
}

static void takes_activity_and_blocking(void **ctx)
{
	struct vmcs_state s = long_mode();

	(void)ctx;
	for (s.guest.activity = 0; s.guest.activity <= 3; s.guest.activity++)
		taken(s, "activity state");
	s.guest.activity = 1;
	s.guest.rflags |= RFLAGS_IF;
	s.intr_info = INTR_VALID | 0x40;
	taken(s, "an interrupt ends HLT");
	s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | EXC_DB;
	taken(s, "#DB ends HLT");
	s.guest.activity = 2;
	s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | EXC_MC;
	taken(s, "#MC in shutdown");
	s = long_mode();
	s.guest.rflags |= RFLAGS_IF;
	s.guest.interruptibility = BLOCK_STI;
	taken(s, "blocked by STI");
	s.guest.interruptibility = BLOCK_MOV_SS | BLOCK_NMI;
	s.guest.rflags |= RFLAGS_TF;
	s.guest.pending_dbg = PENDING_DBG_BS | 0xf | 1 << 12;
	taken(s, "a step over MOV SS is pending");
	s.guest.debugctl = 2;
	s.guest.pending_dbg = 0;
	taken(s, "no step: branches only");
}

static void refuses_control_words(void **ctx)
{
	const char *missing = "bits that this CPU wants set must be 1", *lacks = "bits that this CPU lacks must be 0";
	struct vmcs_state s = long_mode();

	(void)ctx;
	refuses_bits(s, AT(pin), 0x16, "pin-based controls", missing);
	refuses_bits(s, AT(pin), 0xffffff00, "pin-based controls", lacks);
	refuses_bits(s, AT(cpu), 0x04006172, "primary processor-based controls", missing);
	refuses_bits(s, AT(cpu), 0xffffffff & ~0xf7f9fffe, "primary processor-based controls", lacks);
	refuses_bits(s, AT(cpu2), 0xfde88000 & ~CPU2_MBEC, "secondary processor-based controls", lacks);
	refuses_bits(s, AT(exit), 0x36dfb & ~EXIT_HOST_64, "VM-exit controls", missing);
	refuses_bits(s, AT(exit), 0xff800000, "VM-exit controls", lacks);
	refuses_bits(s, AT(entry), 0x11fb, "VM-entry controls", missing);
	refuses_bits(s, AT(entry), 0xfffe0000, "VM-entry controls", lacks);
}

static void refuses_combined_controls(void **ctx)
{
	const struct bad bad[] = {
		{ AT(pin), 0x16 | PIN_EXT_INTR | PIN_VIRTUAL_NMI, "virtual NMIs", "needs NMI exiting" },
		{ AT(cpu2), CPU2_VPID | CPU2_UNRESTRICTED, "unrestricted guest", "needs EPT" },
		{ AT(cpu2), CPU2_PML, "enable PML", "needs EPT" },
		{ AT(vpid), 0, "VPID", "0 is the host's" },
		{ AT(cr3_targets), 5, "CR3-target count", "must not be above IA32_VMX_MISC's" },
		{ AT(cr3_targets), UINT32_MAX, "CR3-target count", "must not be above IA32_VMX_MISC's" },
		{ AT(tpr_threshold), 1, "TPR threshold", "must not be above the virtual TPR's class" },
	};
	struct vmcs_state s = long_mode();

	(void)ctx;
	refuses_values(s, bad, ARRAY_SIZE(bad));
	s.pin &= ~(uint64_t)PIN_VIRTUAL_NMI;
	s.cpu |= CPU_NMI_WINDOW;
	refused_by(&skylake, &s, "NMI-window exiting", "needs virtual NMIs");
	s = long_mode();
	s.exit |= EXIT_SAVE_PREEMPT;
	s.pin &= ~(uint64_t)PIN_PREEMPT_TIMER;
	refused_by(&skylake, &s, "save VMX-preemption timer value", "needs activate VMX-preemption timer");
	s = long_mode();
	s.cpu2 |= CPU2_X2APIC | CPU2_APIC_ACCESS;
	refused_by(&skylake, &s, "virtualize x2APIC mode", "excludes virtualize APIC accesses");
	s = long_mode();
	s.cpu2 |= CPU2_VIRT_INTR;
	s.pin &= ~(uint64_t)PIN_EXT_INTR;
	refused_by(&skylake, &s, "virtual-interrupt delivery", "needs external-interrupt exiting");
	s = long_mode();
	s.cpu2 |= CPU2_TSC_SCALING;
	refused_by(&skylake, &s, "TSC multiplier", "must not be 0");
	s = long_mode();
	s.cpu2 |= CPU2_APIC_ACCESS;
	s.tpr_threshold = 0x10;
	refused_by(&skylake, &s, "TPR threshold", "bits 31:4 must be 0");
}

static void refuses_apic_without_shadow(void **ctx)
{
	static const struct { uint32_t bit; const char *field; } apic[] = {
		{ CPU2_X2APIC, "virtualize x2APIC mode" }, { CPU2_APIC_REGS, "APIC-register virtualization" },
		{ CPU2_VIRT_INTR, "virtual-interrupt delivery" },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(apic); i++) {
		struct vmcs_state s = long_mode();

		s.cpu &= ~(uint64_t)CPU_TPR_SHADOW;
		s.cpu2 |= apic[i].bit;
		refused_by(&skylake, &s, apic[i].field, "needs the TPR shadow");
	}
}

/* Bochs' model has neither: a CPU that has. */
static void refuses_posted_interrupts_and_mbec(void **ctx)
{
	struct vmx_facts f = skylake;
	struct vmcs_state good = long_mode(), s;

	(void)ctx;
	f.caps.pin.may |= PIN_POSTED_INTR;
	f.caps.cpu2.may |= CPU2_MBEC;
	good.pin |= PIN_POSTED_INTR;
	good.cpu2 |= CPU2_VIRT_INTR;
	good.posted_desc = 0x9040;
	good.posted_vector = 0xf2;
	taken_by(&f, &good, "posted interrupts");
	s = good;
	s.cpu2 &= ~(uint64_t)CPU2_VIRT_INTR;
	refused_by(&f, &s, "process posted interrupts", "needs virtual-interrupt delivery");
	s = good;
	s.exit &= ~(uint64_t)EXIT_ACK_INTR;
	refused_by(&f, &s, "process posted interrupts", "needs acknowledge interrupt on exit");
	s = good;
	s.posted_vector = 0x100;
	refused_by(&f, &s, "posted-interrupt notification vector", "bits 15:8 must be 0");
	s = good;
	s.posted_desc = 0x9020;
	refused_by(&f, &s, "posted-interrupt descriptor address", "must be aligned");
	s.posted_desc = 1ull << 40;
	refused_by(&f, &s, "posted-interrupt descriptor address", "must lie within the physical width");
	s = restricted();
	s.cpu2 = CPU2_MBEC;
	refused_by(&f, &s, "mode-based execute control for EPT", "needs EPT");
}

static void refuses_addresses(void **ctx)
{
	static const struct { uint32_t cpu2; size_t at; const char *field; } pages[] = {
		{ 0, AT(io_bitmap_a), "I/O-bitmap A address" }, { 0, AT(io_bitmap_b), "I/O-bitmap B address" },
		{ 0, AT(msr_bitmap), "MSR-bitmap address" }, { 0, AT(virtual_apic), "virtual-APIC address" },
		{ CPU2_APIC_ACCESS, AT(apic_access), "APIC-access address" }, { CPU2_PML, AT(pml), "PML address" },
		{ CPU2_SHADOW_VMCS, AT(vmread_bitmap), "VMREAD-bitmap address" },
		{ CPU2_SHADOW_VMCS, AT(vmwrite_bitmap), "VMWRITE-bitmap address" },
		{ CPU2_EPT_VE, AT(ve_info), "virtualization-exception information address" },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		struct vmcs_state s = long_mode();

		s.cpu2 |= pages[i].cpu2;
		taken(s, pages[i].field);
		refuses_bits(s, pages[i].at, 0xfff, pages[i].field, "must be aligned");
		refuses_bits(s, pages[i].at, WIDE, pages[i].field, "must lie within the physical width");
	}
}

static void refuses_msr_areas(void **ctx)
{
	static const struct { size_t at, count; const char *field; } areas[] = {
		{ AT(exit_msr_store), AT(exit_msr_stores), "VM-exit MSR-store address" },
		{ AT(exit_msr_load), AT(exit_msr_loads), "VM-exit MSR-load address" },
		{ AT(entry_msr_load), AT(entry_msr_loads), "VM-entry MSR-load address" },
	};

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(areas); i++) {
		struct vmcs_state s = long_mode();

		*at(&s, areas[i].count) = 3;
		taken(s, areas[i].field);
		refuses_bits(s, areas[i].at, 0xf, areas[i].field, "must be aligned");
		refuses_bits(s, areas[i].at, WIDE, areas[i].field, "must lie within the physical width");
		*at(&s, areas[i].at) = (1ull << 40) - 32;
		refused_by(&skylake, &s, areas[i].field, "the area must end within the physical width");
	}
}

static void refuses_ept_pointers(void **ctx)
{
	static const uint8_t types[] = { 1, 2, 3, 4, 5, 7 };
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		s.eptp = 0x5000 | 3 << 3 | types[i];
		refused_by(&skylake, &s, "EPTP", "the memory type must be one that this CPU has for EPT");
	}
	for (uint64_t levels = 0; levels < 8; levels++) {
		s.eptp = 0x5000 | levels << 3 | 6;
		if (levels != 3)
			refused_by(&skylake, &s, "EPTP", "the page-walk length must be one that this CPU has");
	}
	s = long_mode();
	refuses_bits(s, AT(eptp), 0xf80, "EPTP", "bits 11:7 must be 0");
	refuses_bits(s, AT(eptp), WIDE, "EPTP", "must lie within the physical width");
	f.caps.ept_vpid &= ~(1ull << 21);
	refused_by(&f, &s, "EPTP", "bit 6 needs accessed and dirty flags for EPT");
	f = skylake;
	f.caps.ept_vpid &= ~(1ull << 14);
	refused_by(&f, &s, "EPTP", "the memory type must be one that this CPU has for EPT");
	s.eptp = 0x5000 | 4 << 3 | 6;
	f = skylake;
	f.caps.ept_vpid |= 1ull << 7;
	taken_by(&f, &s, "five levels where the CPU has them");
}

static void refuses_vm_functions(void **ctx)
{
	struct vmcs_state s = long_mode();

	(void)ctx;
	s.cpu2 |= CPU2_VMFUNC;
	s.vmfunc = 1;
	s.eptp_list = 0xa000;
	taken(s, "EPTP switching");
	refuses_bits(s, AT(vmfunc), UINT64_MAX << 1, "VM-function controls", "bits 63:1 must be 0");
	refuses_bits(s, AT(eptp_list), 0xfff, "EPTP-list address", "must be aligned");
	refuses_bits(s, AT(eptp_list), WIDE, "EPTP-list address", "must lie within the physical width");
	s.cpu2 &= ~(uint64_t)(CPU2_EPT | CPU2_UNRESTRICTED);
	refused_by(&skylake, &s, "VM-function controls", "EPTP switching needs EPT");
}

static void refuses_smm(void **ctx)
{
	const char *rule = "entry to SMM and deactivate dual-monitor treatment must be 0 outside SMM";

	(void)ctx;
	refuses_bits(long_mode(), AT(entry), ENTRY_SMM | ENTRY_DUAL_SMM, "VM-entry controls", rule);
}

static void refuses_injection(void **ctx)
{
	static const uint8_t with_error[] = { 8, 10, 11, 12, 13, 14, 17 }, without[] = { 0, 1, 3, 4, 5, 6, 7, 16, 18, 19, 31 };
	const char *field = "VM-entry interruption information";
	struct vmcs_state s = long_mode(), real = real_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	s.guest.rflags |= RFLAGS_IF;
	s.insn_len = 2;
	s.intr_info = INTR_VALID | 1 << 8 | 0x40;
	refused_by(&skylake, &s, field, "type 1 is reserved");
	s.intr_info = INTR_VALID | INTR_OTHER << 8;
	refused_by(&skylake, &s, field, "type 7 needs a CPU with the monitor trap flag");
	f.caps.cpu.may |= 1u << 27;
	taken_by(&f, &s, "monitor trap");
	s.intr_info |= 1;
	refused_by(&f, &s, field, "the vector must fit the type");
	for (unsigned int vector = 0; vector < 256; vector += 3) {
		s.intr_info = INTR_VALID | INTR_NMI << 8 | vector;
		refused_by(&skylake, &s, field, "the vector must fit the type");
	}
	for (unsigned int vector = 32; vector < 256; vector <<= 1) {
		s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | vector;
		refused_by(&skylake, &s, field, "the vector must fit the type");
	}
	s.intr_info = INTR_VALID | 0x40;
	refuses_bits(s, AT(intr_info), 0x7ffff000, field, "bits 30:12 must be 0");
	for (unsigned int type = 0; type <= INTR_SW_EXC; type++) {
		s.intr_info = INTR_VALID | INTR_HAS_ERROR | type << 8 | 2;
		if (type != 1 && type != INTR_HW_EXC)
			refused_by(&skylake, &s, field, "only exceptions in protected mode have an error code");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(with_error); i++) {
		s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | with_error[i];
		refused_by(&skylake, &s, field, "this vector needs an error code");
		real.intr_info = s.intr_info | INTR_HAS_ERROR;
		refused_by(&skylake, &real, field, "only exceptions in protected mode have an error code");
	}
	f.any_error_code = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(without); i++) {
		s.intr_info = INTR_VALID | INTR_HAS_ERROR | INTR_HW_EXC << 8 | without[i];
		refused_by(&skylake, &s, field, "this vector has no error code");
		taken_by(&f, &s, "an error code with any vector");
	}
	s.intr_info = INTR_VALID | INTR_HW_EXC << 8 | EXC_GP;
	taken_by(&f, &s, "#GP without an error code");
	s.intr_info |= INTR_HAS_ERROR;
	refuses_bits(s, AT(error_code), 0xffff0000, "VM-entry exception error code", "bits 31:16 must be 0");
}

static void refuses_instruction_lengths(void **ctx)
{
	struct vmx_facts f = skylake;
	struct vmcs_state s = long_mode();

	(void)ctx;
	f.caps.misc &= ~(1ull << 30);
	for (unsigned int type = INTR_SOFT_INT; type <= INTR_SW_EXC; type++) {
		s.intr_info = INTR_VALID | type << 8 | 3;
		s.insn_len = 16;
		refused_by(&skylake, &s, "VM-entry instruction length", "must be at most 15");
		s.insn_len = 0;
		refused_by(&f, &s, "VM-entry instruction length", "must not be 0 on this CPU");
	}
}

static void refuses_host_registers(void **ctx)
{
	const char *wide = "must lie within the physical width", *canonical = "must be canonical";
	const struct bad bad[] = {
		{ AT(host.sysenter_esp), 1ull << 47, "host IA32_SYSENTER_ESP", canonical },
		{ AT(host.sysenter_eip), 0x7fffull << 48, "host IA32_SYSENTER_EIP", canonical },
		{ AT(host.fs_base), 1ull << 47, "host FS base", canonical },
		{ AT(host.gs_base), 1ull << 63, "host GS base", canonical },
		{ AT(host.tr_base), 1ull << 50, "host TR base", canonical },
		{ AT(host.gdtr_base), 0xffff7fffffffffff, "host GDTR base", canonical },
		{ AT(host.idtr_base), 0x8000000000000000, "host IDTR base", canonical },
		{ AT(host.rip), 0x0000800000000000, "host RIP", canonical },
		{ AT(host.cr4), 0x2000, "host CR4", "PAE must be 1 with host address-space size" },
		{ AT(host.sel[VMCS_CS]), 0, "host CS selector", "must not be 0" },
		{ AT(host.tr_sel), 0, "host TR selector", "must not be 0" },
	};
	const char *const selectors[] = { "host ES selector", "host CS selector", "host SS selector", "host DS selector",
					  "host FS selector", "host GS selector" };
	struct vmcs_state s = long_mode();

	(void)ctx;
	refuses_values(s, bad, ARRAY_SIZE(bad));
	refuses_bits(s, AT(host.cr0), 0x80000021, "host CR0", "bits that VMX operation fixes to 1 must be 1");
	refuses_bits(s, AT(host.cr0), HIGH_HALF, "host CR0", "bits that VMX operation fixes to 0 must be 0");
	refuses_bits(s, AT(host.cr4), 0x2000, "host CR4", "bits that VMX operation fixes to 1 must be 1");
	refuses_bits(s, AT(host.cr4), ~0x3727ffull, "host CR4", "bits that VMX operation fixes to 0 must be 0");
	refuses_bits(s, AT(host.cr3), WIDE, "host CR3", wide);
	refuses_bits(s, AT(host.efer), ~0xd01ull, "host IA32_EFER", "reserved bits must be 0");
	refuses_bits(s, AT(host.efer), EFER_LME | EFER_LMA, "host IA32_EFER",
		     "LME and LMA must equal host address-space size");
	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		refuses_bits(s, AT(host.sel[0]) + 8 * n, 7, selectors[n], "RPL and TI must be 0");
	refuses_bits(s, AT(host.tr_sel), 7, "host TR selector", "RPL and TI must be 0");
	for (unsigned int i = 0; i < 8; i++)
		refuses_bits(s, AT(host.pat), 0xf8ull << 8 * i, "host IA32_PAT", "each byte must be a memory type");
	s.exit |= EXIT_PERF_CTRL;
	refuses_bits(s, AT(host.perf_ctrl), ~0x7000000ffull, "host IA32_PERF_GLOBAL_CTRL", "reserved bits must be 0");
}

/* Bit 9 of the VM-exit controls is more than one rule's. */
static void refuses_a_32_bit_host(void **ctx)
{
	struct vmcs_state s = legacy(CR0_PE, 0);
	struct vmx_facts f = skylake;
	struct refusals r;

	(void)ctx;
	s.exit &= ~(uint64_t)(EXIT_HOST_64 | EXIT_LOAD_EFER);
	f.caps.exit.must &= ~EXIT_HOST_64;
	refused_by(&f, &s, "host address-space size", "must be 1 in IA-32e mode");
	s.host.sel[VMCS_SS] = 0;
	vmx_check(&r, &s, &f);
	assert_int_equal(r.count, 2);
	assert_string_equal(r.list[0].field, "host SS selector");
	s = long_mode();
	s.exit &= ~(uint64_t)(EXIT_HOST_64 | EXIT_LOAD_EFER);
	vmx_check(&r, &s, &f);
	assert_int_equal(r.count, 2);
	assert_string_equal(r.list[1].field, "IA-32e mode guest");
}

static void refuses_cet_without_wp(void **ctx)
{
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	f.caps.cr4_fixed1 |= CR4_CET;
	s.host.cr4 |= CR4_CET;
	taken_by(&f, &s, "CET with CR0.WP");
	s.host.cr0 &= ~CR0_WP;
	refused_by(&f, &s, "host CR4", "CET needs CR0.WP");
	s = long_mode();
	s.guest.cr4 |= CR4_CET;
	s.guest.cr0 &= ~CR0_WP;
	refused_by(&f, &s, "CR4", "CET needs CR0.WP");
}

static void refuses_control_registers(void **ctx)
{
	const struct bad no_pae[] = { { AT(guest.cr4), 0x2000, "CR4", "PAE must be 1 in an IA-32e mode guest" } };
	const char *fixed1 = "bits that VMX operation fixes to 1 must be 1", *fixed0 = "bits that VMX operation fixes to 0 must be 0";
	struct vmcs_state s = long_mode(), flat = legacy(CR0_PE, 0);

	(void)ctx;
	refuses_bits(s, AT(guest.cr0), 0x20, "CR0", fixed1);
	refuses_bits(s, AT(guest.cr0), HIGH_HALF, "CR0", fixed0);
	refuses_bits(s, AT(guest.cr0), CR0_PG, "CR0", "PG must be 1 in an IA-32e mode guest");
	refuses_bits(s, AT(guest.cr4), 0x2000, "CR4", fixed1);
	refuses_bits(s, AT(guest.cr4), ~0x3727ffull, "CR4", fixed0);
	refuses_values(s, no_pae, 1);
	refuses_bits(flat, AT(guest.cr4), CR4_PCIDE, "CR4", "PCIDE must be 0 outside an IA-32e mode guest");
	refuses_bits(s, AT(guest.cr3), WIDE, "CR3", "must lie within the physical width");
	flat = legacy(CR0_PE | CR0_PG, CR4_PSE);
	flat.cpu2 &= ~(uint64_t)CPU2_UNRESTRICTED;
	taken(flat, "32-bit paging without unrestricted guest");
	refuses_bits(flat, AT(guest.cr0), CR0_PG | 0x20, "CR0", fixed1);
	s = real_mode();
	refuses_bits(s, AT(guest.cr0), CR0_PG, "CR0", "PG needs PE");
}

static void refuses_msrs(void **ctx)
{
	const struct bad bad[] = {
		{ AT(guest.sysenter_esp), 1ull << 47, "IA32_SYSENTER_ESP", "must be canonical" },
		{ AT(guest.sysenter_eip), 1ull << 63, "IA32_SYSENTER_EIP", "must be canonical" },
		{ AT(guest.efer), 0xc01, "IA32_EFER", "LME must equal LMA while CR0.PG is 1" },
	};
	struct vmcs_state s = long_mode();
	struct refusals r;

	(void)ctx;
	refuses_values(s, bad, ARRAY_SIZE(bad));
	s.guest.efer = 0x901;                   /* breaks both rules of LMA */
	vmx_check(&r, &s, &skylake);
	assert_int_equal(r.count, 2);
	s.guest.efer = 0x801;
	refused_by(&skylake, &s, "IA32_EFER", "LMA must equal IA-32e mode guest");
	s = legacy(CR0_PE, 0);
	s.guest.efer = EFER_LMA;
	refused_by(&skylake, &s, "IA32_EFER", "LMA must equal IA-32e mode guest");
	s = legacy(CR0_PE | CR0_PG, CR4_PSE);
	s.guest.efer = EFER_LME;
	refused_by(&skylake, &s, "IA32_EFER", "LME must equal LMA while CR0.PG is 1");
	s = long_mode();
	refuses_bits(s, AT(guest.efer), ~0xd01ull, "IA32_EFER", "reserved bits must be 0");
	refuses_bits(s, AT(guest.dr7), HIGH_HALF, "DR7", "bits 63:32 must be 0");
	refuses_bits(s, AT(guest.debugctl), ~0xffffull | 0x38, "IA32_DEBUGCTL", "reserved bits must be 0");
	for (unsigned int i = 0; i < 8; i++)
		refuses_bits(s, AT(guest.pat), 0xf8ull << 8 * i, "IA32_PAT", "each byte must be a memory type");
	s.entry |= ENTRY_PERF_CTRL;
	refuses_bits(s, AT(guest.perf_ctrl), ~0x7000000ffull, "IA32_PERF_GLOBAL_CTRL", "reserved bits must be 0");
}

static void refuses_bound_registers(void **ctx)
{
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	f.caps.entry.may |= ENTRY_LOAD_BNDCFGS;
	s.entry |= ENTRY_LOAD_BNDCFGS;
	s.guest.bndcfgs = 0xffff800000001003;
	taken_by(&f, &s, "bound configuration");
	s.guest.bndcfgs |= 4;
	refused_by(&f, &s, "IA32_BNDCFGS", "bits 11:2 must be 0");
	s.guest.bndcfgs = 1ull << 62;
	refused_by(&f, &s, "IA32_BNDCFGS", "the base must be canonical");
}

static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

static void refuses_segment(struct vmcs_state s, unsigned int n, const char *member, const char *rule)
{
	char field[32];

	snprintf(field, sizeof(field), "%s %s", names[n], member);
	refused_by(&skylake, &s, field, rule);
}

/* Good state, then segment n with these access rights. */
static void refuses_access(struct vmcs_state s, unsigned int n, uint64_t access, const char *rule)
{
	s.guest.seg[n].access = access;
	refuses_segment(s, n, "access rights", rule);
}

static void refuses_v86_segments(void **ctx)
{
	(void)ctx;
	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++) {
		struct vmcs_state s = v86_mode();

		s.guest.seg[n].base++;
		refuses_segment(s, n, "base", "must be 16 times the selector in virtual-8086 mode");
		s = v86_mode();
		s.guest.seg[n].limit = 0xfffff;
		refuses_segment(s, n, "limit", "must be FFFFh in virtual-8086 mode");
		for (unsigned int bit = 0; bit < 32; bit++)
			refuses_access(v86_mode(), n, 0xf3 ^ 1u << bit, "must be F3h in virtual-8086 mode");
	}
}

/* What CS, SS, DS, ES, FS, GS, and in system segments TR and LDTR have in common. */
static void refuses_any_segment(void **ctx)
{
	struct vmcs_state good = long_mode();

	(void)ctx;
	good.guest.seg[VMCS_LDTR] = (struct vmcs_seg){ 0x50, 0xffff800000000000, 0xfffff, 0x82 };
	taken(good, "a usable LDTR");
	for (unsigned int n = VMCS_ES; n < VMCS_SEGS; n++) {
		uint64_t access = good.guest.seg[n].access;
		struct vmcs_state s = good;

		refuses_access(good, n, access & ~0x80ull, "P must be 1");
		for (unsigned int bit = 0; bit < 32; bit++)
			if ((1u << bit) & 0xfffe0f00)
				refuses_access(good, n, access | 1u << bit, "reserved bits must be 0");
		s.guest.seg[n].limit = 0x1ffffe;
		s.guest.seg[n].access = access | 0x8000;
		refuses_segment(s, n, "access rights", "G must be 0: of bits 11:0 of the limit one is 0");
		s.guest.seg[n].limit = 0x100fff;
		s.guest.seg[n].access = access & ~0x8000ull;
		refuses_segment(s, n, "access rights", "G must be 1: of bits 31:20 of the limit one is 1");
	}
}

static void refuses_code_segments(void **ctx)
{
	const char *type = "the type must be accessed code, or read/write data in an unrestricted guest";
	struct vmcs_state s = long_mode(), real = real_mode();

	(void)ctx;
	for (unsigned int t = 0; t < 16; t++)
		if (t != 3 && t != 9 && t != 11 && t != 13 && t != 15)
			refuses_access(s, VMCS_CS, 0xa090 | t, type);
	refuses_access(restricted(), VMCS_CS, 0xa093, type);
	refuses_access(s, VMCS_CS, 0xa08b, "S must be 1");
	refuses_access(real, VMCS_CS, 0xf3, "DPL must be 0 in a data segment");
	refuses_access(s, VMCS_CS, 0xa0fb, "DPL must equal SS's unless conforming");
	refuses_access(user_code(), VMCS_CS, 0xa09b, "DPL must equal SS's unless conforming");
	refuses_access(s, VMCS_CS, 0xa0bf, "DPL must not be above SS's if conforming");
	refuses_access(s, VMCS_CS, 0xe09b, "D/B must be 0 while L is 1");
	s.guest.seg[VMCS_CS].access = 0xa09f;
	taken(s, "conforming code");
	s = user_code();
	s.guest.seg[VMCS_CS].access = 0xa09f;
	taken(s, "conforming code of a lower DPL");
	refuses_bits(long_mode(), SEG(VMCS_CS, base), HIGH_HALF, "CS base", "bits 63:32 must be 0");
}

static void refuses_stack_segments(void **ctx)
{
	const char *type = "the type must be accessed read/write data";
	const char *real = "DPL must be 0 in real mode, or while CS is a data segment";
	struct vmcs_state s = long_mode();

	(void)ctx;
	for (unsigned int t = 0; t < 16; t++)
		if (t != 3 && t != 7)
			refuses_access(s, VMCS_SS, 0xc090 | t, type);
	refuses_access(s, VMCS_SS, 0xc083, "S must be 1");
	refuses_bits(s, SEG(VMCS_SS, base), HIGH_HALF, "SS base", "bits 63:32 must be 0");
	s = real_mode();
	s.guest.seg[VMCS_CS].access = 0xfb;
	refuses_access(s, VMCS_SS, 0xf3, real);
	s = legacy(CR0_PE, 0);
	s.guest.seg[VMCS_CS].access = 0xc093;
	refuses_access(s, VMCS_SS, 0xc0b3, real);
	s = restricted();
	s.guest.seg[VMCS_SS].sel = 0x1b;
	s.guest.seg[VMCS_CS].sel = 0x13;
	refuses_segment(s, VMCS_SS, "access rights", "DPL must equal the selector's RPL");
	s = user_code();
	s.guest.seg[VMCS_CS].sel = 0x10;
	refuses_segment(s, VMCS_SS, "selector", "RPL must equal CS's");
}

static void refuses_data_segments(void **ctx)
{
	static const uint8_t data[] = { VMCS_ES, VMCS_DS, VMCS_FS, VMCS_GS };

	(void)ctx;
	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++) {
		unsigned int n = data[i];
		struct vmcs_state s = long_mode();

		for (unsigned int t = 0; t < 8; t += 2)
			refuses_access(s, n, 0xc090 | t, "the type must be accessed");
		refuses_access(s, n, 0xc099, "code must be readable");
		refuses_access(s, n, 0xc09d, "code must be readable");
		refuses_access(s, n, 0xc083, "S must be 1");
		s = restricted();
		s.guest.seg[n].sel = 0x1b;
		refuses_access(s, n, 0xc093, "DPL must not be below the selector's RPL");
		refuses_access(s, n, 0xc09b, "DPL must not be below the selector's RPL");
		s.guest.seg[n].access = 0xc09f;
		taken(s, "conforming code as data");
		s = long_mode();
		s.guest.seg[n].base = 1ull << 47;
		refuses_segment(s, n, "base", n < VMCS_FS ? "bits 63:32 must be 0" : "must be canonical");
	}
}

static void refuses_system_segments(void **ctx)
{
	struct vmcs_state s = long_mode(), flat = legacy(CR0_PE, 0);

	(void)ctx;
	for (unsigned int t = 0; t < 16; t++)
		if (t != 11)
			refuses_access(s, VMCS_TR, 0x80 | t, "the type must be a busy TSS of the guest's mode");
	for (unsigned int t = 0; t < 16; t++)
		if (t != 3 && t != 11)
			refuses_access(flat, VMCS_TR, 0x80 | t, "the type must be a busy TSS of the guest's mode");
	flat.guest.seg[VMCS_TR].access = 0x83;
	taken(flat, "a 16-bit TSS outside IA-32e mode");
	refuses_access(s, VMCS_TR, 0x9b, "S must be 0");
	refuses_access(s, VMCS_TR, 0x1008b, "must be usable");
	s.guest.seg[VMCS_TR].sel = 0x44;
	refuses_segment(s, VMCS_TR, "selector", "TI must be 0");
	s = long_mode();
	s.guest.seg[VMCS_TR].base = 1ull << 63;
	refuses_segment(s, VMCS_TR, "base", "must be canonical");
	s = long_mode();
	s.guest.seg[VMCS_LDTR] = (struct vmcs_seg){ 0x50, 0, 0xffff, 0x82 };
	for (unsigned int t = 0; t < 16; t++)
		if (t != 2)
			refuses_access(s, VMCS_LDTR, 0x80 | t, "the type must be LDT");
	refuses_access(s, VMCS_LDTR, 0x92, "S must be 0");
	s.guest.seg[VMCS_LDTR].sel = 0x54;
	refuses_segment(s, VMCS_LDTR, "selector", "TI must be 0");
	s.guest.seg[VMCS_LDTR] = (struct vmcs_seg){ 0x50, 1ull << 47, 0xffff, 0x82 };
	refuses_segment(s, VMCS_LDTR, "base", "must be canonical");
}

static void refuses_tables_rip_and_flags(void **ctx)
{
	const struct bad bad[] = {
		{ AT(guest.gdtr_base), 1ull << 47, "GDTR base", "must be canonical" },
		{ AT(guest.idtr_base), 1ull << 60, "IDTR base", "must be canonical" },
	};
	struct vmcs_state s = long_mode(), compat = s, flat = legacy(CR0_PE, 0), low = s;

	(void)ctx;
	refuses_values(s, bad, ARRAY_SIZE(bad));
	refuses_bits(s, AT(guest.gdtr_limit), 0xffff0000, "GDTR limit", "bits 31:16 must be 0");
	refuses_bits(s, AT(guest.idtr_limit), 0xffff0000, "IDTR limit", "bits 31:16 must be 0");
	low.guest.rip = 0x1000;
	refuses_bits(low, AT(guest.rip), UINT64_MAX << 48, "RIP", "bits beyond the linear width must be alike");
	refuses_bits(s, AT(guest.rip), UINT64_MAX << 48, "RIP", "bits beyond the linear width must be alike");
	compat.guest.seg[VMCS_CS].access = 0xc09b;
	compat.guest.rip = 0x1000;
	refuses_bits(compat, AT(guest.rip), HIGH_HALF, "RIP", "bits 63:32 must be 0 outside 64-bit mode");
	refuses_bits(flat, AT(guest.rip), HIGH_HALF, "RIP", "bits 63:32 must be 0 outside 64-bit mode");
	refuses_bits(s, AT(guest.rflags), 0xffffffffffc08028, "RFLAGS", "bits 63:22, 15, 5 and 3 must be 0");
	refuses_bits(s, AT(guest.rflags), 2, "RFLAGS", "bit 1 must be 1");
	s.intr_info = INTR_VALID | 0x40;
	refused_by(&skylake, &s, "RFLAGS", "IF must be 1 when an external interrupt is injected");
	s = v86_mode();
	s.guest.cr0 = 0x20;
	refused_by(&skylake, &s, "RFLAGS", "VM must be 0 in an IA-32e mode guest and in real mode");
	s = long_mode();
	for (unsigned int n = VMCS_ES; n <= VMCS_GS; n++)
		segment(&s, n, 0x1234, 0x12340, 0xffff, 0xf3);
	s.guest.rip = 0x100;
	s.guest.rflags |= RFLAGS_VM;
	refused_by(&skylake, &s, "RFLAGS", "VM must be 0 in an IA-32e mode guest and in real mode");
}

static void refuses_activity(void **ctx)
{
	static const uint32_t events[][3] = {
		/* HLT, shutdown, wait-for-SIPI: what may not be injected */
		{ 1, INTR_HW_EXC, EXC_UD }, { 1, INTR_SOFT_INT, 0x80 }, { 1, INTR_SW_EXC, 3 }, { 1, INTR_PRIV_SW_EXC, 1 },
		{ 2, INTR_HW_EXC, EXC_DB }, { 2, INTR_EXT, 0x40 }, { 2, INTR_SOFT_INT, 0x80 },
		{ 3, INTR_EXT, 0x40 }, { 3, INTR_NMI, 2 }, { 3, INTR_HW_EXC, EXC_MC },
	};
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	refuses_bits(s, AT(guest.activity), 0xfffffffc, "activity state", "must be one that this CPU has");
	f.caps.misc &= ~0x1c0ull;
	for (s.guest.activity = 1; s.guest.activity <= 3; s.guest.activity++)
		refused_by(&f, &s, "activity state", "must be one that this CPU has");
	s = user_code();
	s.guest.activity = 1;
	refused_by(&skylake, &s, "activity state", "HLT needs an SS of DPL 0");
	s = long_mode();
	s.guest.activity = 2;
	s.guest.rflags |= RFLAGS_IF;
	s.guest.interruptibility = BLOCK_STI;
	refused_by(&skylake, &s, "activity state", "must be active while STI or MOV SS blocks");
	s.guest.interruptibility = BLOCK_MOV_SS;
	refused_by(&skylake, &s, "activity state", "must be active while STI or MOV SS blocks");
	s.guest.interruptibility = 0;
	s.insn_len = 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		s.guest.activity = events[i][0];
		s.intr_info = INTR_VALID | events[i][1] << 8 | events[i][2];
		refused_by(&skylake, &s, "activity state", "does not allow the injected event");
	}
}

static void refuses_blocking(void **ctx)
{
	const char *field = "interruptibility state";
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	s.guest.rflags |= RFLAGS_IF;
	refuses_bits(s, AT(guest.interruptibility), 0xffffffe0, field, "bits 31:5 must be 0");
	refuses_bits(s, AT(guest.interruptibility), BLOCK_SMI, field, "SMIs are not blocked outside SMM");
	s.guest.interruptibility = BLOCK_STI | BLOCK_MOV_SS;
	refused_by(&skylake, &s, field, "STI and MOV SS cannot both block");
	s.guest.interruptibility = 0x10;
	refused_by(&skylake, &s, field, "bit 4 needs SGX, and no blocking by MOV SS");
	f.sgx = true;
	taken_by(&f, &s, "interrupted in an enclave");
	s.guest.interruptibility = 0x10 | BLOCK_MOV_SS;
	refused_by(&f, &s, field, "bit 4 needs SGX, and no blocking by MOV SS");
	s.intr_info = INTR_VALID | 0x40;
	for (s.guest.interruptibility = 1; s.guest.interruptibility <= 2; s.guest.interruptibility++)
		refused_by(&skylake, &s, field, "no external interrupt while STI or MOV SS blocks");
	s.intr_info = INTR_VALID | INTR_NMI << 8 | 2;
	s.guest.interruptibility = BLOCK_MOV_SS;
	refused_by(&skylake, &s, field, "no NMI while MOV SS blocks");
	s.guest.interruptibility = BLOCK_STI;
	refused_by(&skylake, &s, field, "no NMI while STI blocks, on some CPUs");
	s.guest.interruptibility = BLOCK_NMI;
	refused_by(&skylake, &s, field, "no NMI while NMIs are blocked");
	s.pin &= ~(uint64_t)PIN_VIRTUAL_NMI;
	taken(s, "an NMI without virtual NMIs");
	s = long_mode();
	s.guest.interruptibility = BLOCK_STI;
	refused_by(&skylake, &s, field, "STI blocks only while IF is 1");
}

static void refuses_pending_debug(void **ctx)
{
	const char *field = "pending debug exceptions";
	struct vmcs_state s = long_mode();
	struct vmx_facts f = skylake;

	(void)ctx;
	f.rtm = true;
	refuses_bits(s, AT(guest.pending_dbg), 0xfffffffffffeaff0, field, "bits 63:17, 15, 13 and 11:4 must be 0");
	s.guest.activity = 1;
	s.guest.pending_dbg = PENDING_DBG_BS;
	refused_by(&skylake, &s, field, "BS must be 0 while nothing steps");
	s.guest.rflags |= RFLAGS_TF;
	taken(s, "a step over HLT");
	s.guest.debugctl = 2;
	refused_by(&skylake, &s, field, "BS must be 0 while nothing steps");
	s = long_mode();
	s.guest.rflags |= RFLAGS_TF | RFLAGS_IF;
	for (s.guest.interruptibility = 1; s.guest.interruptibility <= 2; s.guest.interruptibility++)
		refused_by(&skylake, &s, field, "BS must be 1 while TF steps over a blocked instruction or HLT");
	s = long_mode();
	s.guest.pending_dbg = 1 << 16 | 1 << 12;
	refused_by(&skylake, &s, field, "RTM needs a CPU with RTM, bit 12 alone, and no blocking by MOV SS");
	taken_by(&f, &s, "a debug exception in a transaction");
	s.guest.pending_dbg |= 1;
	refused_by(&f, &s, field, "RTM needs a CPU with RTM, bit 12 alone, and no blocking by MOV SS");
	s.guest.pending_dbg = 1 << 16;
	refused_by(&f, &s, field, "RTM needs a CPU with RTM, bit 12 alone, and no blocking by MOV SS");
}

static void refuses_links_and_pdptes(void **ctx)
{
	static const char *const pdptes[] = { "PDPTE0", "PDPTE1", "PDPTE2", "PDPTE3" };
	struct vmcs_state s = long_mode();

	(void)ctx;
	s.guest.link_pointer = 0x8000;
	refuses_bits(s, AT(guest.link_pointer), 0xfff, "VMCS link pointer", "must be aligned");
	refuses_bits(s, AT(guest.link_pointer), WIDE, "VMCS link pointer", "must lie within the physical width");
	s.guest.link_pointer = 0x7000;
	refused_by(&skylake, &s, "VMCS link pointer", "must not be the current VMCS");
	for (unsigned int i = 0; i < 4; i++) {
		s = pae_mode();
		s.guest.pdpte[i] = 0x20001;
		refuses_bits(s, AT(guest.pdpte) + 8 * i, WIDE | 0x1e6, pdptes[i],
			     "bits 2:1, 8:5 and beyond the physical width must be 0");
	}
	s = legacy(CR0_PE | CR0_PG, CR4_PSE);
	s.guest.pdpte[0] = UINT64_MAX;
	taken(s, "PDPTEs without PAE");
}

static void refused_enough(void **ctx)
{
	(void)ctx;
	print_message("# %u bad states refused\n", bad_states);
	assert_true(bad_states >= 150);
}

/* Whatever the fields hold: no crash, and the list within its bounds. */
static void survives_any_state(void **ctx)
{
	uint64_t seed = 1;
	struct vmcs_state s;
	struct refusals r;

	(void)ctx;
	for (unsigned int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(s) / 8; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			((uint64_t *)(void *)&s)[i] = seed >> (seed >> 58);
		}
		vmx_check(&r, &s, &skylake);
		assert_true(r.count > 0);
	}
}

static uint64_t field_number(void *ctx, uint32_t field)
{
	assert_ptr_equal(ctx, &bad_states);
	return field;
}

/* Each member gets its own field: by the encodings' own order within their groups. */
static void reads_each_field_once(void **ctx)
{
	struct vmcs_state s;
	const uint64_t *val = (const uint64_t *)(const void *)&s;

	(void)ctx;
	memset(&s, 0xff, sizeof(s));
	vmcs_state_read(&s, field_number, &bad_states);
	for (size_t i = 0; i < sizeof(s) / 8; i++) {
		assert_true(val[i] < 0x8000);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(val[i], val[j]);
	}
	assert_int_equal(s.pin, VMCS_PIN_CTRL);
	assert_int_equal(s.host.tr_sel, VMCS_HOST_TR);
	assert_int_equal(s.guest.seg[VMCS_TR].sel, VMCS_GUEST_TR);
	assert_int_equal(s.guest.seg[VMCS_TR].access, VMCS_GUEST_TR_ACCESS);
	assert_int_equal(s.guest.seg[VMCS_LDTR].limit, VMCS_GUEST_LDTR_LIMIT);
	assert_int_equal(s.guest.seg[VMCS_CS].base, VMCS_GUEST_CS_BASE);
	assert_int_equal(s.guest.link_pointer, VMCS_LINK_POINTER);
}

static void says_errors_in_words(void **ctx)
{
	(void)ctx;
	assert_string_equal(vmx_insn_error_text(7), "invalid control fields");
	assert_string_equal(vmx_insn_error_text(28), "invalid operand of INVEPT or INVVPID");
	assert_null(vmx_insn_error_text(0));
	assert_null(vmx_insn_error_text(14));
	assert_null(vmx_insn_error_text(29));
	assert_null(vmx_insn_error_text(UINT32_MAX));
}

/* The VMCS that the report reads. */
static struct vmcs_state current;

bool vmcs_try_read(uint32_t field, uint64_t *val)
{
	struct vmcs_state numbers;

	vmcs_state_read(&numbers, field_number, &bad_states);
	for (size_t i = 0; i < sizeof(numbers) / 8; i++) {
		if (((const uint64_t *)(const void *)&numbers)[i] != field)
			continue;
		*val = ((const uint64_t *)(const void *)&current)[i];
		return field != VMCS_ENCLS_EXIT_BITMAP;
	}
	return false;
}

bool msr_read_safe(uint32_t msr, uint64_t *v)
{
	assert_int_equal(msr, 0x480);
	*v = 0;
	return true;
}

static void report(void *arg)
{
	struct vmx_cpu cpu = { .caps = skylake.caps };
	struct vcpu_hw hw = { .vmcs = { 0x7000 } };
	struct vcpu v = { .hw = &hw };

	(void)arg;
	this_cpu()->hvm = &cpu;
	log_clear();
	vmx_check_report(&v);
}

static void reports_what_fails(void **ctx)
{
	(void)ctx;
	current = long_mode();
	current.cpu &= ~(uint64_t)CPU_TPR_SHADOW;       /* its page is memory that this test does not have */
	cpu_area_run(report, NULL, NULL);
	assert_non_null(strstr(log_text(), "passes all checks"));
	current.guest.rflags = 0;
	current.host.tr_sel = 0;
	cpu_area_run(report, NULL, NULL);
	assert_non_null(strstr(log_text(), "checks that the VMCS fails:"));
	assert_non_null(strstr(log_text(), "  RFLAGS 0x0: bit 1 must be 1 (Checks on Guest RIP and RFLAGS)"));
	assert_non_null(strstr(log_text(), "  host TR selector 0x0: must not be 0 (Checks on Host Segment and "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_mode),
		cmocka_unit_test(takes_what_only_looks_bad),
		cmocka_unit_test(takes_every_event),
		cmocka_unit_test(takes_activity_and_blocking),
		cmocka_unit_test(refuses_control_words),
		cmocka_unit_test(refuses_combined_controls),
		cmocka_unit_test(refuses_apic_without_shadow),
		cmocka_unit_test(refuses_posted_interrupts_and_mbec),
		cmocka_unit_test(refuses_addresses),
		cmocka_unit_test(refuses_msr_areas),
		cmocka_unit_test(refuses_ept_pointers),
		cmocka_unit_test(refuses_vm_functions),
		cmocka_unit_test(refuses_smm),
		cmocka_unit_test(refuses_injection),
		cmocka_unit_test(refuses_instruction_lengths),
		cmocka_unit_test(refuses_host_registers),
		cmocka_unit_test(refuses_a_32_bit_host),
		cmocka_unit_test(refuses_cet_without_wp),
		cmocka_unit_test(refuses_control_registers),
		cmocka_unit_test(refuses_msrs),
		cmocka_unit_test(refuses_bound_registers),
		cmocka_unit_test(refuses_v86_segments),
		cmocka_unit_test(refuses_any_segment),
		cmocka_unit_test(refuses_code_segments),
		cmocka_unit_test(refuses_stack_segments),
		cmocka_unit_test(refuses_data_segments),
		cmocka_unit_test(refuses_system_segments),
		cmocka_unit_test(refuses_tables_rip_and_flags),
		cmocka_unit_test(refuses_activity),
		cmocka_unit_test(refuses_blocking),
		cmocka_unit_test(refuses_pending_debug),
		cmocka_unit_test(refuses_links_and_pdptes),
		cmocka_unit_test(refused_enough),
		cmocka_unit_test(survives_any_state),
		cmocka_unit_test(reads_each_field_once),
		cmocka_unit_test(says_errors_in_words),
		cmocka_unit_test(reports_what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
