/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's key, and its guests' names. The key is made by software at each boot and lives in Vouch's memory alone: it
 * tells this boot from any other, not this machine from another. Nothing is signed with it yet.
 */
#include "core/identity.h"

#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/lib.h>
#include <vouch/log.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/entropy.h"
#include "core/block.h"
#include "loader/crypto_memory.h"

static const uint8_t *host_digest(const struct identity *identity)
{
	return identity->has_key ? identity->key.pub.id : NULL;
}

/* 0, or negative errno. */
static int make_key(struct host *h, struct identity *identity, const uint8_t seed[SHA256_LEN])
{
	void *arena = block_get(&h->pages, CRYPTO_MEMORY_SIZE);
	int ret;

	if (!arena)
		return -1;
	lib_enter();
	crypto_memory_begin(arena, CRYPTO_MEMORY_SIZE);
	ret = private_key_make(&identity->key, seed);
	crypto_memory_end();
	lib_exit();
	block_put(&h->pages, arena, CRYPTO_MEMORY_SIZE);
	return ret;
}

static void report_key(const struct identity *identity, const char *from)
{
	char hex[2 * SHA256_LEN + 1];

	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", identity->key.pub.id[i]);
	log_verdict("host is key([%s]): a software key made at boot, by %s", hex, from);
}

bool identity_init(struct host *h)
{
	struct identity *identity = block_get(&h->pages, sizeof(*identity));
	uint8_t seed[SHA256_LEN];
	const char *from;
	int ret = 0;

	if (!identity) {
		log_verdict("boot refused: not enough host memory for the guests' names");
		return false;
	}
	h->identity = identity;
	from = entropy_seed(seed);
	if (from)
		ret = make_key(h, identity, seed);
	memset(seed, 0, sizeof(seed));
	__asm__ volatile("" : : "r"(seed) : "memory");
	identity->has_key = from && !ret;
	if (identity->has_key)
		report_key(identity, from);
	else if (from)
		log_verdict("boot refused: the host's key cannot be made");
	else
		log_warn("this CPU has no working RDSEED or RDRAND: the host gets no key, guests' names begin below it");
	return !ret;
}

void identity_name(struct vm *vm, struct tao_guest *id)
{
	struct identity *identity = vm->host->identity;
	struct tao_guest *own = &identity->guest[vm->module];
	char text[TAO_TEXT_MAX];

	memset(own, 0, sizeof(*own));
	tao_set_number(id, identity->guest, BOOT_MODULES_MAX);
	*own = *id;
	tao_make_name(&vm->tao, host_digest(identity), id);
	tao_text(text, sizeof(text), NULL, id, TAO_IMAGE);
	log_verdict("guest %s is %s", vm->name, text);
}
