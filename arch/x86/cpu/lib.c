/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_enter() and lib_exit(): the CPU as an archive built for Linux expects it. Saves the whole FPU state whoever's it
 * is, under a mask of everything the CPU has: a guest that enabled a state component, used it and disabled it again
 * still owns what is in it. IA32_XSS stays as it is, since library code touches none of its components.
 */
#include <vouch/lib.h>

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/x86.h>

#include "asm.h"
#include "cpu.h"
#include "entropy.h"
#include "lib_cpu.h"

#define MXCSR_RESET 0x1f80u
#define CANARY_AT   (0x28 / 8)

/* What FS points to for the library (the psABI's thread block: a self pointer, the canary) and whose place it takes. */
struct lib_cpu {
	uint64_t tls[16];
	uint64_t canary;
	uint64_t mask;                /* all of XCR0 that the CPU has; 0: no XSAVE, the area is FXSAVE's */
	uint64_t saved_fs, saved_xcr0;
	uint8_t *area;                /* 64-byte aligned */
};

static uint64_t xcr0_supported(void)
{
	struct cpuid_regs r = cpuid_leaf(0xd, 0);

	return cr4_read() & CR4_OSXSAVE ? (uint64_t)r.edx << 32 | r.eax : 0;
}

static unsigned int order_for(uint64_t bytes)
{
	unsigned int order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

bool lib_init(struct pcpu *p)
{
	uint64_t mask = xcr0_supported();
	uint64_t area = mask ? align_up(cpuid_leaf(0xd, 0).ecx, 64) : 512;
	struct lib_cpu *l;
	hpa_t at;

	/* Zeroed: XRSTOR faults on junk in the reserved bytes of a header that XSAVE did not write. */
	if (!page_get_zeroed(&p->host->pages, order_for(area + sizeof(*l)), &at))
		return false;
	l = (struct lib_cpu *)((uint8_t *)hpa_to_ptr(at) + area);
	l->area = hpa_to_ptr(at);
	l->mask = mask;
	/* A zero byte lowest, as C strings cannot carry it. */
	l->canary = entropy_read() << 8;
	l->tls[0] = (uint64_t)(uintptr_t)l->tls;
	l->tls[2] = (uint64_t)(uintptr_t)l->tls;
	p->arch->lib = l;
	return true;
}

static void fpu_save(struct lib_cpu *l)
{
	if (!l->mask) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(l->area) : "memory");
		return;
	}
	l->saved_xcr0 = xcr0_read();
	if (l->saved_xcr0 != l->mask)
		xcr0_write(l->mask);
	__asm__ volatile("xsave64 (%0)" : : "r"(l->area), "a"((uint32_t)l->mask), "d"((uint32_t)(l->mask >> 32))
			 : "memory");
}

static void fpu_restore(struct lib_cpu *l)
{
	if (!l->mask) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(l->area) : "memory");
		return;
	}
	__asm__ volatile("xrstor64 (%0)" : : "r"(l->area), "a"((uint32_t)l->mask), "d"((uint32_t)(l->mask >> 32))
			 : "memory");
	if (l->saved_xcr0 != l->mask)
		xcr0_write(l->saved_xcr0);
}

void lib_enter(void)
{
	struct pcpu *p = this_cpu();
	struct lib_cpu *l = p->arch->lib;
	uint32_t mxcsr = MXCSR_RESET;

	ASSERT(l && !p->lib_owner);
	fpu_save(l);
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
	l->saved_fs = msr_read(MSR_FS_BASE);
	l->tls[CANARY_AT] = l->canary;
	msr_write(MSR_FS_BASE, (uint64_t)(uintptr_t)l->tls);
	p->lib_owner = true;
}

void lib_exit(void)
{
	struct pcpu *p = this_cpu();
	struct lib_cpu *l = p->arch->lib;

	lib_assert();
	p->lib_owner = false;
	msr_write(MSR_FS_BASE, l->saved_fs);
	fpu_restore(l);
}

void lib_assert(void)
{
	struct pcpu *p = this_cpu();
	struct lib_cpu *l = p->arch->lib;

	ASSERT(p->lib_owner);
	ASSERT(msr_read(MSR_FS_BASE) == (uint64_t)(uintptr_t)l->tls);
	ASSERT(l->tls[CANARY_AT] == l->canary);
}

void **lib_arena_slot(void)
{
	return &this_cpu()->lib_arena;
}
