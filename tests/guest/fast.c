/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that exit, done often enough at one place for a hypervisor to have a short way for them: they must mean
 * the same as the first time. Registers, single-stepping, the shadow of STI, timers that run out meanwhile, code and page
 * tables that change under them, answers that depend on control registers.
 */
#include "lib/guest.h"

const char test_name[] = "fast";

#define WARM 6u                 /* rounds after which any short way is in use */
#define VECTOR 0x51u
#define TF 0x100ull
#define CR4_OSXSAVE (1ull << 18)
#define X2APIC_ENABLE (1ull << 10)
#define MSR_APIC_BASE 0x1bu
#define MSR_DEADLINE 0x6e0u
#define MSR_MTRR_CAP 0xfeu
#define MSR_X2_EOI 0x80bu
#define MSR_X2_LVTT 0x832u
#define MSR_X2_SELF 0x83fu

static bool x2, all, single_step;
static volatile u32 steps, interrupts;
static volatile u64 step_rip, interrupt_rip;

static void on_step(struct frame *f)
{
	if (!steps++)
		step_rip = f->rip;
}

static void eoi(void)
{
	if (x2)
		wrmsr(MSR_X2_EOI, 0);
	else
		lapic_eoi();
}

static void on_interrupt(struct frame *f)
{
	interrupts++;
	interrupt_rip = f->rip;
	eoi();
}

static void request(void)
{
	if (x2)
		wrmsr(MSR_X2_SELF, VECTOR);
	else
		lapic_self(VECTOR);
}

struct regs { u64 a, b, c, d; };
struct op {
	const char *name;
	struct regs in;
	u64 changes;            /* bit n: register n of struct regs is an output */
	bool (*shadow)(const struct regs *in, bool pending);
	bool (*step)(const struct regs *in, u64 tf);
	u64 (*plain)(const struct regs *in, struct regs *out);
};

/*
 * Three functions around one instruction: plain, returning what became of R8 to R15, RSI, RDI and RBP; under `tf`, true
 * if there was exactly one #DB for it, behind it; behind STI, true if an interrupt that was pending came right behind it.
 */
#define OP(fn, insn) \
static u64 fn##_plain(const struct regs *in, struct regs *out) \
{ \
	register u64 sum asm("r15"); \
	struct regs r = *in; \
 \
	asm volatile("push %%rbp\n\tmov $1, %%esi\n\tmov $2, %%edi\n\tmov $4, %%r8d\n\tmov $8, %%r9d\n\tmov $16, %%r10d\n\t" \
		     "mov $32, %%r11d\n\tmov $64, %%r12d\n\tmov $128, %%r13d\n\tmov $256, %%r14d\n\tmov $512, %%ebp\n\t" insn \
		     "\n\tlea (%%rsi, %%rdi), %%r15\n\tadd %%r8, %%r15\n\tadd %%r9, %%r15\n\tadd %%r10, %%r15\n\tadd %%r11, %%r15\n\t" \
		     "add %%r12, %%r15\n\tadd %%r13, %%r15\n\tadd %%r14, %%r15\n\tadd %%rbp, %%r15\n\tpop %%rbp" \
		     : "+a"(r.a), "+b"(r.b), "+c"(r.c), "+d"(r.d), "=r"(sum) \
		     :: "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory", "cc"); \
	*out = r; \
	return sum; \
} \
static bool fn##_step(const struct regs *in, u64 tf) \
{ \
	struct regs r = *in; \
	u64 behind; \
 \
	steps = 0; \
	asm volatile("pushfq\n\torq %5, (%%rsp)\n\tpopfq\n\t" insn "\n1:\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n\t" \
		     "lea 1b(%%rip), %0" : "=&S"(behind), "+a"(r.a), "+b"(r.b), "+c"(r.c), "+d"(r.d) : "r"(tf) : "memory", "cc"); \
	return tf ? steps == 4 && step_rip == behind : steps == 0; \
} \
static bool fn##_shadow(const struct regs *in, bool pending) \
{ \
	struct regs r = *in; \
	u64 behind; \
 \
	interrupts = 0; \
	if (pending) \
		request(); \
	asm volatile("sti\n\t" insn "\n1:\tnop\n\tcli\n\tlea 1b(%%rip), %0" \
		     : "=&S"(behind), "+a"(r.a), "+b"(r.b), "+c"(r.c), "+d"(r.d) :: "memory", "cc"); \
	return pending ? interrupts == 1 && interrupt_rip == behind : interrupts == 0; \
}

OP(cpuid, "cpuid")
OP(vmcall, VMCALL)
OP(vmmcall, VMMCALL)
OP(rdmsr, "rdmsr")
OP(wrmsr, "wrmsr")
OP(in8, "in %%dx, %%al")
OP(in32, "in %%dx, %%eax")
OP(load, "mov (%%rcx), %%eax")
OP(store, "mov %%eax, (%%rcx)")

#define ENTRY(text, a, b, c, d, out, fn) { text, { a, b, c, d }, out, fn##_shadow, fn##_step, fn##_plain }
#define A 1u
#define B 2u
#define C 4u
#define D 8u
#define KEEP 0xffffffff00000000ull

/* Whatever the instruction does: rounds after the first one give the same, and nothing else is touched. */
static void check_same(const struct op *o)
{
	struct regs first, r;
	bool same = true;

	for (u32 i = 0; i < WARM; i++) {
		u64 sum = o->plain(&o->in, &r);

		if (!i)
			first = r;
		same &= sum == 1023 && r.a == first.a && r.b == first.b && r.c == first.c && r.d == first.d;
		same &= o->changes & A || r.a == o->in.a;
		same &= o->changes & B || r.b == o->in.b;
		same &= o->changes & C || r.c == o->in.c;
		same &= o->changes & D || r.d == o->in.d;
	}
	report(same, "%s: the same each time, and no other register changes", o->name);
}

static void check_step(const struct op *o)
{
	bool calm = true, once = true;

	for (u32 i = 0; i < WARM; i++)
		calm &= o->step(&o->in, 0);
	for (u32 i = 0; i < 3; i++)
		once &= o->step(&o->in, TF);
	calm &= o->step(&o->in, 0);
	report(once, "%s under TF: one #DB, behind it", o->name);
	report(calm, "%s without TF: none", o->name);
}

static void check_shadow(const struct op *o)
{
	bool calm = true, behind = true;

	for (u32 i = 0; i < WARM; i++)
		calm &= o->shadow(&o->in, false);
	for (u32 i = 0; i < 3; i++)
		behind &= o->shadow(&o->in, true);
	report(behind, "STI, %s: an interrupt comes behind it", o->name);
	report(calm, "STI, %s: and otherwise none", o->name);
}

static void check(const struct op *o, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (all) {
			check_same(&o[i]);
			check_shadow(&o[i]);
		}
		if (single_step) {
			trap_set(1, on_step);
			check_step(&o[i]);
			trap_set(1, NULL);
		}
	}
}

/* The last two bytes below a 64 KiB boundary, and two across it: RIP carries into its upper half. */
static void check_carry(void)
{
	static u8 room[0x20000];
	u8 *edge = (u8 *)(((u64)room + 0xffff) & ~0xffffull);
	struct cpuid want = cpuid(0);

	for (int back = 4; back >= 0; back--) {
		u8 *code = edge - back;
		bool same = true;

		code[0] = 0x0f;                 /* CPUID */
		code[1] = 0xa2;
		code[2] = 0xc3;                 /* RET */
		for (u32 i = 0; i < WARM; i++) {
			struct cpuid r = { 0 };

			asm volatile("call *%4" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d) : "r"(code) : "memory", "cc");
			same &= r.a == want.a && r.b == want.b && r.c == want.c && r.d == want.d;
		}
		report(same, "CPUID %d bytes before a 64 KiB boundary", back);
	}
}

/* MOV between EAX and (RCX) at this place, which is changed, and mapped elsewhere, under a hypervisor that knows it. */
static u64 run_at(u8 *code, u64 a)
{
	u64 c = LAPIC + APIC_TPR;

	asm volatile("call *%2" : "+a"(a), "+c"(c) : "r"(code) : "memory", "cc");
	return a;
}

static void put_mov(u8 *code, bool store)
{
	code[0] = store ? 0x89 : 0x8b;
	code[1] = 0x01;
	code[2] = 0xc3;
}

static void check_changing_code(void)
{
	u8 *one = page_alloc(), *two = page_alloc();
	u64 *pte = map_page(TEST_VA, (u64)one, PTE_P | PTE_W);
	bool good = true;

	put_mov(one, false);
	put_mov(two, true);
	lapic_write(APIC_TPR, 0x20);
	for (u32 i = 0; i < WARM; i++)
		good &= run_at((u8 *)TEST_VA, 5) == 0x20;
	report(good, "a load from the local APIC, again and again");
	put_mov(one, true);
	run_at((u8 *)TEST_VA, 0x30);
	report(lapic_read(APIC_TPR) == 0x30, "it becomes a store");
	for (u32 i = 0; i < WARM; i++)
		run_at((u8 *)TEST_VA, 0x40 + i * 16);
	report(lapic_read(APIC_TPR) == 0x40 + (WARM - 1) * 16, "a store, again and again");
	put_mov(one, false);
	good = run_at((u8 *)TEST_VA, 0x10) == 0x40 + (WARM - 1) * 16;
	report(good && lapic_read(APIC_TPR) == 0x40 + (WARM - 1) * 16, "it becomes a load");
	for (u32 i = 0; i < WARM; i++)
		run_at((u8 *)TEST_VA, 0);
	*pte = (u64)two | PTE_P | PTE_W;
	tlb_flush();
	run_at((u8 *)TEST_VA, 0x70);
	report(lapic_read(APIC_TPR) == 0x70, "another page comes in its place");
	lapic_write(APIC_TPR, 0);
}

static bool osxsave_follows(u64 cr4)
{
	bool good = true;

	write_cr4(cr4);
	for (u32 i = 0; i < WARM; i++)
		good &= (cpuid(1).c >> 27 & 1) == (cr4 >> 18 & 1);
	return good;
}

static u32 xsave_size(u32 xcr0)
{
	u32 size = 0;

	asm volatile("xsetbv" :: "a"(xcr0), "d"(0), "c"(0) : "memory");
	for (u32 i = 0; i < WARM; i++)
		size = cpuid2(0xd, 0).b;
	return size;
}

static void check_answers_follow(void)
{
	u64 cr4 = read_cr4();

	if (!(cpuid(1).c >> 26 & 1))
		return;
	report(osxsave_follows(cr4 | CR4_OSXSAVE) && osxsave_follows(cr4 & ~CR4_OSXSAVE) && osxsave_follows(cr4 | CR4_OSXSAVE),
	       "CPUID: OSXSAVE follows CR4");
	if (cpuid2(0xd, 0).a & 4) {
		u32 small = xsave_size(3), large = xsave_size(7), again = xsave_size(3);

		report(small == 576 && large > small && again == small, "CPUID: leaf D follows XCR0 (%u, %u, %u)", small, large,
		       again);
	}
	write_cr4(cr4);
}

static void check_pm_timer(const struct op *pm)
{
	u64 last_count = 0;
	bool counts = false;
	struct regs r;

	for (u32 i = 0; i < 1000 && !counts; i++) {
		pm->plain(&pm->in, &r);
		counts = i && r.a != last_count;
		last_count = r.a;
	}
	report(counts && r.a < 1ull << 32, "%s: it counts", pm->name);
}

/* A timer runs out while the guest does nothing but exit: it is not put off by that. */
static void check_timer(const struct op *o, unsigned int n)
{
	struct regs r;

	for (unsigned int i = 0; i < n; i++) {
		u64 rounds = 0, begin, ticks;

		interrupts = 0;
		begin = rdtsc();
		if (x2)
			wrmsr(MSR_DEADLINE, begin + 2000000);
		else
			lapic_write(APIC_TMICT, 1000000);
		sti();
		while (!interrupts && rounds++ < 10000000)
			o[i].plain(&o[i].in, &r);
		cli();
		ticks = rdtsc() - begin;
		report(interrupts == 1, "%s: a timer that runs out meanwhile interrupts (%lu rounds, %lu ticks)", o[i].name, rounds,
		       ticks);
	}
}

void test_main(void)
{
	const struct op hypercall = { "hypercall", { 0xffffffff, 1, 2, 3 }, A, cpu_is_intel() ? vmcall_shadow : vmmcall_shadow,
				      cpu_is_intel() ? vmcall_step : vmmcall_step, cpu_is_intel() ? vmcall_plain : vmmcall_plain };
	const struct op ops[] = {
		ENTRY("CPUID", KEEP | 0, KEEP, KEEP, KEEP, A | B | C | D, cpuid),
		ENTRY("CPUID 80000002", KEEP | 0x80000002, 0, KEEP | 7, 0, A | B | C | D, cpuid),
		ENTRY("RDMSR of APIC_BASE", KEEP, 1, KEEP | MSR_APIC_BASE, KEEP, A | D, rdmsr),
		ENTRY("RDMSR of MTRRCAP", KEEP, 1, KEEP | MSR_MTRR_CAP, KEEP, A | D, rdmsr),
		hypercall,
		ENTRY("IN from the UART", KEEP | 0x55aa5500, 1, 2, 0x3fd, A, in8),
		ENTRY("IN from the PIC", KEEP | 0x55aa5500, 1, 2, 0xa1, A, in8),
		ENTRY("LAPIC read", KEEP, 1, LAPIC + APIC_VERSION, 2, A, load),
		ENTRY("LAPIC write", KEEP | 0, 1, LAPIC + APIC_TPR, 2, 0, store),
		ENTRY("LAPIC EOI", KEEP | 0, 1, LAPIC + APIC_EOI, 2, 0, store),
	};
	const struct op pm[] = { ENTRY("IN from the PM timer", KEEP, 1, 2, acpi_power().pm_tmr, A, in32) };
	const struct op x2_ops[] = {
		ENTRY("RDMSR of APIC_BASE, in x2APIC mode", KEEP, 1, MSR_APIC_BASE, KEEP, A | D, rdmsr),
		ENTRY("x2APIC EOI", KEEP | 0, 1, MSR_X2_EOI, KEEP | 0, 0, wrmsr),
	};
	const struct op deadline[] = { ENTRY("TSC_DEADLINE 0", KEEP | 0, 1, MSR_DEADLINE, KEEP | 0, 0, wrmsr) };
	const char *only = arg("only");

	all = !only || strcmp(only, "step");
	single_step = !arg("skip");
	interrupt_set(VECTOR, on_interrupt);
	lapic_on();
	pic_init(0x20, 0xffff);
	check(ops, ARRAY_SIZE(ops));
	if (all) {
		check_pm_timer(&pm[0]);
		check_carry();
		check_changing_code();
		check_answers_follow();
		lapic_write(APIC_TDCR, 0xb);
		lapic_write(APIC_LVTT, VECTOR);
		check_timer(ops, ARRAY_SIZE(ops));
		check_timer(pm, ARRAY_SIZE(pm));
		lapic_write(APIC_LVTT, 0x10000);
	}
	if (!(cpuid(1).c >> 21 & 1))
		return;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
	x2 = true;
	report(rdmsr(MSR_APIC_BASE) & X2APIC_ENABLE, "RDMSR of APIC_BASE follows the mode");
	check(x2_ops, ARRAY_SIZE(x2_ops));
	if (!(cpuid(1).c >> 24 & 1))
		return;
	wrmsr(MSR_X2_LVTT, 0x40000 | VECTOR);
	check(deadline, ARRAY_SIZE(deadline));
	if (all) {
		check_timer(x2_ops, ARRAY_SIZE(x2_ops));
		check_timer(ops, 1);
	}
}
