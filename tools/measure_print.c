/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints a prediction. */
#include "measure.h"

#include "common/cli.h"
#include "json.h"

#include <vouch/log.h>

#include <stdio.h>
#include <stdlib.h>

static const uint32_t used[] = { MEASURE_PCR_CONFIG, MEASURE_PCR_GUESTS };

struct hex {
	char text[2 * SHA256_LEN + 1];
};

static struct hex hex(const uint8_t digest[SHA256_LEN])
{
	struct hex h;

	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(h.text + 2 * i, 3, "%02x", digest[i]);
	return h;
}

struct pcr_hex {
	char text[2 * TPM_DIGEST_MAX + 1];
};

static struct pcr_hex pcr_hex(const struct tpm_digest *d)
{
	struct pcr_hex h = { "" };

	for (size_t i = 0; i < tpm_digest_size(d->alg); i++)
		snprintf(h.text + 2 * i, 3, "%02x", d->bytes[i]);
	return h;
}

/* ------------------------------------------------------------------ text */

static void print_event(const struct measure_event *e)
{
	size_t size = 4 * e->len + 1;
	char *safe = cli_alloc(size);

	printf("  PCR %u %s %s\n", e->pcr, hex(e->digest).text, log_escape(safe, size, e->text, e->len));
	free(safe);
}

void measure_print_text(const struct prediction *p)
{
	char tao[TAO_TEXT_MAX];

	for (size_t i = 0; i < p->guest_count; i++) {
		const struct measure_guest_facts *g = &p->guest[i];

		cli_print(stdout, g->path);
		printf(": guest %s, %s\n", g->name, g->verdict);
		printf("  image:  %s\n", hex(g->id.image).text);
		printf("  kernel: %s\n", hex(g->id.kernel).text);
		printf("  initrd: %s%s\n", hex(g->id.initrd).text, g->plan.initrd < 0 ? " (none)" : "");
		tao_text(tao, sizeof(tao), NULL, &g->id, TAO_IMAGE);
		printf("  Tao:    %s\n", tao);
	}
	puts("events:");
	for (size_t i = 0; i < p->event_count; i++)
		print_event(&p->event[i]);
	for (uint32_t b = 0; b < p->bank_count; b++) {
		for (size_t i = 0; i < ARRAY_SIZE(used); i++)
			printf("PCR %u (%s): %s\n", used[i], tpm_bank_name(p->bank[b]),
			       pcr_hex(&p->pcr[b][used[i]]).text);
	}
}

/* ------------------------------------------------------------------ JSON */

static void put_guest(struct json *j, const struct measure_guest_facts *g)
{
	char tao[TAO_TEXT_MAX];

	json_open(j, NULL, '{');
	json_string(j, "file", g->path);
	json_string(j, "name", g->name);
	json_string(j, "verdict", g->verdict);
	json_string(j, "image", hex(g->id.image).text);
	json_string(j, "kernel", hex(g->id.kernel).text);
	json_string(j, "initrd", hex(g->id.initrd).text);
	tao_text(tao, sizeof(tao), NULL, &g->id, TAO_KERNEL);
	json_string(j, "tao", tao);
	tao_text(tao, sizeof(tao), NULL, &g->id, TAO_IMAGE);
	json_string(j, "tao_image", tao);
	json_close(j, '}');
}

static void put_event(struct json *j, const struct measure_event *e)
{
	json_open(j, NULL, '{');
	json_number(j, "pcr", e->pcr);
	json_string(j, "sha256", hex(e->digest).text);
	json_string(j, "text", e->text);
	json_close(j, '}');
}

static void put_bank(struct json *j, const struct prediction *p, uint32_t b)
{
	json_open(j, tpm_bank_name(p->bank[b]), '{');
	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		char number[12];

		snprintf(number, sizeof(number), "%u", used[i]);
		json_string(j, number, pcr_hex(&p->pcr[b][used[i]]).text);
	}
	json_close(j, '}');
}

void measure_print_json(const struct prediction *p)
{
	struct json j = { 0 };

	json_open(&j, NULL, '{');
	json_string(&j, "cmdline", p->entry.cmdline);
	json_string(&j, "policy", p->entry.policy_path ? hex(p->entry.policy_digest).text : NULL);
	json_open(&j, "guests", '[');
	for (size_t i = 0; i < p->guest_count; i++)
		put_guest(&j, &p->guest[i]);
	json_close(&j, ']');
	json_open(&j, "events", '[');
	for (size_t i = 0; i < p->event_count; i++)
		put_event(&j, &p->event[i]);
	json_close(&j, ']');
	for (uint32_t b = 0; b < p->bank_count; b++)
		put_bank(&j, p, b);
	json_close(&j, '}');
}
