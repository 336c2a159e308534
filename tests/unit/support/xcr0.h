/* SPDX-License-Identifier: BSD-2-Clause */
/* XCR0 of a CPU that is not there: what xcr0_write() of arch/x86/cpu/asm.h wrote last. */
#ifndef TEST_SUPPORT_XCR0_H
#define TEST_SUPPORT_XCR0_H

#include <stdint.h>

extern uint64_t fake_xcr0;

#endif
