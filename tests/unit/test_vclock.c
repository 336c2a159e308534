/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's clock and its timers, over a host TSC that the test sets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/vclock.h>

#include "support/host_tsc.h"

#define KHZ 2400000ull

static void starts_at_zero(void **state)
{
	/* Also where the host's TSC is about to wrap, and has. */
	static const uint64_t start[] = { 0, 1, 123456789, UINT64_MAX, UINT64_MAX - 5 };
	struct vclock c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(start); i++) {
		host_tsc_set(start[i]);
		vclock_init(&c, KHZ);
		assert_int_equal(vclock_tsc(&c), 0);
		assert_int_equal(vclock_now(&c), 0);
		host_tsc_set(start[i] + KHZ * 1000);
		assert_int_equal(vclock_tsc(&c), KHZ * 1000);
		assert_int_equal(vclock_now(&c), 1000000000);
	}
}

static void stands_still_while_stopped(void **state)
{
	struct vclock c;

	(void)state;
	host_tsc_set(1000);
	vclock_init(&c, KHZ);
	host_tsc_set(1000 + KHZ);
	vclock_stop(&c);
	host_tsc_set(1000 + 50 * KHZ);
	vclock_stop(&c);                /* again: nothing new */
	assert_int_equal(vclock_tsc(&c), KHZ);
	assert_int_equal(vclock_now(&c), 1000000);
	vclock_start(&c);
	assert_int_equal(vclock_now(&c), 1000000);
	host_tsc_set(1000 + 51 * KHZ);
	vclock_start(&c);               /* again: no jump */
	assert_int_equal(vclock_now(&c), 2000000);
}

static void start_after_the_host_tsc_jumped(void **state)
{
	struct vclock c;

	(void)state;
	host_tsc_set(UINT64_MAX - 10);
	vclock_init(&c, KHZ);
	host_tsc_set(KHZ);
	vclock_stop(&c);
	host_tsc_set(7);                /* another host: its counter is behind */
	vclock_start(&c);
	assert_int_equal(vclock_tsc(&c), KHZ + 11);
	host_tsc_set(8);
	assert_int_equal(vclock_tsc(&c), KHZ + 12);
}

static void host_time_of_a_deadline_never_wraps(void **state)
{
	struct vclock c = { .host_khz = 1000000, .tsc_offset = 0 - 5000ull };  /* 1 ns a tick, begun at 5000 */

	(void)state;
	assert_int_equal(vclock_ns_to_host(&c, 0), 5000);
	assert_int_equal(vclock_ns_to_host(&c, 70), 5070);
	assert_true(vclock_ns_to_host(&c, UINT64_MAX - 5000) == UINT64_MAX);
	assert_true(vclock_ns_to_host(&c, UINT64_MAX - 4999) == UINT64_MAX);
	assert_true(vclock_ns_to_host(&c, UINT64_MAX - 1) == UINT64_MAX);
	assert_true(vclock_ns_to_host(&c, VTIMER_OFF) == UINT64_MAX);
	c.tsc_offset = 100;                     /* restored on a host that was started later */
	assert_int_equal(vclock_ns_to_host(&c, 170), 70);
	assert_int_equal(vclock_ns_to_host(&c, 50), 0);
	assert_true(vclock_ns_to_host(&c, VTIMER_OFF) == UINT64_MAX);
}

static void conversion_saturates(void **state)
{
	struct vclock slow = { .host_khz = 1 }, fast = { .host_khz = UINT64_MAX }, ns = { .host_khz = 1000000 };

	(void)state;
	assert_true(vclock_tsc_to_ns(&slow, UINT64_MAX) == UINT64_MAX);
	assert_true(vclock_tsc_to_ns(&slow, UINT64_MAX / 1000000) == UINT64_MAX / 1000000 * 1000000);
	assert_true(vclock_tsc_to_ns(&slow, UINT64_MAX / 1000000 + 1) == UINT64_MAX);
	assert_true(vclock_ns_to_tsc(&fast, UINT64_MAX) == UINT64_MAX);
	assert_true(vclock_ns_to_tsc(&fast, 1000000) == UINT64_MAX);
	assert_true(vclock_ns_to_tsc(&fast, 1000001) == UINT64_MAX);
	assert_int_equal(vclock_tsc_to_ns(&fast, UINT64_MAX), 1000000);
	assert_true(vclock_tsc_to_ns(&ns, UINT64_MAX) == UINT64_MAX);
	assert_true(vclock_ns_to_tsc(&ns, UINT64_MAX) == UINT64_MAX);
	assert_true(vclock_ns_to_tsc(&ns, UINT64_MAX - 1) == UINT64_MAX - 1);
}

/* A timer armed for the TSC of its deadline must find the deadline reached, and not a tick earlier than it need be. */
static void deadline_is_reached_at_its_tsc(void **state)
{
	static const uint64_t khz[] = { 1, 999, 1000, 999999, 1000000, 1193182, 2400000, 2893437, 4999999 };
	static const uint64_t ns[] = { 0, 1, 2, 3, 999, 1000000, 1000001, 123456789012345ull, 1ull << 62 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
		struct vclock c = { .host_khz = khz[i] };

		for (size_t j = 0; j < ARRAY_SIZE(ns); j++) {
			uint64_t tsc = vclock_ns_to_tsc(&c, ns[j]);

			if (tsc == UINT64_MAX)
				continue;
			assert_true(vclock_tsc_to_ns(&c, tsc) >= ns[j]);
			if (tsc)
				assert_true(vclock_tsc_to_ns(&c, tsc - 1) < ns[j]);
		}
	}
}

/* ---- timers ---- */

static char order[64];

struct timer {
	struct vtimer t;
	char name;
	uint64_t again;               /* arms itself for this, if not 0 */
	struct timer *other;          /* arms this one for `at` */
	uint64_t at;
};

static void fire(void *ctx)
{
	struct timer *t = ctx;
	size_t n = strlen(order);

	assert_true(t->t.deadline == VTIMER_OFF);
	assert_true(n < sizeof(order) - 1);
	order[n] = t->name;
	order[n + 1] = 0;
	if (t->again)
		vtimer_arm(&t->t, t->again);
	if (t->other)
		vtimer_arm(&t->other->t, t->at);
}

struct timers {
	struct vclock clock;
	struct vtimers all;
	struct timer a, b, c;
};

static void timers_create(struct timers *s)
{
	memset(s, 0, sizeof(*s));
	order[0] = 0;
	vtimers_init(&s->all, &s->clock);
	s->a.name = 'a';
	s->b.name = 'b';
	s->c.name = 'c';
	vtimer_register(&s->all, &s->a.t, fire, &s->a);
	vtimer_register(&s->all, &s->b.t, fire, &s->b);
	vtimer_register(&s->all, &s->c.t, fire, &s->c);
}

static void fires_in_deadline_order(void **state)
{
	struct timers s;

	(void)state;
	timers_create(&s);
	assert_true(vtimers_next(&s.all) == VTIMER_OFF);
	vtimers_run(&s.all, UINT64_MAX);        /* off is never due, not even then */
	assert_string_equal(order, "");
	vtimer_arm(&s.a.t, 30);
	vtimer_arm(&s.b.t, 10);
	vtimer_arm(&s.c.t, 20);
	assert_int_equal(vtimers_next(&s.all), 10);
	vtimers_run(&s.all, 9);
	assert_string_equal(order, "");
	vtimers_run(&s.all, 20);
	assert_string_equal(order, "bc");
	assert_int_equal(vtimers_next(&s.all), 30);
	vtimer_disarm(&s.a.t);
	vtimers_run(&s.all, 100);
	assert_string_equal(order, "bc");
}

static void equal_deadlines_fire_as_registered(void **state)
{
	struct timers s;

	(void)state;
	timers_create(&s);
	vtimer_arm(&s.c.t, 5);
	vtimer_arm(&s.a.t, 5);
	vtimer_arm(&s.b.t, 5);
	vtimers_run(&s.all, 5);
	assert_string_equal(order, "abc");
}

static void each_fires_once_a_call(void **state)
{
	struct timers s;

	(void)state;
	timers_create(&s);
	s.a.again = 1;                  /* always overdue */
	s.b.again = 1;
	vtimer_arm(&s.a.t, 1);
	vtimer_arm(&s.b.t, 2);
	vtimers_run(&s.all, 1000);
	assert_string_equal(order, "ab");
	vtimers_run(&s.all, 1000);
	assert_string_equal(order, "abab");
}

static void one_may_arm_another(void **state)
{
	struct timers s;

	(void)state;
	timers_create(&s);
	s.b.other = &s.a;
	s.b.at = 3;                     /* earlier than b's own: still in this call */
	s.a.other = &s.c;
	s.a.at = 1001;                  /* not due */
	vtimer_arm(&s.b.t, 7);
	vtimers_run(&s.all, 1000);
	assert_string_equal(order, "ba");
	assert_int_equal(vtimers_next(&s.all), 1001);
}

static void earliest_is_kept(void **state)
{
	struct timers s;
	struct timer *t[] = { &s.a, &s.b, &s.c };
	uint64_t now = 0, seed = 1;

	(void)state;
	timers_create(&s);
	assert_true(vtimers_earliest(&s.all) == VTIMER_OFF);
	for (unsigned int i = 0; i < 10000; i++) {
		struct vtimer *v = &t[(seed = seed * 6364136223846793005ull + 1442695040888963407ull) % 3]->t;

		switch (seed >> 60) {
		case 0:
			vtimer_disarm(v);
			break;
		case 1:
			order[0] = 0;
			vtimers_run(&s.all, now += 200);
			break;
		case 2:
			vtimer_arm_registered(v, now + (seed >> 50) % 1000);
			break;
		case 3:
			vtimer_arm(v, now + (seed >> 50) % 1000);
			break;
		}
		assert_true(vtimers_earliest(&s.all) == vtimers_next(&s.all));
	}
}

static void last_nanosecond(void **state)
{
	struct timers s;

	(void)state;
	timers_create(&s);
	vtimer_arm(&s.a.t, UINT64_MAX - 1);
	vtimers_run(&s.all, UINT64_MAX - 2);
	assert_string_equal(order, "");
	vtimers_run(&s.all, UINT64_MAX);
	assert_string_equal(order, "a");
}

static void full_house(void **state)
{
	struct vclock clock = { 0 };
	struct vtimers all;
	struct timer t[VTIMERS_MAX];

	(void)state;
	memset(t, 0, sizeof(t));
	order[0] = 0;
	vtimers_init(&all, &clock);
	for (unsigned int i = 0; i < VTIMERS_MAX; i++) {
		t[i].name = 'x';
		t[i].again = 1;
		vtimer_register(&all, &t[i].t, fire, &t[i]);
		vtimer_arm(&t[i].t, VTIMERS_MAX - i);
	}
	vtimers_run(&all, VTIMERS_MAX);
	assert_int_equal(strlen(order), VTIMERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_at_zero),
		cmocka_unit_test(stands_still_while_stopped),
		cmocka_unit_test(start_after_the_host_tsc_jumped),
		cmocka_unit_test(host_time_of_a_deadline_never_wraps),
		cmocka_unit_test(conversion_saturates),
		cmocka_unit_test(deadline_is_reached_at_its_tsc),
		cmocka_unit_test(fires_in_deadline_order),
		cmocka_unit_test(equal_deadlines_fire_as_registered),
		cmocka_unit_test(each_fires_once_a_call),
		cmocka_unit_test(one_may_arm_another),
		cmocka_unit_test(earliest_is_kept), cmocka_unit_test(last_nanosecond),
		cmocka_unit_test(full_house),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
