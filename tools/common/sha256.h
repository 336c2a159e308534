/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 as fast as this CPU does it, and of a part of a file. */
#ifndef VOUCH_TOOLS_SHA256_H
#define VOUCH_TOOLS_SHA256_H

#include "file.h"

#include <vouch/crypto.h>

/* sha256_init() for long input: by the SHA extensions where the CPU has them. Any thread. */
void sha256_init_fast(struct sha256 *s);

/* CLI_GOOD, or CLI_ENV with a message when the file cannot be read. */
int sha256_range(const struct file *f, uint64_t off, uint64_t len, uint8_t digest[SHA256_LEN]);

#endif
