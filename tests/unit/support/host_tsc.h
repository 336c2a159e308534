/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's TSC as the test sets it: link support/host_tsc.c to test the real vclock. */
#ifndef SUPPORT_HOST_TSC_H
#define SUPPORT_HOST_TSC_H

#include <stdint.h>

void host_tsc_set(uint64_t tsc);

#endif
