/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bounded memory of one check of signatures in Vouch: what mbedTLS allocates comes from the arena that the caller
 * gave, and from nowhere else. Host tools use the packaged library, which allocates for itself.
 */
#ifndef LOADER_CRYPTO_MEMORY_H
#define LOADER_CRYPTO_MEMORY_H

#include <vouch/types.h>

/* One check of a signature takes 16 KiB at its peak and leaves nothing allocated. */
#define CRYPTO_MEMORY_SIZE 0x10000ul

/*
 * Between the two calls, and between lib_enter() and lib_exit(), the library allocates from base, which is aligned to 16
 * and holds size bytes; without, or when these are used up, its allocations fail, and it says so.
 */
void crypto_memory_begin(void *base, size_t size);
void crypto_memory_end(void);

/* The library's, by name (tools/build-mbedtls.sh). calloc: zeroed and aligned to 16, or NULL. */
void *crypto_calloc(size_t count, size_t size);
void crypto_free(void *block);

#endif
