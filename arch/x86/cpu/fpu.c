/* SPDX-License-Identifier: BSD-2-Clause */
/* Clears FPU and vector registers, so that no guest sees another's. */
#include "arch/x86/cpu/fpu.h"

#include <vouch/types.h>
#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"

/* An XSAVE image whose header says that every component is in its initial state; the legacy part for plain FXRSTOR. */
static const struct {
	uint16_t fcw, fsw;
	uint8_t pad0[20];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[512 - 32];
	uint8_t header[64];
} initial __attribute__((aligned(64))) = { .fcw = 0x37f, .mxcsr = 0x1f80 };

void fpu_reset(void)
{
	/* AMD CPUs restore the x87 error pointers only with an exception pending: FNINIT, not FXRSTOR, clears them. */
	__asm__ volatile("fninit; fxrstor %0" : : "m"(initial));
	if (!(cr4_read() & CR4_OSXSAVE))
		return;
	xcr0_write(cpuid_leaf(0xd, 0).eax | (uint64_t)cpuid_leaf(0xd, 0).edx << 32);
	__asm__ volatile("xrstor %0" : : "m"(initial), "a"(~0u), "d"(~0u));
	xcr0_write(1);
}
