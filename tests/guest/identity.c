/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's own name, as Vouch tells it (docs/guest-interface.md): printed as `NAME: text` for whoever compares it with a
 * prediction, and taken apart again from its binary form, which must say the same.
 */
#include "lib/guest.h"

const char test_name[] = "identity";

#define LEAF_BINARY 0x40000002u
#define LEAF_TEXT   0x40000003u

/* The tags of the binary form: docs/measurement.md. */
enum { PRIN = 1, BYTES = 4, INT = 5, SUB_PRIN = 17, EXTENSION = 18 };

static u8 binary[1024], text[1024], again[1024];
static u32 binary_len, text_len;

/* What a leaf holds; false if its length is beyond reason or something stands behind its end. */
static bool read_leaf(u32 leaf, u8 to[1024], u32 *len)
{
	*len = cpuid2(leaf, 0).a;
	if (!*len || *len > 1000)
		return false;
	for (u32 i = 0; i < (*len + 15) / 16; i++) {
		struct cpuid r = cpuid2(leaf, i + 1);

		memcpy(to + 16 * i, &r, 16);
	}
	for (u32 i = *len; i % 16; i++) {
		if (to[i])
			return false;
	}
	to[*len] = 0;
	return true;
}

/* Turns the binary form into text; bad once anything is not as it should be. */
struct reader {
	u32 at, out;
	bool bad;
};

static u64 number(struct reader *r)
{
	u64 v = 0;

	for (u32 shift = 0; shift < 64; shift += 7) {
		u8 byte = r->at < binary_len ? binary[r->at++] : 0x80;

		v |= (u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

static void put(struct reader *r, char c)
{
	if (r->out < sizeof(again) - 1)
		again[r->out++] = (u8)c;
}

static void put_string(struct reader *r, bool hex)
{
	static const char digits[] = "0123456789abcdef";
	u64 len = number(r);

	if (len > binary_len - r->at) {
		r->bad = true;
		return;
	}
	for (u64 i = 0; i < len; i++) {
		u8 byte = binary[r->at++];

		if (hex)
			put(r, digits[byte >> 4]);
		put(r, hex ? digits[byte & 15] : (char)byte);
	}
}

static void put_number(struct reader *r, u64 v)
{
	if (v > 9)
		put_number(r, v / 10);
	put(r, (char)('0' + v % 10));
}

static void put_term(struct reader *r)
{
	u64 tag = number(r);

	if (tag == INT) {
		put_number(r, number(r));
	} else if (tag == BYTES) {
		put(r, '[');
		put_string(r, true);
		put(r, ']');
	} else {
		r->bad = true;
	}
}

static void put_extension(struct reader *r)
{
	u64 terms;

	r->bad |= number(r) != EXTENSION;
	put(r, '.');
	put_string(r, false);
	put(r, '(');
	terms = number(r);
	for (u64 i = 0; i < terms && !r->bad; i++) {
		if (i) {
			put(r, ',');
			put(r, ' ');
		}
		put_term(r);
	}
	put(r, ')');
}

static bool decode(bool has_host)
{
	struct reader r = { 0 };
	u64 extensions;

	if (has_host) {
		r.bad |= number(&r) != PRIN;
		put_string(&r, false);
		put(&r, '(');
		put_term(&r);
		put(&r, ')');
	}
	r.bad |= number(&r) != SUB_PRIN;
	extensions = number(&r);
	for (u64 i = 0; i < extensions && !r.bad; i++)
		put_extension(&r);
	return !r.bad && r.at == binary_len;
}

static void user_read(void *arg)
{
	struct cpuid *r = arg;

	*r = cpuid2(LEAF_TEXT, 1);
}

static struct cpuid user_sees;

void test_main(void)
{
	struct cpuid first, zero = { 0 };
	bool host;

	report(cpuid(0x40000000).a >= LEAF_TEXT, "Vouch has the leaves");
	report(read_leaf(LEAF_BINARY, binary, &binary_len), "the binary form can be read");
	report(read_leaf(LEAF_TEXT, text, &text_len), "the text can be read");
	print("%u bytes of binary, %u of text\n", binary_len, text_len);
	print("NAME: %s\n", (char *)text);
	first = cpuid2(LEAF_TEXT, 0);
	host = first.b;
	report(first.b <= 1 && !first.c && !first.d, "what stands for the host: %u", first.b);
	report(host == arg_is("host", "key"), "the host %s a key", host ? "has" : "has not");
	report(cpuid2(LEAF_BINARY, 0).b == first.b, "both leaves agree about the host");
	report(strlen((char *)text) == text_len, "the text holds no NUL");
	report(decode(host), "the binary form is well formed");
	report(!strcmp((char *)again, (char *)text), "both forms say the same");
	if (strcmp((char *)again, (char *)text))
		print("binary: %s\n", (char *)again);
	for (u32 sub = text_len / 16 + 2; sub; sub = sub < 0x10000000 ? sub * 16 : 0)
		report(!memcmp(&zero, (struct cpuid[]){ cpuid2(LEAF_TEXT, sub) }, sizeof(zero)), "zeros in subleaf %x", sub);
	report(!memcmp(&zero, (struct cpuid[]){ cpuid2(LEAF_TEXT, 0xffffffff) }, sizeof(zero)), "zeros in the last subleaf");
	paging_user(true);
	report(guarded_user(user_read, &user_sees).vector == USER_DONE && !memcmp(&user_sees, text, sizeof(user_sees)),
	       "a program at CPL 3 can read it");
	paging_user(false);
}
