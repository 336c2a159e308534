/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this CPU's VMX can do, and the controls that follow from it: SDM 3D appendix A "VMX Capability Reporting
 * Facility". The table below is the whole choice; all but vmx_caps_read() is pure.
 */
#include "arch/x86/vmx/vmx.h"

#include <stdio.h>

#include <vouch/options.h>

#include "arch/x86/cpu/asm.h"

#define MSR_VMX_BASIC          0x480u
#define MSR_VMX_PIN_CTLS       0x481u
#define MSR_VMX_CPU_CTLS       0x482u
#define MSR_VMX_EXIT_CTLS      0x483u
#define MSR_VMX_ENTRY_CTLS     0x484u
#define MSR_VMX_MISC           0x485u
#define MSR_VMX_CR0_FIXED0     0x486u
#define MSR_VMX_CR0_FIXED1     0x487u
#define MSR_VMX_CR4_FIXED0     0x488u
#define MSR_VMX_CR4_FIXED1     0x489u
#define MSR_VMX_CPU2_CTLS      0x48bu
#define MSR_VMX_EPT_VPID_CAP   0x48cu
#define MSR_VMX_TRUE_PIN_CTLS  0x48du
#define MSR_VMX_TRUE_CPU_CTLS  0x48eu
#define MSR_VMX_TRUE_EXIT_CTLS 0x48fu
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490u

#define BASIC_REVISION(b) ((uint32_t)(b) & 0x7fffffffu)
#define BASIC_TYPE(b)     ((b) >> 50 & 15)
#define BASIC_TYPE_WB     6u
#define BASIC_TRUE_CTLS   (1ull << 55)

/* SDM 3C "Enabling and Entering VMX Operation": firmware decides, and its lock holds until the next reset. */
const char *vmx_firmware_refusal(uint64_t feature_control)
{
	if (!(feature_control & FEATURE_CONTROL_LOCK) || (feature_control & FEATURE_CONTROL_VMX))
		return NULL;
	return feature_control & FEATURE_CONTROL_IN_SMX ?
		"firmware allows VT-x under Intel TXT only (IA32_FEATURE_CONTROL): enable 'Intel Virtualization Technology' "
		"or disable 'Trusted Execution Technology' in the BIOS set-up" :
		"firmware has switched VT-x off and locked it (IA32_FEATURE_CONTROL): enable 'Intel Virtualization "
		"Technology' ('VT-x', 'VMX') in the BIOS set-up, then switch the machine off and on";
}

static struct vmx_ctl ctl_read(uint32_t msr)
{
	uint64_t v = msr_read(msr);

	return (struct vmx_ctl){ .must = (uint32_t)v, .may = (uint32_t)(v >> 32) };
}

void vmx_caps_read(struct vmx_caps *c)
{
	uint64_t basic = msr_read(MSR_VMX_BASIC);
	bool exact = basic & BASIC_TRUE_CTLS;

	*c = (struct vmx_caps){
		.revision = BASIC_REVISION(basic),
		.vmcs_wb = BASIC_TYPE(basic) == BASIC_TYPE_WB,
		.pin = ctl_read(exact ? MSR_VMX_TRUE_PIN_CTLS : MSR_VMX_PIN_CTLS),
		.cpu = ctl_read(exact ? MSR_VMX_TRUE_CPU_CTLS : MSR_VMX_CPU_CTLS),
		.exit = ctl_read(exact ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS),
		.entry = ctl_read(exact ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS),
		.cr0_fixed0 = msr_read(MSR_VMX_CR0_FIXED0),
		.cr0_fixed1 = msr_read(MSR_VMX_CR0_FIXED1),
		.cr4_fixed0 = msr_read(MSR_VMX_CR4_FIXED0),
		.cr4_fixed1 = msr_read(MSR_VMX_CR4_FIXED1),
		.misc = msr_read(MSR_VMX_MISC),
		.signature = cpuid_leaf(1, 0).eax,
	};
	if (c->cpu.may & CPU_SECONDARY)
		c->cpu2 = ctl_read(MSR_VMX_CPU2_CTLS);
	if (c->cpu2.may & (CPU2_EPT | CPU2_VPID))
		c->ept_vpid = msr_read(MSR_VMX_EPT_VPID_CAP);
}

enum word { PIN, CPU, CPU2, EXIT, ENTRY, WORDS };

enum use {
	ON,                           /* set, and Vouch cannot do without */
	LATER,                        /* the same, but set only when it is needed */
	IF_THERE,                     /* set where the CPU has it */
	AT_TIMES,                     /* the same, but must not be forced on: apic.c clears it when it does not fit */
	OFF,                          /* must not be forced on */
};

struct control {
	enum word word;
	enum use use;
	uint32_t bit;
	uint32_t feature;             /* FEATURE_* that leave it out, or 0 */
	const char *why;              /* the refusal */
};

/* Names are the manual's, in the tables that define each control word (SDM 3C "VM-Execution Control Fields"). */
#define LACKS(name) "this CPU's VT-x has no \"" name "\", which Vouch needs: use a newer CPU"
#define FORCES(name) "this CPU's VT-x cannot do without \"" name "\", which Vouch has no use for: use a newer CPU"

static const struct control controls[] = {
	{ PIN, ON, PIN_EXT_INTR, 0, LACKS("External-interrupt exiting") },
	{ PIN, ON, PIN_NMI, 0, LACKS("NMI exiting") },
	{ PIN, ON, PIN_VIRTUAL_NMI, 0, LACKS("Virtual NMIs") },
	{ PIN, IF_THERE, PIN_PREEMPT_TIMER, FEATURE_PREEMPT, NULL },

	{ CPU, LATER, CPU_INTR_WINDOW, 0, LACKS("Interrupt-window exiting") },
	{ CPU, LATER, CPU_NMI_WINDOW, 0, LACKS("NMI-window exiting") },
	{ CPU, ON, CPU_TSC_OFFSET, 0, LACKS("Use TSC offsetting") },
	{ CPU, ON, CPU_HLT, 0, LACKS("HLT exiting") },
	{ CPU, ON, CPU_MWAIT, 0, LACKS("MWAIT exiting") },
	{ CPU, ON, CPU_RDPMC, 0, LACKS("RDPMC exiting") },
	{ CPU, ON, CPU_CR8_LOAD, 0, LACKS("CR8-load exiting") },
	{ CPU, ON, CPU_CR8_STORE, 0, LACKS("CR8-store exiting") },
	{ CPU, IF_THERE, CPU_TPR_SHADOW, FEATURE_APICV, NULL },
	{ CPU, ON, CPU_UNCOND_IO, 0, LACKS("Unconditional I/O exiting") },
	{ CPU, ON, CPU_MSR_BITMAPS, 0, LACKS("Use MSR bitmaps") },
	{ CPU, ON, CPU_MONITOR, 0, LACKS("MONITOR exiting") },
	{ CPU, ON, CPU_SECONDARY, 0, LACKS("Activate secondary controls") },
	{ CPU, OFF, CPU_CR3_LOAD, 0, FORCES("CR3-load exiting") },
	{ CPU, OFF, CPU_CR3_STORE, 0, FORCES("CR3-store exiting") },

	{ CPU2, ON, CPU2_EPT, 0, LACKS("Enable EPT") },
	{ CPU2, ON, CPU2_UNRESTRICTED, 0, LACKS("Unrestricted guest") },
	{ CPU2, IF_THERE, CPU2_VPID, FEATURE_VPID, NULL },
	{ CPU2, IF_THERE, CPU2_RDTSCP, 0, NULL },
	{ CPU2, IF_THERE, CPU2_WBINVD, 0, NULL },
	{ CPU2, IF_THERE, CPU2_ENCLS, 0, NULL },
	{ CPU2, IF_THERE, CPU2_PLE, FEATURE_PLE, NULL },
	{ CPU2, AT_TIMES, CPU2_APIC_ACCESS, FEATURE_APICV | FEATURE_APIC_ACCESS, FORCES("Virtualize APIC accesses") },
	{ CPU2, AT_TIMES, CPU2_X2APIC, FEATURE_APICV | FEATURE_APIC_X2APIC, FORCES("Virtualize x2APIC mode") },
	{ CPU2, AT_TIMES, CPU2_APIC_REGS, FEATURE_APICV | FEATURE_APIC_REGS, FORCES("APIC-register virtualization") },
	{ CPU2, AT_TIMES, CPU2_VIRT_INTR, FEATURE_APICV | FEATURE_APIC_INTR, FORCES("Virtual-interrupt delivery") },

	{ EXIT, ON, EXIT_SAVE_DEBUG, 0, LACKS("Save debug controls") },
	{ EXIT, ON, EXIT_HOST_64, 0, LACKS("Host address-space size") },
	{ EXIT, ON, EXIT_SAVE_PAT, 0, LACKS("Save IA32_PAT") },
	{ EXIT, ON, EXIT_LOAD_PAT, 0, LACKS("Load IA32_PAT (VM exit)") },
	{ EXIT, ON, EXIT_SAVE_EFER, 0, LACKS("Save IA32_EFER") },
	{ EXIT, ON, EXIT_LOAD_EFER, 0, LACKS("Load IA32_EFER (VM exit)") },

	{ ENTRY, ON, ENTRY_LOAD_DEBUG, 0, LACKS("Load debug controls") },
	{ ENTRY, LATER, ENTRY_IA32E, 0, LACKS("IA-32e mode guest") },
	{ ENTRY, ON, ENTRY_LOAD_PAT, 0, LACKS("Load IA32_PAT (VM entry)") },
	{ ENTRY, ON, ENTRY_LOAD_EFER, 0, LACKS("Load IA32_EFER (VM entry)") },
};

/* Reserved bits that are 1 (SDM 3D "Reserved Controls and Default Settings", A.2); a forced bit beside these is unknown. */
static const uint32_t default1[WORDS] = {
	[PIN] = 0x16, [CPU] = 0x0401e172, [EXIT] = 0x36dff, [ENTRY] = 0x11ff,
};

#define CAP_INVEPT          (1ull << 20)
#define CAP_INVEPT_SINGLE   (1ull << 25)
#define CAP_INVEPT_ALL      (1ull << 26)
#define CAP_INVVPID         (1ull << 32)
#define CAP_INVVPID_SINGLE  (1ull << 41)
#define CAP_INVVPID_ALL     (1ull << 42)
#define CAP_WALK_4          (1ull << 6)
#define CAP_TYPE_WB         (1ull << 14)
#define CAP_AD              (1ull << 21)

/* EPTP: SDM 3C table "Format of Extended-Page-Table Pointer". */
#define EPTP_WB     6ull
#define EPTP_WALK_4 (3ull << 3)
#define EPTP_AD     (1ull << 6)

/* Intel's specification updates, "VMX-Preemption Timer Does Not Count Down at the Rate Specified". */
static bool timer_is_wrong(uint32_t signature)
{
	return signature == 0x206e6 || signature == 0x20652 || signature == 0x20655 || signature == 0x306a8;
}

/* With the TPR shadow these are off. */
#define CR8_EXITS (CPU_CR8_LOAD | CPU_CR8_STORE)

/*
 * VPIDs are of use only if what they hold can be flushed, all of it at least; and the TPR shadow only if CR8 need not
 * exit all the same.
 */
static bool usable(const struct vmx_caps *c, const struct control *r)
{
	if (r->word == PIN && r->bit == PIN_PREEMPT_TIMER)
		return !timer_is_wrong(c->signature);
	if (r->word == CPU2 && r->bit == CPU2_VPID)
		return (c->ept_vpid & CAP_INVVPID) && (c->ept_vpid & CAP_INVVPID_ALL);
	if (r->word == CPU && r->bit == CPU_TPR_SHADOW)
		return !(c->cpu.must & CR8_EXITS);
	return true;
}

static bool is_choice(const struct control *r)
{
	return r->use == IF_THERE || r->use == AT_TIMES;
}

static bool refuses(const struct control *r, bool there, bool forced)
{
	if (r->use == OFF || r->use == AT_TIMES)
		return forced;
	return r->use != IF_THERE && !there;
}

bool vmx_controls_pick(const struct vmx_caps *c, uint32_t off, struct vmx_controls *out, const char **why)
{
	const struct vmx_ctl has[WORDS] = { [PIN] = c->pin, [CPU] = c->cpu, [CPU2] = c->cpu2, [EXIT] = c->exit,
					    [ENTRY] = c->entry };
	uint32_t want[WORDS], known[WORDS];

	for (int w = 0; w < WORDS; w++) {
		want[w] = has[w].must;
		known[w] = default1[w];
	}
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		const struct control *r = &controls[i];
		bool there = has[r->word].may & r->bit, forced = has[r->word].must & r->bit;

		*why = r->why;
		if (refuses(r, there, forced))
			return false;
		if (r->use == ON || (is_choice(r) && there && !(r->feature & off) && usable(c, r)))
			want[r->word] |= r->bit;
		if (r->use == ON || r->use == IF_THERE)
			known[r->word] |= r->bit;
	}
	*why = "this CPU's VT-x cannot do without a control that Vouch does not know: use another CPU, or a newer Vouch";
	for (int w = 0; w < WORDS; w++)
		if (has[w].must & ~known[w])
			return false;
	/* SDM 3C "VM-Execution Control Fields" (26.2.1.1): the rest of APIC virtualization needs the TPR shadow. */
	if (want[CPU] & CPU_TPR_SHADOW)
		want[CPU] &= ~CR8_EXITS;
	else
		want[CPU2] &= ~VMX_APIC_CTLS;
	*out = (struct vmx_controls){ want[PIN], want[CPU], want[CPU2], want[EXIT], want[ENTRY] };
	return true;
}

const char *vmx_ept_refusal(const struct vmx_caps *c)
{
	if (!(c->ept_vpid & CAP_WALK_4))
		return "this CPU's VT-x has no EPT with 4 levels, which Vouch needs: use a newer CPU";
	if (!(c->ept_vpid & CAP_TYPE_WB))
		return "this CPU's VT-x has no write-back EPT tables, which Vouch needs: use a newer CPU";
	if (!(c->ept_vpid & CAP_INVEPT) || !(c->ept_vpid & (CAP_INVEPT_SINGLE | CAP_INVEPT_ALL)))
		return "this CPU's VT-x has no INVEPT, which Vouch needs: use a newer CPU";
	return NULL;
}

uint64_t vmx_eptp_bits(const struct vmx_caps *c, uint32_t off)
{
	return EPTP_WB | EPTP_WALK_4 | ((c->ept_vpid & CAP_AD) && !(off & FEATURE_EPT_AD) ? EPTP_AD : 0);
}

void vmx_features_text(const struct vmx_cpu *c, char *dst, size_t size)
{
	const bool vpid = c->ctl.cpu2 & CPU2_VPID, ple = c->ctl.cpu2 & CPU2_PLE, ad = c->eptp_bits & EPTP_AD;
	const bool preempt = c->ctl.pin & PIN_PREEMPT_TIMER, tpr = c->ctl.cpu & CPU_TPR_SHADOW;
	const uint32_t apic = c->ctl.cpu2;

	snprintf(dst, size, "%s%s%s%s%s%s%s%s%s%s", vpid ? " vpid" : "", tpr ? " apicv:tpr" : "",
		 apic & CPU2_APIC_ACCESS ? ",access" : "", apic & CPU2_X2APIC ? ",x2apic" : "",
		 apic & CPU2_APIC_REGS ? ",regs" : "", apic & CPU2_VIRT_INTR ? ",intr" : "", preempt ? " preempt" : "",
		 ple ? " ple" : "", ad ? " ept-ad" : "", vpid || tpr || preempt || ple || ad ? "" : " none");
}
