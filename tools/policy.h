/* SPDX-License-Identifier: BSD-2-Clause */
/* Launch policies in files. Functions print what went wrong and return an enum cli_status. */
#ifndef VOUCH_TOOLS_POLICY_H
#define VOUCH_TOOLS_POLICY_H

#include "common/bytes.h"

#include <vouch/policy.h>

/* Reads and judges a compiled policy. digest: the SHA-256 of the file, which is what gets measured; may be NULL. */
int policy_load(const char *path, struct policy *p, uint8_t digest[SHA256_LEN]);

/*
 * The policy that a source says, its keys read from their files: dtc compiles it. Refuses an output that is one of these
 * files; nothing is written.
 */
int policy_source_read(const char *path, const char *output, struct policy *p);

/* The one canonical tree of a policy: the same bytes for the same policy. */
int policy_write(const struct policy *p, struct bytes *tree);

#endif
