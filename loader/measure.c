/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts what is measured into words. Every word here is part of a PCR's value: docs/measurement.md has them all. */
#include <vouch/measure.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static int send(const struct measure *m, uint32_t pcr, const char *fmt, ...) __printf(3, 4);
static int send(const struct measure *m, uint32_t pcr, const char *fmt, ...)
{
	char text[MEASURE_EVENT_MAX + 1];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -E2BIG;
	return m->event(m->ctx, pcr, text, (size_t)len);
}

static void put_hex(char *text, const uint8_t digest[SHA256_LEN])
{
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

int measure_cmdline(const struct measure *m, const char *cmdline)
{
	return send(m, MEASURE_PCR_CONFIG, "vouch command line: %s", cmdline);
}

/* That there was none must not look like one that was never measured: so here and below. */
int measure_keys(const struct measure *m, const struct policy *builtin)
{
	char ids[POLICY_MAX_KEYS * (2 * SHA256_LEN + 1) + 1], *at = ids;

	if (!builtin)
		return send(m, MEASURE_PCR_CONFIG, "vouch built-in keys: none");
	for (uint32_t i = 0; i < builtin->key_count; i++) {
		*at++ = ' ';
		put_hex(at, builtin->key[i].key.id);
		at += 2 * SHA256_LEN;
	}
	*at = '\0';
	return send(m, MEASURE_PCR_CONFIG, "vouch built-in keys:%s", ids);
}

int measure_policy(const struct measure *m, const uint8_t *policy)
{
	char hex[2 * SHA256_LEN + 1] = "none";

	if (policy)
		put_hex(hex, policy);
	return send(m, MEASURE_PCR_CONFIG, "vouch policy: %s", hex);
}

int measure_guest(const struct measure *m, const char *name, const struct tao_guest *id, const struct vm_plan *plan)
{
	char tao[TAO_TEXT_MAX];
	int ret;

	if (!tao_text(tao, sizeof(tao), NULL, id, TAO_IMAGE))
		return -E2BIG;
	ret = send(m, MEASURE_PCR_GUESTS, "vouch guest %s: %s", name, tao);
	if (ret)
		return ret;
	/* The command line last: it may hold anything. */
	return send(m, MEASURE_PCR_GUESTS, "vouch boot %s: memory=%" PRIu64 " cores=%" PRIu32 " cmdline=%s", name,
		    plan->memory_mib, plan->cores, plan->cmdline);
}
