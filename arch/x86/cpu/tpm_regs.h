/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two register interfaces of a TPM, apart from where their registers are: tpm.c maps those of this machine, tests
 * make theirs up. TCG "PC Client Platform TPM Profile Specification for TPM 2.0" (PTP). Every wait has an end.
 */
#ifndef ARCH_X86_CPU_TPM_REGS_H
#define ARCH_X86_CPU_TPM_REGS_H

#include <vouch/types.h>

/* Registers of locality 0, by their offset in its page. bytes: 1 or 4. */
struct tpm_regs {
	uint32_t (*read)(void *ctx, uint32_t off, unsigned int bytes);
	void (*write)(void *ctx, uint32_t off, unsigned int bytes, uint32_t v);
	void (*delay)(void *ctx, unsigned int us);
	void *ctx;
};

/* Microseconds that are left of a whole exchange: a TPM that is slow at each step is slow only once. */
struct tpm_wait {
	const struct tpm_regs *regs;
	unsigned int left;
	unsigned int step;            /* the next wait: twice the last one, up to TPM_POLL_MAX_US */
};

#define TPM_POLL_US      20u
#define TPM_POLL_MAX_US  1000u
#define TPM_INTERFACE_US 2000000u     /* PTP "Interface Timeouts": the longest is 2 s */
#define TPM_EXCHANGE_US  20000000u    /* longer than any command of ours may take */

/* Waits a step. False: time is up. */
__must_check bool tpm_wait(struct tpm_wait *w);

/* Waits until the register's bits of mask are want. -ETIMEDOUT. */
__must_check int tpm_poll(struct tpm_wait *w, uint32_t off, unsigned int bytes, uint32_t mask, uint32_t want);

/* The size that an answer's first six bytes say. */
size_t tpm_answer_size(const uint8_t head[6]);
#define TPM_ANSWER_HEAD 6u

/* FIFO interface ("TIS"): one register that bytes go through. */
struct tpm_tis {
	struct tpm_regs regs;
};

/* Takes locality 0. 0, -ENODEV: nothing answers there, -ETIMEDOUT. */
__must_check int tpm_tis_open(struct tpm_tis *t);
/* As struct tpm's exchange(); ctx is the struct tpm_tis. */
int tpm_tis_exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got);

/* Command-response-buffer interface. */
struct tpm_crb {
	struct tpm_regs regs;
	bool has_locality;            /* the control area stands in a page of PTP's layout, behind the locality's registers */
	uint64_t command_at, response_at;     /* physical addresses, by its registers */
	uint32_t command_size, response_size;
	volatile uint8_t *command, *response; /* mapped by whoever opens it */
};

/* Takes locality 0 and reads where its buffers are. The same errors, and -EIO: buffers that cannot be. */
__must_check int tpm_crb_open(struct tpm_crb *t);
/* ctx is the struct tpm_crb, its buffers mapped. */
int tpm_crb_exchange(void *ctx, const uint8_t *command, size_t len, uint8_t *response, size_t size, size_t *got);

#endif
