/* SPDX-License-Identifier: BSD-2-Clause */
/* A settable host TSC. */
#include "host_tsc.h"

#include <vouch/platform.h>

static uint64_t fake_tsc;

void host_tsc_set(uint64_t tsc)
{
	fake_tsc = tsc;
}

uint64_t host_tsc(void)
{
	return fake_tsc;
}
