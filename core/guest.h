/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests, from module to stop. */
#ifndef CORE_GUEST_H
#define CORE_GUEST_H

struct host;

/* Runs every guest among the modules, one after the other; a guest that asks for a reset is started anew, verified
 * again. Returns when the last has stopped, or at once when a module is of an unknown kind. */
void guests_run(struct host *h);

#endif
