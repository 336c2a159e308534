/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI reader. First byte even: the rest is AML in which _S5_ is looked for. Odd: an RSDP of 36 bytes, then memory
 * from address 0. Checksums are made right on the way, so that the fuzzer need not guess them.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/cpu/acpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COPIES_MAX 1024

struct image {
	const uint8_t *bytes;
	size_t size;
	void *copy[COPIES_MAX];
	unsigned int count;
};

static void sum(uint8_t *p, size_t len, size_t at)
{
	size_t i;

	if (at >= len)
		return;
	for (p[at] = 0, i = 0; i < len; i++)
		if (i != at)
			p[at] = (uint8_t)(p[at] - p[i]);
}

/* A copy of exactly len bytes: the sanitizer sees the first byte too far. */
static const uint8_t *image_map(void *ctx, uint64_t a, uint64_t len)
{
	struct image *m = ctx;
	uint8_t *copy;

	if (!span_ok(a, len, m->size) || m->count == COPIES_MAX)
		return NULL;
	copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, m->bytes + a, len);
	sum(copy, len, 9);
	m->copy[m->count++] = copy;
	return copy;
}

static void parse(const uint8_t *data, size_t size)
{
	static struct image m;
	const struct acpi_memory memory = { .map = image_map, .ctx = &m };
	struct platform p = { 0 };
	uint8_t rsdp[36];

	if (size < sizeof(rsdp))
		return;
	memcpy(rsdp, data, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	sum(rsdp, 20, 8);
	sum(rsdp, 36, 32);
	m = (struct image){ .bytes = data + sizeof(rsdp), .size = size - sizeof(rsdp) };
	acpi_parse(&p, &memory, rsdp, sizeof(rsdp));
	if (p.has_s5 && (p.s5_a > 7 || p.s5_b > 7 || !p.pm1a_cnt))
		abort();
	if (p.has_reset && p.reset_space == 1 && p.reset_addr > 0xffff)
		abort();
	while (m.count)
		free(m.copy[--m.count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t a = 0, b = 0;

	if (!size)
		return 0;
	if (data[0] & 1)
		parse(data + 1, size - 1);
	else if (acpi_s5_find(data + 1, size - 1, &a, &b) && (a > 7 || b > 7))
		abort();
	return 0;
}
