/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to change over to another guest, seen from inside: one guest sleeps by timers of its own, beside one that
 * never leaves the CPU by itself (be=busy, for a while; be=hog, for ever). Each wake-up is a change from the busy one to
 * the sleeper, each HLT one back. Prints `EXIT: NAME hundredths` as exits.c does: the mean delay from the deadline to the
 * handler's first instruction, by the TSC. What was executed meanwhile tests/bench counts.
 */
#include "lib/guest.h"

const char test_name[] = "beside";

#define WARM_UP 10u
#define WAKE_UPS 32u
#define WAKE_TICKS 1000000u
#define BUSY_TICKS 400000000ull
#define VECTOR 0x50u
#define X2APIC_ENABLE (1ull << 10)
#define LVT_DEADLINE 0x40000u
#define MSR_APIC_BASE 0x1bu
#define MSR_DEADLINE  0x6e0u
#define MSR_X2_LVTT   0x832u

/* beside.S: stores the TSC in beside_woken, writes the x2APIC's EOI. */
void beside_handler(void);
/* beside.S: STI, HLT, CLI. */
void beside_halt(void);
extern volatile u64 beside_woken;

static u64 wake(unsigned int n)
{
	u64 sum = 0;

	while (n--) {
		u64 end = rdtsc() + WAKE_TICKS;

		beside_woken = 0;
		wrmsr(MSR_DEADLINE, end);
		while (!beside_woken)
			beside_halt();
		sum += beside_woken - end;
	}
	return sum;
}

static void be_busy(u64 ticks)
{
	u64 begin = rdtsc();

	report(true, "keeps the CPU busy from here on");
	sti();
	while (rdtsc() - begin < ticks)
		;
	cli();
}

static void sleep_beside(void)
{
	u64 to = (u64)beside_handler;

	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLE);
	idt[VECTOR] = (struct gate){ .low = (u16)to, .sel = SEL_CODE64, .type = 0x8e, .mid = (u16)(to >> 16),
				     .high = (u32)(to >> 32) };
	wrmsr(MSR_X2_LVTT, LVT_DEADLINE | VECTOR);
	wake(WARM_UP);
	print("EXIT: wake-beside %lu\n", wake(WAKE_UPS) * 100 / WAKE_UPS);
	report(true, "woke up %u times", WAKE_UPS);
}

void test_main(void)
{
	u32 features = cpuid(1).c;

	if (arg_is("be", "busy") || arg_is("be", "hog")) {
		be_busy(arg_is("be", "hog") ? ~0ull : BUSY_TICKS);
		return;
	}
	lapic_on();
	if (features >> 21 & 1 && features >> 24 & 1)
		sleep_beside();
	else
		report(false, "this CPU has an x2APIC with TSC deadline");
}
