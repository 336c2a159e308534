/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vouch measure`: what Vouch will measure of a boot, and what its guests will be called, from the files alone. The words
 * and their order are loader/measure.c's, which Vouch shares.
 */
#include "measure.h"

#include "commands.h"
#include "common/cli.h"
#include "common/outfile.h"
#include "common/sha256.h"
#include "facts.h"
#include "key.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: vouch measure [OPTION]... IMG...\n"
	"Predict what Vouch measures when it starts the images, in this order, and what the guests are called.\n\n"
	"  -p, --policy=FILE     the compiled launch policy; default: none\n"
	"  -c, --cmdline=STR     options of Vouch, separated by blanks; default: none\n"
	"  -t, --trust=PUB       a key that Vouch is built with (make TRUST=), in that order; default: none\n"
	"  -b, --banks=LIST      the TPM's banks of PCRs, of sha1,sha256,sha384,sha512; default: sha256\n"
	"  -e, --event-log=FILE  also write the event log (TCG 2, of these banks) to FILE\n"
	"  -j, --json            print JSON\n"
	"  -h, --help            show this and exit\n"
	"  -V, --version         show the version of vouch and exit\n";

static const struct option options[] = {
	{ "policy", required_argument, NULL, 'p' },
	{ "cmdline", required_argument, NULL, 'c' },
	{ "trust", required_argument, NULL, 't' },
	{ "banks", required_argument, NULL, 'b' },
	{ "event-log", required_argument, NULL, 'e' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

struct request {
	const char *policy, *cmdline, *event_log, *trust[POLICY_MAX_KEYS];
	unsigned int trust_count, banks;      /* banks: a bit for each of tpm_known_banks */
	bool json;
};

/* ------------------------------------------------------------------ a guest */

/* v2: the manifest digest. Before: all bytes of the file. */
static int hash_image(const struct facts *f, uint8_t digest[SHA256_LEN])
{
	if (f->o->img.version >= 2) {
		memcpy(digest, f->o->img.digest, SHA256_LEN);
		return CLI_GOOD;
	}
	if (sha256_range(&f->o->file, 0, (uint64_t)f->o->file.stat.st_size, digest) != CLI_GOOD)
		return CLI_ENV;
	return file_unchanged(&f->o->file);
}

static bool choose_name(struct prediction *p, size_t i)
{
	struct measure_guest_facts *g = &p->guest[i];
	const char *other = entry_take_name(&p->entry, i, g->path, &g->plan);

	if (other)
		cli_error("%s: refused: %s: %s is it too", g->path, image_err_text(IMG_ERR_NAME_TAKEN), other);
	snprintf(g->name, sizeof(g->name), "%s", p->entry.guest[i].name);
	return !other;
}

/* An image before one policy: the module's, or that of built-in keys. */
static bool decide(const struct policy *policy, const struct facts *f, struct measure_guest_facts *g)
{
	struct policy_facts facts;
	struct policy_decision d;
	struct image_error err;

	if (policy_gather(&facts, policy, &f->o->img, &err)) {
		cli_error("%s: refused: %s", g->path, err.text);
		return false;
	}
	facts.name = g->plan.name;
	facts.has_digest = true;
	memcpy(facts.digest, g->id.image, SHA256_LEN);
	if (policy_decide(policy, &facts, &d) != POLICY_ALLOWED)
		cli_error("%s: refused: %s", g->path, d.text);
	memcpy(g->verdict, d.text, sizeof(d.text));
	return d.verdict == POLICY_ALLOWED;
}

static void identify(struct prediction *p, size_t i, const struct facts *f)
{
	struct measure_guest_facts *g = &p->guest[i];
	struct tao_guest *earlier = cli_alloc(i * sizeof(*earlier));

	for (size_t k = 0; k < i; k++)
		earlier[k] = p->guest[k].id;
	memcpy(g->id.kernel, f->sha256[f->plan.kernel], SHA256_LEN);
	if (f->plan.initrd >= 0)
		memcpy(g->id.initrd, f->sha256[f->plan.initrd], SHA256_LEN);
	else
		sha256_of("", 0, g->id.initrd);
	tao_set_number(&g->id, earlier, i);
	free(earlier);
}

static int judge_guest(struct prediction *p, size_t i, const struct facts *f)
{
	struct measure_guest_facts *g = &p->guest[i];
	int status;

	if (!f->container_good || !f->config_good) {
		cli_error("%s: refused: %s", g->path, facts_reason(f));
		return CLI_REFUSED;
	}
	g->plan = f->plan;
	status = hash_image(f, g->id.image);
	if (status != CLI_GOOD)
		return status;
	identify(p, i, f);
	if (!choose_name(p, i) || (p->builtin.key_count && !decide(&p->builtin, f, g)))
		return CLI_REFUSED;
	/* Without a module the built-in keys' policy is the only one. */
	if (p->builtin.key_count && !p->entry.policy_path)
		return CLI_GOOD;
	return decide(&p->entry.policy, f, g) ? CLI_GOOD : CLI_REFUSED;
}

static int gather_guest(struct prediction *p, size_t i)
{
	struct facts *f = cli_alloc(sizeof(*f));
	int status = facts_gather(f, p->guest[i].path);

	if (status == CLI_GOOD || status == CLI_REFUSED)
		status = judge_guest(p, i, f);
	facts_release(f);
	free(f);
	return status;
}

/* All are judged, so that one run shows all that is wrong; a refusal outweighs a file that cannot be read. */
static int gather_guests(struct prediction *p)
{
	int worst = CLI_GOOD;

	for (size_t i = 0; i < p->guest_count; i++) {
		int status = gather_guest(p, i);

		if (worst != CLI_REFUSED && status != CLI_GOOD)
			worst = status;
	}
	return worst;
}

/* ------------------------------------------------------------------ what is measured */

static int take_event(void *ctx, uint32_t pcr, const char *text, size_t len)
{
	struct prediction *p = ctx;
	struct measure_event *e = &p->event[p->event_count++];

	e->pcr = pcr;
	sha256_of(text, len, e->digest);
	e->text = cli_alloc(len + 1);
	memcpy(e->text, text, len);
	e->len = len;
	for (uint32_t i = 0; i < p->bank_count; i++) {
		struct tpm_digest digest = { .alg = p->bank[i] };

		tpm_digest_of(&digest, text, len);
		pcr_extend(&p->pcr[i][pcr], &digest);
	}
	return 0;
}

static int write_log(struct prediction *p)
{
	struct eventlog l;
	size_t size = 256 + p->event_count * (MEASURE_EVENT_MAX + 16 + EVENTLOG_BANKS * (2 + TPM_DIGEST_MAX));
	int ret;

	p->log = (struct bytes){ .data = cli_alloc(size), .size = size };
	ret = eventlog_start(&l, p->log.data, size, p->bank, p->bank_count);
	for (size_t i = 0; i < p->event_count && !ret; i++) {
		const struct measure_event *e = &p->event[i];
		struct tpm_digest digest[EVENTLOG_BANKS];

		for (uint32_t k = 0; k < p->bank_count; k++) {
			digest[k].alg = p->bank[k];
			tpm_digest_of(&digest[k], e->text, e->len);
		}
		ret = eventlog_add(&l, e->pcr, EVENT_IPL, digest, e->text, (uint32_t)e->len);
	}
	p->log.len = l.len;
	return ret;
}

static int predict(struct prediction *p)
{
	struct measure m = { .event = take_event, .ctx = p };
	int ret;

	p->event = cli_alloc((MEASURE_CONFIG_EVENTS + MEASURE_GUEST_EVENTS * p->guest_count) * sizeof(*p->event));
	ret = measure_cmdline(&m, p->entry.cmdline);
	if (!ret)
		ret = measure_keys(&m, p->builtin.key_count ? &p->builtin : NULL);
	if (!ret)
		ret = measure_policy(&m, p->entry.policy_path ? p->entry.policy_digest : NULL);
	for (size_t i = 0; i < p->guest_count && !ret; i++)
		ret = measure_guest(&m, p->guest[i].name, &p->guest[i].id, &p->guest[i].plan);
	if (!ret)
		ret = write_log(p);
	if (!ret)
		return CLI_GOOD;
	cli_error("cannot predict: %s", strerror(-ret));
	return CLI_ENV;
}

/* ------------------------------------------------------------------ the boot */

/* As tools/trust.sh writes it into Vouch. */
static int set_builtin(struct prediction *p, const struct request *r)
{
	int status = CLI_GOOD;

	policy_none(&p->builtin, INTEGRITY_SIGNED);
	for (unsigned int i = 0; i < r->trust_count && status == CLI_GOOD; i++) {
		struct policy_key *key = &p->builtin.key[i];

		snprintf(key->name, sizeof(key->name), "built-in-%u", i);
		key->any_guest = true;
		status = key_load_public(r->trust[i], &key->key);
		p->builtin.key_count++;
	}
	return status;
}

static void set_banks(struct prediction *p, unsigned int banks)
{
	for (uint32_t i = 0; i < EVENTLOG_BANKS; i++) {
		if (!(banks & 1u << i))
			continue;
		for (uint32_t pcr = 0; pcr < TPM_PCRS; pcr++)
			p->pcr[p->bank_count][pcr].alg = tpm_known_banks[i];
		p->bank[p->bank_count++] = tpm_known_banks[i];
	}
}

static int check_output(const struct request *r, char **paths, size_t count)
{
	int status = r->event_log && r->policy ? outfile_check_input(r->event_log, r->policy) : CLI_GOOD;

	for (size_t i = 0; i < count && r->event_log && status == CLI_GOOD; i++)
		status = outfile_check_input(r->event_log, paths[i]);
	for (size_t i = 0; i < r->trust_count && r->event_log && status == CLI_GOOD; i++)
		status = outfile_check_input(r->event_log, r->trust[i]);
	return status;
}

static int run(struct prediction *p, const struct request *r, char **paths)
{
	int status = check_output(r, paths, p->guest_count);

	if (status == CLI_GOOD)
		status = entry_judge(&p->entry, "measure", r->cmdline, r->policy, p->guest_count);
	if (status == CLI_GOOD)
		status = set_builtin(p, r);
	set_banks(p, r->banks);
	if (status != CLI_GOOD)
		return status;
	p->guest = cli_alloc(p->guest_count * sizeof(*p->guest));
	for (size_t i = 0; i < p->guest_count; i++)
		p->guest[i].path = paths[i];
	status = gather_guests(p);
	if (status == CLI_GOOD)
		status = predict(p);
	if (status == CLI_GOOD && r->event_log)
		status = outfile_put(r->event_log, p->log.data, p->log.len);
	if (status != CLI_GOOD)
		return status;
	if (r->json)
		measure_print_json(p);
	else
		measure_print_text(p);
	return cli_finish(CLI_GOOD);
}

static int measure(const struct request *r, char **paths, size_t count)
{
	struct prediction *p = cli_alloc(sizeof(*p));
	int status;

	p->guest_count = count;
	status = run(p, r, paths);
	for (size_t i = 0; i < p->event_count; i++)
		free(p->event[i].text);
	free(p->event);
	free(p->guest);
	entry_release(&p->entry);
	bytes_free(&p->log);
	free(p);
	return status;
}

/* ------------------------------------------------------------------ the command line */

static int take_banks(const char *list, struct request *r)
{
	r->banks = 0;
	for (const char *at = list;; at++) {
		size_t len = strcspn(at, ","), i = 0;

		while (i < EVENTLOG_BANKS && (strlen(tpm_bank_name(tpm_known_banks[i])) != len ||
					      strncmp(tpm_bank_name(tpm_known_banks[i]), at, len) != 0))
			i++;
		if (i == EVENTLOG_BANKS) {
			cli_error("'%s' is no list of sha1, sha256, sha384, sha512", list);
			return cli_usage("measure");
		}
		r->banks |= 1u << i;
		at += len;
		if (!*at)
			return CLI_GO_ON;
	}
}

static int take_trust(const char *path, struct request *r)
{
	if (r->trust_count < POLICY_MAX_KEYS) {
		r->trust[r->trust_count++] = path;
		return CLI_GO_ON;
	}
	cli_error("more than %d keys", POLICY_MAX_KEYS);
	return cli_usage("measure");
}

static int take_option(int option, struct request *r)
{
	switch (option) {
	case 'p':
		r->policy = optarg;
		return CLI_GO_ON;
	case 'c':
		r->cmdline = optarg;
		return entry_check_words(optarg) == CLI_GOOD ? CLI_GO_ON : cli_usage("measure");
	case 't':
		return take_trust(optarg, r);
	case 'b':
		return take_banks(optarg, r);
	case 'e':
		r->event_log = optarg;
		return CLI_GO_ON;
	case 'j':
		r->json = true;
		return CLI_GO_ON;
	default:
		return cli_common_option(option, "measure", help);
	}
}

int command_measure(int argc, char **argv)
{
	struct request r = { .cmdline = "", .banks = 1u << 1 };
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "p:c:t:b:e:jhV", options, NULL)) != -1)
		status = take_option(option, &r);
	if (status != CLI_GO_ON)
		return status;
	if (argc == optind)
		cli_error("no image given");
	else
		return measure(&r, argv + optind, (size_t)(argc - optind));
	return cli_usage("measure");
}
