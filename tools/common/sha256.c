/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 as fast as this CPU does it, and of a part of a file. */
#include "sha256.h"

#include "cli.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Asked once: in a virtual machine CPUID takes as long as a small file. */
void sha256_init_fast(struct sha256 *s)
{
	static _Atomic int usable = -1;
	int known = atomic_load_explicit(&usable, memory_order_relaxed);

	if (known < 0) {
		known = sha256_ni_usable();
		atomic_store_explicit(&usable, known, memory_order_relaxed);
	}
	sha256_init_with(s, known ? sha256_ni_blocks : NULL);
}

int sha256_range(const struct file *f, uint64_t off, uint64_t len, uint8_t digest[SHA256_LEN])
{
	uint8_t *chunk = cli_alloc(FILE_CHUNK);
	struct sha256 sha;
	int status = CLI_GOOD;

	sha256_init_fast(&sha);
	for (uint64_t at = 0; at < len && status == CLI_GOOD; at += FILE_CHUNK) {
		size_t n = (size_t)min_u64(len - at, FILE_CHUNK);

		status = file_read_at(f, chunk, n, off + at);
		if (status == CLI_GOOD)
			sha256_update(&sha, chunk, n);
	}
	sha256_final(&sha, digest);
	free(chunk);
	return status;
}
