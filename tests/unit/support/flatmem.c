/* SPDX-License-Identifier: BSD-2-Clause */
/* The door to the guest memory of flatmem.h. */
#include "tests/unit/support/flatmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct flatmem flatmem;

void flatmem_reset(uint8_t *bytes, size_t size, size_t rom)
{
	flatmem = (struct flatmem){ .bytes = bytes, .size = size, .rom = rom };
}

int gpa_read(struct vm *vm, gpa_t a, void *buf, size_t len)
{
	(void)vm;
	if (!span_ok(a.v, len, flatmem.size))
		return -EFAULT;
	memcpy(buf, flatmem.bytes + a.v, len);
	return 0;
}

int gpa_write(struct vm *vm, gpa_t a, const void *buf, size_t len)
{
	(void)vm;
	if (!span_ok(a.v, len, flatmem.rom))
		return -EFAULT;
	memcpy(flatmem.bytes + a.v, buf, len);
	return 0;
}

int gpa_cmpxchg(struct vm *vm, gpa_t a, unsigned int size, uint64_t old, uint64_t new_val)
{
	uint64_t now = 0;

	(void)vm;
	if ((size != 4 && size != 8) || a.v & (size - 1))
		abort();
	flatmem.cas++;
	if (flatmem.before_cas)
		flatmem.before_cas(a);
	if (!span_ok(a.v, size, flatmem.rom))
		return -EFAULT;
	memcpy(&now, flatmem.bytes + a.v, size);
	if (now != (size == 4 ? (uint32_t)old : old))
		return -EAGAIN;
	memcpy(flatmem.bytes + a.v, &new_val, size);
	return 0;
}

const void *gpa_peek(struct vm *vm, gpa_t a, size_t len)
{
	(void)vm;
	return span_ok(a.v & (PAGE_SIZE - 1), len, PAGE_SIZE) && span_ok(a.v, len, flatmem.size) ? flatmem.bytes + a.v : NULL;
}

bool gpa_is_ram(struct vm *vm, gpa_t a)
{
	(void)vm;
	return a.v < flatmem.size;
}

bool gpa_is_writable(struct vm *vm, gpa_t a)
{
	return gpa_is_ram(vm, a);
}
