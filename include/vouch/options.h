/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's own command line (GRUB's multiboot2 line) and the strings of its modules: pure parsers (loader/options.c). */
#ifndef VOUCH_OPTIONS_H
#define VOUCH_OPTIONS_H

#include <vouch/log.h>
#include <vouch/types.h>

/* A higher value is stronger. */
enum integrity { INTEGRITY_NONE, INTEGRITY_CHECKSUM, INTEGRITY_SHA256, INTEGRITY_SIGNED };
enum end_action { END_HALT, END_REBOOT, END_POWEROFF };
enum guest_order { GUESTS_TOGETHER, GUESTS_SEQUENTIAL };

#define OPT_COM1 (1u << 0)
#define OPT_COM2 (1u << 1)
#define OPT_SCREEN (1u << 2)

/*
 * What a CPU may have to run or start guests faster, on either vendor. Vouch uses what is there, unless features=-NAME,...
 * says no; guests then run by the plain path, none the wiser.
 */
enum feature {
	FEATURE_NRIP      = 1u << 0,  /* nrip: SVM tells where the next instruction is */
	FEATURE_DECODE    = 1u << 1,  /* decode: SVM gives instruction bytes and operands */
	FEATURE_CLEAN     = 1u << 2,  /* clean: SVM keeps what has not changed between entries */
	FEATURE_FLUSHASID = 1u << 3,  /* flushasid: SVM flushes one ASID */
	FEATURE_PAUSE     = 1u << 4,  /* pause: SVM's filter for PAUSE loops */
	FEATURE_VPID      = 1u << 5,  /* vpid: VMX keeps translations over exits */
	FEATURE_APICV     = 1u << 6,  /* apicv: all of VMX's APIC virtualization, the TPR shadow first */
	FEATURE_PREEMPT   = 1u << 7,  /* preempt: VMX's preemption timer */
	FEATURE_PLE       = 1u << 8,  /* ple: VMX's exit for PAUSE loops */
	FEATURE_EPT_AD    = 1u << 9,  /* ept-ad: accessed and dirty bits in nested tables */
	FEATURE_EPT_1G    = 1u << 10, /* ept-1g: leaves of 1 GiB in nested tables */
	FEATURE_SHA_NI    = 1u << 11, /* sha-ni: the CPU's SHA extensions, for digests of images */
	FEATURE_APIC_ACCESS = 1u << 12,  /* apicv:access: VMX knows the local APIC's page */
	FEATURE_APIC_X2APIC = 1u << 13,  /* apicv:x2apic: and its MSRs */
	FEATURE_APIC_REGS = 1u << 14, /* apicv:regs: and the registers that only hold what was written */
	FEATURE_APIC_INTR = 1u << 15, /* apicv:intr: and delivers interrupts */
};

/* consoles=: whose output the console shows. */
enum consoles { CONSOLES_MUX, CONSOLES_PREFIX };

struct options {
	/* Bits OPT_*: where guests' console goes, and the log too unless log= is given; default com1,screen. */
	uint32_t console;
	uint32_t control;             /* one bit OPT_COM*: the monitor for programs; 0 (default) = none */
	uint32_t log;                 /* bits OPT_COM*: a channel that no guest writes; 0 = same as console */
	enum consoles consoles;       /* mux (default): the focused guest's; prefix: all guests', each line behind a name */
	enum log_level loglevel;      /* error|warn|info|debug, default info */
	enum integrity integrity;     /* least accepted, default checksum */
	bool integrity_bad;           /* a level was asked for that is none: no guest may run; integrity is signed then */
	char bad_level[32];           /* the first such word, escaped */
	enum end_action end;          /* default halt */
	enum guest_order guests;      /* all at once, or each when the one before it has stopped; default together */
	bool mitigations_off;         /* nothing is done against speculation; default: what the CPU needs */
	bool mitigations_all;         /* all code there is, needed or not, but for MSRs that the CPU does not have */
	uint32_t features_off;        /* bits FEATURE_*, default 0 */
	bool x2apic;                  /* x2apic=on: this machine's local APICs by MSRs; auto, the default: where they must be */
	uint32_t cpus;                /* at most so many CPUs are used, from 1 on; 0, the default: all */
	bool print_events;            /* measure=print: what is measured is a line of the log; default quiet */
	uint32_t unknown_count;       /* unknown or malformed words, the first few kept for the report */
	char unknown[4][64];
};
/*
 * Never fails: a word it does not know, or a bad value, is counted and kept for the report and the default stays, but for
 * integrity (see there), which a spelling must not weaken. A log=
 * port that is also a console= port is no channel of its own: reported, and dropped from log; so is a control= port that is
 * one of either. Of a list
 * with a bad part, no part counts.
 */
void options_parse(struct options *o, const char *cmdline);

enum module_kind { MODULE_GUEST, MODULE_POLICY, MODULE_UNKNOWN, MODULE_BAD };

#define MODULE_WEIGHT     256u        /* sched.h's default */
#define MODULE_WEIGHT_MAX 10000u
#define MODULE_CAP_MAX    100u
#define MODULE_ORDER_MAX  9999u

struct module_options {
	enum module_kind kind;
	char word[64];                /* the offending one, escaped */
	const char *wants;            /* of MODULE_BAD: what would have done there; NULL: nothing */
	/* Of a guest: */
	uint32_t weight;              /* of each of its vCPUs, 1 to MODULE_WEIGHT_MAX; default MODULE_WEIGHT */
	uint32_t cap;                 /* percent of a CPU for each of its vCPUs, 1 to MODULE_CAP_MAX; 0, the default: no cap */
	uint32_t order;               /* its turn among those that start, 1 to MODULE_ORDER_MAX; default: after all of these */
	bool manual;                  /* autostart=no: it starts when the operator says so */
};

/*
 * Empty, or "guest key=value...": a guest image; its keys are weight, cap, order and autostart (docs/scheduling.md), each at
 * most once. "policy": the launch policy, without keys. An unknown key or a bad value is MODULE_BAD, any other first word
 * MODULE_UNKNOWN. Both of these refuse the whole boot.
 */
void module_parse(struct module_options *m, const char *string);

const char *integrity_name(enum integrity i);
#define INTEGRITY_LEVELS "none, checksum, sha256, signed"  /* for messages */

#endif
