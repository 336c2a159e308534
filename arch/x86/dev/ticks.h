/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest nanoseconds to and from the ticks of a device's oscillator, both counted from the VM's creation. */
#ifndef VOUCH_DEV_TICKS_H
#define VOUCH_DEV_TICKS_H

#include <vouch/types.h>
#include <vouch/vclock.h>

#define NS_PER_S 1000000000ull

/* Ticks that are over at ns. hz is at most NS_PER_S. */
static inline uint64_t ticks_at(uint64_t ns, uint64_t hz)
{
	uint64_t low, high;

	__asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(ns), "rm"(hz) : "cc");
	/* As hz is no more than the divisor, the quotient fits: one instruction, where the compiler would call its library. */
	__asm__("divq %2" : "+a"(low), "+d"(high) : "rm"(NS_PER_S) : "cc");
	return low;
}

/* The first ns at which that many ticks are over; VTIMER_OFF if the clock never gets there. */
static inline uint64_t ticks_deadline(uint64_t ticks, uint64_t hz)
{
	/* The clock ends at 2^64 ns: so many whole seconds' worth of ticks, and no more, can be reached. */
	if (ticks >= ticks_at(VTIMER_OFF, hz))
		return VTIMER_OFF;
	return (uint64_t)(((unsigned __int128)ticks * NS_PER_S + hz - 1) / hz);
}

#endif
