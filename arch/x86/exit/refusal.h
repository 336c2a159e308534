/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a processor will not enter a guest: a bounded list of broken rules, which each vendor's checker fills. */
#ifndef ARCH_X86_EXIT_REFUSAL_H
#define ARCH_X86_EXIT_REFUSAL_H

#include <vouch/types.h>

#define REFUSALS_MAX 24u

struct refusal {
	const char *field;            /* named as in the manual */
	uint64_t value;
	const char *rule;             /* what the value must be, in a few words; with the field, it names one rule */
	const char *section;          /* of the manual, by title */
};

struct refusals {
	unsigned int count;           /* of broken rules; the list holds the first REFUSALS_MAX */
	const char *section;          /* of what is being checked now */
	struct refusal list[REFUSALS_MAX];
};

/* One more if broken. The strings are kept by reference. */
void refuse_if(struct refusals *r, bool broken, const char *field, uint64_t value, const char *rule);

/* A verdict line for each. */
void refusals_log(const struct refusals *r);

#endif
