/* SPDX-License-Identifier: BSD-2-Clause */
/* Who this host and its guests are: names as principals of the CloudProxy Tao (docs/measurement.md). */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include <vouch/boot_info.h>
#include <vouch/crypto.h>
#include <vouch/tao.h>

struct host;
struct vm;

/* One a boot: struct host's identity. Only the CPU that launches guests writes it. */
struct identity {
	bool has_key;
	struct private_key key;       /* made at this boot; its id is the host's name */
	struct tao_guest guest[BOOT_MODULES_MAX];  /* by module; zeros, which no digest is: not named */
};

/*
 * Makes the host's key and says its name; without a random number generator the host has no name, and that is said.
 * False after a "boot refused:" line.
 */
__must_check bool identity_init(struct host *h);

/*
 * Names the guest that vm is about to run: numbers *id among the other guests, keeps it for vm's module, where a restart
 * replaces it, and puts the full name into vm->tao. Says the name below the host's.
 */
void identity_name(struct vm *vm, struct tao_guest *id);

#endif
