/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels that hold Vouch's checkers of VM entries against the CPU they run on, without Vouch: the library of the test
 * kernels (tests/guest/lib) with the hypervisor's headers, which guest.h cannot meet in one file.
 */
#ifndef TESTS_REFUSALS_KERNEL_H
#define TESTS_REFUSALS_KERNEL_H

#include <vouch/types.h>

extern const char test_name[];
void test_main(void);
void print(const char *fmt, ...) __printf(1, 2);
void report(bool ok, const char *fmt, ...) __printf(2, 3);

/* A FAIL line for each kind of disagreement, once: field and rule as the checker has them. */
void disagree(const char *what, const char *field, const char *rule, const char *mode);
/* How many states a mode had, in a line. */
void agree(const char *mode);
extern unsigned int trials, disagreements;

#endif
