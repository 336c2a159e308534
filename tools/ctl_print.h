/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer of Vouch's control port, printed for people. */
#ifndef VOUCH_TOOLS_CTL_PRINT_H
#define VOUCH_TOOLS_CTL_PRINT_H

#include <vouch/types.h>

#include <jansson.h>

struct ctl_print {
	json_t *table;                /* an array of rows that become columns when all are there */
};

/* One row: its kind, an object. */
void ctl_print_row(struct ctl_print *p, const char *kind, json_t *row);
/* The rows that still wait. */
void ctl_print_end(struct ctl_print *p);

#endif
