/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it takes to interrupt another CPU, from the write of the x2APIC's ICR to the first instruction of the handler there: while
 * that CPU runs a loop in which nothing exits, and while it is in HLT. running=N, halted=N: how many instructions it may take
 * at most, by the TSC, of which a loop tells how many ticks an instruction is where instructions make the time. Prints `KICK:
 * NAME least mean most`. Two CPUs.
 */
#include "lib/guest.h"

const char test_name[] = "kick";

#define AP_PAGE 0x8000ull
#define VECTOR 0x50u
#define WARM_UP 10u
#define KICKS 64u
#define SETTLE_US 300u
#define MSR_APIC_BASE 0x1bu
#define X2APIC_ENABLE (1ull << 10)
#define MSR_X2_SVR 0x80fu
#define MSR_X2_ICR 0x830u
#define ICR_FIXED 0x4000ull
#define LOOP 10000u

extern u8 ap_code[], ap_code_end[];
void ap_main(void);

/* kick.S: stores the TSC in kick_taken, writes the x2APIC's EOI. */
void kick_handler(void);
/*
 * kick.S: with interrupts on, a loop until kick_leave is set, without PAUSE unless kick_yields is set; HLT again and again until
 * then. Where one thread executes all CPUs' instructions (cpu=tcg), a PAUSE lets the other CPU go on, and nothing else does for long.
 */
void kick_run(void);
void kick_halt(void);
extern volatile u64 kick_taken, kick_leave, kick_yields;

u64 ap_stack;
static u8 stack[8192] __attribute__((aligned(16)));
static void (*volatile state)(void);
static volatile u32 began;

static inline void relax(void) { asm volatile("pause" ::: "memory"); }

static void x2apic_on(void)
{
	lapic_on();
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
	wrmsr(MSR_X2_SVR, 0x1ff);
}

void ap_main(void)
{
	idt_load();
	x2apic_on();
	for (;;) {
		began++;
		while (!state)
			relax();
		state();
	}
}

static void send(u64 icr, u32 dest)
{
	wrmsr(MSR_X2_ICR, (u64)dest << 32 | icr);
}

static bool wait_until_began(u32 times)
{
	u64 end = rdtsc() + 10000 * tsc_khz();

	while (began != times) {
		if (rdtsc() >= end)
			return false;
		relax();
	}
	return true;
}

static bool start_other(void)
{
	memset(at(AP_PAGE), 0, 4096);
	memcpy(at(AP_PAGE), ap_code, (size_t)(ap_code_end - ap_code));
	ap_stack = (u64)(stack + sizeof(stack));
	send(0x4500, 1);
	delay_us(200);
	send(0x4600 | AP_PAGE >> 12, 1);
	return wait_until_began(1);
}

/* What the TSC gains in one instruction where it counts them; elsewhere no sensible number. */
static u64 ticks_each(void)
{
	u64 n = LOOP / 2, begin = rdtsc();

	asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
	n = (rdtsc() - begin + LOOP / 2) / LOOP;
	return n ? n : 1;
}

/* With cpu=tcg the other CPU goes on at the first PAUSE here and not before, so what both have executed adds up. */
static u64 kick(void)
{
	u64 end = rdtsc() + tsc_khz() * SETTLE_US / 1000, begin;

	while (rdtsc() < end)
		relax();
	kick_taken = 0;
	begin = rdtsc();
	send(ICR_FIXED | VECTOR, 1);
	while (!kick_taken)
		relax();
	return kick_taken - begin;
}

static u64 number(const char *key)
{
	u64 n = 0;

	for (const char *s = arg(key); s && *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (u64)(*s - '0');
	return n;
}

/* One more kick ends a HLT; a loop has ended before, and takes it when the next state begins. */
static void check(const char *name, void (*there)(void), u64 each)
{
	u64 least = ~0ull, most = 0, sum = 0, bound = number(name);
	u32 before = began;

	state = there;
	for (unsigned int i = 0; i < WARM_UP + KICKS; i++) {
		u64 n = kick() / each;

		if (i < WARM_UP)
			continue;
		sum += n;
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	state = NULL;
	kick_leave = 1;
	send(ICR_FIXED | VECTOR, 1);
	report(wait_until_began(before + 1), "%s: the other CPU goes on", name);
	kick_leave = 0;
	print("KICK: %s %lu %lu %lu\n", name, least, sum / KICKS, most);
	report(bound && most <= bound, "%s: at most %lu instructions to the handler, and not over %lu", name, most, bound);
}

void test_main(void)
{
	u64 to = (u64)kick_handler, each = ticks_each();

	idt[VECTOR] = (struct gate){ .low = (u16)to, .sel = SEL_CODE64, .type = 0x8e, .mid = (u16)(to >> 16),
				     .high = (u32)(to >> 32) };
	kick_yields = arg_is("cpu", "tcg");
	x2apic_on();
	report(start_other(), "the other CPU starts");
	if (!began)
		return;
	check("running", kick_run, each);
	check("halted", kick_halt, each);
}
