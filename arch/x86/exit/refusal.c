/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of broken rules and its lines in the log. The rules stand in the vendors' rooms. */
#include "arch/x86/exit/refusal.h"

#include <vouch/log.h>

void refuse_if(struct refusals *r, bool broken, const char *field, uint64_t value, const char *rule)
{
	if (!broken)
		return;
	if (r->count < REFUSALS_MAX)
		r->list[r->count] = (struct refusal){ field, value, rule, r->section };
	r->count++;
}

void refusals_log(const struct refusals *r)
{
	for (unsigned int i = 0; i < r->count && i < REFUSALS_MAX; i++) {
		const struct refusal *x = &r->list[i];

		log_verdict("  %s 0x%lx: %s (%s)", x->field, x->value, x->rule, x->section);
	}
	if (r->count > REFUSALS_MAX)
		log_verdict("  and %u more", r->count - REFUSALS_MAX);
}
