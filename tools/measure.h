/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vouch measure` predicts of a boot: gathered in measure.c, printed by measure_print.c. */
#ifndef VOUCH_TOOLS_MEASURE_H
#define VOUCH_TOOLS_MEASURE_H

#include "common/bytes.h"
#include "entry.h"

#include <vouch/eventlog.h>
#include <vouch/measure.h>
#include <vouch/policy.h>

struct measure_guest_facts {
	const char *path;
	struct vm_plan plan;
	char name[PLAN_NAME_MAX + 1]; /* as Vouch calls it */
	struct tao_guest id;
	char verdict[160];
};

struct measure_event {
	uint32_t pcr;
	uint8_t digest[SHA256_LEN];   /* for printing, whatever the banks */
	char *text;
	size_t len;
};

struct prediction {
	struct entry entry;           /* command line and policy */
	struct policy builtin;        /* keys that Vouch was built with; none: key_count is 0 */
	size_t guest_count, event_count;
	struct measure_guest_facts *guest;
	struct measure_event *event;
	uint32_t bank_count;          /* what follows is of these, in Vouch's order */
	uint16_t bank[EVENTLOG_BANKS];
	struct tpm_digest pcr[EVENTLOG_BANKS][TPM_PCRS];
	struct bytes log;             /* the event log */
};

void measure_print_text(const struct prediction *p);
void measure_print_json(const struct prediction *p);

#endif
