/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 of a part of a file. */
#include "sha256.h"

#include "cli.h"

#include <mbedtls/sha256.h>
#include <stdlib.h>

static int hash_range(mbedtls_sha256_context *sha, const struct file *f, uint64_t off, uint64_t len, uint8_t *chunk)
{
	for (uint64_t at = 0; at < len; at += FILE_CHUNK) {
		size_t n = (size_t)min_u64(len - at, FILE_CHUNK);

		if (file_read_at(f, chunk, n, off + at) != CLI_GOOD)
			return CLI_ENV;
		if (mbedtls_sha256_update_ret(sha, chunk, n) != 0)
			return CLI_REFUSED;
	}
	return CLI_GOOD;
}

int sha256_range(const struct file *f, uint64_t off, uint64_t len, uint8_t digest[SHA256_LEN])
{
	uint8_t *chunk = cli_alloc(FILE_CHUNK);
	mbedtls_sha256_context sha;
	int status;

	mbedtls_sha256_init(&sha);
	status = mbedtls_sha256_starts_ret(&sha, 0) == 0 ? hash_range(&sha, f, off, len, chunk) : CLI_REFUSED;
	if (status == CLI_GOOD && mbedtls_sha256_finish_ret(&sha, digest) != 0)
		status = CLI_REFUSED;
	if (status == CLI_REFUSED)
		cli_error("%s: the SHA-256 library failed", f->path);
	mbedtls_sha256_free(&sha);
	free(chunk);
	return status == CLI_GOOD ? CLI_GOOD : CLI_ENV;
}
