/* SPDX-License-Identifier: BSD-2-Clause */
/* What this boot demands of its guests: from the policy module, or without one from Vouch's command line alone. */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include <vouch/types.h>

struct host;

/*
 * Reads the policy module, if there is one, into h->policy, which stays; else it says what the command line says. False
 * after a "boot refused:" line: a module or policy that was not understood may be meant to restrict the boot.
 */
__must_check bool trust_init(struct host *h);

#endif
