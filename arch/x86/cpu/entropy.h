/* SPDX-License-Identifier: BSD-2-Clause */
/* Unpredictable-enough words for canaries and hash salts. Not for keys. */
#ifndef ARCH_X86_CPU_ENTROPY_H
#define ARCH_X86_CPU_ENTROPY_H

#include <vouch/types.h>

uint64_t entropy_read(void);

#endif
