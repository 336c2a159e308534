/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot story. */
#ifndef CORE_MAIN_H
#define CORE_MAIN_H

#include <vouch/types.h>

struct host;

/* Called once, on the boot CPU, with h->boot filled and COM1 as console. */
__noreturn void vouch_main(struct host *h);

/* Runs every guest among the modules, one after the other; returns when the last has stopped. */
void guests_run(struct host *h);

#endif
