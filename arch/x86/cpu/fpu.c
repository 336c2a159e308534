/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clears FPU and vector registers, so that no guest sees another's, and keeps them while Vouch itself computes with them.
 * CR0 and CR4 are Vouch's own after each exit, of either vendor, so TS and EM are clear and OSXSAVE is set; XCR0 is the
 * guest's. IA32_XSS stays as it is: no guest has a component of it.
 */
#include "arch/x86/cpu/fpu.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/lib.h>
#include <vouch/pcpu.h>
#include <vouch/x86.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/cpu/cpu.h"

#define FXSAVE_BYTES 512u

/* An XSAVE image whose header says that every component is in its initial state; the legacy part for plain FXRSTOR. */
static const struct {
	uint16_t fcw, fsw;
	uint8_t pad0[20];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[512 - 32];
	uint8_t header[64];
} initial __attribute__((aligned(64))) = { .fcw = 0x37f, .mxcsr = 0x1f80 };

/* All of XCR0 that the CPU has; 0: it has no XSAVE. */
static uint64_t xcr0_supported(void)
{
	struct cpuid_regs r = cpuid_leaf(0xd, 0);

	return cr4_read() & CR4_OSXSAVE ? (uint64_t)r.edx << 32 | r.eax : 0;
}

void fpu_reset(void)
{
	uint64_t mask = xcr0_supported();

	/* AMD CPUs restore the x87 error pointers only with an exception pending: FNINIT, not FXRSTOR, clears them. */
	__asm__ volatile("fninit; fxrstor %0" : : "m"(initial));
	if (!mask)
		return;
	xcr0_write(mask);
	__asm__ volatile("xrstor %0" : : "m"(initial), "a"(~0u), "d"(~0u));
	xcr0_write(1);
}

/* ------------------------------------------------------------------ the whole state */

static size_t bytes_of(uint64_t mask)
{
	/* SDM 1 "Enumeration of CPU Support for XSAVE": ECX is the size of all that XCR0 could enable. */
	return mask ? align_up(cpuid_leaf(0xd, 0).ecx, 64) : FXSAVE_BYTES;
}

size_t fpu_state_bytes(void)
{
	return bytes_of(xcr0_supported());
}

/* XCR0 is mask, if there is one. */
static void save(void *area, uint64_t mask)
{
	if (mask)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void load(const void *area, uint64_t mask)
{
	if (mask)
		__asm__ volatile("xrstor64 (%0)"
				 : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* XCR0 from now on; what it was. */
static uint64_t widen(uint64_t mask)
{
	uint64_t before = mask ? xcr0_read() : 0;

	if (before != mask)
		xcr0_write(mask);
	return before;
}

static void narrow(uint64_t mask, uint64_t before)
{
	if (before != mask)
		xcr0_write(before);
}

void fpu_state_init(void *area)
{
	memcpy(area, &initial, FXSAVE_BYTES);
}

void fpu_state_save(void *area)
{
	uint64_t mask = xcr0_supported(), before = widen(mask);

	save(area, mask);
	narrow(mask, before);
}

void fpu_state_load(const void *area)
{
	uint64_t mask = xcr0_supported(), before = widen(mask);

	__asm__ volatile("fninit");             /* as in fpu_reset() */
	load(area, mask);
	narrow(mask, before);
}

/* ------------------------------------------------------------------ Vouch's own vector code */

static unsigned int order_for(uint64_t bytes)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

bool fpu_init(struct pcpu *p)
{
	struct fpu_cpu *f = &p->arch->fpu;
	hpa_t at;

	f->mask = xcr0_supported();
	/* Zeroed: XRSTOR faults on junk in the reserved bytes of a header that XSAVE did not write. */
	if (!page_get_zeroed(&p->host->pages, order_for(bytes_of(f->mask)), &at))
		return false;
	f->area = hpa_to_ptr(at);
	return true;
}

void fpu_begin(void)
{
	struct fpu_cpu *f = &this_cpu()->arch->fpu;

	ASSERT(f->area && !f->owner);
	ASSERT(!(cr0_read() & (CR0_TS | CR0_EM)));
	f->xcr0 = widen(f->mask);
	save(f->area, f->mask);
	f->owner = true;
}

void fpu_end(void)
{
	struct fpu_cpu *f = &this_cpu()->arch->fpu;

	ASSERT(f->owner);
	f->owner = false;
	load(f->area, f->mask);
	narrow(f->mask, f->xcr0);
}
