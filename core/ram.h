/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's memory: host pages in the fixed guest-physical layout of vm.h, mapped in its nested tables. */
#ifndef CORE_RAM_H
#define CORE_RAM_H

#include <vouch/vm.h>

/*
 * Takes bytes of zeroed memory (a multiple of 1 MiB) from the host and maps it. 0 or -ENOMEM; on failure nothing is
 * kept. vm->nested must be initialised.
 */
__must_check int ram_create(struct vm *vm, uint64_t bytes);
/* Scrubs all of it and gives it back. The nested tables must not be in use any more. */
void ram_destroy(struct vm *vm);

/* Bytes of RAM below the 3-4 GiB hole, and from 4 GiB on. */
static inline uint64_t ram_low_end(uint64_t bytes) { return min_u64(bytes, GPA_MMIO_BASE); }
static inline uint64_t ram_high_bytes(uint64_t bytes) { return bytes - ram_low_end(bytes); }

#endif
