/* SPDX-License-Identifier: BSD-2-Clause */
/* What starting a guest costs, in ticks of the host's TSC; printed at its first entry with loglevel=debug. */
#ifndef VOUCH_TIMING_H
#define VOUCH_TIMING_H

#include <vouch/types.h>

struct timing {
	uint64_t since;               /* when it began: Vouch's own start, or that of a later guest's load */
	uint64_t wait;                /* spent on measuring clocks: time that must pass, not work */
	uint64_t copy, hash;          /* files on their way into the guest's memory */
	uint64_t zero;                /* the guest's memory, before anything is put there */
};

#endif
