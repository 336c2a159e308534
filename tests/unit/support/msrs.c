/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "msrs.h"

#include "arch/x86/cpu/asm.h"

static struct msr {
	uint32_t number;
	uint64_t value, writable;
	bool fixed;
	unsigned int writes;
} there[64];
static unsigned int count;

void msrs_clear(void)
{
	count = 0;
}

static struct msr *find(uint32_t number)
{
	for (unsigned int i = 0; i < count; i++)
		if (there[i].number == number)
			return &there[i];
	return NULL;
}

void msrs_put(uint32_t number, uint64_t value, uint64_t writable, bool fixed)
{
	assert_true(count < ARRAY_SIZE(there) && !find(number));
	there[count++] = (struct msr){ .number = number, .value = value, .writable = writable, .fixed = fixed };
}

uint64_t msrs_get(uint32_t number)
{
	assert_non_null(find(number));
	return find(number)->value;
}

unsigned int msrs_writes(uint32_t number)
{
	assert_non_null(find(number));
	return find(number)->writes;
}

bool msr_read_safe(uint32_t number, uint64_t *v)
{
	struct msr *m = find(number);

	if (m)
		*v = m->value;
	return m;
}

bool msr_write_safe(uint32_t number, uint64_t v)
{
	struct msr *m = find(number);

	if (!m || (m->fixed && (v ^ m->value) & ~m->writable))
		return false;
	m->value = (m->value & ~m->writable) | (v & m->writable);
	m->writes++;
	return true;
}
