/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a vCPU's fast exits are answered from: three small direct-mapped tables, filled by the general path (arch/x86/exit)
 * with what it has just worked out, emptied by whatever could make that untrue. Entry code of both vendors reads them in
 * assembly: sizes are powers of two, an index is masked by its size, so that no guest value reaches beyond a table, not
 * in speculation either. Part of struct vcpu; only the CPU that runs it touches it. Functions: arch/x86/exit/fast.h.
 */
#ifndef VOUCH_FAST_H
#define VOUCH_FAST_H

#include <vouch/types.h>

#define FAST_CPUIDS 32u
#define FAST_MSRS   16u
#define FAST_CODES  32u

/* An answer of CPUID. In slot FAST_CPUID_SLOT(leaf, subleaf); an empty slot has a key that belongs into another one. */
struct fast_cpuid {
	uint64_t key;                 /* subleaf << 32 | leaf */
	uint32_t eax, ebx, ecx, edx;
	uint64_t unused;
};
#define FAST_CPUID_SLOT(leaf, sub) (((leaf) + ((leaf) >> 27) + (sub)) & (FAST_CPUIDS - 1))

/* What RDMSR gives, of MSRs that nothing but the guest's WRMSR changes. Slots and empty ones as above. */
struct fast_msr {
	uint64_t msr;
	uint64_t value;
};
#define FAST_MSR_SLOT(msr) (((msr) + ((msr) >> 4)) & (FAST_MSRS - 1))

/* What a MOV between memory and a register is, for device registers. FAST_OTHER: any other instruction. */
enum fast_move { FAST_OTHER, FAST_LOAD, FAST_STORE, FAST_STORE_IMM };

/*
 * Where an instruction of 64-bit code lies in host memory, and the guest's page-table entries that say so. It counts only
 * after RIP, CR3 and CS have been compared, and all four entries have been read again; then the bytes are the guest's at
 * this moment, as the CPU would fetch them now. 16 bytes can be read at bytes.
 */
struct fast_code {
	uint64_t rip;
	uint64_t cr3;
	const uint64_t *pte[4];       /* in host memory; where the walk was shorter, &entry[i] itself */
	uint64_t entry[4];            /* what must be there */
	const uint8_t *bytes;
	uint8_t copy[16];             /* the bytes as they were decoded for what follows */
	uint16_t cs;                  /* attributes as in struct x86_seg; FAST_NO_CS: empty */
	uint8_t len;
	uint8_t op;                   /* enum insn_op */
	uint8_t move;                 /* enum fast_move, of 4 bytes, without index */
	uint8_t reg, base;            /* REG_*, base also INSN_NO_REG; never RSP */
	uint16_t disp;                /* bits 11:0 of the displacement */
	uint8_t unused[2];
	uint32_t imm;
	uint64_t wanted;              /* RIP that missed here last: learnt when it misses again */
};
/* No CS has it: attributes are 12 bits. A RIP would not do, since any may be a guest's. */
#define FAST_NO_CS 0xffffu
#define FAST_CODE_SLOT(rip) ((rip) & (FAST_CODES - 1))

_Static_assert(sizeof(struct fast_cpuid) == 32, "entry code shifts by 5");
_Static_assert(sizeof(struct fast_msr) == 16, "entry code shifts by 4");
_Static_assert(sizeof(struct fast_code) == 128, "entry code shifts by 7");

struct vcpu_fast {
	struct fast_cpuid cpuid[FAST_CPUIDS];
	struct fast_msr msr[FAST_MSRS];
	struct fast_code code[FAST_CODES];
};

/* What became of an exit that was tried the fast way. */
enum fast_answer {
	FAST_NO,                      /* nothing was done: the general path must */
	FAST_NEXT,                    /* done; nothing changed that an entry depends on: step over it, enter again */
	FAST_LOOK,                    /* done; step over it, then look after events and timers as before any entry */
};

#endif
