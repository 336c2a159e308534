/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX's exits by name, for reports: SDM 3D appendix C "VMX Basic Exit Reasons". Pure. */
#include "arch/x86/vmx/vmx.h"

#include <stdio.h>

/* In the manual's order; NULL where no reason has this number. */
static const char *const names[] = {
	"EXCEPTION", "EXT_INTERRUPT", "TRIPLE_FAULT", "INIT", "SIPI", "IO_SMI", "OTHER_SMI", "INTERRUPT_WINDOW",
	"NMI_WINDOW", "TASK_SWITCH", "CPUID", "GETSEC", "HLT", "INVD", "INVLPG", "RDPMC", "RDTSC", "RSM", "VMCALL",
	"VMCLEAR", "VMLAUNCH", "VMPTRLD", "VMPTRST", "VMREAD", "VMRESUME", "VMWRITE", "VMXOFF", "VMXON", "CR_ACCESS",
	"MOV_DR", "IO", "RDMSR", "WRMSR", "INVALID_STATE", "MSR_LOADING", NULL, "MWAIT", "MONITOR_TRAP", NULL, "MONITOR",
	"PAUSE", "MACHINE_CHECK", NULL, "TPR_THRESHOLD", "APIC_ACCESS", "VIRTUAL_EOI", "GDTR_IDTR", "LDTR_TR",
	"EPT_VIOLATION", "EPT_MISCONFIG", "INVEPT", "RDTSCP", "PREEMPT_TIMER", "INVVPID", "WBINVD", "XSETBV",
	"APIC_WRITE", "RDRAND", "INVPCID", "VMFUNC", "ENCLS", "RDSEED", "PML_FULL", "XSAVES", "XRSTORS", "PCONFIG",
	"SPP_EVENT", "UMWAIT", "TPAUSE", "LOADIWKEY", "ENCLV", NULL, "ENQCMD", "ENQCMDS", "BUS_LOCK", "NOTIFY",
	"SEAMCALL", "TDCALL", "RDMSRLIST", "WRMSRLIST",
};

/* Kinds: the basic reasons from 0 on, then entries that failed, then all that is unknown. */
#define KIND_FAILED ((unsigned int)ARRAY_SIZE(names))
#define KIND_OTHER  (KIND_FAILED + 1)

_Static_assert(ARRAY_SIZE(names) == 80, "one name for each reason");
_Static_assert(ARRAY_SIZE(names) + 1 < EXIT_KINDS, "a kind for each reason");

unsigned int vmx_exit_kind(uint32_t reason)
{
	if (reason & VMX_EXIT_ENTRY_FAILED)
		return KIND_FAILED;
	return reason < ARRAY_SIZE(names) && names[reason] ? reason : KIND_OTHER;
}

void vmx_kind_text(unsigned int kind, char *dst, size_t size)
{
	if (kind < ARRAY_SIZE(names) && names[kind])
		snprintf(dst, size, "%s", names[kind]);
	else
		snprintf(dst, size, kind == KIND_FAILED ? "ENTRY_FAILED" : "OTHER");
}

static void io_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	const char *way = r->info1 & IO_IN ? "in" : "out";
	unsigned int bytes = IO_SIZE(r->info1), port = IO_PORT(r->info1);
	bool string = r->info1 & IO_STRING;

	if (brief)
		snprintf(dst, size, "%s%s %x.%u", way, string ? "s" : "", port, bytes);
	else
		snprintf(dst, size, "IO: %s%s, %u bytes, port 0x%x", way, string ? "s" : "", bytes, port);
}

static void ept_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	/* Bits 5:3: the page allows reads, writes, fetches. */
	bool there = r->info1 & 0x38;
	const char *what = r->info1 & EPT_FETCH ? "fetch" : r->info1 & EPT_WRITE ? "write" : "read";

	if (brief)
		snprintf(dst, size, "EPT %c %lx", what[0], r->info2);
	else
		snprintf(dst, size, "EPT_VIOLATION: %s at guest-physical 0x%lx, page %s", what, r->info2,
			 there ? "protected" : "not there");
}

static void cr_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	const char *more = brief ? "" : "CR_ACCESS: ";
	unsigned int kind = CRX_KIND(r->info1);

	if (kind == CRX_CLTS)
		snprintf(dst, size, "%sclts", more);
	else if (kind == CRX_LMSW)
		snprintf(dst, size, "%slmsw %x", more, CRX_LMSW_DATA(r->info1));
	else
		snprintf(dst, size, "%smov %s CR%u", more, kind == CRX_TO ? "to" : "from", CRX_NUMBER(r->info1));
}

static void exception_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	static const char *const types[8] = { [INTR_PRIV_SW_EXC] = ", by ICEBP", [INTR_SW_EXC] = ", by INT3 or INTO" };
	unsigned int vector = INTR_VECTOR(r->info2), type = INTR_TYPE(r->info2);

	if (type == INTR_NMI)
		snprintf(dst, size, "NMI");
	else if (brief)
		snprintf(dst, size, "EXCEPTION %u", vector);
	else
		snprintf(dst, size, "EXCEPTION: vector %u%s, qualification 0x%lx", vector, types[type] ? types[type] : "",
			 r->info1);
}

/* SDM 3C "VM-Entry Failures During or After Loading Guest State", and the qualifications of such exits. */
static const char *failure_words(const struct exit_record *r)
{
	if ((uint16_t)r->code == VMX_EXIT_MCE_ENTRY)
		return "machine check";
	if ((uint16_t)r->code == VMX_EXIT_BAD_MSR)
		return "a guest MSR could not be loaded";
	if ((uint16_t)r->code != VMX_EXIT_BAD_GUEST)
		return "unknown reason";
	switch (r->info1) {
	case 2:  return "invalid guest state: PDPTEs";
	case 3:  return "invalid guest state: an NMI injected into the shadow of STI";
	case 4:  return "invalid guest state: VMCS link pointer";
	default: return "invalid guest state";
	}
}

static void failed_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	if (brief)
		snprintf(dst, size, "ENTRY_FAILED %u", (uint16_t)r->code);
	else
		snprintf(dst, size, "VM entry failed: reason %u, %s (qualification 0x%lx)", (uint16_t)r->code,
			 failure_words(r), r->info1);
}

/* Reasons whose words say it all. */
static void other_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	unsigned int kind = vmx_exit_kind((uint32_t)r->code);

	if (kind == KIND_OTHER)
		snprintf(dst, size, "exit %lu", r->code);
	else if (brief)
		snprintf(dst, size, "%s", names[kind]);
	else
		snprintf(dst, size, "%s, qualification 0x%lx", names[kind], r->info1);
}

void vmx_exit_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	uint32_t reason = (uint32_t)r->code;

	if (reason & VMX_EXIT_ENTRY_FAILED) {
		failed_text(r, brief, dst, size);
		return;
	}
	switch (reason) {
	case VMX_EXIT_IO:        io_text(r, brief, dst, size); return;
	case VMX_EXIT_EPT_VIOL:  ept_text(r, brief, dst, size); return;
	case VMX_EXIT_CR:        cr_text(r, brief, dst, size); return;
	case VMX_EXIT_EXCEPTION: exception_text(r, brief, dst, size); return;
	case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR:
		snprintf(dst, size, brief ? "%s %lx" : "MSR: %s of 0x%lx", reason == VMX_EXIT_WRMSR ? "wrmsr" : "rdmsr",
			 r->info2);
		return;
	case VMX_EXIT_CPUID:
		snprintf(dst, size, brief ? "CPUID %lx" : "CPUID: leaf 0x%lx", r->info2);
		return;
	case VMX_EXIT_EPT_MISCONF:
		snprintf(dst, size, brief ? "EPT_MISCONFIG %lx" : "EPT_MISCONFIG: at guest-physical 0x%lx", r->info2);
		return;
	case VMX_EXIT_TRIPLE_FAULT:
		snprintf(dst, size, "%s", names[reason]);
		return;
	default:
		other_text(r, brief, dst, size);
	}
}
