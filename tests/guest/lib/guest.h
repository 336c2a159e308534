/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library of the test kernels: they run alone, in long mode, on one CPU, with the first 4 GiB mapped one to one,
 * interrupts off. A test defines test_name and test_main(); main.c does the rest.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "selectors.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Provided by each test. */
extern const char test_name[];
void test_main(void);

/* string.c */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* console.c: %s %c %d %u %x with l and a field width, padded with 0 or blanks. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line: 'PASS: text' or 'FAIL: text'. */
void report(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A promise of Vouch that a PC need not keep: counts with expect=vouch, else is printed as PASS or NOTE. */
void report_vouch(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What real CPUs do by themselves and emulated ones are known to get wrong: counts with cpu=real. */
void report_cpu(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern unsigned int passed, failed;

/* main.c: the command line, split at blanks. */
extern bool expect_vouch;            /* expect=vouch: Vouch's promises are checked, not just a PC's */
const char *arg(const char *key);    /* the value of key=value, or NULL; valid for ever */
bool arg_is(const char *key, const char *value);
bool subtest(const char *name);      /* true unless only=NAME names another one */
extern u8 boot_params[4096];         /* a copy of the loader's zero page */

struct e820 {
	u64 base, len;
	u32 type;
} __attribute__((packed));
unsigned int e820_count(void);
struct e820 e820_entry(unsigned int i);

/* acpi.c */
const void *acpi_rsdp(void);                     /* NULL: none */
const void *acpi_table(const char sig[4]);       /* first table with that signature, NULL: none */
bool acpi_sum_ok(const void *p, size_t len);
struct acpi_power {
	u16 pm1a_evt, pm1a_cnt, pm_tmr;
	u8 s5;
};
struct acpi_power acpi_power(void);

/* power.c */
void summary(void);
__attribute__((noreturn)) void finish(void);     /* summary line, then off */
void poweroff_acpi(void);                        /* returns if it did not work */
void pause_a_while(void);                        /* for what takes effect a moment after the port write */
__attribute__((noreturn)) void stop_here(void);

/* trap.c */
#define NO_FAULT 0xffu
#define USER_DONE 0x80u
struct frame {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};
struct fault {
	u32 vector;                  /* NO_FAULT: none happened */
	u32 error;
	u64 cr2, rip, rflags, cs, rsp, rcx, rsi, rdi;
	bool behind;                 /* with TRY(): the saved RIP was behind the instruction, as a trap has it */
};
typedef void (*trap_handler)(struct frame *f);
struct gate {
	u16 low, sel;
	u8 ist, type;
	u16 mid;
	u32 high, zero;
};
struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));
extern struct gate idt[256];
extern u64 gdt[];
extern struct tss tss;
extern u8 isr_table[];
extern u64 page_pml4[], page_pdpt[], page_pd[];

void trap_init(void);
void gdt_load(void);                             /* GDTR, TR, data segments as trap_init() left them */
void idt_load(void);
void gate_set(unsigned int vector, unsigned int type, unsigned int dpl, unsigned int ist);
void trap_set(unsigned int vector, trap_handler h);      /* NULL: as before */
void interrupt_set(unsigned int vector, trap_handler h); /* the same, for readers */
bool trap_expected(struct frame *f);             /* a trap that TRY() waits for: goes on behind it, for handlers */
/* entry.S: goes on with all of these registers, in the mode that f->cs names; vector and error do not count. */
__attribute__((noreturn)) void frame_enter(const struct frame *f);
/* fn(arg); true if guarded_resume(state) ended it. For tests whose handlers decide by themselves. */
bool guarded_call(void (*fn)(void *), void *arg, u64 state[8]);
__attribute__((noreturn)) void guarded_resume(const u64 state[8]);
/* Runs fn(arg); a trap without handler of its own ends it. RFLAGS is as before afterwards. */
struct fault guarded(void (*fn)(void *), void *arg);
/* The same at CPL 3 (paging_user() first); vector USER_DONE when fn returned. */
struct fault guarded_user(void (*fn)(void *), void *arg);
void report_fault(struct fault f, unsigned int vector, const char *text);

/* The last trap caught by TRY(). */
extern struct fault last;
/* Asm text: runs one instruction; a trap at it or right behind it goes on behind it, and is in `last`. */
#define TRY(insn) \
	"movl $0xff, last(%%rip)\n" \
	"771: " insn "\n" \
	"772:\n" \
	".pushsection .extable, \"a\"\n.quad 771b, 772b\n.popsection\n"
/* Runs an instruction without operands that C needs to know of; true if it trapped with the vector (NO_FAULT: not). */
#define TRAPS(vec, insn) ({ asm volatile(TRY(insn) ::: "memory", "cc"); last.vector == (vec); })
/* The same for a fault, with RIP on the instruction, and for a trap, with RIP behind it; the error code must be err. */
#define FAULTS(vec, err, insn) (TRAPS(vec, insn) && last.error == (err) && !last.behind)
#define TRAPS_BEHIND(vec, insn) (TRAPS(vec, insn) && last.error == 0 && last.behind)

/* paging.c */
#define PTE_P   1ull
#define PTE_W   2ull
#define PTE_U   4ull
#define PTE_PWT 8ull
#define PTE_PCD 16ull
#define PTE_A   32ull
#define PTE_D   64ull
#define PTE_PS  128ull
#define PTE_G   256ull
#define PTE_NX  (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define TEST_VA 0x8000000000ull                  /* 512 GiB up: free for map_page() */
void paging_user(bool on);                       /* the identity map's leaves: user or supervisor */
u64 *map_page(u64 va, u64 pa, u64 flags);        /* 4 KiB, outside the identity map; returns the entry */
void map_large(u64 va, u64 pa, u64 flags);       /* 2 MiB, the same */
void *page_alloc(void);                          /* zeroed, never freed */
void tlb_flush(void);

/* intr.c */
#define LAPIC 0xfee00000ull
#define IOAPIC 0xfec00000ull
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_LVTERR 0x370
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR 0x3e0
u32 lapic_read(u32 reg);
void lapic_write(u32 reg, u32 val);
void lapic_on(void);                             /* SVR: on, spurious vector 0xff; LVTs masked; TPR 0 */
void lapic_eoi(void);
bool lapic_bit(u32 base, unsigned int vector);   /* of ISR or IRR */
void lapic_self(unsigned int vector);
u32 ioapic_read(u32 reg);
void ioapic_write(u32 reg, u32 val);
void ioapic_route(unsigned int pin, u32 low);
void pic_init(u8 base, u16 mask);                /* both, edge, masters base, slave base + 8; mask of 16 */
void pic_eoi(unsigned int irq);
void pit_mode(unsigned int channel, unsigned int mode, u16 count);
u16 pit_read(unsigned int channel);

/* time.c */
struct moment {
	u64 tsc;
	u32 pm;
};
struct moment pm_moment(void);
u64 pm_timer_wait(u32 ticks);                    /* waits that long; TSC ticks for that many of the 3.579545 MHz timer */
u64 tsc_khz(void);                               /* measured once against the PM timer */
void delay_us(u64 us);
bool wait_for(volatile u32 *what, u32 value, u64 us); /* spins with interrupts as they are */
u8 cmos_read(u8 reg);
void cmos_write(u8 reg, u8 val);

/* A pointer to a fixed address, which the compiler must not reason about. */
static inline void *at(u64 addr)
{
	asm("" : "+r"(addr));
	return (void *)addr;
}

/* Instructions. */
static inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" :: "a"(v), "Nd"(port)); }
static inline void outw(u16 port, u16 v) { asm volatile("outw %0, %1" :: "a"(v), "Nd"(port)); }
static inline void outl(u16 port, u32 v) { asm volatile("outl %0, %1" :: "a"(v), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 inw(u16 port) { u16 v; asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void cli(void) { asm volatile("cli" ::: "memory"); }
static inline void sti(void) { asm volatile("sti" ::: "memory"); }
static inline void sti_nop(void) { asm volatile("sti; nop; nop; nop" ::: "memory"); }
static inline void sti_hlt_cli(void) { asm volatile("sti; hlt; cli" ::: "memory"); }
static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (u64)hi << 32 | lo;
}
static inline u64 rflags(void) { u64 v; asm volatile("pushfq; popq %0" : "=r"(v)); return v; }
static inline u64 read_cr0(void) { u64 v; asm volatile("mov %%cr0, %0" : "=r"(v) :: "memory"); return v; }
static inline u64 read_cr2(void) { u64 v; asm volatile("mov %%cr2, %0" : "=r"(v) :: "memory"); return v; }
static inline u64 read_cr3(void) { u64 v; asm volatile("mov %%cr3, %0" : "=r"(v) :: "memory"); return v; }
static inline u64 read_cr4(void) { u64 v; asm volatile("mov %%cr4, %0" : "=r"(v) :: "memory"); return v; }
static inline u64 read_cr8(void) { u64 v; asm volatile("mov %%cr8, %0" : "=r"(v) :: "memory"); return v; }
static inline void write_cr0(u64 v) { asm volatile("mov %0, %%cr0" :: "r"(v) : "memory"); }
static inline void write_cr3(u64 v) { asm volatile("mov %0, %%cr3" :: "r"(v) : "memory"); }
static inline void write_cr4(u64 v) { asm volatile("mov %0, %%cr4" :: "r"(v) : "memory"); }
static inline void write_cr8(u64 v) { asm volatile("mov %0, %%cr8" :: "r"(v) : "memory"); }

struct cpuid { u32 a, b, c, d; };
static inline struct cpuid cpuid2(u32 leaf, u32 sub)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}
static inline struct cpuid cpuid(u32 leaf) { return cpuid2(leaf, 0); }
/* The two vendors spell some instructions and leaves differently. */
static inline bool cpu_is_intel(void) { return cpuid(0).c == 0x6c65746e; }
/* Asm text of the vendors' hypercall instructions. */
#define VMCALL  ".byte 0x0f, 0x01, 0xc1"
#define VMMCALL ".byte 0x0f, 0x01, 0xd9"

/* The vector of the fault, or NO_FAULT; *v is set in any case (0 after a fault). */
static inline u32 rdmsr_try(u32 msr, u64 *v)
{
	u32 lo = 0, hi = 0;

	asm volatile(TRY("rdmsr") : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
	*v = last.vector == NO_FAULT ? (u64)hi << 32 | lo : 0;
	return last.vector;
}
static inline u32 wrmsr_try(u32 msr, u64 v)
{
	asm volatile(TRY("wrmsr") :: "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
	return last.vector;
}
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}
static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" :: "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
#define WRITE_CR_TRY(n, v) ({ asm volatile(TRY("mov %0, %%cr" #n) :: "r"((u64)(v)) : "memory"); last.vector; })

#endif
