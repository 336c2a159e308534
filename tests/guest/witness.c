/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A well-behaved guest that notices what others do to it. It fills memory with a pattern and all registers with its mark
 * (mark=N), and then goes round: work, a look at part of its memory, sleep until a deadline, a look at its registers and clocks.
 * rounds=N ends it, as does its power button; rounds=0: only that does. late=US is how late it may be woken, in microseconds of
 * its TSC, and first=US in the first rounds; held=US is how long it may be held up, at work or after a deadline. say=MS has it say
 * so often what its clock shows; mib=N sets how much memory it fills.
 */
#include "lib/mark.h"

const char test_name[] = "witness";

#define MSR_TSC_DEADLINE 0x6e0u
#define LVT_DEADLINE 0x40000u
#define VECTOR 0x90u                         /* above CR8's highest mark */
#define FIRST 0x200000ul                     /* free memory: below the kernel, which is at 16 MiB */
#define MIB 0x100000ul
#define MIB_MOST 12u
#define SLICES 64u                           /* a round looks at one of so many */
#define STEPS 20u                            /* of a round's work, each with a look at the TSC behind it */
#define SLEEP_US 1000u
#define FIRST_ROUNDS 10u                     /* until whoever shares out the CPU knows that it sleeps much */
#define AGAIN_US 5000u                       /* in case that an interrupt came before its HLT */
#define PM_HZ 3579545ul
#define PM_MASK 0xffffffu
#define PM_WRAP_US ((PM_MASK + 1) * 1000000 / PM_HZ)
#define PM1_PWRBTN 0x100u

static u64 mark, khz, words;
static u64 due, latest, latest_first;        /* a deadline; the worst delay of one, and of the first ones, in TSC ticks */
static volatile bool asleep, woken;
static u64 woken_at;
static u64 step_at, longest;                 /* its last step, and the longest that one took, in TSC ticks */
static u32 early, bad_words, bad_registers, bad_general, backwards;
static struct mark mine;
static u16 pm1a_evt;

static u64 number(const char *key, u64 other)
{
	const char *s = arg(key);
	u64 n = 0;

	for (; s && *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (u64)(*s - '0');
	return s ? n : other;
}

static void tick(struct frame *f)
{
	u64 now = rdtsc();

	(void)f;
	if (!woken)
		woken_at = now;
	woken = true;
	if (asleep)
		wrmsr(MSR_TSC_DEADLINE, now + AGAIN_US * khz / 1000);
	lapic_eoi();
}

static u64 pattern(u64 i)
{
	return (i + mark) * 0x9e3779b97f4a7c15ull;
}

static void fill_memory(void)
{
	u64 *p = at(FIRST);

	for (u64 i = 0; i < words; i++)
		p[i] = pattern(i);
}

static void check_memory(u64 from, u64 to)
{
	volatile u64 *p = at(FIRST);

	for (u64 i = from; i < to; i++)
		bad_words += p[i] != pattern(i);
}

/*
 * The registers hold the mark meanwhile; the general ones cannot. A deadline that tick() wrote may pass before it is taken
 * back: that interrupt waits for the next round's STI and must arm no other, which the next sleep would take for its own.
 */
static void sleep(u64 *worst)
{
	woken = false;
	asleep = true;
	due = rdtsc() + SLEEP_US * khz / 1000;
	wrmsr(MSR_TSC_DEADLINE, due);
	while (!woken)
		sti_hlt_cli();
	wrmsr(MSR_TSC_DEADLINE, 0);
	asleep = false;
	if (woken_at < due)
		early++;
	else if (woken_at - due > *worst)
		*worst = woken_at - due;
}

static void step(void)
{
	u64 now = rdtsc();

	longest = now - step_at > longest ? now - step_at : longest;
	step_at = now;
}

static void work(void)
{
	step_at = rdtsc();
	asm volatile("sti");
	for (unsigned int i = 0; i < STEPS; i++) {
		bad_general += !mark_hold(mark * 0x0123456789abull, 20000 / STEPS);
		step();
	}
	asm volatile("cli");
}

static void one_round(u64 n)
{
	static struct mark now;
	static u64 tsc;
	u64 slice = words / SLICES;

	work();
	check_memory(n % SLICES * slice, n % SLICES * slice + slice);
	step();
	sleep(n < FIRST_ROUNDS ? &latest_first : &latest);
	mark_read(&now);
	bad_registers += memcmp(&mine, &now, sizeof(mine)) != 0;
	backwards += rdtsc() < tsc;
	tsc = rdtsc();
}

/* What the PM timer counted since last asked, beside the TSC; and the longest that it was not asked. */
struct clocks {
	struct moment last;
	u64 tsc, pm, gap;
};

static void clocks_take(struct clocks *c)
{
	struct moment now = pm_moment();
	u64 gap = now.tsc - c->last.tsc;

	c->tsc += gap;
	c->gap = gap > c->gap ? gap : c->gap;
	c->pm += (now.pm - c->last.pm) & PM_MASK;
	c->last = now;
}

static void check_clocks(const struct clocks *c)
{
	u64 by_pm = c->pm * 1000000 / PM_HZ, by_tsc = c->tsc * 1000 / khz;
	u64 off, lost = 0;

	/* Whoever is not run for a wrap of the PM timer or longer has missed it. */
	if (c->gap >= PM_WRAP_US * khz / 1000 && by_tsc > by_pm)
		lost = (by_tsc - by_pm + PM_WRAP_US / 2) / PM_WRAP_US * PM_WRAP_US;
	by_pm += lost;
	off = by_pm > by_tsc ? by_pm - by_tsc : by_tsc - by_pm;
	report(off <= by_pm / 100 + 100, "TSC and PM timer agree: %lu and %lu us", by_tsc, by_pm);
	print("at most %lu us between two looks at its clocks\n", c->gap * 1000 / khz);
	report(!backwards, "the TSC never goes back (%u)", backwards);
}

/* A step's own time counts as well: it is 1000 rounds of mark_hold(). */
static void check_held(u64 most)
{
	u64 late = latest > latest_first ? latest : latest_first;

	report(!most || (longest > late ? longest : late) <= most * khz / 1000,
	       "held up for at most %lu us at work, %lu us after a deadline", longest * 1000 / khz, late * 1000 / khz);
}

static void go_round(void)
{
	u64 rounds = number("rounds", 100), say = number("say", 0), told = 0, n;
	struct clocks c = { .last = pm_moment() };

	for (n = 0; (!rounds || n < rounds) && !(inw(pm1a_evt) & PM1_PWRBTN); n++) {
		one_round(n);
		clocks_take(&c);
		if (say && c.tsc / khz >= told + say) {
			told = c.tsc / khz;
			print("at %lu ms\n", told);
		}
	}
	check_clocks(&c);
	report(true, "went round %lu times", n);
}

void test_main(void)
{
	u64 late = number("late", 0), first = number("first", 0), mib = number("mib", MIB_MOST);

	mark = number("mark", 1);
	words = (mib < MIB_MOST ? mib : MIB_MOST) * MIB / 8;
	khz = tsc_khz();
	pm1a_evt = acpi_power().pm1a_evt;
	outw((u16)(pm1a_evt + 2), PM1_PWRBTN);
	fill_memory();
	mark_init();
	lapic_on();
	interrupt_set(VECTOR, tick);
	lapic_write(APIC_LVTT, LVT_DEADLINE | VECTOR);
	print("goes round\n");
	mark_set(mark);
	mark_read(&mine);
	go_round();
	write_cr8(0);
	check_memory(0, words);
	report(!bad_words, "its %lu MiB of memory are as it left them (%u words differ)", words * 8 / MIB, bad_words);
	report(!bad_registers, "its registers are its own (%u times not)", bad_registers);
	report(!bad_general, "its general registers, too (%u times not)", bad_general);
	report(!early, "no timer was early (%u)", early);
	check_held(number("held", 0));
	report((!late || latest <= late * khz / 1000) && (!first || latest_first <= first * khz / 1000),
	       "woken %lu ticks of %lu kHz late at most, %lu at first", latest, khz, latest_first);
}
