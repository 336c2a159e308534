/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both register interfaces of a TPM against a model of each: good ones of every speed, and ones that stop answering,
 * count wrongly or promise what they don't keep. The model's clock is what the code under test waits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "arch/x86/cpu/tpm_regs.h"

#define SECOND 1000000u

static uint64_t waited;
static uint8_t response[64];
static size_t got;

static void fake_delay(void *ctx, unsigned int us)
{
	(void)ctx;
	waited += us;
}

/* ------------------------------------------------------------------ FIFO */

static struct {
	/* What it is like. */
	uint32_t id, burst, slow_us;  /* slow: how long it takes over a command */
	bool no_locality, never_ready, no_answer, no_expect, greedy, no_valid, no_burst, leftover, refuses_first_ready;
	uint8_t answer[64];
	size_t answer_len;
	/* Its state. */
	enum { IDLE, READY, RECEPTION, BUSY, COMPLETION } state;
	bool active;
	uint64_t busy_until;
	uint8_t command[64];
	size_t command_len, given;
	unsigned int bad_writes;
} fifo;

static size_t fifo_wanted(void)
{
	size_t size = fifo.command_len < 6 ? sizeof(fifo.command) : tpm_answer_size(fifo.command);

	return size + fifo.greedy;
}

static uint32_t fifo_status(void)
{
	uint32_t v = fifo.no_valid ? 0 : 0x80, burst = fifo.burst;

	if (fifo.state == BUSY && waited >= fifo.busy_until && !fifo.no_answer)
		fifo.state = COMPLETION;
	if (fifo.state == READY)
		v |= 0x40;
	if (fifo.state == RECEPTION && fifo.command_len < fifo_wanted() && !fifo.no_expect)
		v |= 0x08;
	if (fifo.state == COMPLETION && (fifo.given < fifo.answer_len || fifo.leftover))
		v |= 0x10;
	if (fifo.state == COMPLETION)
		burst = (uint32_t)min_u64(burst, fifo.answer_len - fifo.given);
	return v | (fifo.no_burst ? 0 : burst << 8);
}

static uint32_t fifo_read(void *ctx, uint32_t off, unsigned int bytes)
{
	(void)ctx;
	switch (off) {
	case 0x00:
		assert_int_equal(bytes, 1);
		return 0x80 | (fifo.active ? 0x20 : 0);
	case 0x18:
		assert_int_equal(bytes, 4);
		return fifo_status();
	case 0x24:
		assert_int_equal(bytes, 1);
		return fifo.state == COMPLETION && fifo.given < fifo.answer_len ? fifo.answer[fifo.given++] : 0xff;
	case 0xf00:
		return fifo.id;
	default:
		fail_msg("register %#x is none", off);
		return 0;
	}
}

static void fifo_ready(void)
{
	/* From idle to ready; from anywhere else back to idle, and it may take that as enough. */
	if (fifo.never_ready)
		return;
	fifo.state = fifo.state == IDLE || (fifo.state == COMPLETION && !fifo.refuses_first_ready) ? READY : IDLE;
	fifo.command_len = fifo.given = 0;
}

static void fifo_write(void *ctx, uint32_t off, unsigned int bytes, uint32_t v)
{
	(void)ctx;
	(void)bytes;
	if (off == 0x00 && v == 2) {
		fifo.active = !fifo.no_locality;
	} else if (off == 0x18 && v == 0x40) {
		fifo_ready();
	} else if (off == 0x18 && v == 0x20 && fifo.state == RECEPTION) {
		fifo.state = BUSY;
		fifo.busy_until = waited + fifo.slow_us;
	} else if (off == 0x24 && (fifo.state == READY || fifo.state == RECEPTION) &&
		   fifo.command_len < sizeof(fifo.command)) {
		fifo.state = RECEPTION;
		fifo.command[fifo.command_len++] = (uint8_t)v;
	} else {
		fifo.bad_writes++;
	}
}

static struct tpm_tis tis = { .regs = { fifo_read, fifo_write, fake_delay, NULL } };

static const uint8_t command[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
static const uint8_t good_answer[] = { 0x80, 1, 0, 0, 0, 14, 0, 0, 0, 0, 1, 2, 3, 4 };

static void fifo_reset(void)
{
	memset(&fifo, 0, sizeof(fifo));
	fifo.id = 0x00011014;
	fifo.burst = 4;
	memcpy(fifo.answer, good_answer, sizeof(good_answer));
	fifo.answer_len = sizeof(good_answer);
	memset(response, 0xee, sizeof(response));
	waited = got = 0;
}

static int fifo_run(size_t size)
{
	return tpm_tis_exchange(&tis, command, sizeof(command), response, size, &got);
}

static void fifo_good(void **state)
{
	(void)state;
	for (uint32_t burst = 1; burst <= 20; burst++) {
		fifo_reset();
		fifo.burst = burst;
		fifo.slow_us = burst * 100000;
		assert_int_equal(tpm_tis_open(&tis), 0);
		/* Twice: the first leaves nothing behind. */
		for (int i = 0; i < 2; i++) {
			fifo.refuses_first_ready = i == 1;
			assert_int_equal(fifo_run(sizeof(good_answer)), 0);
			assert_int_equal(got, sizeof(good_answer));
			assert_memory_equal(response, good_answer, sizeof(good_answer));
			assert_int_equal(response[sizeof(good_answer)], 0xee);
		}
		assert_int_equal(fifo.bad_writes, 0);
	}
}

static void fifo_command_arrives(void **state)
{
	(void)state;
	fifo_reset();
	fifo.no_answer = true;
	assert_int_equal(fifo_run(sizeof(response)), -ETIMEDOUT);
	assert_in_range(waited, 10 * SECOND, 30 * SECOND);
	/* Aborted at the end. */
	assert_int_equal(fifo.state, IDLE);
}

static void fifo_absent(void **state)
{
	(void)state;
	fifo_reset();
	fifo.id = 0xffffffff;
	assert_int_equal(tpm_tis_open(&tis), -ENODEV);
	fifo.id = 0;
	assert_int_equal(tpm_tis_open(&tis), -ENODEV);
	fifo_reset();
	fifo.no_locality = true;
	assert_int_equal(tpm_tis_open(&tis), -ETIMEDOUT);
	assert_in_range(waited, SECOND / 2, 5 * SECOND);
}

static void fifo_bad(void **state)
{
	(void)state;
	fifo_reset();
	fifo.never_ready = true;
	assert_int_equal(fifo_run(sizeof(response)), -ETIMEDOUT);
	fifo_reset();
	fifo.no_burst = true;
	assert_int_equal(fifo_run(sizeof(response)), -ETIMEDOUT);
	fifo_reset();
	fifo.no_expect = true;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	fifo_reset();
	fifo.greedy = true;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	fifo_reset();
	fifo.no_valid = true;
	assert_int_equal(fifo_run(sizeof(response)), -ETIMEDOUT);
	/* More than it said, less than it said, more than there is room for, less than a head. */
	fifo_reset();
	fifo.leftover = true;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	fifo_reset();
	fifo.answer_len--;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	fifo_reset();
	assert_int_equal(fifo_run(sizeof(good_answer) - 1), -EIO);
	assert_int_equal(response[sizeof(good_answer) - 1], 0xee);
	fifo_reset();
	fifo.answer[5] = 5;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	fifo_reset();
	fifo.answer[2] = 0xff;
	assert_int_equal(fifo_run(sizeof(response)), -EIO);
	assert_int_equal(tpm_tis_exchange(&tis, command, 0, response, sizeof(response), &got), -EINVAL);
	assert_int_equal(tpm_tis_exchange(&tis, command, sizeof(command), response, 5, &got), -EINVAL);
}

/* ------------------------------------------------------------------ CRB */

static struct {
	uint32_t cmd_size, rsp_size, slow_us;
	uint64_t cmd_at, rsp_at;
	bool absent, no_locality, never_ready, no_answer, fails;
	bool assigned, ready, cancelled;
	uint64_t busy_until;
	bool busy;
	uint8_t seen[64];
} crb_model;

static uint8_t crb_command[64], crb_response[64];

static void crb_finish(void)
{
	if (crb_model.busy && waited >= crb_model.busy_until && !crb_model.no_answer) {
		crb_model.busy = false;
		memcpy(crb_model.seen, crb_command, sizeof(crb_command));
	}
}

static uint32_t crb_read(void *ctx, uint32_t off, unsigned int bytes)
{
	(void)ctx;
	assert_int_equal(bytes, 4);
	crb_finish();
	if (crb_model.absent)
		return 0xffffffff;
	switch (off) {
	case 0x00:
		return 0x80 | (crb_model.assigned ? 2 : 0);
	case 0x40:
		return crb_model.never_ready ? 1 : 0;
	case 0x44:
		return crb_model.fails ? 1 : 0;
	case 0x4c:
		return crb_model.busy;
	case 0x58:
		return crb_model.cmd_size;
	case 0x5c:
		return (uint32_t)crb_model.cmd_at;
	case 0x60:
		return (uint32_t)(crb_model.cmd_at >> 32);
	case 0x64:
		return crb_model.rsp_size;
	case 0x68:
		return (uint32_t)crb_model.rsp_at;
	case 0x6c:
		return (uint32_t)(crb_model.rsp_at >> 32);
	default:
		fail_msg("register %#x is none", off);
		return 0;
	}
}

static void crb_write(void *ctx, uint32_t off, unsigned int bytes, uint32_t v)
{
	(void)ctx;
	assert_int_equal(bytes, 4);
	if (off == 0x08 && v == 1) {
		crb_model.assigned = !crb_model.no_locality;
	} else if (off == 0x40) {
		crb_model.ready = v == 1;
	} else if (off == 0x48) {
		crb_model.cancelled = v == 1;
	} else if (off == 0x4c && v == 1) {
		assert_true(crb_model.ready);
		crb_model.busy = true;
		crb_model.busy_until = waited + crb_model.slow_us;
	} else {
		fail_msg("%#x written to %#x", v, off);
	}
}

static struct tpm_crb crb;

static void crb_reset(void)
{
	memset(&crb_model, 0, sizeof(crb_model));
	crb_model.cmd_size = crb_model.rsp_size = sizeof(crb_command);
	crb_model.cmd_at = 0x1fed40080;
	crb_model.rsp_at = 0xfed40080;
	memset(crb_response, 0xdd, sizeof(crb_response));
	memcpy(crb_response, good_answer, sizeof(good_answer));
	memset(response, 0xee, sizeof(response));
	crb = (struct tpm_crb){ .regs = { crb_read, crb_write, fake_delay, NULL }, .has_locality = true,
				.command = crb_command, .response = crb_response,
				.command_size = sizeof(crb_command), .response_size = sizeof(crb_response) };
	waited = got = 0;
}

static int crb_run(size_t size)
{
	return tpm_crb_exchange(&crb, command, sizeof(command), response, size, &got);
}

static void crb_good(void **state)
{
	(void)state;
	for (uint32_t slow = 0; slow < 10 * SECOND; slow += SECOND) {
		crb_reset();
		crb_model.slow_us = slow;
		assert_int_equal(tpm_crb_open(&crb), 0);
		assert_int_equal(crb.command_at, 0x1fed40080);
		assert_int_equal(crb.response_at, 0xfed40080);
		assert_int_equal(crb_run(sizeof(good_answer)), 0);
		assert_int_equal(got, sizeof(good_answer));
		assert_memory_equal(response, good_answer, sizeof(good_answer));
		assert_int_equal(response[sizeof(good_answer)], 0xee);
		assert_memory_equal(crb_model.seen, command, sizeof(command));
		assert_false(crb_model.ready);
		assert_false(crb_model.cancelled);
	}
}

/* A control area that stands alone: no register of a locality is touched. */
static void crb_alone(void **state)
{
	(void)state;
	crb_reset();
	crb.has_locality = false;
	crb_model.no_locality = true;
	assert_int_equal(tpm_crb_open(&crb), 0);
	assert_int_equal(crb_run(sizeof(response)), 0);
	assert_false(crb_model.assigned);
}

static void crb_bad_buffers(void **state)
{
	static const struct { uint64_t at; uint32_t size; } bad[] = {
		{ 0, 64 }, { 0x1000, 0 }, { 0x1000, 5 }, { 0x1000, 0xffffffff }, { 0x1000, 0x100001 },
		{ 0xffffffffffffffc0, 64 }, { 0xffffffffffffffff, 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		crb_reset();
		crb_model.cmd_at = bad[i].at;
		crb_model.cmd_size = bad[i].size;
		assert_int_equal(tpm_crb_open(&crb), -EIO);
		crb_reset();
		crb_model.rsp_at = bad[i].at;
		crb_model.rsp_size = bad[i].size;
		assert_int_equal(tpm_crb_open(&crb), -EIO);
	}
}

static void crb_bad(void **state)
{
	(void)state;
	crb_reset();
	crb_model.absent = true;
	assert_int_equal(tpm_crb_open(&crb), -ENODEV);
	crb_reset();
	crb_model.no_locality = true;
	assert_int_equal(tpm_crb_open(&crb), -ETIMEDOUT);
	crb_reset();
	crb_model.never_ready = true;
	assert_int_equal(crb_run(sizeof(response)), -ETIMEDOUT);
	crb_reset();
	crb_model.no_answer = true;
	assert_int_equal(crb_run(sizeof(response)), -ETIMEDOUT);
	assert_true(crb_model.cancelled);
	assert_in_range(waited, 10 * SECOND, 30 * SECOND);
	crb_reset();
	crb_model.fails = true;
	assert_int_equal(crb_run(sizeof(response)), -EIO);
	/* More than its buffer, more than there is room for, less than a head. */
	crb_reset();
	crb_response[5] = sizeof(crb_response) + 1;
	assert_int_equal(crb_run(sizeof(response)), -EIO);
	crb_reset();
	assert_int_equal(crb_run(sizeof(good_answer) - 1), -EIO);
	crb_reset();
	crb_response[5] = 5;
	assert_int_equal(crb_run(sizeof(response)), -EIO);
	crb_reset();
	crb.command_size = sizeof(command) - 1;
	assert_int_equal(crb_run(sizeof(response)), -EINVAL);
	crb_reset();
	assert_int_equal(crb_run(5), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_good),   cmocka_unit_test(fifo_command_arrives),
		cmocka_unit_test(fifo_absent), cmocka_unit_test(fifo_bad),
		cmocka_unit_test(crb_good),    cmocka_unit_test(crb_alone),
		cmocka_unit_test(crb_bad),     cmocka_unit_test(crb_bad_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
