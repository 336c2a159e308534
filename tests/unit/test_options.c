/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's command line, its modules' strings, and the escaping of text that nobody here wrote. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/options.h>

static struct options o;

static void parse(const char *line, uint32_t unknown)
{
	options_parse(&o, line);
	assert_int_equal(o.unknown_count, unknown);
}

static void defaults(void **state)
{
	(void)state;
	parse(" \t\n", 0);
	assert_int_equal(o.console, OPT_COM1 | OPT_SCREEN);
	assert_int_equal(o.log, 0);
	assert_int_equal(o.loglevel, LOG_INFO);
	assert_int_equal(o.integrity, INTEGRITY_CHECKSUM);
	assert_int_equal(o.end, END_HALT);
	assert_int_equal(o.guests, GUESTS_TOGETHER);
	assert_int_equal(o.features_off, 0);
	assert_int_equal(o.cpus, 0);
	assert_false(o.print_events);
}

static void all(void **state)
{
	(void)state;
	parse("console=com1 log=com2 loglevel=debug integrity=none end=poweroff", 0);
	assert_int_equal(o.console, OPT_COM1);
	assert_int_equal(o.log, OPT_COM2);
	assert_int_equal(o.loglevel, LOG_DEBUG);
	assert_int_equal(o.integrity, INTEGRITY_NONE);
	assert_int_equal(o.end, END_POWEROFF);
	parse("end=reboot loglevel=error", 0);
	assert_int_equal(o.end, END_REBOOT);
	assert_int_equal(o.loglevel, LOG_ERROR);
	assert_int_equal(o.consoles, CONSOLES_MUX);
	parse("consoles=prefix", 0);
	assert_int_equal(o.consoles, CONSOLES_PREFIX);
	parse("consoles=prefix consoles=mux", 0);
	assert_int_equal(o.consoles, CONSOLES_MUX);
	parse("consoles=both consoles= consoles console=mux", 4);
	assert_int_equal(o.consoles, CONSOLES_MUX);
	parse("guests=sequential", 0);
	assert_int_equal(o.guests, GUESTS_SEQUENTIAL);
	parse("guests=sequential guests=together", 0);
	assert_int_equal(o.guests, GUESTS_TOGETHER);
	parse("guests=both", 1);
	assert_int_equal(o.guests, GUESTS_TOGETHER);
	parse("measure=print", 0);
	assert_true(o.print_events);
	parse("measure=print measure=quiet", 0);
	assert_false(o.print_events);
	parse("measure=log", 1);
	assert_false(o.print_events);
	parse("measure", 1);
	parse("loglevel=warn", 0);
	assert_int_equal(o.loglevel, LOG_WARN);
}

static void ports(void **state)
{
	(void)state;
	parse("console=com2", 0);
	assert_int_equal(o.console, OPT_COM2);
	parse("console=com1 console=com2", 0);
	assert_int_equal(o.console, OPT_COM1 | OPT_COM2);
	parse("console=com1,com2", 0);
	assert_int_equal(o.console, OPT_COM1 | OPT_COM2);
	parse("console=screen", 0);
	assert_int_equal(o.console, OPT_SCREEN);
	parse("console=com2,screen", 0);
	assert_int_equal(o.console, OPT_COM2 | OPT_SCREEN);
	parse("console=com1,com3", 1);
	assert_int_equal(o.console, OPT_COM1 | OPT_SCREEN);
	parse("console=com2,", 1);
	assert_int_equal(o.console, OPT_COM1 | OPT_SCREEN);
	/* What guests draw over, and forget, is no log. */
	parse("log=screen", 1);
	assert_int_equal(o.log, 0);
	parse("console=com1 log=com2,screen", 1);
	assert_int_equal(o.log, 0);
	parse("console=", 1);
	parse("console=com11", 1);
	parse("console=COM1", 1);
}

static void mitigations(void **state)
{
	(void)state;
	parse("", 0);
	assert_false(o.mitigations_off);
	parse("mitigations=auto", 0);
	assert_false(o.mitigations_off);
	parse("mitigations=off", 0);
	assert_true(o.mitigations_off && !o.mitigations_all);
	parse("mitigations=all", 0);
	assert_true(o.mitigations_all && !o.mitigations_off);
	parse("mitigations=none", 1);
	assert_false(o.mitigations_off);
	parse("mitigations=", 1);
	parse("mitigations", 1);
}

static void x2apic(void **state)
{
	static const char *const bad[] = { "x2apic", "x2apic=", "x2apic=off", "x2apic=On", "x2apic=1", "x2apic=on,auto", "X2APIC=on" };

	(void)state;
	parse("", 0);
	assert_false(o.x2apic);
	parse("x2apic=on", 0);
	assert_true(o.x2apic);
	parse("x2apic=on x2apic=auto", 0);
	assert_false(o.x2apic);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i], 1);
		assert_false(o.x2apic);
	}
}

static void cpus(void **state)
{
	static const char *const bad[] = {
		"cpus", "cpus=", "cpus=0", "cpus=-1", "cpus=+1", "cpus=01", "cpus=1x", "cpus=0x2", "cpus=1,2", "cpus=all",
		"cpus=65536", "cpus=4294967297", "cpus=99999999999999999999999", "CPUS=1",
	};

	(void)state;
	parse("cpus=1", 0);
	assert_int_equal(o.cpus, 1);
	parse("cpus=128", 0);
	assert_int_equal(o.cpus, 128);
	parse("cpus=65535", 0);
	assert_int_equal(o.cpus, 65535);
	parse("cpus=4 cpus=2", 0);
	assert_int_equal(o.cpus, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i], 1);
		assert_int_equal(o.cpus, 0);
	}
	parse("cpus=3 cpus=no", 1);
	assert_int_equal(o.cpus, 3);
}

static void features(void **state)
{
	static const struct { const char *line; uint32_t off; } rows[] = {
		{ "features=-nrip", FEATURE_NRIP }, { "features=-decode", FEATURE_DECODE },
		{ "features=-clean", FEATURE_CLEAN }, { "features=-flushasid", FEATURE_FLUSHASID },
		{ "features=-pause", FEATURE_PAUSE }, { "features=-vpid", FEATURE_VPID },
		{ "features=-apicv", FEATURE_APICV }, { "features=-preempt", FEATURE_PREEMPT },
		{ "features=-ple", FEATURE_PLE }, { "features=-ept-ad", FEATURE_EPT_AD },
		{ "features=-ept-1g", FEATURE_EPT_1G },
		{ "features=-sha-ni", FEATURE_SHA_NI },
		{ "features=-apicv:access", FEATURE_APIC_ACCESS }, { "features=-apicv:x2apic", FEATURE_APIC_X2APIC },
		{ "features=-apicv:regs", FEATURE_APIC_REGS }, { "features=-apicv:intr", FEATURE_APIC_INTR },
		{ "features=-nrip,-ept-1g,-clean", FEATURE_NRIP | FEATURE_EPT_1G | FEATURE_CLEAN },
		{ "features=-nrip features=-vpid", FEATURE_NRIP | FEATURE_VPID },
	};
	static const char *const bad[] = {
		"features=", "features=-", "features=nrip", "features=+nrip", "features=-nrips", "features=-NRIP",
		"features=-nrip,", "features=-nrip,clean", "features=-nrip,-sse", "features=--nrip", "features=-ept",
		"features=-apicv:", "features=-apicv:tpr",
		"features",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		parse(rows[i].line, 0);
		assert_int_equal(o.features_off, rows[i].off);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i], 1);
		assert_string_equal(o.unknown[0], bad[i]);
		assert_int_equal(o.features_off, 0);
	}
	parse("features=-clean features=-all", 1);
	assert_int_equal(o.features_off, FEATURE_CLEAN);
}

/* One program's port, and nobody else's. */
static void control(void **state)
{
	(void)state;
	parse("", 0);
	assert_int_equal(o.control, 0);
	parse("control=com2", 0);
	assert_int_equal(o.control, OPT_COM2);
	parse("control=com1 console=com2", 0);
	assert_int_equal(o.control, OPT_COM1);
	parse("control=com1", 1);
	assert_string_equal(o.unknown[0], "control=com1");
	assert_int_equal(o.control, 0);
	parse("log=com2 control=com2", 1);
	assert_int_equal(o.control, 0);
	assert_int_equal(o.log, OPT_COM2);
	parse("control=screen control=com1,com2 control= control=com3 control", 5);
	assert_int_equal(o.control, 0);
}

/* A channel that guests write to can't be the one where verdicts are trusted. */
static void log_shared(void **state)
{
	(void)state;
	parse("log=com1", 1);
	assert_string_equal(o.unknown[0], "log=com1");
	assert_int_equal(o.log, 0);
	parse("log=com1,com2", 1);
	assert_int_equal(o.log, OPT_COM2);
	parse("log=com2 console=com1,com2", 1);
	assert_string_equal(o.unknown[0], "log=com2");
	assert_int_equal(o.log, 0);
	parse("log=com1 console=com2", 0);
	assert_int_equal(o.log, OPT_COM1);
}

/* No way to end up with less than was asked for. */
static void integrity(void **state)
{
	(void)state;
	parse("integrity=checksum", 0);
	assert_int_equal(o.integrity, INTEGRITY_CHECKSUM);
	parse("integrity=none integrity=none", 0);
	assert_int_equal(o.integrity, INTEGRITY_NONE);
	parse("integrity=none integrity=checksum", 1);
	assert_int_equal(o.integrity, INTEGRITY_CHECKSUM);
	parse("integrity=checksum integrity=none", 1);
	assert_string_equal(o.unknown[0], "integrity=none");
	assert_int_equal(o.integrity, INTEGRITY_CHECKSUM);
	parse("integrity=sha256", 0);
	assert_int_equal(o.integrity, INTEGRITY_SHA256);
	parse("integrity=signed", 0);
	assert_int_equal(o.integrity, INTEGRITY_SIGNED);
	parse("integrity=none integrity=signed", 1);
	assert_int_equal(o.integrity, INTEGRITY_SIGNED);
	parse("integrity=signed integrity=sha256 integrity=none", 2);
	assert_int_equal(o.integrity, INTEGRITY_SIGNED);
	parse("integrity=signed integrity=nonesuch", 1);
	assert_int_equal(o.integrity, INTEGRITY_SIGNED);
	assert_string_equal(integrity_name(INTEGRITY_NONE), "none");
	assert_string_equal(integrity_name(INTEGRITY_CHECKSUM), "checksum");
	assert_string_equal(integrity_name(INTEGRITY_SHA256), "sha256");
	assert_string_equal(integrity_name(INTEGRITY_SIGNED), "signed");
	assert_string_equal(integrity_name((enum integrity)7), "unknown");
}

/* A misspelt demand is not the default: nothing may run. */
static void integrity_misspelt(void **state)
{
	static const struct { const char *line; uint32_t unknown; const char *word; } rows[] = {
		{ "integrity=NONE", 1, "NONE" }, { "integrity=nonesuch", 1, "nonesuch" }, { "integrity=", 1, "" },
		{ "integrity", 1, "" }, { "integrity=sha265 end=poweroff", 1, "sha265" },
		{ "integrity=singed integrity=none", 2, "singed" }, { "integrity=none integrity=singed", 1, "singed" },
		{ "integrity=signed integrity=Signed", 1, "Signed" }, { "integrity=a integrity=b", 2, "a" },
		{ "integrity=signed,", 1, "signed," }, { "integrity=\x1b[2J", 1, "\\x1b[2J" },
		{ "integrity=a23456789012345678901234567890123456789", 1, "a234567890123456789012345678..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		parse(rows[i].line, rows[i].unknown);
		assert_true(o.integrity_bad);
		assert_string_equal(o.bad_level, rows[i].word);
		assert_int_equal(o.integrity, INTEGRITY_SIGNED);
	}
	parse("integrity=none integrity=signed", 1);
	assert_false(o.integrity_bad);
	parse("integritty=signed", 1);
	assert_false(o.integrity_bad);
	assert_string_equal(INTEGRITY_LEVELS, "none, checksum, sha256, signed");
}

static void unknown(void **state)
{
	(void)state;
	parse("quiet a=b =x end loglevel=loud", 5);
	assert_string_equal(o.unknown[0], "quiet");
	assert_string_equal(o.unknown[1], "a=b");
	assert_string_equal(o.unknown[2], "=x");
	assert_string_equal(o.unknown[3], "end");
	assert_int_equal(o.loglevel, LOG_INFO);
	parse("end=halt=halt", 1);
	parse("x\x1b[2J", 1);
	assert_string_equal(o.unknown[0], "x\\x1b[2J");
}

static void unknown_long(void **state)
{
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[999] = '\0';
	parse(line, 1);
	assert_int_equal(strlen(o.unknown[0]), 63);
	assert_string_equal(o.unknown[0] + 60, "...");
}

static void module(const char *s, enum module_kind kind, const char *word)
{
	struct module_options m;

	module_parse(&m, s);
	assert_int_equal(m.kind, kind);
	assert_string_equal(m.word, word);
}

static void modules(void **state)
{
	(void)state;
	module("", MODULE_GUEST, "");
	module(" \t ", MODULE_GUEST, "");
	module("guest", MODULE_GUEST, "");
	module(" guest ", MODULE_GUEST, "");
	module("guest name=x", MODULE_BAD, "name=x");
	module("guest weight", MODULE_BAD, "weight");
	module("guest =1", MODULE_BAD, "=1");
	module("guest weights=1", MODULE_BAD, "weights=1");
	module("guest Weight=1", MODULE_BAD, "Weight=1");
	module("policy weight=1", MODULE_BAD, "weight=1");
	module("guest guest", MODULE_BAD, "guest");
	module("policy", MODULE_POLICY, "");
	module(" policy\t", MODULE_POLICY, "");
	module("policy guest", MODULE_BAD, "guest");
	module("policy level=3", MODULE_BAD, "level=3");
	module("guest policy", MODULE_BAD, "policy");
	module("policies", MODULE_UNKNOWN, "policies");
	module("guests", MODULE_UNKNOWN, "guests");
	module("gues", MODULE_UNKNOWN, "gues");
	module("Guest", MODULE_UNKNOWN, "Guest");
	module("guest=1", MODULE_UNKNOWN, "guest=1");
	module("\xff", MODULE_UNKNOWN, "\\xff");
}

static void taken(const char *s, uint32_t weight, uint32_t cap, uint32_t order, bool manual)
{
	struct module_options m;

	module_parse(&m, s);
	assert_int_equal(m.kind, MODULE_GUEST);
	assert_null(m.wants);
	assert_int_equal(m.weight, weight);
	assert_int_equal(m.cap, cap);
	assert_int_equal(m.order, order);
	assert_int_equal(m.manual, manual);
}

static void refused(const char *s, const char *word, const char *wants)
{
	struct module_options m;

	module(s, MODULE_BAD, word);
	module_parse(&m, s);
	if (wants)
		assert_string_equal(m.wants, wants);
	else
		assert_null(m.wants);
}

static void module_words(void **state)
{
	(void)state;
	taken("", 256, 0, 10000, false);
	taken("guest", 256, 0, 10000, false);
	taken("guest weight=1 cap=1 order=1 autostart=yes", 1, 1, 1, false);
	taken("  guest\torder=9999  autostart=no cap=100 weight=10000 ", 10000, 100, 9999, true);
	refused("guest weight=0", "weight=0", "weight= takes a number from 1 to 10000");
	refused("guest weight=10001", "weight=10001", "weight= takes a number from 1 to 10000");
	refused("guest weight=99999999999999999999", "weight=99999999999999999999", "weight= takes a number from 1 to 10000");
	refused("guest weight=", "weight=", "weight= takes a number from 1 to 10000");
	refused("guest weight=0x10", "weight=0x10", "weight= takes a number from 1 to 10000");
	refused("guest weight=+1", "weight=+1", "weight= takes a number from 1 to 10000");
	refused("guest cap=0", "cap=0", "cap= takes a number from 1 to 100");
	refused("guest cap=101", "cap=101", "cap= takes a number from 1 to 100");
	refused("guest cap=50%", "cap=50%", "cap= takes a number from 1 to 100");
	refused("guest order=0", "order=0", "order= takes a number from 1 to 9999");
	refused("guest order=10000", "order=10000", "order= takes a number from 1 to 9999");
	refused("guest autostart=", "autostart=", "autostart= takes yes or no");
	refused("guest autostart=false", "autostart=false", "autostart= takes yes or no");
	refused("guest autostart=n", "autostart=n", "autostart= takes yes or no");
	/* The first bad word is named, what stands before it or behind notwithstanding. */
	refused("guest weight=512 cap=x order=y", "cap=x", "cap= takes a number from 1 to 100");
	refused("guest weight=1 cap=2 weight=1", "weight=1", "it is given twice");
	refused("guest weight=1 colour=red cap=1000", "colour=red", NULL);
}

static void escape(void **state)
{
	char buf[16];

	(void)state;
	assert_ptr_equal(log_escape(buf, sizeof(buf), "plain ~", 7), buf);
	assert_string_equal(buf, "plain ~");
	assert_string_equal(log_escape(buf, sizeof(buf), "a\n\x7f\\", 4), "a\\x0a\\x7f\\x5c");
	assert_string_equal(log_escape(buf, sizeof(buf), "ab\0cd", 5), "ab");
	assert_string_equal(log_escape(buf, sizeof(buf), "abcdef", 3), "abc");
	assert_string_equal(log_escape(buf, sizeof(buf), "", 0), "");
	assert_string_equal(log_escape(buf, sizeof(buf), "123456789012345", 99), "123456789012345");
	assert_string_equal(log_escape(buf, sizeof(buf), "1234567890123456", 99), "123456789012...");
	/* An escape is never cut in its middle. */
	assert_string_equal(log_escape(buf, sizeof(buf), "\x01\x02\x03\x04", 4), "\\x01\\x02\\x03...");
	assert_string_equal(log_escape(buf, sizeof(buf), "a\x01\x02\x03\x04", 5), "a\\x01\\x02...");
}

/* Into every size there is: ends in it, printable, marked if it was cut. */
static void escape_sizes(void **state)
{
	static const char src[] = "ab\x01" "cd\xff" "ef";
	static const char full[] = "ab\\x01cd\\xffef";

	(void)state;
	for (size_t size = 1; size < 20; size++) {
		char *buf = malloc(size);
		size_t len;

		log_escape(buf, size, src, sizeof(src));
		len = strlen(buf);
		assert_true(len < size);
		if (size > strlen(full))
			assert_string_equal(buf, full);
		else if (size > 3)
			assert_string_equal(buf + len - 3, "...");
		free(buf);
	}
	assert_null(log_escape(NULL, 0, src, sizeof(src)));
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(defaults), T(all), T(ports), T(mitigations), T(cpus), T(x2apic), T(features), T(control), T(log_shared), T(integrity),
		T(integrity_misspelt), T(unknown), T(unknown_long), T(modules), T(module_words),
		T(escape), T(escape_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
