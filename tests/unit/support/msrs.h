/* SPDX-License-Identifier: BSD-2-Clause */
/* A test double of a CPU's MSRs: those that a test has put there, and no others. */
#ifndef TESTS_UNIT_SUPPORT_MSRS_H
#define TESTS_UNIT_SUPPORT_MSRS_H

#include <vouch/types.h>

void msrs_clear(void);
/* writable: the bits that keep what is written; a write that changes another one is refused if fixed. */
void msrs_put(uint32_t msr, uint64_t value, uint64_t writable, bool fixed);
/* Fails the test if there is none. */
uint64_t msrs_get(uint32_t msr);
unsigned int msrs_writes(uint32_t msr);

#endif
