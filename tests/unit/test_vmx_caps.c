/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VMX controls a CPU's capabilities lead to, and that each one that is missing refuses the CPU by name. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/options.h>

#include "arch/x86/vmx/vmx.h"

/* As an emulated Skylake-X has them. */
static struct vmx_caps skylake(void)
{
	return (struct vmx_caps){
		.revision = 0x2b,
		.vmcs_wb = true,
		.pin = { 0x16, 0x7f },
		.cpu = { 0x04006172, 0xf7f9fffe },
		.cpu2 = { 0, 0x02177fff },
		.exit = { 0x36dfb, 0x7fffff },
		.entry = { 0x11fb, 0xffff },
		.ept_vpid = 0x00000f0106334141,
	};
}

static const char *refusal(const struct vmx_caps *c)
{
	struct vmx_controls ctl;
	const char *why = NULL;

	return vmx_controls_pick(c, 0, &ctl, &why) ? NULL : why;
}

static void a_modern_cpu_gets_what_vouch_wants(void **ctx)
{
	struct vmx_caps c = skylake();
	struct vmx_controls ctl;
	const char *why;

	(void)ctx;
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_int_equal(ctl.pin, 0x16 | PIN_EXT_INTR | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPT_TIMER);
	assert_int_equal(ctl.cpu, 0x04006172u | CPU_TSC_OFFSET | CPU_HLT | CPU_MWAIT | CPU_RDPMC |
				  CPU_TPR_SHADOW | CPU_UNCOND_IO | CPU_MSR_BITMAPS | CPU_MONITOR | CPU_SECONDARY);
	assert_int_equal(ctl.cpu2, CPU2_EPT | CPU2_UNRESTRICTED | CPU2_VPID | CPU2_RDTSCP | CPU2_WBINVD |
				   CPU2_PLE | VMX_APIC_CTLS);
	assert_int_equal(ctl.exit, 0x36dfb | EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
				   EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	assert_int_equal(ctl.entry, 0x11fb | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	assert_null(vmx_ept_refusal(&c));
}

/* Every word within its CPU's limits, whatever these are. */
static void nothing_is_set_that_the_cpu_forbids(void **ctx)
{
	(void)ctx;
	for (unsigned int bit = 0; bit < 32; bit++) {
		struct vmx_caps c = skylake();
		struct vmx_controls ctl;
		const char *why;

		c.cpu2.may &= ~(1u << bit);
		if (!vmx_controls_pick(&c, 0, &ctl, &why)) {
			assert_true(bit == 1 || bit == 7);
			continue;
		}
		assert_int_equal(ctl.cpu2 & ~c.cpu2.may, 0);
		assert_int_equal(ctl.cpu & ~c.cpu.may, 0);
		assert_int_equal(c.cpu.must & ~ctl.cpu, 0);
	}
}

static void what_is_missing_is_named(void **ctx)
{
	static const struct {
		size_t word;
		uint32_t bit;
		const char *name;
	} rows[] = {
#define ROW(word, bit, name) { offsetof(struct vmx_caps, word), bit, "no \"" name "\"" }
		ROW(pin, PIN_EXT_INTR, "External-interrupt exiting"),
		ROW(pin, PIN_NMI, "NMI exiting"),
		ROW(pin, PIN_VIRTUAL_NMI, "Virtual NMIs"),
		ROW(cpu, CPU_INTR_WINDOW, "Interrupt-window exiting"),
		ROW(cpu, CPU_NMI_WINDOW, "NMI-window exiting"),
		ROW(cpu, CPU_TSC_OFFSET, "Use TSC offsetting"),
		ROW(cpu, CPU_HLT, "HLT exiting"),
		ROW(cpu, CPU_MWAIT, "MWAIT exiting"),
		ROW(cpu, CPU_RDPMC, "RDPMC exiting"),
		ROW(cpu, CPU_CR8_LOAD, "CR8-load exiting"),
		ROW(cpu, CPU_CR8_STORE, "CR8-store exiting"),
		ROW(cpu, CPU_UNCOND_IO, "Unconditional I/O exiting"),
		ROW(cpu, CPU_MSR_BITMAPS, "Use MSR bitmaps"),
		ROW(cpu, CPU_MONITOR, "MONITOR exiting"),
		ROW(cpu, CPU_SECONDARY, "Activate secondary controls"),
		ROW(cpu2, CPU2_EPT, "Enable EPT"),
		ROW(cpu2, CPU2_UNRESTRICTED, "Unrestricted guest"),
		ROW(exit, EXIT_SAVE_DEBUG, "Save debug controls"),
		ROW(exit, EXIT_HOST_64, "Host address-space size"),
		ROW(exit, EXIT_SAVE_PAT, "Save IA32_PAT"),
		ROW(exit, EXIT_LOAD_PAT, "Load IA32_PAT (VM exit)"),
		ROW(exit, EXIT_SAVE_EFER, "Save IA32_EFER"),
		ROW(exit, EXIT_LOAD_EFER, "Load IA32_EFER (VM exit)"),
		ROW(entry, ENTRY_LOAD_DEBUG, "Load debug controls"),
		ROW(entry, ENTRY_IA32E, "IA-32e mode guest"),
		ROW(entry, ENTRY_LOAD_PAT, "Load IA32_PAT (VM entry)"),
		ROW(entry, ENTRY_LOAD_EFER, "Load IA32_EFER (VM entry)"),
#undef ROW
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps c = skylake();
		struct vmx_ctl *word = (struct vmx_ctl *)((char *)&c + rows[i].word);
		const char *why;

		assert_null(refusal(&c));
		word->may &= ~rows[i].bit;
		why = refusal(&c);
		assert_non_null(why);
		if (!strstr(why, rows[i].name))
			fail_msg("%s: %s", rows[i].name, why);
	}
}

/* Without the true capability MSRs exits for CR3 are reported as forced. */
static void forced_controls_are_refused(void **ctx)
{
	struct vmx_caps c = skylake();

	(void)ctx;
	c.cpu.must = 0x0401e172;
	assert_non_null(strstr(refusal(&c), "\"CR3-load exiting\""));
	c.cpu.must = 0x04006172 | CPU_CR3_STORE;
	assert_non_null(strstr(refusal(&c), "\"CR3-store exiting\""));
	for (unsigned int bit = 0; bit < 32; bit++) {
		const uint32_t fine = CPU2_EPT | CPU2_UNRESTRICTED | CPU2_VPID | CPU2_RDTSCP | CPU2_WBINVD | CPU2_ENCLS |
				      CPU2_PLE;

		c = skylake();
		c.cpu2.must = 1u << bit;
		c.cpu2.may |= c.cpu2.must;
		if (fine & c.cpu2.must)
			assert_null(refusal(&c));
		else
			assert_non_null(strstr(refusal(&c), VMX_APIC_CTLS & c.cpu2.must ? "no use for" : "does not know"));
	}
	c = skylake();
	c.cpu.must |= CPU_INTR_WINDOW;
	assert_non_null(strstr(refusal(&c), "does not know"));
	c = skylake();
	c.entry.must |= ENTRY_IA32E;
	assert_non_null(strstr(refusal(&c), "does not know"));
}

static void a_vpid_is_used_only_with_a_way_to_flush_it(void **ctx)
{
	struct vmx_caps c = skylake();
	struct vmx_controls ctl;
	const char *why;

	(void)ctx;
	assert_true(vmx_controls_pick(&c, FEATURE_VPID, &ctl, &why));
	assert_int_equal(ctl.cpu2 & CPU2_VPID, 0);
	assert_true(vmx_controls_pick(&c, ~(uint32_t)FEATURE_VPID, &ctl, &why));
	assert_true(ctl.cpu2 & CPU2_VPID);
	c.ept_vpid &= ~(1ull << 32);                            /* no INVVPID */
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_int_equal(ctl.cpu2 & CPU2_VPID, 0);
	c.ept_vpid = skylake().ept_vpid & ~(1ull << 42);        /* not of all contexts */
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_int_equal(ctl.cpu2 & CPU2_VPID, 0);
}

/* Either CR8 exits or the TPR shadow has it, and never both. */
static void cr8_exits_only_without_the_tpr_shadow(void **ctx)
{
	const uint32_t exits = CPU_CR8_LOAD | CPU_CR8_STORE;
	struct vmx_caps c = skylake();
	struct vmx_controls ctl;
	const char *why;

	(void)ctx;
	assert_true(vmx_controls_pick(&c, FEATURE_APICV, &ctl, &why));
	assert_int_equal(ctl.cpu & (exits | CPU_TPR_SHADOW), exits);
	assert_true(vmx_controls_pick(&c, ~(uint32_t)FEATURE_APICV, &ctl, &why));
	assert_int_equal(ctl.cpu & (exits | CPU_TPR_SHADOW), CPU_TPR_SHADOW);
	c.cpu.may &= ~CPU_TPR_SHADOW;
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_int_equal(ctl.cpu & (exits | CPU_TPR_SHADOW), exits);
	for (unsigned int i = 0; i < 2; i++) {          /* an exit that cannot be switched off */
		c = skylake();
		c.cpu.must |= i ? CPU_CR8_LOAD : CPU_CR8_STORE;
		assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
		assert_int_equal(ctl.cpu & (exits | CPU_TPR_SHADOW), exits);
	}
}

/* Each where the CPU has it, none without the TPR shadow, and none that cannot be switched off while it does not fit. */
static void apic_virtualization_stands_on_the_tpr_shadow(void **ctx)
{
	static const struct { uint32_t bit; const char *name; } rows[] = {
		{ CPU2_APIC_ACCESS, "Virtualize APIC accesses" }, { CPU2_X2APIC, "Virtualize x2APIC mode" },
		{ CPU2_APIC_REGS, "APIC-register virtualization" }, { CPU2_VIRT_INTR, "Virtual-interrupt delivery" },
	};
	struct vmx_controls ctl;
	const char *why;

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps c = skylake();

		c.cpu2.may &= ~rows[i].bit;
		assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
		assert_int_equal(ctl.cpu2 & VMX_APIC_CTLS, VMX_APIC_CTLS & ~rows[i].bit);
		assert_true(vmx_controls_pick(&c, FEATURE_APICV, &ctl, &why));
		assert_int_equal(ctl.cpu2 & VMX_APIC_CTLS, 0);
		c = skylake();
		c.cpu.may &= ~CPU_TPR_SHADOW;
		assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
		assert_int_equal(ctl.cpu2 & VMX_APIC_CTLS, 0);
		c.cpu2.must |= rows[i].bit;
		assert_non_null(refusal(&c));
		assert_non_null(strstr(refusal(&c), rows[i].name));
	}
}

static void features_are_left_out_by_name(void **ctx)
{
	static const struct { uint32_t off; const char *text; } rows[] = {
		{ 0, " vpid apicv:tpr,access,x2apic,regs,intr preempt ple ept-ad" },
		{ FEATURE_VPID, " apicv:tpr,access,x2apic,regs,intr preempt ple ept-ad" },
		{ FEATURE_APICV, " vpid preempt ple ept-ad" },
		{ FEATURE_PREEMPT, " vpid apicv:tpr,access,x2apic,regs,intr ple ept-ad" },
		{ FEATURE_PLE, " vpid apicv:tpr,access,x2apic,regs,intr preempt ept-ad" },
		{ FEATURE_EPT_AD, " vpid apicv:tpr,access,x2apic,regs,intr preempt ple" },
		{ FEATURE_APIC_ACCESS, " vpid apicv:tpr,x2apic,regs,intr preempt ple ept-ad" },
		{ FEATURE_APIC_X2APIC, " vpid apicv:tpr,access,regs,intr preempt ple ept-ad" },
		{ FEATURE_APIC_REGS, " vpid apicv:tpr,access,x2apic,intr preempt ple ept-ad" },
		{ FEATURE_APIC_INTR, " vpid apicv:tpr,access,x2apic,regs preempt ple ept-ad" },
		{ ~0u, " none" },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_cpu c = { .caps = skylake() };
		const char *why;
		char text[80];

		assert_true(vmx_controls_pick(&c.caps, rows[i].off, &c.ctl, &why));
		c.eptp_bits = vmx_eptp_bits(&c.caps, rows[i].off);
		vmx_features_text(&c, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(c.eptp_bits, rows[i].off & FEATURE_EPT_AD ? 0x1e : 0x5e);
	}
	/* Nor used where the CPU has none. */
	struct vmx_caps poor = skylake();

	poor.ept_vpid &= ~(1ull << 21);
	assert_int_equal(vmx_eptp_bits(&poor, 0), 0x1e);
}

static void a_timer_known_to_be_wrong_is_left_alone(void **ctx)
{
	struct vmx_caps c = skylake();
	struct vmx_controls ctl;
	const char *why;

	(void)ctx;
	c.signature = 0x20655;
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_int_equal(ctl.pin & PIN_PREEMPT_TIMER, 0);
	c.signature = 0x306a9;
	assert_true(vmx_controls_pick(&c, 0, &ctl, &why));
	assert_true(ctl.pin & PIN_PREEMPT_TIMER);
	assert_int_equal(VMX_MISC_TIMER_RATE(0x7004c1e5), 5);
}

static void poor_ept_is_refused(void **ctx)
{
	struct vmx_caps c = skylake();

	(void)ctx;
	c.ept_vpid = skylake().ept_vpid & ~(1ull << 6);
	assert_non_null(strstr(vmx_ept_refusal(&c), "4 levels"));
	c.ept_vpid = skylake().ept_vpid & ~(1ull << 14);
	assert_non_null(strstr(vmx_ept_refusal(&c), "write-back"));
	c.ept_vpid = skylake().ept_vpid & ~(1ull << 20);
	assert_non_null(strstr(vmx_ept_refusal(&c), "INVEPT"));
	c.ept_vpid = skylake().ept_vpid & ~(3ull << 25);
	assert_non_null(strstr(vmx_ept_refusal(&c), "INVEPT"));
	c.ept_vpid = skylake().ept_vpid & ~(1ull << 25);        /* all contexts at once will do */
	assert_null(vmx_ept_refusal(&c));
}

static void firmware_has_the_first_word(void **ctx)
{
	(void)ctx;
	assert_null(vmx_firmware_refusal(0));           /* nothing locked: Vouch switches it on */
	assert_null(vmx_firmware_refusal(4));
	assert_null(vmx_firmware_refusal(5));
	assert_null(vmx_firmware_refusal(7));
	assert_non_null(strstr(vmx_firmware_refusal(1), "'Intel Virtualization Technology'"));
	assert_non_null(strstr(vmx_firmware_refusal(3), "TXT only"));
	assert_non_null(strstr(vmx_firmware_refusal(0xff01), "locked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_modern_cpu_gets_what_vouch_wants),
		cmocka_unit_test(nothing_is_set_that_the_cpu_forbids),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(forced_controls_are_refused),
		cmocka_unit_test(a_vpid_is_used_only_with_a_way_to_flush_it),
		cmocka_unit_test(cr8_exits_only_without_the_tpr_shadow),
		cmocka_unit_test(apic_virtualization_stands_on_the_tpr_shadow),
		cmocka_unit_test(features_are_left_out_by_name),
		cmocka_unit_test(a_timer_known_to_be_wrong_is_left_alone),
		cmocka_unit_test(poor_ept_is_refused),
		cmocka_unit_test(firmware_has_the_first_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
