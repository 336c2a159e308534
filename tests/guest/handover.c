/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two CPUs of a guest share a lock that is given in the order in which it was asked for. Where they have one CPU between them,
 * whoever waits for it spins while its holder, or the next in line, does not run: the wait ends with the waiter's turn, unless it
 * gives that up. Tells how long the waits are: most=N, at most so many microseconds in the mean; least=N, at least so many.
 */
#include "lib/guest.h"

const char test_name[] = "handover";

#define AP_PAGE 0x8000ull
#define ROUNDS 60u
#define WARM_UP 20u
#define WORK 500u

extern u8 ap_code[], ap_code_end[];
void ap_main(void);

u64 ap_stack;
static u8 stack[8192] __attribute__((aligned(16)));
static struct {
	u32 next, owner;
} lock;
static volatile u32 began, over;
static volatile u64 inside;                  /* how often somebody was; the lock's */

static void take(void)
{
	u32 ticket = __atomic_fetch_add(&lock.next, 1, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&lock.owner, __ATOMIC_SEQ_CST) != ticket)
		asm volatile("pause" ::: "memory");
}

static void drop(void)
{
	__atomic_fetch_add(&lock.owner, 1, __ATOMIC_SEQ_CST);
}

static void work(void)
{
	u64 n = WORK;

	inside++;
	asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
}

/* Takes turns with the other one, who is in line again before it comes here. */
void ap_main(void)
{
	idt_load();
	sti();
	began = 1;
	while (!over) {
		take();
		work();
		drop();
	}
	began = 2;
	stop_here();
}

static void start_other(void)
{
	memset(at(AP_PAGE), 0, 4096);
	memcpy(at(AP_PAGE), ap_code, (size_t)(ap_code_end - ap_code));
	ap_stack = (u64)(stack + sizeof(stack));
	lapic_write(APIC_ICR2, 1u << 24);
	lapic_write(APIC_ICR, 0x4500);
	delay_us(200);
	lapic_write(APIC_ICR, 0x4600 | AP_PAGE >> 12);
}

static u64 number(const char *key, u64 otherwise)
{
	u64 n = 0;

	if (!arg(key))
		return otherwise;
	for (const char *s = arg(key); *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (u64)(*s - '0');
	return n;
}

void test_main(void)
{
	u64 sum = 0, worst = 0, khz = tsc_khz(), least = number("least", 0), most = number("most", ~0ull);

	lapic_on();
	sti();
	start_other();
	report(wait_for(&began, 1, 10000000), "the other CPU starts");
	for (unsigned int i = 0; i < WARM_UP + ROUNDS; i++) {
		u64 begin = rdtsc(), waited;

		take();
		waited = rdtsc() - begin;
		work();
		drop();
		if (i < WARM_UP)
			continue;
		sum += waited;
		worst = waited > worst ? waited : worst;
	}
	over = 1;
	report(wait_for(&began, 2, 10000000), "the other CPU has had its turns");
	report(inside == lock.owner && inside > WARM_UP + ROUNDS, "the lock was taken %lu times, by one at a time", inside);
	sum = sum * 1000 / khz / ROUNDS;
	print("HANDOVER: mean %lu us, most %lu us, of %u\n", sum, worst * 1000 / khz, ROUNDS);
	report(sum >= least && sum <= most, "a wait takes %lu us in the mean", sum);
}
