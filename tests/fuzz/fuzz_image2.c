/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A version 2 image through the judge with a trusted key. The seal's digest is made right first, where the header leads
 * to one: no fuzzer would find it, and everything behind it would stay unseen.
 */
#include <vouch/judge.h>
#include <vouch/policy.h>

#include <stdlib.h>
#include <string.h>

#include "loader/le.h"
#include "tests/fuzz/loader.h"

#define MAX_INPUT (64u << 10)

struct input {
	const uint8_t *data;
	size_t size;
};

static int copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	const struct input *in = ctx;

	if (!span_ok(off, len, in->size))
		abort();
	memcpy(dst, in->data + off, len);
	return 0;
}

/* By the words of docs/image-format.md; an odd first byte of the reserved ones keeps the digest as it came. */
static void make_right(uint8_t *data, size_t size)
{
	uint64_t seal, xml_len, count, table;

	if (size < 128 || data[40] & 1)
		return;
	seal = le64(data + 8);
	xml_len = le64(data + 16);
	count = le64(data + 24);
	if (!span_ok(seal, 64, size) || xml_len > size || count > 256)
		return;
	table = align_up(64 + xml_len, 8);
	if (span_ok(table, 64 * count, seal))
		sha256_of(data, table + 64 * count, data + seal + 8);
}

/* The curve's base point as a key: anybody's, so none that is worth anything. */
static struct public_key base_point(void)
{
	struct public_key key = { .point = {
		0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
		0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
		0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
		0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
	} };

	public_key_id(key.point, key.id);
	return key;
}

/* What was let through lies where the specification puts it. */
static void check_image(const struct image *img, size_t size)
{
	uint64_t at = align_up(img->data_start, 4096);

	for (uint32_t i = 0; i < img->file_count; i++) {
		const struct image_file *f = &img->file[i];

		if (!f->named || !*f->id || f->offset != at || !span_ok(at, f->size, img->data_end))
			abort();
		at = align_up(at + f->size, 4096);
	}
	if (at != img->data_end || size != at + 64 + 128 * (uint64_t)img->signature_count)
		abort();
}

/* What a policy of that key says of it as Vouch asks, before the XML and with a name: a good signature is the only way in. */
static void check_policy(const struct image *img, const struct public_key *key, bool signed_well)
{
	static struct policy p;
	struct policy_facts facts;
	struct policy_decision d;
	struct image_error err;
	bool may;

	policy_none(&p, INTEGRITY_SIGNED);
	p.key_count = 1;
	p.key[0] = (struct policy_key){ .name = "k", .key = *key, .any_guest = true };
	if (policy_gather(&facts, &p, img, &err)) {
		if (signed_well)
			abort();
		fuzz_refused(&err);
		return;
	}
	may = policy_may_allow(&p, &facts, &d);
	facts.name = "web";
	if (signed_well != (policy_decide(&p, &facts, &d) == POLICY_ALLOWED) || (signed_well && !may))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image img;
	static struct vm_plan plan;
	static char xml[IMAGE_MAX_XML + 1];
	static uint8_t fixed[MAX_INPUT];
	struct input in = { fixed, size };
	struct image_source src = { copy, &in, size };
	struct xml_arena arena = fuzz_arena();
	struct public_key key = base_point();
	struct image_trust trust = { &key, 1 };
	struct image_error err;
	bool signed_well;

	if (size > MAX_INPUT)
		return 0;
	memcpy(fixed, data, size);
	make_right(fixed, size);
	if (image_read_any(&img, &src, xml, &err))
		return fuzz_refused(&err);
	signed_well = img.version == 2 && !image_check_signed(&img, &trust, &err);
	if (img.version == 2 && !signed_well)
		fuzz_refused(&err);
	check_policy(&img, &key, signed_well);
	if (image_judge_head(&img, &src, xml, &arena, signed_well ? &trust : NULL, &err) ||
	    image_judge_files(&img, &src, NULL, NULL, &err))
		return fuzz_refused(&err);
	if (img.version == 2)
		check_image(&img, size);
	if (manifest_plan(&img, &arena, &plan, &err))
		return fuzz_refused(&err);
	return fuzz_planned(&img, &plan);
}
