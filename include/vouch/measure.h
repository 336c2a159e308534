/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Vouch measures, in which words, into which PCR and in which order (docs/measurement.md): one source for a boot and
 * for the tool that predicts it. The digest of an event is that of its text, so that a log explains itself.
 */
#ifndef VOUCH_MEASURE_H
#define VOUCH_MEASURE_H

#include <vouch/plan.h>
#include <vouch/policy.h>
#include <vouch/tao.h>

#define MEASURE_PCR_CONFIG 12         /* what Vouch was told: its command line, its own keys, the policy */
#define MEASURE_PCR_GUESTS 13         /* what it started */

/* Bytes of the longest event: a guest's parameters with its command line. */
#define MEASURE_EVENT_MAX  (PLAN_CMDLINE_MAX + 160)

/* Events of a boot, and of each guest. */
#define MEASURE_CONFIG_EVENTS 3
#define MEASURE_GUEST_EVENTS  2

/* Where events go. Returns 0, or negative errno, which ends the measuring. */
struct measure {
	int (*event)(void *ctx, uint32_t pcr, const char *text, size_t len);
	void *ctx;
};

/*
 * Once, before any guest, in this order: the command line as the boot loader gave it; the ids of the keys that Vouch was
 * built with (NULL: without); the SHA-256 of the policy module (NULL: there is none). 0, what event() returned, or
 * -E2BIG: a text longer than the bound above.
 */
__must_check int measure_cmdline(const struct measure *m, const char *cmdline);
__must_check int measure_keys(const struct measure *m, const struct policy *builtin);
__must_check int measure_policy(const struct measure *m, const uint8_t *policy);

/* Each guest, after it was allowed and before it runs. name: as in messages. The same errors. */
__must_check int measure_guest(const struct measure *m, const char *name, const struct tao_guest *id,
			       const struct vm_plan *plan);

#endif
