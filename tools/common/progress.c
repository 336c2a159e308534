/* SPDX-License-Identifier: BSD-2-Clause */
/* Progress on a terminal. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define DELAY_MS 300                  /* short work shows nothing */
#define STEP_MS  100

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void progress_begin(struct progress *p, const char *label, uint64_t total)
{
	*p = (struct progress){ .label = label, .total = total, .next_ms = UINT64_MAX };
	if (isatty(STDERR_FILENO))
		p->next_ms = now_ms() + DELAY_MS;
}

void progress_add(struct progress *p, uint64_t bytes)
{
	uint64_t now;

	p->done += bytes;
	if (p->next_ms == UINT64_MAX)
		return;
	now = now_ms();
	if (now < p->next_ms)
		return;
	p->next_ms = now + STEP_MS;
	p->drawn = true;
	fprintf(stderr, "\r%s: %llu of %llu MiB (%u %%) ", p->label, (unsigned long long)(p->done >> 20),
		(unsigned long long)(p->total >> 20), p->total ? (unsigned int)(p->done * 100 / p->total) : 100u);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
	p->next_ms = UINT64_MAX;
}
