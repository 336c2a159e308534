/* SPDX-License-Identifier: BSD-2-Clause */
/* A settable guest clock: link support/clock.c instead of the real vclock. One time for all clocks of a test. */
#ifndef SUPPORT_CLOCK_H
#define SUPPORT_CLOCK_H

#include <vouch/vclock.h>

/* Sets guest time; fires nothing. */
void fake_clock_set(uint64_t ns);
/* Moves guest time to ns in one step, then runs what is due: a guest that was not scheduled meanwhile. */
void fake_clock_jump(struct vtimers *t, uint64_t ns);
/* Moves guest time to ns, stopping at every deadline on the way. Returns how often a timer was due. */
unsigned int fake_clock_walk(struct vtimers *t, uint64_t ns);

#endif
