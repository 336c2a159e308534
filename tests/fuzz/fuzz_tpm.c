/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile TPM. First byte: 0 answers commands with the bytes that follow; 1 and 2 are registers of the FIFO and the CRB
 * interface, each reading of one takes the next bytes. Lengths must hold, waits must end.
 */
#include <stdlib.h>
#include <string.h>

#include <vouch/tpm.h>

#include "arch/x86/cpu/tpm_regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;
static unsigned int waits;

static uint32_t next(unsigned int bytes)
{
	uint32_t v = 0;

	while (bytes-- && left) {
		v = v << 8 | *input++;
		left--;
	}
	return v;
}

/* ------------------------------------------------------------------ answers */

/* Behind two bytes of length, the answer; its own size is made right on every second one. */
static int answer(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got)
{
	uint32_t n = next(2);
	bool right = n & 0x8000;

	(void)ctx;
	if (!len || len > TPM_COMMAND_MAX || ((size_t)command[4] << 8 | command[5]) != len)
		abort();
	n &= 0x7fff;
	if (n > left)
		n = (uint32_t)left;
	if (n > size)
		return -5;
	if (n)
		memcpy(response, input, n);
	input += n;
	left -= n;
	if (right && n >= 6) {
		memset(response + 2, 0, 2);
		response[4] = (uint8_t)(n >> 8);
		response[5] = (uint8_t)n;
	}
	*got = n;
	return 0;
}

static bool pause(struct tpm *t, bool first)
{
	(void)t;
	(void)first;
	if (++waits > 100000)
		abort();
	return true;
}

static void check_banks(struct tpm *t)
{
	static struct tpm_banks banks;

	if (tpm_get_banks(t, &banks) && banks.count)
		abort();
	if (banks.count > TPM_BANKS_MAX)
		abort();
	for (uint32_t i = 0; i < banks.count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (banks.bank[i].alg == banks.bank[k].alg)
				abort();
		}
	}
}

static void run_commands(void)
{
	struct tpm t = { .exchange = answer, .pause = pause };
	struct tpm_digest d[2] = { { .alg = TPM_SHA256 }, { .alg = TPM_SHA384 } };
	struct tpm_nv nv;
	uint32_t property;
	uint64_t counter;
	char text[64];
	int ret;

	while (left > 2) {
		switch (next(1) % 8) {
		case 0:
			check_banks(&t);
			break;
		case 1:
			ret = tpm_get_property(&t, TPM_PT_MANUFACTURER, &property);
			tpm_error_text(&t, ret, text, sizeof(text));
			break;
		case 2:
			ret = tpm_pcr_extend(&t, 12, d, 2);
			break;
		case 3:
			ret = tpm_pcr_read(&t, 13, &d[0]);
			break;
		case 4:
			if (!tpm_nv_read_public(&t, TPM_NV_FIRST, &nv))
				tpm_nv_is_counter(&nv);
			break;
		case 5:
			ret = tpm_nv_define_counter(&t, TPM_NV_FIRST);
			break;
		case 6:
			if (tpm_nv_read_counter(&t, TPM_NV_FIRST, &counter) && counter && t.rc)
				abort();
			break;
		default:
			ret = tpm_nv_increment(&t, TPM_NV_FIRST);
			break;
		}
	}
}

/* ------------------------------------------------------------------ registers */

static uint32_t reg_read(void *ctx, uint32_t off, unsigned int bytes)
{
	(void)ctx;
	if (off >= 0x1000 || (bytes != 1 && bytes != 4))
		abort();
	return next(bytes);
}

static void reg_write(void *ctx, uint32_t off, unsigned int bytes, uint32_t v)
{
	(void)ctx;
	(void)v;
	if (off >= 0x1000 || (bytes != 1 && bytes != 4))
		abort();
}

static uint64_t waited;

static void delay(void *ctx, unsigned int us)
{
	(void)ctx;
	waited += us;
	if (waited > TPM_EXCHANGE_US + 3ull * TPM_INTERFACE_US)
		abort();
}

static const struct tpm_regs regs = { reg_read, reg_write, delay, NULL };
static const uint8_t command[] = { 0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };

/* In memory of just the size that is given, so that a byte too far is seen. */
static void check_exchange(int (*exchange)(void *, const uint8_t *, size_t, uint8_t *, size_t, size_t *), void *ctx)
{
	size_t size = 6 + next(1), got = 0;
	uint8_t *response = malloc(size);

	if (!response)
		abort();
	waited = 0;
	if (!exchange(ctx, command, sizeof(command), response, size, &got) && (got < 6 || got > size))
		abort();
	free(response);
}

static void run_tis(void)
{
	struct tpm_tis t = { .regs = regs };

	waited = 0;
	if (!tpm_tis_open(&t))
		check_exchange(tpm_tis_exchange, &t);
}

static void run_crb(void)
{
	struct tpm_crb t = { .regs = regs, .has_locality = next(1) & 1 };
	uint8_t *buffers;

	waited = 0;
	if (tpm_crb_open(&t))
		return;
	/* As if they were mapped: each with just the bytes that it said. */
	buffers = calloc(1, (size_t)t.command_size + t.response_size);
	if (!buffers)
		abort();
	for (uint32_t i = 0; i < t.response_size && left; i++)
		buffers[t.command_size + i] = (uint8_t)next(1);
	t.command = buffers;
	t.response = buffers + t.command_size;
	check_exchange(tpm_crb_exchange, &t);
	free(buffers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	input = data + 1;
	left = size - 1;
	waits = 0;
	if (data[0] % 3 == 0)
		run_commands();
	else if (data[0] % 3 == 1)
		run_tis();
	else
		run_crb();
	return 0;
}
