/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 by the CPU's SHA extensions, where it has them: vector code, so between fpu_begin() and fpu_end(). */
#include "arch/x86/cpu/sha.h"

#include <vouch/host.h>
#include <vouch/lib.h>

static void blocks(uint32_t h[8], const uint8_t *bytes, size_t n)
{
	fpu_begin();
	sha256_ni_blocks(h, bytes, n);
	fpu_end();
}

const char *sha_init(struct host *h)
{
	bool on = sha256_ni_usable() && !(h->options.features_off & FEATURE_SHA_NI);

	h->sha256 = on ? blocks : NULL;
	return on ? "by its SHA extensions" : "in software";
}
