/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vendor-free half of fast exits; docs/fast-path.md has the whole path. A vendor's entry code answers CPUID and RDMSR
 * from v->fast in assembly, and calls the functions below for the rest. All of them are bounded, take no lock, open no host
 * window, call no device through a pointer and leave the FPU alone.
 *
 * Before any of them the vendor has made sure of this, or it takes the general path:
 *  - no event was being delivered or injected at the exit, and RFLAGS has neither TF nor RF;
 *  - the next RIP is known: the CPU says it, or fast_code_find() and the bytes there do;
 *  - there was no interrupt shadow, or the vendor ends it.
 * After FAST_NEXT and FAST_LOOK it steps RIP.
 */
#ifndef ARCH_X86_EXIT_FAST_H
#define ARCH_X86_EXIT_FAST_H

#include <vouch/types.h>
#include <vouch/vcpu.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/machine.h"

struct x86_env;
struct cpuid_view;

/* ---- the tables, for the general path ---- */

/* Before the first entry after a reset. */
void fast_reset(struct vcpu *v);
/* CR0, CR4, EFER or XCR0 changes: answers of CPUID, where code lies, the value of EFER. */
void fast_forget(struct vcpu *v);
void fast_forget_cpuid(struct vcpu *v);
void fast_forget_msrs(struct vcpu *v);
void fast_forget_msr(struct vcpu *v, uint32_t msr);
/* Host memory that code or page tables lie in may become somebody else's: nested_narrowed() changed. */
void fast_forget_code(struct vcpu *v);

void fast_learn_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, const struct cpuid_view *r);
void fast_learn_msr(struct vcpu *v, uint32_t msr, uint64_t value);
/* The instruction at e->rip has exited and was worked out the long way. Learns it at the second time. */
void fast_learn_code(struct vcpu *v, const struct x86_env *e);

/* ---- looking up ---- */

/*
 * The entry for this RIP, its page-table entries found unchanged; NULL if there is none. cs: attributes as in struct
 * x86_seg. The bytes have still to be compared.
 */
static inline const struct fast_code *fast_code_find(const struct vcpu *v, uint64_t rip, uint64_t cr3, uint16_t cs)
{
	const struct fast_code *c = &v->fast.code[FAST_CODE_SLOT(rip)];

	if (c->rip != rip || c->cr3 != cr3 || c->cs != cs)
		return NULL;
	for (unsigned int i = 0; i < 4; i++)
		if (__atomic_load_n(c->pte[i], __ATOMIC_RELAXED) != c->entry[i])
			return NULL;
	return c;
}

/* The two bytes there, whatever they are now: of instructions without operands. */
static inline uint16_t fast_code_opcode(const struct fast_code *c)
{
	return (uint16_t)(c->bytes[0] | c->bytes[1] << 8);
}

/* len, move and what belongs to it hold for the bytes that are there now. */
static inline bool fast_code_same(const struct fast_code *c)
{
	return !__builtin_memcmp(c->bytes, c->copy, sizeof(c->copy));
}

/* ---- doing ---- */

/* The EOI, a fixed self-IPI and the deadline of a local APIC in x2APIC mode. FAST_NO is 0. Entry code calls it itself. */
enum fast_answer fast_msr_write(struct vcpu *v, uint32_t msr, uint64_t val);

/* IN: the status of a UART, the mask of a PIC, the PM timer. The value, without bits above size bytes, or -1: FAST_NO. */
static inline int64_t fast_pio_read(const struct vcpu *v, uint16_t port, unsigned int size)
{
	return machine_fast_in(v->vm, port, size);
}

/*
 * A data access to the local APIC's page at GPA a, by the instruction c that fast_code_find() gave. All of v->gpr[] but
 * RSP is valid, RAX included, and is changed by a load. On FAST_NEXT and FAST_LOOK step over c->len bytes.
 */
enum fast_answer fast_mmio(struct vcpu *v, const struct fast_code *c, gpa_t a, bool write);

#endif
