/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers from the CPU. */
#ifndef ARCH_X86_CPU_ENTROPY_H
#define ARCH_X86_CPU_ENTROPY_H

#include <vouch/crypto.h>

/* An unpredictable-enough word for canaries and hash salts. Not for keys. */
uint64_t entropy_read(void);

/*
 * A seed for a key: RDSEED and RDRAND, as far as the CPU has them, timing and the clock. Returns the name of what makes
 * it unpredictable; NULL if this CPU has no generator that works, when seed is not for keys and holds zeros.
 */
const char *entropy_seed(uint8_t seed[SHA256_LEN]);

#endif
