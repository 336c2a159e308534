/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot story. */
#ifndef CORE_MAIN_H
#define CORE_MAIN_H

#include <vouch/types.h>

struct host;

/* Called once, on the boot CPU, with h->boot filled and COM1 as console. */
__noreturn void vouch_main(struct host *h);

#endif
