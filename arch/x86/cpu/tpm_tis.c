/* SPDX-License-Identifier: BSD-2-Clause */
/* A TPM behind its FIFO interface. PTP "FIFO Interface": access, status with a count of bytes that may go, one data port. */
#include "tpm_regs.h"

#include <errno.h>

enum { ACCESS = 0x00, STS = 0x18, DATA = 0x24, DID_VID = 0xf00 };

#define ACCESS_USE    0x02u           /* written: asks for the locality */
#define ACCESS_ACTIVE 0x20u
#define ACCESS_VALID  0x80u
#define STS_EXPECT    0x08u
#define STS_AVAIL     0x10u
#define STS_GO        0x20u
#define STS_READY     0x40u
#define STS_VALID     0x80u
#define STS_BURST(v)  ((v) >> 8 & 0xffffu)

static uint32_t reg_read(const struct tpm_wait *w, uint32_t off, unsigned int bytes)
{
	return w->regs->read(w->regs->ctx, off, bytes);
}

static void reg_write(const struct tpm_wait *w, uint32_t off, unsigned int bytes, uint32_t v)
{
	w->regs->write(w->regs->ctx, off, bytes, v);
}

static int take_locality(struct tpm_wait *w)
{
	const uint32_t ours = ACCESS_ACTIVE | ACCESS_VALID;

	if ((reg_read(w, ACCESS, 1) & ours) == ours)
		return 0;
	reg_write(w, ACCESS, 1, ACCESS_USE);
	return tpm_poll(w, ACCESS, 1, ours, ours);
}

int tpm_tis_open(struct tpm_tis *t)
{
	struct tpm_wait w = { &t->regs, TPM_INTERFACE_US, TPM_POLL_US };
	uint32_t id = reg_read(&w, DID_VID, 4);

	if (id == 0 || id == 0xffffffffu || reg_read(&w, ACCESS, 1) == 0xff)
		return -ENODEV;
	return take_locality(&w);
}

/* How many bytes may go through the port now: at least 1. 0: time is up. */
static uint32_t burst(struct tpm_wait *w)
{
	uint32_t n;

	w->step = TPM_POLL_US;
	while (!(n = STS_BURST(reg_read(w, STS, 4)))) {
		if (!tpm_wait(w))
			return 0;
	}
	return n;
}

static int get_ready(struct tpm_wait *w)
{
	/* Whatever it was doing, and whatever of an answer is left, goes: from there to idle, from idle to ready. */
	for (int i = 0; i < 2; i++) {
		struct tpm_wait part = { w->regs, TPM_INTERFACE_US, TPM_POLL_US };

		reg_write(w, STS, 4, STS_READY);
		if (!tpm_poll(&part, STS, 4, STS_READY, STS_READY))
			return 0;
	}
	return -ETIMEDOUT;
}

static int write_bytes(struct tpm_wait *w, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = (size_t)min_u64(burst(w), len);

		if (!n)
			return -ETIMEDOUT;
		len -= n;
		while (n--)
			reg_write(w, DATA, 1, *p++);
	}
	return 0;
}

/* It expects more before the last byte, and nothing after it: then both agree on the length. */
static int write_command(struct tpm_wait *w, const uint8_t *command, size_t len)
{
	int ret = write_bytes(w, command, len - 1);

	if (!ret)
		ret = tpm_poll(w, STS, 4, STS_VALID, STS_VALID);
	if (!ret && !(reg_read(w, STS, 4) & STS_EXPECT))
		ret = -EIO;
	if (!ret)
		ret = write_bytes(w, command + len - 1, 1);
	if (!ret)
		ret = tpm_poll(w, STS, 4, STS_VALID, STS_VALID);
	if (!ret && reg_read(w, STS, 4) & STS_EXPECT)
		ret = -EIO;
	return ret;
}

static int read_bytes(struct tpm_wait *w, uint8_t *p, size_t len)
{
	while (len) {
		size_t n;

		if (tpm_poll(w, STS, 4, STS_VALID, STS_VALID))
			return -ETIMEDOUT;
		/* An answer that is shorter than it says. */
		if (!(reg_read(w, STS, 4) & STS_AVAIL))
			return -EIO;
		n = (size_t)min_u64(burst(w), len);
		if (!n)
			return -ETIMEDOUT;
		len -= n;
		while (n--)
			*p++ = (uint8_t)reg_read(w, DATA, 1);
	}
	return 0;
}

static int read_answer(struct tpm_wait *w, uint8_t *response, size_t size, size_t *got)
{
	int ret = tpm_poll(w, STS, 4, STS_VALID | STS_AVAIL, STS_VALID | STS_AVAIL);
	size_t len;

	if (!ret)
		ret = read_bytes(w, response, TPM_ANSWER_HEAD);
	if (ret)
		return ret;
	len = tpm_answer_size(response);
	if (len < TPM_ANSWER_HEAD || len > size)
		return -EIO;
	ret = read_bytes(w, response + TPM_ANSWER_HEAD, len - TPM_ANSWER_HEAD);
	if (!ret)
		ret = tpm_poll(w, STS, 4, STS_VALID, STS_VALID);
	if (!ret && reg_read(w, STS, 4) & STS_AVAIL)
		ret = -EIO;
	*got = len;
	return ret;
}

int tpm_tis_exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	const struct tpm_tis *t = ctx;
	struct tpm_wait w = { &t->regs, TPM_EXCHANGE_US, TPM_POLL_US };
	int ret;

	if (!len || size < TPM_ANSWER_HEAD)
		return -EINVAL;
	ret = take_locality(&w);
	if (!ret)
		ret = get_ready(&w);
	if (!ret)
		ret = write_command(&w, command, len);
	if (!ret) {
		reg_write(&w, STS, 4, STS_GO);
		ret = read_answer(&w, response, size, got);
	}
	/* Back to idle, or an end to what went wrong. */
	reg_write(&w, STS, 4, STS_READY);
	return ret;
}
