/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own symbol table, for backtraces: sorted by address, made from nm's output by a second link. */
#ifndef ARCH_X86_CPU_SYMBOLS_H
#define ARCH_X86_CPU_SYMBOLS_H

#include <stdint.h>

struct symbol {
	uint64_t addr;
	const char *name;
};

extern const struct symbol symbol_table[];
extern const unsigned int symbol_count;

#endif
