/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory as one array from guest-physical address 0, its end read-only. Defines gpa_*(); one guest a process. */
#ifndef SUPPORT_FLATMEM_H
#define SUPPORT_FLATMEM_H

#include <vouch/gpa.h>

struct flatmem {
	uint8_t *bytes;
	size_t size, rom;                     /* from rom on, writes are refused */
	void (*before_cas)(gpa_t at);         /* another CPU's chance in gpa_cmpxchg, if not NULL */
	unsigned int cas;                     /* calls of gpa_cmpxchg */
};

extern struct flatmem flatmem;

/* bytes is the caller's, and stays so. */
void flatmem_reset(uint8_t *bytes, size_t size, size_t rom);

#endif
