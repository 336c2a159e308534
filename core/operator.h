/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whoever sits at the console, or at the control port: what Vouch has for them. Made once a boot; served by the boot CPU,
 * outside of any vCPU's run.
 */
#ifndef CORE_OPERATOR_H
#define CORE_OPERATOR_H

#include <vouch/types.h>

struct host;

/*
 * A place on the console for each guest of h->guests and for the monitor; the control port, if control= names one. Without
 * memory for that all guests write to the console as they come, and there is no monitor.
 */
void operator_init(struct host *h);

/* Does what was typed since; at most a few commands. To be called soon after h->console.called was set. */
void operator_serve(struct host *h);

/* The operator has quit a monitor beside which no guest runs, or there is no monitor. */
bool operator_gone(const struct host *h);

#endif
