/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_SUPPORT_POKE_H
#define TESTS_UNIT_SUPPORT_POKE_H

struct vcpu;

extern const struct vcpu *poke_here;   /* the vCPU that the test's one CPU has loaded, or NULL */

#endif
