/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A piece of code in legacy mode (32-bit or 16-bit protected, virtual-8086), run from long mode: registers and control
 * registers go in, the trap that ends it brings them back. Code, tables and the stack below 4 GiB; the page tables, if
 * CR0.PG is set, map everything that the library uses one to one.
 */
#ifndef GUEST_LEGACY_H
#define GUEST_LEGACY_H

/* Offsets for legacy_entry.S. */
#define LEGACY_CR0    0
#define LEGACY_CR3    4
#define LEGACY_CR4    8
#define LEGACY_NXE    12
#define LEGACY_CR2    16
#define LEGACY_REGS   20
#define LEGACY_FRAME  (LEGACY_REGS + 68)      /* EIP, CS, EFLAGS, ESP, SS, then the segments of virtual-8086 mode */

#define LEGACY_SYSENTER 0x100                 /* the vector of legacy_sysenter */

#define SEL_LEGACY_TSS (SEL_SPARE + (GDT_SPARE - 1) * 8)
#define SEL_LEGACY_CODE 0x60                  /* SEL_SPARE + 8: four in SYSENTER's order, then two for 64 bits */

#define EFLAGS_TF   0x100
#define EFLAGS_IF   0x200
#define EFLAGS_IOPL 0x3000
#define EFLAGS_NT   0x4000
#define EFLAGS_RF   0x10000
#define EFLAGS_VM   0x20000
#define EFLAGS_AC   0x40000
#define EFLAGS_VIF  0x80000
#define EFLAGS_VIP  0x100000

#ifndef __ASSEMBLER__
#include "guest.h"

struct legacy {
	u32 cr0, cr3, cr4;                    /* CR0.PE is always set; 0 will do for all three */
	u32 nxe;                              /* 0x800: EFER.NXE, 0: without */
	u32 cr2;                              /* result: of any trap */
	u32 gs, fs, es, ds;                   /* what virtual-8086 mode has is below */
	u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
	u32 vector, error;                    /* results, and the 0 of a vector without error code */
	u32 scratch[3];
	u32 eip, cs, eflags, esp, ss;
	u32 v86_es, v86_ds, v86_fs, v86_gs;   /* used and given if EFLAGS.VM is set */
};

struct legacy_tss {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, regs[8], segs[6], ldt;
	u16 trap, iomap;
	u8 vme[32];                           /* interrupts of virtual-8086 mode: bit set = to the IDT */
	u8 io[0x2001];                        /* bit set = #GP */
} __attribute__((packed));

extern struct legacy_tss legacy_tss;
extern u64 legacy_idt[256];
extern u8 legacy_sysenter[];                  /* an entry point for SYSENTER */

/* Everything as a system has it: flat segments, all ports denied, gates of DPL 0 but for INT3, INTO and 80h (DPL 3). */
void legacy_init(void);
void legacy_gate(unsigned int vector, unsigned int dpl);
/* Registers of flat code at eip, at CPL 0 or 3, with a stack of its own and interrupts off. */
struct legacy legacy_at(const void *eip, unsigned int cpl);
/* Defines code of that width for legacy_at(): name, name_at at insn, name_behind right behind it, name_end at its end. */
#define LEGACY_CODE(width, name, before, insn, after) \
	extern u8 name[], name##_at[], name##_behind[], name##_end[]; \
	asm(".text\n.code" #width "\n" #name ":\n" before "\n" #name "_at:\n" insn "\n" #name "_behind:\n" after "\n" \
	    #name "_end:\n.code64\n")
/* Runs it until a trap, interrupt or SYSENTER. *l is as they found it. GDT, IDT and TR of long mode are loaded again. */
void legacy_run(struct legacy *l);
/* The same, and a verdict: was it this trap, with RIP there? */
void legacy_expect(struct legacy *l, u32 vector, u32 error, const u8 *eip, const char *text);
#endif
#endif
