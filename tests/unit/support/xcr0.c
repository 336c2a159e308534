/* SPDX-License-Identifier: BSD-2-Clause */
/* See xcr0.h. */
#include "xcr0.h"

#include "arch/x86/cpu/asm.h"

uint64_t fake_xcr0;

void xcr0_write(uint64_t v)
{
	fake_xcr0 = v;
}
