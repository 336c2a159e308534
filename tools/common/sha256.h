/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 of a part of a file. */
#ifndef VOUCH_TOOLS_SHA256_H
#define VOUCH_TOOLS_SHA256_H

#include "file.h"

#include <vouch/crypto.h>

/* CLI_GOOD, or CLI_ENV with a message when the file cannot be read. */
int sha256_range(const struct file *f, uint64_t off, uint64_t len, uint8_t digest[SHA256_LEN]);

#endif
