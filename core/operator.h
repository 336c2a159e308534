/* SPDX-License-Identifier: BSD-2-Clause */
/* Whoever sits at the console: what Vouch has for them, made once a boot. */
#ifndef CORE_OPERATOR_H
#define CORE_OPERATOR_H

struct host;

/* A place on the console for each guest among the modules. Without memory for that all guests write to it as they come. */
void operator_init(struct host *h);

#endif
