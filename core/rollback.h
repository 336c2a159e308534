/* SPDX-License-Identifier: BSD-2-Clause */
/* The least security version of a guest, kept in a counter of the TPM where the policy says so (docs/policy.md). */
#ifndef CORE_ROLLBACK_H
#define CORE_ROLLBACK_H

#include <vouch/image_parse.h>
#include <vouch/types.h>

struct vm;

/*
 * Before the guest is named and measured: its image's version is not below the counter. 0, or -1 with *err. Without a counter
 * for it in the policy there is nothing to do, here and below.
 */
__must_check int rollback_check(struct vm *vm, uint64_t version, struct image_error *err);

/* After it was measured, before it runs: raises the counter to its version, if the policy says so. 0, or -1 with *err. */
__must_check int rollback_raise(struct vm *vm, uint64_t version, struct image_error *err);

#endif
