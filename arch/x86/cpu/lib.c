/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_enter() and lib_exit(): the CPU as an archive built for Linux expects it. The FPU state, whoever's it is, is kept by
 * fpu.c meanwhile.
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
#include "fpu.h"
#include "lib_cpu.h"

#define MXCSR_RESET 0x1f80u
#define CANARY_AT   (0x28 / 8)

/* What FS points to for the library (the psABI's thread block: a self pointer, the canary) and whose place it takes. */
struct lib_cpu {
	uint64_t tls[16];
	uint64_t canary;
	uint64_t saved_fs;
};
_Static_assert(sizeof(struct lib_cpu) <= PAGE_SIZE, "one page");

bool lib_init(struct pcpu *p)
{
	struct lib_cpu *l;
	hpa_t at;

	if (!fpu_init(p) || !page_get_zeroed(&p->host->pages, PAGE_ORDER_4K, &at))
		return false;
	l = hpa_to_ptr(at);
	/* A zero byte lowest, as C strings cannot carry it. */
	l->canary = entropy_read() << 8;
	l->tls[0] = (uint64_t)(uintptr_t)l->tls;
	l->tls[2] = (uint64_t)(uintptr_t)l->tls;
	p->arch->lib = l;
	return true;
}

void lib_enter(void)
{
	struct pcpu *p = this_cpu();
	struct lib_cpu *l = p->arch->lib;
	uint32_t mxcsr = MXCSR_RESET;

	ASSERT(l && !p->lib_owner);
	fpu_begin();
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
	fpu_end();
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
