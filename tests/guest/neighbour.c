/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that shares its CPU with others. With be=hog it never leaves the CPU by itself and fills all registers with what
 * no other may find; with if=on it lets interrupts in, of which it has none. Else it first looks for what another left
 * behind; then it puts its own mark (mark=N) into every register that a guest can change, and looks again and again whether
 * that is still there, between work and sleep; with cr2=off it leaves CR2 out.
 */
#include "lib/mark.h"

const char test_name[] = "neighbour";

#define ROUNDS 60

static volatile u32 ticks;

static void check_first(void)
{
	static struct mark m;
	bool zero = true;

	asm volatile("fldz");                /* something for mark_read() to take */
	mark_read(&m);
	asm volatile("fstp %st(0)");
	for (size_t i = 0; i < 16; i++)
		zero &= !m.vector[i][0] && !m.vector[i][1] && !m.vector[i][2] && !m.vector[i][3];
	report(zero, "%s registers are zero at first", mark_has_avx() ? "YMM" : "XMM");
	report(!m.dr[0] && !m.dr[1] && !m.dr[2] && !m.dr[3] && m.dr[4] == 0xffff0ff0 && m.dr[5] == 0x400,
	       "debug registers are as after reset");
	report(m.mxcsr == 0x1f80, "MXCSR is as after reset (%x)", m.mxcsr);
	zero = m.msr[MARK_PAT] == MARK_PAT_RESET;
	for (size_t i = 0; i < MARK_MSRS; i++)
		zero &= i == MARK_PAT || !m.msr[i];
	report(zero, "MSRs are as after reset");
	report(!m.cr8, "CR8 is zero at first");
}

static void tick(struct frame *f)
{
	(void)f;
	ticks++;
	lapic_eoi();
}

/*
 * Some work, then sleep until a timer of a few milliseconds. It is a periodic one: QEMU forgets the shadow of STI over an
 * exit, so that a tick may come before the HLT that should wait for it.
 */
static void pass_time(void)
{
	u32 before = ticks;

	for (volatile u32 i = 0; i < 50000; i++)
		;
	lapic_write(APIC_TMICT, 200000);
	while (ticks == before)
		sti_hlt_cli();
}

static void check_kept(u64 mark)
{
	static struct mark mine, now;
	unsigned int differ = 0;

	mark_set(mark);
	mark_read(&mine);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		pass_time();
		mark_read(&now);
		differ += memcmp(&mine, &now, sizeof(mine)) != 0;
	}
	report(!differ, "its registers are its own for %u rounds, and differ in %u", ROUNDS, differ);
	report(mine.msr[MARK_LSTAR] == mark << 16 && mine.dr[1] == mark + 1, "and hold the mark %lu", mark);
	write_cr8(0);
}

static void __attribute__((noreturn)) be_hog(void)
{
	bool on = arg_is("if", "on");

	mark_set(9);
	report(true, "spins from here on, interrupts %s", on ? "on" : "off");
	if (on)
		asm volatile("sti");
	for (;;)
		asm volatile("" ::: "memory");
}

void test_main(void)
{
	const char *mark = arg("mark");

	mark_init();
	if (arg_is("be", "hog"))
		be_hog();
	check_first();
	lapic_on();
	interrupt_set(0x90, tick);                           /* above CR8's highest mark */
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x20090);
	check_kept(mark ? (u64)(mark[0] - '0') : 1);
}
