/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes Tao names. The text form is what sealed secrets are bound to, so not a blank of it may ever change. */
#include <vouch/tao.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Room that is used up stays used up: at > size. */
struct writer {
	char *to;
	size_t size, at;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->at <= w->size && len <= w->size - w->at)
		memcpy(w->to + w->at, data, len);
	else
		w->at = w->size;
	w->at += len;
}

static size_t finish(const struct writer *w)
{
	return w->at <= w->size ? w->at : 0;
}

static bool taken(uint64_t number, const struct tao_guest *g, const struct tao_guest *other, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (other[i].number == number && digest_equal(other[i].kernel, g->kernel) &&
		    digest_equal(other[i].initrd, g->initrd))
			return true;
	}
	return false;
}

void tao_set_number(struct tao_guest *g, const struct tao_guest *other, size_t count)
{
	g->number = 0;
	while (taken(g->number, g, other, count))
		g->number++;
}

/* ------------------------------------------------------------------ text */

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_bytes_text(struct writer *w, const uint8_t digest[SHA256_LEN])
{
	static const char hex[] = "0123456789abcdef";

	put_text(w, "[");
	for (size_t i = 0; i < SHA256_LEN; i++) {
		char pair[2] = { hex[digest[i] >> 4], hex[digest[i] & 15] };

		put(w, pair, sizeof(pair));
	}
	put_text(w, "]");
}

static void put_number_text(struct writer *w, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64 ", ", number);
	put_text(w, text);
}

size_t tao_text(char *text, size_t size, const uint8_t *host, const struct tao_guest *g, enum tao_extent extent)
{
	struct writer w = { .to = text, .size = size };

	if (host) {
		put_text(&w, "key(");
		put_bytes_text(&w, host);
		put_text(&w, ")");
	}
	put_text(&w, ".CustomVM(");
	if (g->number)
		put_number_text(&w, g->number);
	put_bytes_text(&w, g->kernel);
	put_text(&w, ", ");
	put_bytes_text(&w, g->initrd);
	put_text(&w, ")");
	if (extent >= TAO_IMAGE) {
		put_text(&w, ".VouchImage(");
		put_bytes_text(&w, g->image);
		put_text(&w, ")");
	}
	put(&w, "", 1);
	return finish(&w) ? finish(&w) - 1 : 0;
}

/* ------------------------------------------------------------------ binary */

enum { TAG_PRIN = 1, TAG_BYTES = 4, TAG_INT = 5, TAG_SUB_PRIN = 17, TAG_EXTENSION = 18 };

/* LEB128, unsigned. */
static void put_number(struct writer *w, uint64_t number)
{
	do {
		uint8_t byte = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));

		put(w, &byte, 1);
		number >>= 7;
	} while (number);
}

static void put_string(struct writer *w, const void *data, size_t len)
{
	put_number(w, len);
	put(w, data, len);
}

static void put_bytes(struct writer *w, const uint8_t digest[SHA256_LEN])
{
	put_number(w, TAG_BYTES);
	put_string(w, digest, SHA256_LEN);
}

static void put_extension(struct writer *w, const char *name, uint64_t terms)
{
	put_number(w, TAG_EXTENSION);
	put_string(w, name, strlen(name));
	put_number(w, terms);
}

size_t tao_binary(uint8_t *bytes, size_t size, const uint8_t *host, const struct tao_guest *g, enum tao_extent extent)
{
	struct writer w = { .to = (char *)bytes, .size = size };

	if (host) {
		put_number(&w, TAG_PRIN);
		put_string(&w, "key", 3);
		put_bytes(&w, host);
	}
	put_number(&w, TAG_SUB_PRIN);
	put_number(&w, extent >= TAO_IMAGE ? 2 : 1);
	put_extension(&w, "CustomVM", g->number ? 3 : 2);
	if (g->number) {
		put_number(&w, TAG_INT);
		put_number(&w, g->number);
	}
	put_bytes(&w, g->kernel);
	put_bytes(&w, g->initrd);
	if (extent >= TAO_IMAGE) {
		put_extension(&w, "VouchImage", 1);
		put_bytes(&w, g->image);
	}
	return finish(&w);
}

void tao_make_name(struct tao_name *n, const uint8_t *host, const struct tao_guest *g)
{
	*n = (struct tao_name){ .has_host = host };
	n->text_len = (uint32_t)tao_text(n->text, sizeof(n->text), host, g, TAO_IMAGE);
	n->binary_len = (uint32_t)tao_binary(n->binary, sizeof(n->binary), host, g, TAO_IMAGE);
}
