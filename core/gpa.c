/* SPDX-License-Identifier: BSD-2-Clause */
/* The door to guest memory by guest-physical address: bound, translate, copy once. The page walk is gwalk.c's. */
#include <vouch/gpa.h>

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/vm.h>

#include "arch/x86/mm/nested.h"

/* True if all of [a, a + len) is mapped, and writable where that is asked. */
static bool range_ok(const struct vm *vm, gpa_t a, size_t len, bool write)
{
	struct nested_hit hit;

	while (len) {
		uint64_t n;

		if (!nested_lookup(vm->nested, a, &hit) || (write && !hit.writable))
			return false;
		n = min_u64(len, hit.left);
		a = gpa_add(a, n);
		len -= n;
	}
	return true;
}

/* Naturally aligned 4 and 8 bytes, page-table entries first of all, come in one load: another vCPU cannot tear them. */
static void copy_in(void *to, const void *from, size_t n)
{
	if (n == 8 && !((uintptr_t)from & 7)) {
		uint64_t v = __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);

		memcpy(to, &v, sizeof(v));
	} else if (n == 4 && !((uintptr_t)from & 3)) {
		uint32_t v = __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED);

		memcpy(to, &v, sizeof(v));
	} else {
		memcpy(to, from, n);
	}
}

int gpa_read(struct vm *vm, gpa_t a, void *buf, size_t len)
{
	uint8_t *to = buf;
	struct nested_hit hit;

	if (len && nested_lookup(vm->nested, a, &hit) && len <= hit.left) {
		copy_in(buf, hpa_to_ptr(hit.hpa), len);
		return 0;
	}
	if (!range_ok(vm, a, len, false))
		return -EFAULT;
	while (len && nested_lookup(vm->nested, a, &hit)) {
		size_t n = min_u64(len, hit.left);

		copy_in(to, hpa_to_ptr(hit.hpa), n);
		to += n;
		a = gpa_add(a, n);
		len -= n;
	}
	return 0;
}

int gpa_write(struct vm *vm, gpa_t a, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	struct nested_hit hit;

	if (len && nested_lookup(vm->nested, a, &hit) && hit.writable && len <= hit.left) {
		memcpy(hpa_to_ptr(hit.hpa), buf, len);
		return 0;
	}
	if (!range_ok(vm, a, len, true))
		return -EFAULT;
	while (len && nested_lookup(vm->nested, a, &hit)) {
		size_t n = min_u64(len, hit.left);

		memcpy(hpa_to_ptr(hit.hpa), from, n);
		from += n;
		a = gpa_add(a, n);
		len -= n;
	}
	return 0;
}

int gpa_cmpxchg(struct vm *vm, gpa_t a, unsigned int size, uint64_t old, uint64_t new_val)
{
	struct nested_hit hit;
	bool done;

	ASSERT((size == 4 || size == 8) && !(a.v & (size - 1)));
	if (!nested_lookup(vm->nested, a, &hit) || !hit.writable)
		return -EFAULT;
	if (size == 8) {
		done = __atomic_compare_exchange_n((uint64_t *)hpa_to_ptr(hit.hpa), &old, new_val, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	} else {
		uint32_t old32 = (uint32_t)old;

		done = __atomic_compare_exchange_n((uint32_t *)hpa_to_ptr(hit.hpa), &old32, (uint32_t)new_val, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	return done ? 0 : -EAGAIN;
}

const void *gpa_peek(struct vm *vm, gpa_t a, size_t len)
{
	struct nested_hit hit;

	if (!span_ok(a.v & (PAGE_SIZE - 1), len, PAGE_SIZE) || !nested_lookup(vm->nested, a, &hit))
		return NULL;
	return hpa_to_ptr(hit.hpa);
}

bool gpa_is_ram(struct vm *vm, gpa_t a)
{
	struct nested_hit hit;

	return nested_lookup(vm->nested, a, &hit);
}

bool gpa_is_writable(struct vm *vm, gpa_t a)
{
	struct nested_hit hit;

	return nested_lookup(vm->nested, a, &hit) && hit.writable;
}
