/* SPDX-License-Identifier: BSD-2-Clause */
/* `vouch policy`: compiles a launch policy from its source, and shows a compiled one. */
#include "policy.h"

#include "commands.h"
#include "common/cli.h"
#include "common/outfile.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: vouch policy compile -o OUT.dtb SRC.dts\n"
	"       vouch policy show FILE.dtb\n"
	"Compile a launch policy from its source, or show what a compiled one demands.\n\n"
	"  -o, --output=OUT.dtb  where compile puts the policy; required there\n"
	"  -h, --help            show this and exit\n"
	"  -V, --version         show the version of vouch and exit\n";

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

/* ------------------------------------------------------------------ compile */

/* Demands that an operator may believe in and that are none. */
static void warn_of_weakness(const char *source, const struct policy *p)
{
	bool pinned = p->guests_listed;

	for (uint32_t i = 0; i < p->guest_count; i++)
		pinned &= p->guest[i].digest_count > 0;
	if (p->key_count && p->integrity < INTEGRITY_SIGNED)
		cli_warn("%s: under integrity = \"%s\" keys demand no signature, they only refuse wrong ones; leave it out "
			 "or make it \"signed\"", source, integrity_name(p->integrity));
	else if (p->integrity < INTEGRITY_SIGNED && !pinned)
		cli_warn("%s: anyone can make an image that passes: there are neither signatures nor digests for all guests",
			 source);
}

static int compile(const char *source, const char *output)
{
	struct policy *p = cli_alloc(sizeof(*p));
	struct bytes tree = { 0 };
	int status = outfile_check_input(output, source);

	if (status == CLI_GOOD)
		status = policy_source_read(source, output, p);
	if (status == CLI_GOOD)
		status = policy_write(p, &tree);
	if (status == CLI_GOOD)
		warn_of_weakness(source, p);
	if (status == CLI_GOOD)
		status = outfile_put(output, tree.data, tree.len);
	bytes_free(&tree);
	free(p);
	return cli_finish(status);
}

/* ------------------------------------------------------------------ show */

static void show_hex(const char *before, const uint8_t digest[SHA256_LEN])
{
	fputs(before, stdout);
	for (size_t i = 0; i < SHA256_LEN; i++)
		printf("%02x", digest[i]);
	putchar('\n');
}

static void show_key(const struct policy_key *key)
{
	printf("key %s\n", key->name);
	show_hex("  id: ", key->key.id);
	printf("  guests: %s", key->any_guest ? "any" : "");
	for (uint32_t i = 0; i < key->guest_count; i++)
		printf("%s%s", i ? ", " : "", key->guest[i]);
	printf("\n  least security version: %llu\n", (unsigned long long)key->least_version);
}

static void show_guest(const struct policy_guest *guest)
{
	printf("guest %s\n", guest->name);
	if (!guest->digest_count)
		puts("  digest: any");
	for (uint32_t i = 0; i < guest->digest_count; i++)
		show_hex("  digest: ", guest->digest[i]);
	if (guest->counter)
		printf("  TPM counter: %#x, base %llu; newer images %s\n", guest->counter,
		       (unsigned long long)guest->counter_base, guest->counter_raise ? "raise it" : "leave it");
}

static int show(const char *path)
{
	struct policy *p = cli_alloc(sizeof(*p));
	uint8_t digest[SHA256_LEN];
	int status = policy_load(path, p, digest);

	if (status == CLI_GOOD) {
		cli_print(stdout, path);
		printf(": policy, version %d\n", POLICY_VERSION);
		show_hex("SHA-256: ", digest);
		printf("integrity: %s\n", integrity_name(p->integrity));
		printf("on refusal: %s\n", policy_refusal_name(p->on_refusal));
		if (p->tpm_required)
			puts("TPM: required");
		for (uint32_t i = 0; i < p->key_count; i++)
			show_key(&p->key[i]);
		if (!p->guests_listed)
			puts("guests: any");
		for (uint32_t i = 0; i < p->guest_count; i++)
			show_guest(&p->guest[i]);
	}
	free(p);
	return cli_finish(status);
}

/* ------------------------------------------------------------------ the command line */

static int run(const char *action, const char *path, const char *output)
{
	bool compiles = strcmp(action, "compile") == 0;

	if (!compiles && strcmp(action, "show") != 0)
		cli_error("action '%s' is neither compile nor show", action);
	else if (!path)
		cli_error(compiles ? "no source given" : "no policy given");
	else if (compiles && !output)
		cli_error("no output given: -o OUT.dtb");
	else if (!compiles && output)
		cli_error("show writes no file: leave -o out");
	else
		return compiles ? compile(path, output) : show(path);
	return cli_usage("policy");
}

int command_policy(int argc, char **argv)
{
	const char *output = NULL;
	int option, status = CLI_GO_ON;

	while (status == CLI_GO_ON && (option = getopt_long(argc, argv, "o:hV", options, NULL)) != -1) {
		if (option == 'o')
			output = optarg;
		else
			status = cli_common_option(option, "policy", help);
	}
	if (status != CLI_GO_ON)
		return status;
	if (optind == argc)
		cli_error("no action given: compile or show");
	else if (argc - optind > 2)
		cli_error("more than one file given");
	else
		return run(argv[optind], argv[optind + 1], output);
	return cli_usage("policy");
}
