/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC beside a CPU that works on its register page by itself: the same must come of it as of a local APIC that
 * is told each access. The CPU's part is as SDM 3C "APIC Virtualization and Virtual Interrupts" has it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/lapic_rig.h"

#define X2APIC_ON (APIC_DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define APIC_OFF  (APIC_DEFAULT_BASE | APIC_BASE_BSP)

static struct lapic_rig plain, rig;
static uint64_t seed, now;

static uint64_t number(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 16;
}

static void advance(uint64_t ns)
{
	now += ns;
	fake_clock_set(now);
	vtimers_run(&plain.timers, now);
	vtimers_run(&rig.timers, now);
}

static void create(struct lapic_rig *r, bool x2apic)
{
	rig_create(r, 3, true);
	if (x2apic)
		assert_int_equal(lapic_msr_write(&r->l, MSR_APIC_BASE, X2APIC_ON), 0);
	if (x2apic)
		assert_int_equal(lapic_msr_write(&r->l, 0x80f, 0x1ff), 0);
	else
		rig_enable(r);
	r->l.changed = false;
}

static int setup(void **state)
{
	(void)state;
	seed = 11;
	now = 1000;
	fake_clock_set(now);
	create(&plain, false);
	create(&rig, false);
	return 0;
}

static int setup_x2(void **state)
{
	(void)state;
	seed = 12;
	now = 1000;
	fake_clock_set(now);
	create(&plain, true);
	create(&rig, true);
	return 0;
}

/* ---- the CPU ---- */

static int highest(const struct lapic *l, unsigned int map)
{
	for (int vector = 255; vector >= 0; vector--)
		if (l->page[map + (unsigned int)vector / 32].val >> vector % 32 & 1)
			return vector;
	return -1;
}

/* SDM 3C "EOI Virtualization". */
static void cpu_eoi(struct lapic *l)
{
	int vector = highest(l, LAPIC_ISR);
	unsigned int v = vector < 0 ? 0 : (unsigned int)vector;

	l->page[LAPIC_ISR + v / 32].val &= ~(1u << v % 32);
	if (lapic_levels(l, v / 64) >> v % 64 & 1)
		lapic_eoi_done(l, (uint8_t)v);
}

/* SDM 3C "Virtual-Interrupt Delivery". */
static void cpu_take(struct lapic *l)
{
	unsigned int v = lapic_highest_irr(l);

	if (v >> 4 <= lapic_ppr(l) >> 4)
		return;
	l->page[LAPIC_IRR + v / 32].val &= ~(1u << v % 32);
	l->page[LAPIC_ISR + v / 32].val |= 1u << v % 32;
}

/* SDM 3C "APIC-Write Emulation", with virtual-interrupt delivery, of the write of 32 bits to a register it knows. */
static void cpu_write(struct lapic *l, unsigned int n, uint32_t val)
{
	switch (n) {
	case LAPIC_TPR:
		l->page[n].val = (uint8_t)val;
		return;
	case LAPIC_EOI:
		cpu_eoi(l);
		return;
	case LAPIC_ICR2:
		l->page[n].val = val & 0xff000000;
		return;
	default:
		l->page[n].val = val;
		lapic_page_written(l, n * 16);
	}
}

/* ---- both side by side ---- */

static void same(unsigned int i)
{
	for (unsigned int n = 0; n < LAPIC_REGS; n++)
		if (rig_read(&plain, n) != rig_read(&rig, n))
			fail_msg("step %u: register %x: %x, of the page %x", i, n, rig_read(&plain, n), rig_read(&rig, n));
	assert_int_equal(lapic_pending(&plain.l), lapic_pending(&rig.l));
	assert_int_equal(plain.ipis, rig.ipis);
	assert_int_equal(plain.eois, rig.eois);
	assert_int_equal(plain.eoi_vector, rig.eoi_vector);
	assert_int_equal(plain.nmis, rig.nmis);
	assert_int_equal(plain.l.timer_end, rig.l.timer_end);
	assert_int_equal(plain.l.refused, rig.l.refused);
	assert_int_equal(plain.last.vector, rig.last.vector);
	assert_int_equal(plain.last.mode, rig.last.mode);
	assert_int_equal(plain.last.dest, rig.last.dest);
	assert_int_equal(plain.last.shorthand, rig.last.shorthand);
}

static const unsigned int writes[] = {
	LAPIC_TPR, LAPIC_EOI, LAPIC_EOI, LAPIC_LDR, LAPIC_DFR, LAPIC_ESR, LAPIC_ICR, LAPIC_ICR2, LAPIC_LVT_TIMER,
	LAPIC_LVT_THERMAL, LAPIC_LVT_PERF, LAPIC_LVT_LINT0, LAPIC_LVT_LINT1, LAPIC_LVT_ERROR, LAPIC_TMICT, LAPIC_TDCR,
	LAPIC_ID,
};

static void both_take(void)
{
	int vector = lapic_pending(&plain.l);

	if (vector >= 0)
		lapic_ack(&plain.l, (uint8_t)vector);
	cpu_take(&rig.l);
}

static void both_write(unsigned int n, uint32_t val)
{
	rig_write(&plain, n, val);
	cpu_write(&rig.l, n, val);
}

static void writes_to_the_page_are_writes(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t x = number();

		switch (x & 7) {
		case 0 ... 2:
			both_write(writes[(x >> 8) % ARRAY_SIZE(writes)], (uint32_t)number() & (x & 0x1000 ? 0xff0fffff : 0x17ff));
			break;
		case 3 ... 4:
			lapic_inject(&plain.l, (uint8_t)(x >> 8), x >> 20 & 1);
			lapic_inject(&rig.l, (uint8_t)(x >> 8), x >> 20 & 1);
			break;
		case 5:
			both_take();
			break;
		case 6:
			lapic_lint(&plain.l, x >> 8 & 1, x >> 9 & 1);
			lapic_lint(&rig.l, x >> 8 & 1, x >> 9 & 1);
			break;
		default:
			advance(x >> 8 & 0xffff);
			if (!(x >> 40 & 31))
				both_write(LAPIC_SVR, x & 0x1000 ? 0xff : 0x1ff);
		}
		same(i);
	}
	assert_in_range(rig.eois, 1000, UINT32_MAX);
	assert_in_range(rig.ipis, 1000, UINT32_MAX);
}

/* Accesses that a guest has no business with: what counts comes back, and the timer does not hear of it. */
static void odd_writes_are_undone(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_TIMER, 0x20030);
	rig.l.page[LAPIC_ID].val = 0x55;
	lapic_page_written(&rig.l, LAPIC_ID * 16);
	assert_int_equal(rig.l.page[LAPIC_ID].val, 3u << 24);
	rig.l.page[LAPIC_VER].val = 0;
	lapic_page_written(&rig.l, LAPIC_VER * 16);
	assert_int_equal(rig.l.page[LAPIC_VER].val, LAPIC_VERSION);
	rig.l.page[LAPIC_LVT_TIMER].val = 0x40030;           /* one byte, in the middle */
	lapic_page_written(&rig.l, LAPIC_LVT_TIMER * 16 + 2);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_TIMER), 0x20030);
	assert_int_equal(rig.l.refused, 1);
	/* What Vouch keeps nowhere else stays as the CPU left it; what is no register is not looked at. */
	rig.l.page[LAPIC_TPR].val = 0xa366;
	rig.l.page[LAPIC_ICR2].val = 0x77a3a3a3;
	rig.l.page[LAPIC_IRR + 2].val = 1;
	for (unsigned int off = 0; off < 0x2000; off += 16)
		if (off / 16 == LAPIC_TPR || off / 16 == LAPIC_ICR2 || off / 16 == LAPIC_IRR + 2 || off / 16 >= LAPIC_REGS)
			lapic_page_written(&rig.l, off);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x66);
	assert_int_equal(rig_read(&rig, LAPIC_ICR2), 0x77000000);
}

/* In x2APIC mode a CPU reads without asking what the page shows, and asks for what can be had otherwise. */
static void the_page_shows_what_msrs_have(void **state)
{
	unsigned int shown = 0;

	(void)state;
	assert_int_equal(lapic_msr_write(&rig.l, 0x808, 0x31), 0);
	assert_int_equal(lapic_msr_write(&rig.l, 0x832, 0x20044), 0);
	assert_int_equal(lapic_msr_write(&rig.l, 0x838, 77777), 0);
	lapic_inject(&rig.l, 0x91, true);
	lapic_inject(&rig.l, 0x55, false);
	cpu_take(&rig.l);
	lapic_error(&rig.l, ESR_SEND_VECTOR);
	assert_int_equal(lapic_msr_write(&rig.l, 0x828, 0), 0);
	for (unsigned int n = 0; n < 256; n++) {
		uint64_t val = 0;
		bool there = !lapic_msr_read(&rig.l, 0x800 + n, &val);

		if (n == LAPIC_PPR || n == LAPIC_TMCCT || n == LAPIC_ICR) {
			assert_true(there && !lapic_page_shows(n));
			continue;
		}
		assert_int_equal(lapic_page_shows(n), there);
		if (!there)
			continue;
		assert_int_equal(val, rig.l.page[n].val);
		assert_int_equal(rig.l.page[n].unused[0], 0);
		shown++;
	}
	assert_int_equal(shown, 38);
}

/* SDM 3C "Self-IPI Virtualization": vectors below 16 are left to the VMM. */
static void an_illegal_self_ipi_is_an_error(void **state)
{
	(void)state;
	rig.l.page[LAPIC_SELF_IPI].val = 9;
	lapic_page_written(&rig.l, LAPIC_SELF_IPI * 16);
	assert_int_equal(rig.l.page[LAPIC_SELF_IPI].val, 0);
	assert_int_equal(rig.l.esr_pending, ESR_SEND_VECTOR);
	assert_int_equal(rig.ipis, 0);
	/* No such MSR: the write cannot fault any more. */
	rig.l.page[LAPIC_DFR].val = 0;
	lapic_page_written(&rig.l, LAPIC_DFR * 16);
	assert_int_equal(rig.l.page[LAPIC_DFR].val, UINT32_MAX);
	assert_int_equal(rig.l.refused, 1);
}

struct kept {
	uint8_t irr, isr;
	uint64_t levels[4];
	bool delivers, xapic, x2apic;
};

static struct kept look(void)
{
	struct kept k;

	memset(&k, 0, sizeof(k));
	k.irr = lapic_highest_irr(&rig.l);
	k.isr = lapic_highest_isr(&rig.l);
	for (unsigned int i = 0; i < 4; i++)
		k.levels[i] = lapic_levels(&rig.l, i);
	k.delivers = lapic_delivers(&rig.l);
	k.xapic = lapic_xapic_enabled(&rig.l);
	k.x2apic = lapic_x2apic_enabled(&rig.l);
	return k;
}

/* Whoever keeps a copy of these hears of every change but the CPU's own. */
static void changes_are_told(void **state)
{
	static const uint64_t modes[] = { X2APIC_ON, APIC_OFF, APIC_OFF | APIC_BASE_ENABLE };
	unsigned int told = 0, quiet = 0;
	int refusals = 0;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		struct kept before = look(), after;
		uint64_t x = number();

		rig.l.changed = false;
		switch (x & 7) {
		case 0 ... 1:
			lapic_inject(&rig.l, (uint8_t)(x >> 8), x >> 20 & 1);
			break;
		case 2:
			lapic_mmio_write(&rig.l, x >> 8 & 0x3f0, 4, x >> 20);
			break;
		case 3:
			refusals += lapic_msr_write(&rig.l, 0x800 + (x >> 8 & 0x3f), x >> 20 & 0x1ff);
			break;
		case 4:
			if (lapic_pending(&rig.l) >= 0)
				lapic_ack(&rig.l, (uint8_t)lapic_pending(&rig.l));
			break;
		case 5:
			lapic_lint(&rig.l, x >> 8 & 1, x >> 9 & 1);
			lapic_set_cr8(&rig.l, x >> 12 & 15);
			break;
		case 6:
			if (!(x >> 8 & 15))
				refusals += lapic_msr_write(&rig.l, MSR_APIC_BASE, modes[(x >> 12) % ARRAY_SIZE(modes)]);
			break;
		default:
			if (!(x >> 8 & 63))
				lapic_reset(&rig.l);
			else if (!(x >> 14 & 3))
				lapic_virtual_wire(&rig.l);
			else
				advance(1000);
		}
		after = look();
		if (memcmp(&before, &after, sizeof(after)))
			assert_true(rig.l.changed);
		told += rig.l.changed;
		quiet += !rig.l.changed;
	}
	assert_in_range(told, 1000, 90000);
	assert_in_range(quiet, 1000, 90000);
	assert_true(refusals < -1000);                  /* -EINVAL each */
}

/* An APIC that is switched off holds what it has; what was in service still counts. */
static void nothing_is_highest_while_disabled(void **state)
{
	(void)state;
	lapic_inject(&rig.l, 0x60, false);
	cpu_take(&rig.l);
	lapic_inject(&rig.l, 0x80, false);
	assert_int_equal(lapic_highest_irr(&rig.l), 0x80);
	rig_write(&rig, LAPIC_SVR, 0xff);
	assert_false(lapic_delivers(&rig.l));
	assert_int_equal(lapic_highest_irr(&rig.l), 0);
	assert_int_equal(lapic_highest_isr(&rig.l), 0x60);
	rig_enable(&rig);
	assert_int_equal(lapic_highest_irr(&rig.l), 0x80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_to_the_page_are_writes, setup),
		cmocka_unit_test_setup(odd_writes_are_undone, setup),
		cmocka_unit_test_setup(the_page_shows_what_msrs_have, setup_x2),
		cmocka_unit_test_setup(an_illegal_self_ipi_is_an_error, setup_x2),
		cmocka_unit_test_setup(changes_are_told, setup),
		cmocka_unit_test_setup(nothing_is_highest_while_disabled, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
