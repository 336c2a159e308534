/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name of a guest as a principal of the CloudProxy Tao, in its exact text and binary forms (docs/measurement.md).
 * Pure: it hashes nothing and knows no key.
 */
#ifndef VOUCH_TAO_H
#define VOUCH_TAO_H

#include <vouch/crypto.h>

/* What a guest is named by. */
struct tao_guest {
	uint64_t number;              /* of guests of this boot with equal kernel and initrd: 0 the first, which shows none */
	uint8_t kernel[SHA256_LEN];   /* SHA-256 of the file */
	uint8_t initrd[SHA256_LEN];   /* the same; without an initrd, of zero bytes */
	uint8_t image[SHA256_LEN];    /* of the whole image */
};

/* How much of the name. */
enum tao_extent {
	TAO_KERNEL,                   /* .CustomVM(number, [kernel], [initrd]) */
	TAO_IMAGE,                    /* the same and .VouchImage([image]): everything that was measured */
};

/* Enough for any name, a text's NUL included. */
#define TAO_TEXT_MAX   320
#define TAO_BINARY_MAX 192

/* A name in both its forms. */
struct tao_name {
	char text[TAO_TEXT_MAX];
	uint8_t binary[TAO_BINARY_MAX];
	uint32_t text_len, binary_len;
	bool has_host;                /* it begins with the host's key */
};

/*
 * Sets g->number: the least that none of the count other guests of this boot with its kernel and initrd has. Where these
 * were numbered in their order, that is how many they are.
 */
void tao_set_number(struct tao_guest *g, const struct tao_guest *other, size_t count);

/*
 * The name below its host, or, with the SHA-256 of the host's public key, in full. Returns the length of what was
 * written (of a text without its NUL); 0 if it does not fit size.
 */
size_t tao_text(char *text, size_t size, const uint8_t *host, const struct tao_guest *g, enum tao_extent extent);
size_t tao_binary(uint8_t *bytes, size_t size, const uint8_t *host, const struct tao_guest *g, enum tao_extent extent);

/* Both, with both extensions: a name's bounds are such that they always fit. */
void tao_make_name(struct tao_name *n, const uint8_t *host, const struct tao_guest *g);

#endif
