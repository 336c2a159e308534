/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling and arranging a guest's memory before it first runs. */
#include "core/gpa_build.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/page.h>
#include <vouch/vm.h>

#include "arch/x86/mm/nested.h"

int gpa_build(struct vm *vm, gpa_t a, uint64_t len, int (*fill)(void *ctx, void *chunk, size_t n), void *ctx)
{
	struct nested_hit hit;

	ASSERT(!vm->entered);
	while (len) {
		size_t n;
		int err;

		if (!nested_lookup(vm->nested, a, &hit))
			return -EFAULT;
		n = min_u64(min_u64(len, hit.left), GPA_BUILD_CHUNK);
		err = fill(ctx, hpa_to_ptr(hit.hpa), n);
		if (err)
			return err;
		a = gpa_add(a, n);
		len -= n;
	}
	return 0;
}

static int move_piece(struct vm *vm, gpa_t from, gpa_t to, uint8_t *buf, size_t n)
{
	int err = gpa_read(vm, from, buf, n);

	return err ? err : gpa_write(vm, to, buf, n);
}

/* Upwards or downwards, so that an overlap is read before it is overwritten. */
static int move(struct vm *vm, gpa_t from, gpa_t to, uint64_t len, uint8_t *buf, size_t size)
{
	for (uint64_t done = 0; done < len;) {
		size_t n = min_u64(size, len - done);
		uint64_t off = to.v > from.v ? len - done - n : done;
		int err = move_piece(vm, gpa_add(from, off), gpa_add(to, off), buf, n);

		if (err)
			return err;
		done += n;
	}
	return 0;
}

static int zero_piece(void *ctx, void *chunk, size_t n)
{
	(void)ctx;
	memset(chunk, 0, n);
	return 0;
}

/* Zeroes [from, to); nothing if that is empty. */
static int zero(struct vm *vm, uint64_t from, uint64_t to)
{
	return from < to ? gpa_build(vm, gpa(from), to - from, zero_piece, NULL) : 0;
}

int gpa_build_move(struct vm *vm, gpa_t stage, uint64_t stage_len, gpa_t from, gpa_t to, uint64_t len, uint8_t *buf,
		   size_t size)
{
	uint64_t stage_end = stage.v + stage_len;
	int err = move(vm, from, to, len, buf, size);

	if (!err)
		err = zero(vm, stage.v, min_u64(stage_end, to.v));
	if (!err)
		err = zero(vm, max_u64(stage.v, to.v + len), stage_end);
	return err;
}
