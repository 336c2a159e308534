/* SPDX-License-Identifier: BSD-2-Clause */
/* What both register interfaces of a TPM do. */
#include "tpm_regs.h"

#include <errno.h>

bool tpm_wait(struct tpm_wait *w)
{
	if (w->left < w->step)
		return false;
	w->left -= w->step;
	w->regs->delay(w->regs->ctx, w->step);
	w->step = (unsigned int)min_u64(2ull * w->step, TPM_POLL_MAX_US);
	return true;
}

int tpm_poll(struct tpm_wait *w, uint32_t off, unsigned int bytes, uint32_t mask, uint32_t want)
{
	w->step = TPM_POLL_US;
	while ((w->regs->read(w->regs->ctx, off, bytes) & mask) != want) {
		if (!tpm_wait(w))
			return -ETIMEDOUT;
	}
	return 0;
}

size_t tpm_answer_size(const uint8_t head[6])
{
	return (size_t)head[2] << 24 | (size_t)head[3] << 16 | (size_t)head[4] << 8 | head[5];
}
