/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this boot demands of its guests: from the policy module, or without one from Vouch's command line alone; and from
 * the keys that Vouch was built with, whatever the others say.
 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include <vouch/types.h>

struct host;

/* Made by tools/trust.sh: a compiled policy, aligned for libfdt, of the keys given by make TRUST=; length 0: none. */
extern const uint8_t trust_builtin[];
extern const size_t trust_builtin_len;

/*
 * Reads the policy module, if there is one, into h->policy, which stays; else it says what the command line says. With
 * keys of Vouch's own h->builtin is theirs, else NULL; without a module h->policy is the same. False
 * after a "boot refused:" line: a module, policy or level that was not understood may be meant to restrict the boot.
 */
__must_check bool trust_init(struct host *h);

#endif
