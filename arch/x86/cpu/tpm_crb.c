/* SPDX-License-Identifier: BSD-2-Clause */
/* A TPM behind its command-response buffer. PTP "CRB Interface": a command is laid into memory and started by a bit. */
#include "tpm_regs.h"

#include <errno.h>

enum {
	LOC_STATE = 0x00, LOC_CTRL = 0x08, CTRL_REQ = 0x40, CTRL_STS = 0x44, CTRL_CANCEL = 0x48, CTRL_START = 0x4c,
	CMD_SIZE = 0x58, CMD_LOW = 0x5c, CMD_HIGH = 0x60, RSP_SIZE = 0x64, RSP_LOW = 0x68, RSP_HIGH = 0x6c,
};

#define STATE_ASSIGNED 0x02u
#define STATE_LOCALITY 0x1cu          /* bits 4:2: which one; 0 */
#define STATE_VALID    0x80u
#define CTRL_ACCESS    0x01u
#define REQ_READY      0x01u
#define REQ_IDLE       0x02u
#define STS_ERROR      0x01u
#define BUFFER_MAX     0x100000u      /* bounds what is mapped; real ones have some KiB */

static uint32_t reg_read(const struct tpm_wait *w, uint32_t off)
{
	return w->regs->read(w->regs->ctx, off, 4);
}

static void reg_write(const struct tpm_wait *w, uint32_t off, uint32_t v)
{
	w->regs->write(w->regs->ctx, off, 4, v);
}

static int take_locality(const struct tpm_crb *t, struct tpm_wait *w)
{
	const uint32_t mask = STATE_VALID | STATE_ASSIGNED | STATE_LOCALITY, ours = STATE_VALID | STATE_ASSIGNED;

	if (!t->has_locality || (reg_read(w, LOC_STATE) & mask) == ours)
		return 0;
	reg_write(w, LOC_CTRL, CTRL_ACCESS);
	return tpm_poll(w, LOC_STATE, 4, mask, ours);
}

static bool buffer_good(uint64_t at, uint32_t size)
{
	return at && size >= TPM_ANSWER_HEAD && size <= BUFFER_MAX && at + size > at;
}

int tpm_crb_open(struct tpm_crb *t)
{
	struct tpm_wait w = { &t->regs, TPM_INTERFACE_US, TPM_POLL_US };
	int ret;

	/* What is not there reads as ones. */
	if (reg_read(&w, CTRL_STS) == 0xffffffffu)
		return -ENODEV;
	ret = take_locality(t, &w);
	if (ret)
		return ret;
	t->command_size = reg_read(&w, CMD_SIZE);
	t->command_at = reg_read(&w, CMD_LOW) | (uint64_t)reg_read(&w, CMD_HIGH) << 32;
	t->response_size = reg_read(&w, RSP_SIZE);
	t->response_at = reg_read(&w, RSP_LOW) | (uint64_t)reg_read(&w, RSP_HIGH) << 32;
	return buffer_good(t->command_at, t->command_size) && buffer_good(t->response_at, t->response_size) ? 0 : -EIO;
}

/* Idle, whatever was before, and then ready. A TPM need not know idle: then both bits clear at once. */
static int get_ready(struct tpm_wait *w)
{
	int ret;

	reg_write(w, CTRL_REQ, REQ_IDLE);
	ret = tpm_poll(w, CTRL_REQ, 4, REQ_IDLE, 0);
	if (ret)
		return ret;
	reg_write(w, CTRL_REQ, REQ_READY);
	return tpm_poll(w, CTRL_REQ, 4, REQ_READY, 0);
}

static int run(const struct tpm_crb *t, struct tpm_wait *w, const uint8_t *command, size_t len)
{
	int ret;

	for (size_t i = 0; i < len; i++)
		t->command[i] = command[i];
	reg_write(w, CTRL_CANCEL, 0);
	reg_write(w, CTRL_START, 1);
	ret = tpm_poll(w, CTRL_START, 4, 1, 0);
	if (ret)
		reg_write(w, CTRL_CANCEL, 1);
	else if (reg_read(w, CTRL_STS) & STS_ERROR)
		ret = -EIO;
	return ret;
}

/* Each byte is read once: the buffer is not ours. */
static int read_answer(const struct tpm_crb *t, uint8_t *response, size_t size, size_t *got)
{
	size_t len, i;

	for (i = 0; i < TPM_ANSWER_HEAD; i++)
		response[i] = t->response[i];
	len = tpm_answer_size(response);
	if (len < TPM_ANSWER_HEAD || len > size || len > t->response_size)
		return -EIO;
	for (; i < len; i++)
		response[i] = t->response[i];
	*got = len;
	return 0;
}

int tpm_crb_exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	const struct tpm_crb *t = ctx;
	struct tpm_wait w = { &t->regs, TPM_EXCHANGE_US, TPM_POLL_US };
	int ret;

	if (!len || len > t->command_size || size < TPM_ANSWER_HEAD)
		return -EINVAL;
	ret = take_locality(t, &w);
	if (!ret)
		ret = get_ready(&w);
	if (!ret)
		ret = run(t, &w, command, len);
	if (!ret)
		ret = read_answer(t, response, size, got);
	reg_write(&w, CTRL_REQ, REQ_IDLE);
	return ret;
}
