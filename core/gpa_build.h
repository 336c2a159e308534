/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filling a guest's memory in place before it first runs: nobody else can write there yet, so what was hashed there
 * is what runs. Refuses (ASSERT) to work on a guest that was entered.
 */
#ifndef CORE_GPA_BUILD_H
#define CORE_GPA_BUILD_H

#include <vouch/gpa.h>

#define GPA_BUILD_CHUNK 0x10000ul

/*
 * Calls fill with the pieces of [a, a + len), in order, at most GPA_BUILD_CHUNK each; the pointer is good during the
 * call only. Read-only guest memory too. 0, -EFAULT when part of it is no memory, or what fill returned.
 */
__must_check int gpa_build(struct vm *vm, gpa_t a, uint64_t len, int (*fill)(void *ctx, void *chunk, size_t n), void *ctx);

/*
 * Moves [from, from + len), part of the staged [stage, stage + stage_len), to [to, to + len), which may overlap it, and
 * zeroes what is left of the stage. buf, of size bytes, is scratch. 0 or -EFAULT.
 */
__must_check int gpa_build_move(struct vm *vm, gpa_t stage, uint64_t stage_len, gpa_t from, gpa_t to, uint64_t len,
				uint8_t *buf, size_t size);

#endif
