/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM's exits by name, for reports: APM 2 appendix C "SVM Intercept Exit Codes". Pure. */
#include "arch/x86/svm/svm.h"

#include <stdio.h>

/*
 * Kinds: the codes from 0 on, then those from 400h on, then one for VMEXIT_INVALID and all that is unknown.
 */
#define KIND_400   0xa4u
#define KIND_OTHER (KIND_400 + 4)

_Static_assert(KIND_OTHER < EXIT_KINDS, "a kind for each exit code");

unsigned int svm_exit_kind(uint64_t code)
{
	uint32_t c = (uint32_t)code;

	if (c < KIND_400)
		return c;
	return c >= SVM_EXIT_NPF && c < SVM_EXIT_NPF + 4 ? KIND_400 + (c - SVM_EXIT_NPF) : KIND_OTHER;
}

static const char *const names_60[] = {
	"INTR", "NMI", "SMI", "INIT", "VINTR", "CR0_SEL_WRITE", "IDTR_READ", "GDTR_READ", "LDTR_READ", "TR_READ",
	"IDTR_WRITE", "GDTR_WRITE", "LDTR_WRITE", "TR_WRITE", "RDTSC", "RDPMC", "PUSHF", "POPF", "CPUID", "RSM",
	"IRET", "SWINT", "INVD", "PAUSE", "HLT", "INVLPG", "INVLPGA", "IOIO", "MSR", "TASK_SWITCH", "FERR_FREEZE",
	"SHUTDOWN", "VMRUN", "VMMCALL", "VMLOAD", "VMSAVE", "STGI", "CLGI", "SKINIT", "RDTSCP", "ICEBP", "WBINVD",
	"MONITOR", "MWAIT", "MWAIT_ARMED", "XSETBV", "RDPRU", "EFER_WRITE_TRAP",
};
static const char *const names_400[] = { "NPF", "AVIC_INCOMPLETE", "AVIC_NOACCEL", "VMGEXIT" };

_Static_assert(ARRAY_SIZE(names_60) == 0x90 - 0x60, "one name for each code");

void svm_kind_text(unsigned int kind, char *dst, size_t size)
{
	if (kind < 0x40)
		snprintf(dst, size, "%cR%u_%s", kind < 0x20 ? 'C' : 'D', kind & 15, kind & 0x10 ? "WRITE" : "READ");
	else if (kind < 0x60)
		snprintf(dst, size, "EXCEPTION_%u", kind - 0x40);
	else if (kind < 0x90)
		snprintf(dst, size, "%s", names_60[kind - 0x60]);
	else if (kind < 0xa0)
		snprintf(dst, size, "CR%u_WRITE_TRAP", kind - 0x90);
	else if (kind >= KIND_400 && kind < KIND_OTHER)
		snprintf(dst, size, "%s", names_400[kind - KIND_400]);
	else
		snprintf(dst, size, "OTHER");
}

static void io_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	const char *way = r->info1 & SVM_IOIO_IN ? "in" : "out";
	unsigned int bytes = SVM_IOIO_SIZE(r->info1), port = SVM_IOIO_PORT(r->info1);
	bool string = r->info1 & SVM_IOIO_STRING;

	if (brief)
		snprintf(dst, size, "%s%s %x.%u", way, string ? "s" : "", port, bytes);
	else
		snprintf(dst, size, "IOIO: %s%s, %u bytes, port 0x%x", way, string ? "s" : "", bytes, port);
}

static void npf_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	const char *what = r->info1 & PF_I ? "fetch" : r->info1 & PF_W ? "write" : "read";

	if (brief)
		snprintf(dst, size, "NPF %c %lx", what[0], r->info2);
	else
		snprintf(dst, size, "NPF: %s at guest-physical 0x%lx, page %s", what, r->info2,
			 r->info1 & PF_P ? "protected" : "not there");
}

/* Codes that no table knows, and VMRUN's refusal, which names none. */
static void other_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	if (!svm_exit_is_invalid(r->code))
		snprintf(dst, size, "exit 0x%lx", r->code);
	else
		snprintf(dst, size, "INVALID%s", brief ? "" : ": VMRUN refused the guest's state");
}

void svm_exit_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	unsigned int kind = svm_exit_kind(r->code);
	char name[24];

	svm_kind_text(kind, name, sizeof(name));
	switch ((uint32_t)r->code) {
	case SVM_EXIT_IOIO:
		io_text(r, brief, dst, size);
		return;
	case SVM_EXIT_NPF:
		npf_text(r, brief, dst, size);
		return;
	case SVM_EXIT_MSR:
		snprintf(dst, size, brief ? "%s %lx" : "MSR: %s of 0x%lx", r->info1 & 1 ? "wrmsr" : "rdmsr", r->info2);
		return;
	case SVM_EXIT_CPUID:
		snprintf(dst, size, brief ? "CPUID %lx" : "CPUID: leaf 0x%lx", r->info2);
		return;
	case SVM_EXIT_SHUTDOWN:
		snprintf(dst, size, "%s%s", name, brief ? "" : ": triple fault");
		return;
	}
	if (kind == KIND_OTHER || (kind >= 0xa0 && kind < KIND_400))
		other_text(r, brief, dst, size);
	else if (brief)
		snprintf(dst, size, "%s", name);
	else
		snprintf(dst, size, "%s, info1 0x%lx, info2 0x%lx", name, r->info1, r->info2);
}
