/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions that archives from outside call by name; nobody in Vouch calls them. */
#ifndef CORE_NEWLIB_H
#define CORE_NEWLIB_H

#include <stddef.h>

void *sbrk(ptrdiff_t increment);

#endif
