/* SPDX-License-Identifier: BSD-2-Clause */
/* What both kernels need: one line for each kind of disagreement, and what the checkers call besides. */
#include "kernel.h"

#include <string.h>

#include <vouch/log.h>

#include "arch/x86/cpu/asm.h"

#define KINDS_MAX 256u

unsigned int trials, disagreements;
static struct { const char *what, *field, *rule; } kinds[KINDS_MAX];
static unsigned int kind_count;

void disagree(const char *what, const char *field, const char *rule, const char *mode)
{
	disagreements++;
	for (unsigned int i = 0; i < kind_count; i++)
		if (kinds[i].what == what && !strcmp(kinds[i].field, field) && !strcmp(kinds[i].rule, rule))
			return;
	if (kind_count == KINDS_MAX)
		return;
	kinds[kind_count].what = what;
	kinds[kind_count].field = field;
	kinds[kind_count++].rule = rule;
	report(false, "the CPU %s %s: %s (%s)", what, field, rule, mode);
}

void agree(const char *mode)
{
	report(trials > disagreements, "%s: %u states so far, %u taken or refused otherwise", mode, trials, disagreements);
}

bool msr_read_safe(uint32_t msr, uint64_t *v)
{
	*v = msr_read(msr);
	return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}
