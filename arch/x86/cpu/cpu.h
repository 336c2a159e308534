/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes one physical CPU ours: its tables, its exception entry, its control registers. */
#ifndef ARCH_X86_CPU_CPU_H
#define ARCH_X86_CPU_CPU_H

#include <vouch/pcpu.h>
#include <vouch/smp.h>
#include <vouch/types.h>

#define SEL_CODE 0x08u
#define SEL_DATA 0x10u
#define SEL_TSS  0x18u

/* Vectors. 0x20-0x2f belong to the masked PICs, whose spurious interrupts cannot be masked. */
#define VEC_PIC      0x20u
#define VEC_COM1     0xe0u
#define VEC_COM2     0xe1u
#define VEC_TIMER    0xf0u
#define VEC_KICK     0xf1u
#define VEC_SPURIOUS 0xffu

/* Offsets in a CPU's area (pcpu.h): struct pcpu's page, a guard page, the IST stacks, a guard page, the stack. All
 * stacks lie in the area, so that this_cpu() works on each of them. */
#define AREA_GUARD_LOW  0x1000ul
#define AREA_NMI_TOP    0x4000ul
#define AREA_MC_TOP     0x5800ul
#define AREA_DF_TOP     0x7000ul
#define AREA_GUARD_HIGH 0x7000ul

#define IST_NMI 1u
#define IST_MC  2u
#define IST_DF  3u

/* The frame that isr.S builds; isr_entry() gets a pointer to it. */
struct cpu_regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct idt_gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, zero;
};
_Static_assert(sizeof(struct idt_gate) == 16, "APM 2 \"Interrupt Descriptor Table\" (8.4)");

struct tss {
	uint32_t reserved0;
	uint32_t rsp[6];
	uint32_t reserved1[2];
	uint32_t ist[14];
	uint32_t reserved2[2];
	uint16_t reserved3, iomap;
};
_Static_assert(sizeof(struct tss) == 104, "APM 2 \"64-Bit Task State Segment\" (12.2.5)");

/* fpu.c's: where the FPU state of whoever it is goes between fpu_begin() and fpu_end(). */
struct fpu_cpu {
	uint8_t *area;                /* 64-byte aligned; NULL before fpu_init() */
	uint64_t mask;                /* all of XCR0 that the CPU has; 0: no XSAVE, the area is FXSAVE's */
	uint64_t xcr0;                /* as it was at fpu_begin() */
	bool owner;                   /* between the two */
};

/*
 * The CPU's own tables. The GDT fills its whole 64 KiB limit, because a VM exit on Intel sets that limit: a limit that
 * is constant needs no LGDT after an exit, and what lies within it is zeroes, not somebody's data.
 */
struct pcpu_arch {
	uint64_t gdt[8192];
	struct idt_gate idt[256];
	struct tss tss;
	bool ist_armed;
	unsigned int panic_depth;
	uint64_t nmi_count;
	uint64_t unexpected_count;
	volatile uint32_t *lapic;         /* xAPIC registers; NULL: x2APIC, or lapic_init() has not run */
	struct fpu_cpu fpu;
	struct lib_cpu *lib;              /* lib.c's buffers; NULL before lib_init() */
	struct ap *start;                 /* smp.c: while this CPU is being started */
	struct cpu_work ping;             /* smp.c: the first call to this CPU */
	uint32_t stopped;                 /* atomic: cpus_stop() has been obeyed */
};

/* Every gate to isr.S, no IST. */
void idt_fill(struct pcpu_arch *a);

/* Fills and loads this CPU's GDT, TSS and IDT; ISTs armed. p->arch must be zeroed. */
void cpu_tables_init(struct pcpu *p);

/* Control registers, EFER, PAT: everything this CPU has of what Vouch relies on. */
void cpu_features_init(void);

/* The width of this CPU's physical addresses; *keys: without so many higher bits that name keys (firmware.h). */
unsigned int cpu_phys_bits(unsigned int *keys);
/* The brand string, printable, without padding; "unnamed" if there is none. Returns name. */
#define CPU_NAME_LEN 64
char *cpu_name(char name[CPU_NAME_LEN]);

/*
 * The IST fields of this CPU's IDT. Armed only while its own TR is loaded: after an SVM exit TR is the guest's, and an
 * armed IST would take a stack pointer from the guest's TSS.
 */
void cpu_ist_arm(bool on);
/* Loads this CPU's TR, and null FS, GS and LDTR with zero bases, after a guest's were in the CPU. */
void cpu_host_tr_load(void);

/* For isr.S. */
void isr_entry(struct cpu_regs *r);

/* Ends in panic(), with the registers of the fault instead of panic's own. */
__noreturn void panic_regs(const struct cpu_regs *r);

/* isr.S: sleeps until a host event was taken; IF is 0 before, 1 after. An event that came first is not slept on. */
void cpu_idle(void);
extern const char cpu_idle_hlt[];   /* its HLT: isr_entry() steps over it */

/* Name and offset of a code address in the image, or NULL. */
const char *symbol_find(uint64_t addr, uint64_t *offset);

#endif
