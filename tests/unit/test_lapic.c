/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC: registers in both modes, priorities, errors, pins, messages. Its timer has test_lapic_timer.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "support/lapic_rig.h"

#define X2APIC_ON (APIC_DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define XAPIC_ON  (APIC_DEFAULT_BASE | APIC_BASE_BSP | APIC_BASE_ENABLE)
#define APIC_OFF  (APIC_DEFAULT_BASE | APIC_BASE_BSP)

static struct lapic_rig rig;

static int setup_raw(void **state)
{
	(void)state;
	rig_create(&rig, 3, true);
	return 0;
}

static int setup(void **state)
{
	setup_raw(state);
	rig_enable(&rig);
	return 0;
}

static int msr_write(uint32_t msr, uint64_t val)
{
	return lapic_msr_write(&rig.l, msr, val);
}

static uint64_t msr_read(uint32_t msr)
{
	uint64_t val = 0xdeadbeefdeadbeefull;

	assert_int_equal(lapic_msr_read(&rig.l, msr, &val), 0);
	return val;
}

static int setup_x2(void **state)
{
	setup_raw(state);
	assert_int_equal(msr_write(MSR_APIC_BASE, X2APIC_ON), 0);
	assert_int_equal(msr_write(0x80f, 0x1ff), 0);
	return 0;
}

static void inject(unsigned int vector)
{
	lapic_inject(&rig.l, (uint8_t)vector, false);
}

static void expect_pending(int vector)
{
	assert_int_equal(lapic_pending(&rig.l), vector);
}

static void take(unsigned int vector)
{
	expect_pending((int)vector);
	lapic_ack(&rig.l, (uint8_t)vector);
}

static void eoi(void)
{
	rig_write(&rig, LAPIC_EOI, 0);
}

/* ESR as software reads it. */
static uint32_t esr(void)
{
	rig_write(&rig, LAPIC_ESR, 0);
	return rig_read(&rig, LAPIC_ESR);
}

static bool bit_set(unsigned int map, unsigned int vector)
{
	return rig_read(&rig, map + vector / 32) >> vector % 32 & 1;
}

static void test_power_up(void **state)
{
	(void)state;
	assert_true(lapic_xapic_enabled(&rig.l));
	assert_true(lapic_base(&rig.l) == 0xfee00000);
	assert_true(msr_read(MSR_APIC_BASE) == 0xfee00900);
	assert_int_equal(rig_read(&rig, LAPIC_ID), 3u << 24);
	assert_int_equal(rig_read(&rig, LAPIC_VER), 0x00050014);
	assert_int_equal(rig_read(&rig, LAPIC_SVR), 0xff);
	assert_int_equal(rig_read(&rig, LAPIC_DFR), 0xffffffff);
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		assert_int_equal(rig_read(&rig, i), 0x10000);
	for (unsigned int i = LAPIC_LDR; i < LAPIC_LVT_TIMER; i++)
		if (i != LAPIC_DFR && i != LAPIC_SVR && i != 0x29 && i != 0x2a && i != 0x2b && i != 0x2c &&
		    i != 0x2d && i != 0x2e && i != 0x2f)
			assert_int_equal(rig_read(&rig, i), 0);
	assert_int_equal(rig_read(&rig, LAPIC_TPR) | rig_read(&rig, LAPIC_PPR), 0);
	assert_int_equal(rig_read(&rig, LAPIC_TMICT) | rig_read(&rig, LAPIC_TDCR), 0);
	assert_int_equal(esr(), 0);
	expect_pending(-1);
}

static void test_not_a_bsp(void **state)
{
	(void)state;
	rig_create(&rig, 1, false);
	assert_true(msr_read(MSR_APIC_BASE) == 0xfee00800);
	assert_int_equal(msr_write(MSR_APIC_BASE, XAPIC_ON), 0);  /* the BSP bit does not stick */
	assert_true(msr_read(MSR_APIC_BASE) == 0xfee00800);
}

static void test_writable_bits(void **state)
{
	static const struct { unsigned int reg; uint32_t ones, zero; } rows[] = {
		{ LAPIC_TPR, 0xff, 0 },
		{ LAPIC_LDR, 0xff000000, 0 },
		{ LAPIC_DFR, 0xffffffff, 0x0fffffff },
		{ LAPIC_SVR, 0x3ff, 0 },
		{ LAPIC_ICR2, 0xff000000, 0 },
		{ LAPIC_LVT_TIMER, 0x700ff, 0x10000 },
		{ LAPIC_LVT_THERMAL, 0x107ff, 0x10000 },
		{ LAPIC_LVT_PERF, 0x107ff, 0x10000 },
		{ LAPIC_LVT_LINT0, 0x1a7ff, 0x10000 },
		{ LAPIC_LVT_LINT1, 0x1a7ff, 0x10000 },
		{ LAPIC_LVT_ERROR, 0x100ff, 0x10000 },
		{ LAPIC_TDCR, 0xb, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_write(&rig, rows[i].reg, 0xffffffff);
		assert_int_equal(rig_read(&rig, rows[i].reg), rows[i].ones);
		rig_write(&rig, LAPIC_SVR, 0);             /* disabled: an LVT's mask cannot be cleared */
		rig_write(&rig, rows[i].reg, 0);
		assert_int_equal(rig_read(&rig, rows[i].reg), rows[i].zero);
		rig_enable(&rig);
	}
	assert_int_equal(rig.ipis, 0);
}

static void test_read_only(void **state)
{
	static const unsigned int regs[] = { LAPIC_ID, LAPIC_VER, LAPIC_APR, LAPIC_PPR, LAPIC_RRD, LAPIC_TMCCT,
					     LAPIC_ISR, LAPIC_ISR + 7, LAPIC_TMR, LAPIC_TMR + 7, LAPIC_IRR,
					     LAPIC_IRR + 7 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		uint32_t before = rig_read(&rig, regs[i]);

		rig_write(&rig, regs[i], ~before);
		assert_int_equal(rig_read(&rig, regs[i]), before);
	}
	assert_int_equal(rig_read(&rig, LAPIC_EOI), 0);
	expect_pending(-1);
	assert_int_equal(esr(), 0);                        /* they do exist */
}

static void test_no_such_register(void **state)
{
	struct lapic before;

	(void)state;
	for (unsigned int off = 0; off < 0x1000; off += 16) {
		unsigned int n = off >> 4;
		bool exists = (n >= 2 && n <= 3) || (n >= 8 && n <= 0x28) || (n >= 0x30 && n <= 0x39) || n == 0x3e;

		if (exists)
			continue;
		before = rig.l;
		before.esr_pending = ESR_REGISTER;
		assert_int_equal(rig_read(&rig, n), 0);
		assert_memory_equal(&before, &rig.l, sizeof(before));
		assert_int_equal(esr(), ESR_REGISTER);
		rig_write(&rig, n, 0xffffffff);
		assert_int_equal(esr(), ESR_REGISTER);
		assert_int_equal(esr(), 0);
	}
}

static void test_access_sizes(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LDR, 0xab000000);
	assert_true(lapic_mmio_read(&rig.l, 0xd0, 1) == 0);
	assert_true(lapic_mmio_read(&rig.l, 0xd3, 1) == 0xab);
	assert_true(lapic_mmio_read(&rig.l, 0xd2, 2) == 0xab00);
	assert_true(lapic_mmio_read(&rig.l, 0xd1, 2) == 0);
	assert_true(lapic_mmio_read(&rig.l, 0xd3, 4) == 0xab);        /* past the register: nothing */
	assert_true(lapic_mmio_read(&rig.l, 0xd4, 4) == 0);
	assert_true(lapic_mmio_read(&rig.l, 0xdc, 4) == 0);
	assert_true(lapic_mmio_read(&rig.l, 0xd0, 8) == 0xab000000);
	lapic_mmio_write(&rig.l, 0xd3, 1, 0x11);
	lapic_mmio_write(&rig.l, 0xd2, 2, 0x1111);
	lapic_mmio_write(&rig.l, 0xd4, 4, 0x11111111);
	lapic_mmio_write(&rig.l, 0xd2, 4, 0x11111111);
	assert_int_equal(rig_read(&rig, LAPIC_LDR), 0xab000000);
	assert_int_equal(rig.l.refused, 4);
	lapic_mmio_write(&rig.l, 0xd0, 8, 0xffffffff12345678ull);
	assert_int_equal(rig_read(&rig, LAPIC_LDR), 0x12000000);
	assert_int_equal(esr(), 0);
}

static void test_beyond_page(void **state)
{
	(void)state;
	for (unsigned int size = 1; size <= 8; size *= 2) {
		assert_true(lapic_mmio_read(&rig.l, UINT64_MAX - 7, size) == 0);
		lapic_mmio_write(&rig.l, UINT64_MAX - 15, size, UINT64_MAX);
		assert_true(lapic_mmio_read(&rig.l, (1ull << 32) + 0x80, size) == 0);
		lapic_mmio_write(&rig.l, (1ull << 36) + 0x80, size, UINT64_MAX);
	}
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0);
}

/* Every pair of a TPR and a vector in service, against the manual's rule. */
static void test_ppr(void **state)
{
	(void)state;
	for (unsigned int isrv = 15; isrv < 256; isrv++) {          /* 15: none */
		rig_create(&rig, 0, true);
		rig_enable(&rig);
		if (isrv > 15)
			lapic_ack(&rig.l, (uint8_t)isrv);
		for (unsigned int tpr = 0; tpr < 256; tpr++) {
			unsigned int class = isrv > 15 ? isrv >> 4 : 0;
			unsigned int expect = tpr >> 4 >= class ? tpr : class << 4;

			rig_write(&rig, LAPIC_TPR, tpr);
			assert_int_equal(rig_read(&rig, LAPIC_PPR), expect);
		}
	}
}

static void test_priority(void **state)
{
	(void)state;
	inject(0x31);
	inject(0x52);
	inject(0x53);
	expect_pending(0x53);
	take(0x53);
	assert_true(bit_set(LAPIC_ISR, 0x53));
	assert_false(bit_set(LAPIC_IRR, 0x53));
	expect_pending(-1);                                /* 0x52 is of the same class */
	inject(0x5f);
	expect_pending(-1);
	inject(0x60);
	take(0x60);
	eoi();
	assert_false(bit_set(LAPIC_ISR, 0x60));
	assert_true(bit_set(LAPIC_ISR, 0x53));
	expect_pending(-1);
	eoi();
	take(0x5f);
	eoi();
	take(0x52);
	eoi();
	take(0x31);
	eoi();
	eoi();                                             /* nothing left */
	expect_pending(-1);
	assert_int_equal(rig.eois, 0);
}

static void test_same_vector_twice(void **state)
{
	(void)state;
	inject(0x40);
	inject(0x40);                                      /* one bit */
	take(0x40);
	inject(0x40);                                      /* while in service: one more */
	expect_pending(-1);
	eoi();
	take(0x40);
	eoi();
	expect_pending(-1);
}

static void test_tpr(void **state)
{
	(void)state;
	inject(0x45);
	rig_write(&rig, LAPIC_TPR, 0x40);
	expect_pending(-1);
	rig_write(&rig, LAPIC_TPR, 0x3f);
	expect_pending(0x45);
	lapic_set_cr8(&rig.l, 4);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x40);
	expect_pending(-1);
	lapic_set_cr8(&rig.l, 0xf3);                       /* four bits */
	assert_int_equal(lapic_cr8(&rig.l), 3);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x30);
	expect_pending(0x45);
	rig_write(&rig, LAPIC_TPR, 0xa7);
	assert_int_equal(lapic_cr8(&rig.l), 0xa);
	lapic_set_cr8(&rig.l, 15);
	inject(0xff);
	expect_pending(-1);
	lapic_set_cr8(&rig.l, 14);
	expect_pending(0xff);
}

static void test_cr8_needed(void **state)
{
	(void)state;
	assert_false(lapic_needs_cr8(&rig.l));
	rig_write(&rig, LAPIC_TPR, 0x40);
	assert_false(lapic_needs_cr8(&rig.l));
	rig_write(&rig, LAPIC_TPR, 0x41);
	assert_true(lapic_needs_cr8(&rig.l));              /* CR8 4 would make it 40 */
	rig_write(&rig, LAPIC_TPR, 0x01);
	assert_true(lapic_needs_cr8(&rig.l));
	rig_write(&rig, LAPIC_TPR, 0x40);
	inject(0x45);
	assert_true(lapic_needs_cr8(&rig.l));
	rig_write(&rig, LAPIC_TPR, 0x30);
	assert_false(lapic_needs_cr8(&rig.l));             /* it is delivered as it is */
	rig_write(&rig, LAPIC_TPR, 0xf0);
	assert_true(lapic_needs_cr8(&rig.l));
}

static void test_all_vectors(void **state)
{
	(void)state;
	for (unsigned int v = 16; v < 256; v++)
		inject(v);
	for (unsigned int v = 255; v >= 16; v--) {
		take(v);
		eoi();
	}
	expect_pending(-1);
	assert_int_equal(esr(), 0);
}

static void test_illegal_vectors(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_ERROR, 0xe0);
	for (unsigned int v = 0; v < 16; v++) {
		inject(v);
		take(0xe0);
		eoi();
		assert_int_equal(rig_read(&rig, LAPIC_IRR), 0);
		assert_int_equal(esr(), ESR_RECV_VECTOR);
	}
	inject(3);
	take(0xe0);
	eoi();
	inject(4);                                         /* the same error, not yet read: no second interrupt */
	expect_pending(-1);
}

static void test_esr_write_then_read(void **state)
{
	(void)state;
	inject(1);
	assert_int_equal(rig_read(&rig, LAPIC_ESR), 0);    /* not before a write */
	rig_write(&rig, LAPIC_ESR, 0xffffffff);            /* whatever is written */
	assert_int_equal(rig_read(&rig, LAPIC_ESR), ESR_RECV_VECTOR);
	assert_int_equal(rig_read(&rig, LAPIC_ESR), ESR_RECV_VECTOR);
	rig_write(&rig, LAPIC_ICR, 0x05);
	(void)rig_read(&rig, 0);
	assert_int_equal(rig_read(&rig, LAPIC_ESR), ESR_RECV_VECTOR);
	assert_int_equal(esr(), ESR_SEND_VECTOR | ESR_REGISTER);
	assert_int_equal(esr(), 0);
	assert_int_equal(rig.ipis, 0);
}

/* An error LVT with an illegal vector is an error of its own, and no more than that. */
static void test_error_in_error(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_ERROR, 0x02);
	rig_write(&rig, LAPIC_ICR, 0x05);
	assert_int_equal(esr(), ESR_SEND_VECTOR | ESR_RECV_VECTOR);
	expect_pending(-1);
	rig_write(&rig, LAPIC_LVT_ERROR, 0x10002);
	rig_write(&rig, LAPIC_ICR, 0x05);
	assert_int_equal(esr(), ESR_SEND_VECTOR);          /* masked: only the error itself */
}

static void test_level_eoi(void **state)
{
	(void)state;
	lapic_inject(&rig.l, 0x61, true);
	assert_true(bit_set(LAPIC_TMR, 0x61));
	inject(0x71);
	assert_false(bit_set(LAPIC_TMR, 0x71));
	take(0x71);
	eoi();
	assert_int_equal(rig.eois, 0);
	take(0x61);
	eoi();
	assert_int_equal(rig.eois, 1);
	assert_int_equal(rig.eoi_vector, 0x61);
	eoi();                                             /* the TMR bit alone ends nothing */
	assert_int_equal(rig.eois, 1);
	lapic_inject(&rig.l, 0xff, true);
	take(0xff);
	eoi();
	eoi();
	assert_int_equal(rig.eois, 2);
	rig.eois = 1;
	inject(0x61);                                      /* arrives as an edge next time */
	assert_false(bit_set(LAPIC_TMR, 0x61));
	take(0x61);
	eoi();
	assert_int_equal(rig.eois, 1);
}

static void test_software_disabled(void **state)
{
	(void)state;
	inject(0x41);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x700);
	rig_write(&rig, LAPIC_SVR, 0xff);
	expect_pending(-1);                                /* held */
	assert_true(bit_set(LAPIC_IRR, 0x41));
	inject(0x42);                                      /* lost */
	inject(1);
	assert_false(bit_set(LAPIC_IRR, 0x42));
	assert_int_equal(esr(), 0);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0x10700);
	assert_false(lapic_accepts_extint(&rig.l));
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_NMI });
	assert_int_equal(rig.nmis, 1);                     /* NMIs still pass */
	rig_enable(&rig);
	expect_pending(0x41);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0x10700);
}

static void test_svr_masks_lvts(void **state)
{
	(void)state;
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		rig_write(&rig, i, 0x40 + i);
	rig_write(&rig, LAPIC_SVR, 0x1ef);                 /* still enabled */
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++)
		assert_int_equal(rig_read(&rig, i), 0x40 + i);
	rig_write(&rig, LAPIC_SVR, 0xef);
	for (unsigned int i = LAPIC_LVT_TIMER; i <= LAPIC_LVT_ERROR; i++) {
		assert_int_equal(rig_read(&rig, i), 0x10040 + i);
		rig_write(&rig, i, 0x90 + i);              /* all but the mask can be written */
		assert_int_equal(rig_read(&rig, i), 0x10090 + i);
	}
}

/* Who waits for it hears of it each time, and only when it was off. */
static void test_svr_tells_when_enabled(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_SVR, 0xff);
	rig.enables = 0;
	rig_write(&rig, LAPIC_SVR, 0x1ff);
	assert_int_equal(rig.enables, 1);
	rig_write(&rig, LAPIC_SVR, 0x1ef);
	assert_int_equal(rig.enables, 1);
	rig_write(&rig, LAPIC_SVR, 0xef);
	assert_int_equal(rig.enables, 1);
	rig_write(&rig, LAPIC_SVR, 0x1ef);
	assert_int_equal(rig.enables, 2);
}

static void test_icr_fields(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_ICR2, 0x12ffffff);
	assert_int_equal(rig.ipis, 0);
	rig_write(&rig, LAPIC_ICR, 0xfff3f0ff | 0x800);    /* reserved bits and a busy bit are not kept */
	assert_int_equal(rig.ipis, 1);
	assert_int_equal(rig_read(&rig, LAPIC_ICR), 0x0000c8ff);
	assert_int_equal(rig_read(&rig, LAPIC_ICR2), 0x12000000);
	assert_int_equal(rig.last.mode, APIC_MODE_FIXED);
	assert_int_equal(rig.last.vector, 0xff);
	assert_int_equal(rig.last.dest, 0x12);
	assert_int_equal(rig.last.shorthand, APIC_DEST_FIELD);
	assert_true(rig.last.logical);
	assert_true(rig.last.assert_);
	assert_false(rig.last.level_trig);                 /* IPIs are edges */
	rig_write(&rig, LAPIC_ICR, 0x4045);
	assert_false(rig.last.logical);
}

/* All 8 modes by all 4 shorthands. */
static void test_icr_combinations(void **state)
{
	(void)state;
	rig.loop_self = false;
	for (unsigned int mode = 0; mode < 8; mode++) {
		for (unsigned int sh = 0; sh < 4; sh++) {
			bool valid = mode == 0 || (mode != 3 && mode != 7 && (sh == 0 || sh == 3));
			uint64_t refused = rig.l.refused;

			rig.ipis = 0;
			rig_write(&rig, LAPIC_ICR, sh << 18 | 0x4000 | mode << 8 | 0x55);
			assert_int_equal(rig.ipis, valid);
			assert_int_equal(rig.l.refused - refused, !valid);
			if (!valid)
				continue;
			assert_int_equal(rig.last.mode, mode);
			assert_int_equal(rig.last.shorthand, sh);
		}
	}
	assert_int_equal(esr(), 0);
}

static void test_icr_init_sipi(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_ICR, 0x0000c500);            /* INIT, level assert */
	assert_int_equal(rig.ipis, 1);
	assert_int_equal(rig.last.mode, APIC_MODE_INIT);
	rig_write(&rig, LAPIC_ICR, 0x00008500);            /* de-assert: nothing since the Pentium 4 */
	assert_int_equal(rig.ipis, 1);
	rig_write(&rig, LAPIC_ICR, 0x00004500);            /* INIT, edge */
	assert_int_equal(rig.ipis, 2);
	rig_write(&rig, LAPIC_ICR, 0x000c0609);            /* SIPI: its vector is a page, not an interrupt */
	assert_int_equal(rig.ipis, 3);
	assert_int_equal(rig.last.mode, APIC_MODE_SIPI);
	assert_int_equal(rig.last.vector, 9);
	assert_int_equal(rig.last.shorthand, APIC_DEST_OTHERS);
	rig_write(&rig, LAPIC_ICR, 0x00000400);            /* NMI: no vector needed */
	assert_int_equal(rig.ipis, 4);
	assert_int_equal(esr(), 0);
}

static void test_icr_lowest_vector(void **state)
{
	(void)state;
	for (uint32_t mode = APIC_MODE_FIXED; mode <= APIC_MODE_LOWEST; mode++) {
		rig.ipis = 0;
		rig_write(&rig, LAPIC_ICR, mode << 8 | 15);
		assert_int_equal(rig.ipis, 0);
		assert_int_equal(esr(), ESR_SEND_VECTOR);
		rig_write(&rig, LAPIC_ICR, mode << 8 | 16);
		assert_int_equal(rig.ipis, 1);
		assert_int_equal(esr(), 0);
	}
}

static void test_icr_self(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_ICR, 0x44 | APIC_DEST_SELF << 18);
	take(0x44);
	eoi();
	rig_write(&rig, LAPIC_ICR, 0x0f | APIC_DEST_SELF << 18);
	expect_pending(-1);
	assert_int_equal(esr(), ESR_SEND_VECTOR);
	assert_int_equal(rig.ipis, 1);
}

static void test_match_physical(void **state)
{
	(void)state;
	for (uint32_t d = 0; d < 0x200; d++)
		assert_int_equal(lapic_matches(&rig.l, d, false), d == 3 || d == 0xff);
	assert_true(lapic_matches(&rig.l, 0xffffffff, false));
	assert_false(lapic_matches(&rig.l, 0x03000000, false));
	assert_false(lapic_matches(&rig.l, 0xffffff03, false));
}

static void test_match_flat(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LDR, 0x24000000);
	for (uint32_t d = 0; d < 0x100; d++)
		assert_int_equal(lapic_matches(&rig.l, d, true), d == 0xff || (d & 0x24));
	assert_false(lapic_matches(&rig.l, 0x124, true));
	assert_true(lapic_matches(&rig.l, 0xffffffff, true));
	rig_write(&rig, LAPIC_LDR, 0);
	assert_false(lapic_matches(&rig.l, 0xfe, true));
	assert_true(lapic_matches(&rig.l, 0xff, true));
}

static void test_match_cluster(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_DFR, 0x0fffffff);
	rig_write(&rig, LAPIC_LDR, 0x36000000);
	for (uint32_t d = 0; d < 0x100; d++)
		assert_int_equal(lapic_matches(&rig.l, d, true), d == 0xff || (d >> 4 == 3 && (d & 6)));
	rig_write(&rig, LAPIC_DFR, 0x5fffffff);            /* no such model */
	assert_false(lapic_matches(&rig.l, 0x36, true));
}

static void test_match_x2apic(void **state)
{
	(void)state;
	rig_create(&rig, 0x25, true);
	assert_int_equal(msr_write(MSR_APIC_BASE, X2APIC_ON), 0);
	assert_true(msr_read(0x802) == 0x25);
	assert_true(msr_read(0x80d) == 0x00020020);
	assert_true(lapic_matches(&rig.l, 0x25, false));
	assert_true(lapic_matches(&rig.l, 0xff, false));   /* an IOAPIC's broadcast */
	assert_true(lapic_matches(&rig.l, 0xffffffff, false));
	assert_false(lapic_matches(&rig.l, 0x125, false));
	assert_false(lapic_matches(&rig.l, 0x24, false));
	assert_true(lapic_matches(&rig.l, 0x00020020, true));
	assert_true(lapic_matches(&rig.l, 0x0002ffff, true));
	assert_false(lapic_matches(&rig.l, 0x0002ffdf, true));
	assert_false(lapic_matches(&rig.l, 0x00030020, true));
	assert_false(lapic_matches(&rig.l, 0xff, true));
	assert_true(lapic_matches(&rig.l, 0xffffffff, true));
}

static void test_deliver(void **state)
{
	(void)state;
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_FIXED, .vector = 0x50, .level_trig = true });
	assert_true(bit_set(LAPIC_TMR, 0x50));
	take(0x50);
	eoi();
	assert_int_equal(rig.eois, 1);
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_LOWEST, .vector = 0x51 });
	take(0x51);
	eoi();
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_NMI, .vector = 0x52 });
	assert_int_equal(rig.nmis, 1);
	assert_false(lapic_accepts_extint(&rig.l));
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_EXTINT, .vector = 0x53 });
	assert_true(lapic_accepts_extint(&rig.l));
	lapic_ack_extint(&rig.l);
	assert_false(lapic_accepts_extint(&rig.l));
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_INIT, .vector = 0x54 });
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_SIPI, .vector = 0x54 });
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_SMI, .vector = 0x54 });
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_RESERVED, .vector = 0x54 });
	expect_pending(-1);
	assert_int_equal(rig.nmis, 1);
}

static void test_lint_edge(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_LINT0, 0x48);
	lapic_lint(&rig.l, 0, true);
	assert_false(bit_set(LAPIC_TMR, 0x48));
	take(0x48);
	eoi();
	lapic_lint(&rig.l, 0, true);                       /* no edge */
	expect_pending(-1);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x10048);
	lapic_lint(&rig.l, 0, false);
	lapic_lint(&rig.l, 0, true);                       /* masked: lost */
	rig_write(&rig, LAPIC_LVT_LINT0, 0x48);
	expect_pending(-1);
	lapic_lint(&rig.l, 2, true);
	lapic_lint(&rig.l, 0xffffffffu, true);
	expect_pending(-1);
}

static void test_lint_level(void **state)
{
	(void)state;
	lapic_lint(&rig.l, 0, true);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x8048);          /* already asserted when unmasked */
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0xc048);
	take(0x48);
	lapic_lint(&rig.l, 0, false);
	lapic_lint(&rig.l, 0, true);
	assert_false(bit_set(LAPIC_IRR, 0x48));            /* Remote IRR holds it back */
	eoi();
	take(0x48);                                        /* still asserted */
	rig_write(&rig, LAPIC_LVT_LINT0, 0x8048);          /* a guest cannot clear Remote IRR by writing */
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0xc048);
	lapic_lint(&rig.l, 0, false);
	eoi();
	expect_pending(-1);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0x8048);
	lapic_lint(&rig.l, 0, true);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x10048);         /* as edge it is forgotten */
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0x10048);
	rig_write(&rig, LAPIC_LVT_LINT1, 0xa049);          /* pin 1 alike, active low is only kept */
	expect_pending(0x48);
	lapic_ack(&rig.l, 0x48);
	eoi();
	expect_pending(-1);
	lapic_lint(&rig.l, 1, true);
	take(0x49);
	eoi();
	take(0x49);
}

/* The EOI of another level-triggered vector does not free the pin. */
static void test_lint_other_eoi(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_LINT0, 0x8048);
	lapic_lint(&rig.l, 0, true);
	take(0x48);
	lapic_inject(&rig.l, 0x99, true);
	take(0x99);
	eoi();
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0xc048);
	assert_false(bit_set(LAPIC_IRR, 0x48));
	eoi();
	assert_true(bit_set(LAPIC_IRR, 0x48));
	assert_int_equal(rig.eois, 2);
}

static void test_lint_nmi(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_LVT_LINT1, 0x8400);          /* always an edge */
	lapic_lint(&rig.l, 1, true);
	lapic_lint(&rig.l, 1, true);
	assert_int_equal(rig.nmis, 1);
	lapic_lint(&rig.l, 1, false);
	assert_int_equal(rig.nmis, 1);
	rig_write(&rig, LAPIC_LVT_LINT1, 0x10400);
	lapic_lint(&rig.l, 1, true);
	assert_int_equal(rig.nmis, 1);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x400);
	lapic_lint(&rig.l, 0, true);
	assert_int_equal(rig.nmis, 2);
	assert_int_equal(rig_read(&rig, LAPIC_LVT_LINT0), 0x400);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x200);           /* SMI and INIT are not offered */
	lapic_lint(&rig.l, 0, false);
	lapic_lint(&rig.l, 0, true);
	assert_int_equal(rig.nmis, 2);
	assert_int_equal(rig.l.refused, 1);
}

static void test_extint(void **state)
{
	(void)state;
	assert_false(lapic_accepts_extint(&rig.l));
	rig_write(&rig, LAPIC_LVT_LINT0, 0x700);
	assert_true(lapic_accepts_extint(&rig.l));
	lapic_lint(&rig.l, 0, true);
	expect_pending(-1);
	assert_int_equal(rig.nmis, 0);
	rig_write(&rig, LAPIC_LVT_LINT0, 0x10700);
	assert_false(lapic_accepts_extint(&rig.l));
	rig_write(&rig, LAPIC_LVT_LINT1, 0x700);
	assert_true(lapic_accepts_extint(&rig.l));
}

static void test_virtual_wire(void **state)
{
	(void)state;
	lapic_virtual_wire(&rig.l);
	assert_true(lapic_accepts_extint(&rig.l));
	lapic_lint(&rig.l, 1, true);
	assert_int_equal(rig.nmis, 1);
	inject(0x33);
	expect_pending(0x33);
	assert_int_equal(rig_read(&rig, LAPIC_SVR), 0x1ff);
}

static void test_globally_disabled(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_TPR, 0x20);
	inject(0x50);
	inject(0x60);
	take(0x60);
	assert_int_equal(msr_write(MSR_APIC_BASE, APIC_OFF), 0);
	assert_true(msr_read(MSR_APIC_BASE) == APIC_OFF);
	assert_false(lapic_xapic_enabled(&rig.l));
	assert_true(lapic_mmio_read(&rig.l, 0x30, 4) == 0xffffffff);
	assert_true(lapic_mmio_read(&rig.l, 0x30, 8) == UINT64_MAX);
	assert_true(lapic_mmio_read(&rig.l, 0x30, 1) == 0xff);
	lapic_mmio_write(&rig.l, 0x80, 4, 0x50);
	inject(0x50);
	expect_pending(-1);
	assert_false(lapic_matches(&rig.l, 3, false));
	assert_false(lapic_matches(&rig.l, 0xff, true));
	assert_true(lapic_accepts_extint(&rig.l));
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_NMI });
	assert_int_equal(rig.nmis, 0);
	lapic_lint(&rig.l, 1, true);                       /* the pins are INTR and NMI now */
	assert_int_equal(rig.nmis, 1);
	lapic_lint(&rig.l, 0, true);
	assert_int_equal(rig.nmis, 1);
	assert_int_equal(msr_write(MSR_APIC_BASE, XAPIC_ON), 0);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0);    /* as after power-up */
	assert_int_equal(rig_read(&rig, LAPIC_SVR), 0xff);
	assert_int_equal(rig_read(&rig, LAPIC_ID), 3u << 24);
	rig_enable(&rig);
	expect_pending(-1);
	assert_int_equal(rig_read(&rig, LAPIC_PPR), 0);

	rig_create(&rig, 1, false);
	assert_int_equal(msr_write(MSR_APIC_BASE, APIC_DEFAULT_BASE), 0);
	assert_false(lapic_accepts_extint(&rig.l));        /* other CPUs have no PIC */
}

static void test_base_transitions(void **state)
{
	static const uint64_t modes[] = { APIC_OFF, XAPIC_ON, X2APIC_ON };
	static const bool legal[3][3] = { { true, true, false }, { true, true, true }, { true, false, true } };

	(void)state;
	for (unsigned int from = 0; from < 3; from++) {
		for (unsigned int to = 0; to < 3; to++) {
			rig_create(&rig, 3, true);
			if (from != 1)
				assert_int_equal(msr_write(MSR_APIC_BASE, modes[from]), 0);
			assert_int_equal(msr_write(MSR_APIC_BASE, modes[to]), legal[from][to] ? 0 : -EINVAL);
			assert_true(msr_read(MSR_APIC_BASE) == modes[legal[from][to] ? to : from]);
		}
		assert_int_equal(msr_write(MSR_APIC_BASE, APIC_OFF | APIC_BASE_X2APIC), -EINVAL);
	}
}

static void test_base_refused(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (bit == 8 || bit == 10 || bit == 11)
			continue;
		assert_int_equal(msr_write(MSR_APIC_BASE, XAPIC_ON ^ 1ull << bit), -EINVAL);
		assert_int_equal(msr_write(MSR_APIC_BASE, X2APIC_ON ^ 1ull << bit), -EINVAL);
	}
	assert_int_equal(msr_write(MSR_APIC_BASE, 0), -EINVAL);
	assert_true(msr_read(MSR_APIC_BASE) == XAPIC_ON);
	assert_true(lapic_xapic_enabled(&rig.l));
}

static void test_x2apic_keeps_state(void **state)
{
	(void)state;
	rig_write(&rig, LAPIC_TPR, 0x25);
	rig_write(&rig, LAPIC_ICR2, 0x12000000);
	rig_write(&rig, LAPIC_LVT_LINT1, 0x400);
	inject(0x77);
	assert_int_equal(msr_write(MSR_APIC_BASE, X2APIC_ON), 0);
	assert_false(lapic_xapic_enabled(&rig.l));
	assert_true(lapic_mmio_read(&rig.l, 0x20, 4) == 0xffffffff);
	lapic_mmio_write(&rig.l, 0x80, 4, 0);
	assert_true(msr_read(0x808) == 0x25);
	assert_true(msr_read(0x80a) == 0x25);
	assert_true(msr_read(0x836) == 0x400);
	assert_true(msr_read(0x823) == 1u << (0x77 - 0x60));
	assert_true(msr_read(0x830) == 0);
	take(0x77);
	assert_int_equal(msr_write(0x80b, 0), 0);
	assert_true(msr_read(0x813) == 0);
}

/* Every MSR in the range: which can be read, which written. */
static void test_x2apic_map(void **state)
{
	uint64_t val;

	(void)state;
	for (uint32_t n = 0; n < 0x100; n++) {
		bool rd = n == 2 || n == 3 || n == 8 || n == 0xa || n == 0xd || (n >= 0xf && n <= 0x28) ||
			  n == 0x30 || (n >= 0x32 && n <= 0x39) || n == 0x3e;
		bool wr = n == 8 || n == 0xb || n == 0xf || n == 0x28 || (n >= 0x32 && n <= 0x38) || n == 0x3e;

		assert_int_equal(lapic_msr_read(&rig.l, 0x800 + n, &val), rd ? 0 : -EINVAL);
		if (n == 0x30 || n == 0x3f)                /* these send, and 0 is an illegal vector, but no #GP */
			wr = true;
		assert_int_equal(msr_write(0x800 + n, 0), wr ? 0 : -EINVAL);
	}
	assert_int_equal(msr_write(0x7ff, 0), -EINVAL);
	assert_int_equal(lapic_msr_read(&rig.l, 0x900, &val), -EINVAL);
	assert_int_equal(lapic_msr_read(&rig.l, MSR_TSC, &val), -EINVAL);
	assert_int_equal(msr_write(MSR_TSC, 0), -EINVAL);
	assert_int_equal(lapic_msr_read(&rig.l, 0xffffffff, &val), -EINVAL);
}

/* Every bit of every writable register, alone: kept, ignored or #GP. */
static void test_x2apic_reserved_bits(void **state)
{
	static const struct { uint32_t n; uint64_t rw, ro; } rows[] = {
		{ 0x38, 0xffffffff, 0 },                   /* before the timer's mode is played with */
		{ 0x08, 0xff, 0 },
		{ 0x0b, 0, 0 },
		{ 0x28, 0, 0 },
		{ 0x32, 0x700ff, 0x1000 },
		{ 0x33, 0x107ff, 0x1000 },
		{ 0x34, 0x107ff, 0x1000 },
		{ 0x35, 0x1a7ff, 0x5000 },
		{ 0x36, 0x1a7ff, 0x5000 },
		{ 0x37, 0x100ff, 0x1000 },
		{ 0x3e, 0xb, 0 },
		{ 0x0f, 0x3ff, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		bool readable = rows[i].n != 0xb;

		for (unsigned int bit = 0; bit < 64; bit++) {
			uint64_t val = 1ull << bit, before = readable ? msr_read(0x800 + rows[i].n) : 0;
			int expect = (rows[i].rw | rows[i].ro) & val ? 0 : -EINVAL;

			assert_int_equal(msr_write(0x800 + rows[i].n, val), expect);
			if (!readable)
				continue;
			if (expect)
				assert_true(msr_read(0x800 + rows[i].n) == before);
			else
				assert_true(msr_read(0x800 + rows[i].n) == (val & rows[i].rw));
		}
	}
	assert_int_equal(rig.ipis, 0);
}

static void test_x2apic_icr(void **state)
{
	(void)state;
	assert_int_equal(msr_write(0x830, 0x1234567800004855ull), 0);
	assert_int_equal(rig.ipis, 1);
	assert_true(rig.last.dest == 0x12345678);
	assert_true(rig.last.logical);
	assert_int_equal(rig.last.vector, 0x55);
	assert_true(msr_read(0x830) == 0x1234567800004855ull);
	for (unsigned int bit = 0; bit < 32; bit++) {
		bool ok = bit < 13 || (bit >= 14 && bit < 16) || bit == 18 || bit == 19;

		rig.ipis = 0;
		assert_int_equal(msr_write(0x830, 0xff00000040ull | 1ull << bit), ok ? 0 : -EINVAL);
		if (!ok)
			assert_int_equal(rig.ipis, 0);
	}
	assert_int_equal(msr_write(0x830, 0x1055), 0);     /* a busy bit is not kept */
	assert_true(msr_read(0x830) == 0x55);
	rig.ipis = 0;
	assert_int_equal(msr_write(0x830, 5), 0);
	assert_int_equal(rig.ipis, 0);
	assert_int_equal(msr_write(0x828, 0), 0);
	assert_true(msr_read(0x828) == ESR_SEND_VECTOR);
	assert_int_equal(msr_write(0x828, 1), -EINVAL);
	assert_true(msr_read(0x828) == ESR_SEND_VECTOR);
}

static void test_x2apic_self_ipi(void **state)
{
	(void)state;
	assert_int_equal(msr_write(0x83f, 0x91), 0);
	assert_int_equal(rig.last.shorthand, APIC_DEST_SELF);
	assert_int_equal(rig.last.mode, APIC_MODE_FIXED);
	take(0x91);
	assert_int_equal(msr_write(0x80b, 1), -EINVAL);
	assert_true(msr_read(0x814) != 0);                 /* the refused EOI ended nothing */
	assert_int_equal(msr_write(0x80b, 0), 0);
	assert_true(msr_read(0x814) == 0);
	for (unsigned int bit = 8; bit < 64; bit++)
		assert_int_equal(msr_write(0x83f, 0x91 | 1ull << bit), -EINVAL);
	expect_pending(-1);
	assert_int_equal(msr_write(0x83f, 0x0f), 0);
	expect_pending(-1);
	assert_int_equal(msr_write(0x828, 0), 0);
	assert_true(msr_read(0x828) == ESR_SEND_VECTOR);
	assert_int_equal(rig.ipis, 1);
	assert_true(msr_read(0x830) == 0);                 /* ICR is not touched */
}

static void test_msrs_need_x2apic(void **state)
{
	uint64_t val;

	(void)state;
	for (uint32_t n = 0; n < 0x100; n++) {
		assert_int_equal(lapic_msr_read(&rig.l, 0x800 + n, &val), -EINVAL);
		assert_int_equal(msr_write(0x800 + n, 0), -EINVAL);
	}
	assert_int_equal(msr_write(MSR_APIC_BASE, APIC_OFF), 0);
	assert_int_equal(lapic_msr_read(&rig.l, 0x802, &val), -EINVAL);
	assert_int_equal(msr_write(0x80b, 0), -EINVAL);
}

static void test_reset_registers(void **state)
{
	(void)state;
	assert_int_equal(msr_write(0x808, 0x30), 0);
	inject(0x50);
	take(0x50);
	inject(0x90);
	inject(2);
	lapic_deliver(&rig.l, &(struct apic_msg){ .mode = APIC_MODE_EXTINT });
	lapic_lint(&rig.l, 0, true);
	lapic_reset_registers(&rig.l);
	assert_true(msr_read(MSR_APIC_BASE) == X2APIC_ON); /* the mode stays */
	assert_true(msr_read(0x802) == 3);
	assert_true(msr_read(0x80d) == 8);
	assert_true(msr_read(0x808) == 0);
	assert_true(msr_read(0x80a) == 0);
	assert_true(msr_read(0x80f) == 0xff);
	assert_true(msr_read(0x824) == 0);
	assert_int_equal(msr_write(0x828, 0), 0);
	assert_true(msr_read(0x828) == 0);
	assert_false(lapic_accepts_extint(&rig.l));
	assert_true(rig.l.lint[0]);                        /* a wire's level is not the APIC's */
	lapic_reset(&rig.l);
	assert_true(msr_read(MSR_APIC_BASE) == XAPIC_ON);
	assert_int_equal(rig_read(&rig, LAPIC_ID), 3u << 24);
	assert_int_equal(rig_read(&rig, LAPIC_LDR), 0);
}

/* Whatever a guest and its devices do: what is pending beats PPR and is in IRR; illegal vectors never get in. */
static void test_random(void **state)
{
	uint64_t x = 3;
	unsigned int taken = 0;

	(void)state;
	for (unsigned int i = 0; i < 400000; i++) {
		int vector;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		switch (x >> 60) {
		case 0 ... 3:
			lapic_mmio_write(&rig.l, x >> 20 & 0x3f0, 4, x >> 28);
			break;
		case 4:
			(void)lapic_mmio_read(&rig.l, x >> 20 & 0xfff, 1u << (x >> 40 & 3));
			break;
		case 5:
			(void)msr_write(0x800 + (x >> 20 & 0x3f), x >> 28 & 0xff);
			break;
		case 6:
			if (!(x >> 50 & 0x3f))
				(void)msr_write(MSR_APIC_BASE, APIC_DEFAULT_BASE | (x >> 20 & 0xc00));
			break;
		case 7:
			lapic_lint(&rig.l, x >> 20 & 1, x >> 21 & 1);
			break;
		case 8:
			if (lapic_xapic_enabled(&rig.l))
				rig_enable(&rig);
			lapic_set_cr8(&rig.l, x >> 40 & 7);
			break;
		case 9:
			eoi();
			break;
		default:
			lapic_inject(&rig.l, (uint8_t)(x >> 30), x >> 29 & 1);
		}
		assert_int_equal(rig.l.page[LAPIC_IRR].val & 0xffff, 0);
		assert_int_equal(rig.l.page[LAPIC_ISR].val & 0xffff, 0);
		vector = lapic_pending(&rig.l);
		if (vector < 0)
			continue;
		assert_true(vector >> 4 > lapic_ppr(&rig.l) >> 4);
		assert_true(rig.l.page[LAPIC_IRR + vector / 32].val >> vector % 32 & 1);
		lapic_ack(&rig.l, (uint8_t)vector);
		assert_int_equal(lapic_ppr(&rig.l) >> 4, vector >> 4);
		taken++;
	}
	assert_true(taken > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_power_up, setup_raw),
		cmocka_unit_test_setup(test_not_a_bsp, setup_raw),
		cmocka_unit_test_setup(test_writable_bits, setup),
		cmocka_unit_test_setup(test_read_only, setup),
		cmocka_unit_test_setup(test_no_such_register, setup),
		cmocka_unit_test_setup(test_access_sizes, setup),
		cmocka_unit_test_setup(test_beyond_page, setup),
		cmocka_unit_test_setup(test_ppr, setup),
		cmocka_unit_test_setup(test_priority, setup),
		cmocka_unit_test_setup(test_same_vector_twice, setup),
		cmocka_unit_test_setup(test_tpr, setup),
		cmocka_unit_test_setup(test_cr8_needed, setup),
		cmocka_unit_test_setup(test_all_vectors, setup),
		cmocka_unit_test_setup(test_illegal_vectors, setup),
		cmocka_unit_test_setup(test_esr_write_then_read, setup),
		cmocka_unit_test_setup(test_error_in_error, setup),
		cmocka_unit_test_setup(test_level_eoi, setup),
		cmocka_unit_test_setup(test_software_disabled, setup),
		cmocka_unit_test_setup(test_svr_masks_lvts, setup),
		cmocka_unit_test_setup(test_svr_tells_when_enabled, setup),
		cmocka_unit_test_setup(test_icr_fields, setup),
		cmocka_unit_test_setup(test_icr_combinations, setup),
		cmocka_unit_test_setup(test_icr_init_sipi, setup),
		cmocka_unit_test_setup(test_icr_lowest_vector, setup),
		cmocka_unit_test_setup(test_icr_self, setup),
		cmocka_unit_test_setup(test_match_physical, setup),
		cmocka_unit_test_setup(test_match_flat, setup),
		cmocka_unit_test_setup(test_match_cluster, setup),
		cmocka_unit_test_setup(test_match_x2apic, setup),
		cmocka_unit_test_setup(test_deliver, setup),
		cmocka_unit_test_setup(test_lint_edge, setup),
		cmocka_unit_test_setup(test_lint_level, setup),
		cmocka_unit_test_setup(test_lint_other_eoi, setup),
		cmocka_unit_test_setup(test_lint_nmi, setup),
		cmocka_unit_test_setup(test_extint, setup),
		cmocka_unit_test_setup(test_virtual_wire, setup_raw),
		cmocka_unit_test_setup(test_globally_disabled, setup),
		cmocka_unit_test_setup(test_base_transitions, setup),
		cmocka_unit_test_setup(test_base_refused, setup),
		cmocka_unit_test_setup(test_x2apic_keeps_state, setup),
		cmocka_unit_test_setup(test_x2apic_map, setup_x2),
		cmocka_unit_test_setup(test_x2apic_reserved_bits, setup_x2),
		cmocka_unit_test_setup(test_x2apic_icr, setup_x2),
		cmocka_unit_test_setup(test_x2apic_self_ipi, setup_x2),
		cmocka_unit_test_setup(test_msrs_need_x2apic, setup),
		cmocka_unit_test_setup(test_reset_registers, setup_x2),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
