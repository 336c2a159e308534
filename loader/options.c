/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's command line and its modules' strings: words to values. Never fails and acts on nothing. */
#include <vouch/options.h>

#include <string.h>

struct word {
	const char *s;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts the next word off *s. False at the end. */
static bool next_word(const char **s, struct word *w)
{
	while (is_space(**s))
		(*s)++;
	w->s = *s;
	while (**s && !is_space(**s))
		(*s)++;
	w->len = (size_t)(*s - w->s);
	return w->len > 0;
}

static bool word_is(struct word w, const char *s)
{
	return w.len == strlen(s) && !memcmp(w.s, s, w.len);
}

/* Position of w in names[0..count), or -1. */
static int find_name(struct word w, const char *const *names, int count)
{
	for (int i = 0; i < count; i++) {
		if (word_is(w, names[i]))
			return i;
	}
	return -1;
}

static void add_unknown(struct options *o, struct word w)
{
	if (o->unknown_count < ARRAY_SIZE(o->unknown))
		log_escape(o->unknown[o->unknown_count], sizeof(o->unknown[0]), w.s, w.len);
	o->unknown_count++;
}

/* In the order of bits OPT_*; the log can't go to the screen alone, which forgets. */
static const char *const port_names[] = { "com1", "com2", "screen" };
#define SERIAL_NAMES 2
static const char *const level_names[] = { /* from LOG_ERROR up */
	"error", "warn", "info", "debug",
};
static const char *const integrity_names[] = { "none", "checksum", "sha256", "signed" };
/* In the order of bits FEATURE_*. */
static const char *const feature_names[] = {
	"nrip", "decode", "clean", "flushasid", "pause", "vpid", "apicv", "preempt", "ple", "ept-ad", "ept-1g", "sha-ni",
	"apicv:access", "apicv:x2apic", "apicv:regs", "apicv:intr",
};
_Static_assert(1u << (ARRAY_SIZE(feature_names) - 1) == FEATURE_APIC_INTR, "a name for each feature");
static const char *const consoles_names[] = { "mux", "prefix" };
#define CPUS_OPTION_MAX 65535u       /* more than any machine has: a number, not a slip of the finger */
static const char *const measure_names[] = { "quiet", "print" };
static const char *const mitigations_names[] = { "auto", "off", "all" };
static const char *const x2apic_names[] = { "auto", "on" };
static const char *const end_names[] = { "halt", "reboot", "poweroff" };
static const char *const guests_names[] = { "together", "sequential" };

const char *integrity_name(enum integrity i)
{
	return (unsigned int)i < ARRAY_SIZE(integrity_names) ? integrity_names[i] : "unknown";
}

/* What the words seen so far said; the defaults come in at the end. */
struct seen {
	uint32_t console, log, control;
	bool integrity;
};

/*
 * A list with commas, of the first count names, with prefix before each; *bits gets 1 << position of each. False if any
 * part is something else; none of them counts then.
 */
static bool read_list(struct word v, const char *prefix, const char *const *names, int count, uint32_t *bits)
{
	size_t skip = strlen(prefix);
	uint32_t found = 0;

	for (;;) {
		const char *comma = memchr(v.s, ',', v.len);
		struct word part = { v.s, comma ? (size_t)(comma - v.s) : v.len };
		int i = -1;

		if (part.len >= skip && !memcmp(part.s, prefix, skip))
			i = find_name((struct word){ part.s + skip, part.len - skip }, names, count);
		if (i < 0)
			return false;
		found |= 1u << i;
		if (!comma)
			break;
		v.len -= part.len + 1;
		v.s = comma + 1;
	}
	*bits |= found;
	return true;
}

/*
 * Asked twice, the stronger level holds; asked for what we don't know, which may be the strongest, only that will do.
 * False if the operator should hear of it: the word says something else than what was said before, or nothing known.
 */
static bool read_integrity(struct options *o, struct seen *seen, struct word v)
{
	int level = find_name(v, integrity_names, ARRAY_SIZE(integrity_names));
	bool clear = level >= 0 && (!seen->integrity || level == (int)o->integrity);

	if (level < 0) {
		level = INTEGRITY_SIGNED;
		if (!o->integrity_bad)
			log_escape(o->bad_level, sizeof(o->bad_level), v.s, v.len);
		o->integrity_bad = true;
	}
	if (!seen->integrity || level > (int)o->integrity)
		o->integrity = (enum integrity)level;
	seen->integrity = true;
	return clear;
}

static bool read_choice(struct word v, const char *const *names, int count, int *out)
{
	int i = find_name(v, names, count);

	if (i >= 0)
		*out = i;
	return i >= 0;
}

/* A decimal number from 1 to max: digits only, no leading zero. */
static bool read_count(struct word v, uint32_t max, uint32_t *out)
{
	uint32_t n = 0;

	if (!v.len || v.s[0] == '0')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.s[i] < '0' || v.s[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(v.s[i] - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

static bool read_option(struct options *o, struct seen *seen, struct word key, struct word v)
{
	int choice;

	if (word_is(key, "console"))
		return read_list(v, "", port_names, ARRAY_SIZE(port_names), &seen->console);
	if (word_is(key, "log"))
		return read_list(v, "", port_names, SERIAL_NAMES, &seen->log);
	if (word_is(key, "control") && read_choice(v, port_names, SERIAL_NAMES, &choice)) {
		seen->control = 1u << choice;
		return true;
	}
	if (word_is(key, "features"))
		return read_list(v, "-", feature_names, ARRAY_SIZE(feature_names), &o->features_off);
	if (word_is(key, "cpus"))
		return read_count(v, CPUS_OPTION_MAX, &o->cpus);
	if (word_is(key, "integrity"))
		return read_integrity(o, seen, v);
	if (word_is(key, "loglevel") && read_choice(v, level_names, ARRAY_SIZE(level_names), &choice)) {
		o->loglevel = (enum log_level)(LOG_ERROR + choice);
		return true;
	}
	if (word_is(key, "consoles") && read_choice(v, consoles_names, ARRAY_SIZE(consoles_names), &choice)) {
		o->consoles = (enum consoles)choice;
		return true;
	}
	if (word_is(key, "measure") && read_choice(v, measure_names, ARRAY_SIZE(measure_names), &choice)) {
		o->print_events = choice == 1;
		return true;
	}
	if (word_is(key, "mitigations") && read_choice(v, mitigations_names, ARRAY_SIZE(mitigations_names), &choice)) {
		o->mitigations_off = choice == 1;
		o->mitigations_all = choice == 2;
		return true;
	}
	if (word_is(key, "x2apic") && read_choice(v, x2apic_names, ARRAY_SIZE(x2apic_names), &choice)) {
		o->x2apic = choice == 1;
		return true;
	}
	if (word_is(key, "end") && read_choice(v, end_names, ARRAY_SIZE(end_names), &choice)) {
		o->end = (enum end_action)choice;
		return true;
	}
	if (word_is(key, "guests") && read_choice(v, guests_names, ARRAY_SIZE(guests_names), &choice)) {
		o->guests = (enum guest_order)choice;
		return true;
	}
	return false;
}

/* A guest writes to the console, so a port that is both would let it forge verdicts; control is for a program alone. */
static void settle_ports(struct options *o, const struct seen *seen)
{
	static const char *const shared[] = { "log=com1", "log=com2" };
	static const char *const no_control[] = { "control=com1", "control=com2" };

	o->console = seen->console ? seen->console : OPT_COM1 | OPT_SCREEN;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		if (seen->log & o->console & 1u << i)
			add_unknown(o, (struct word){ shared[i], strlen(shared[i]) });
	}
	o->log = seen->log & ~o->console;
	for (size_t i = 0; i < ARRAY_SIZE(no_control); i++) {
		if (seen->control & (o->console | o->log) & 1u << i)
			add_unknown(o, (struct word){ no_control[i], strlen(no_control[i]) });
	}
	o->control = seen->control & ~(o->console | o->log);
}

void options_parse(struct options *o, const char *cmdline)
{
	struct seen seen = { 0 };
	struct word w;

	memset(o, 0, sizeof(*o));
	o->loglevel = LOG_INFO;
	o->integrity = INTEGRITY_CHECKSUM;
	o->end = END_HALT;
	o->consoles = CONSOLES_MUX;
	while (next_word(&cmdline, &w)) {
		const char *eq = memchr(w.s, '=', w.len);
		struct word key = { w.s, eq ? (size_t)(eq - w.s) : w.len };
		struct word value = { eq ? eq + 1 : w.s + w.len, eq ? w.len - key.len - 1 : 0 };

		if (!read_option(o, &seen, key, value))
			add_unknown(o, w);
	}
	settle_ports(o, &seen);
}

/* ------------------------------------------------------------------ modules */

/* A guest's keys, and what of each was seen. */
enum module_key { KEY_WEIGHT, KEY_CAP, KEY_ORDER, KEY_AUTOSTART };
static const char *const key_names[] = { "weight", "cap", "order", "autostart" };
static const char *const key_wants[] = {
	"weight= takes a number from 1 to 10000", "cap= takes a number from 1 to 100", "order= takes a number from 1 to 9999",
	"autostart= takes yes or no",
};
_Static_assert(MODULE_WEIGHT_MAX == 10000 && MODULE_CAP_MAX == 100 && MODULE_ORDER_MAX == 9999, "as key_wants says");
static const char *const yes_names[] = { "yes", "no" };

static bool read_key(struct module_options *m, enum module_key key, struct word v)
{
	int choice;

	switch (key) {
	case KEY_WEIGHT:
		return read_count(v, MODULE_WEIGHT_MAX, &m->weight);
	case KEY_CAP:
		return read_count(v, MODULE_CAP_MAX, &m->cap);
	case KEY_ORDER:
		return read_count(v, MODULE_ORDER_MAX, &m->order);
	case KEY_AUTOSTART:
		if (!read_choice(v, yes_names, ARRAY_SIZE(yes_names), &choice))
			return false;
		m->manual = choice == 1;
		return true;
	}
	return false;
}

/* False: it is none, and m->wants says why if anything is to be said. */
static bool read_guest_word(struct module_options *m, struct word w, uint32_t *seen)
{
	const char *eq = memchr(w.s, '=', w.len);
	int key = eq ? find_name((struct word){ w.s, (size_t)(eq - w.s) }, key_names, ARRAY_SIZE(key_names)) : -1;

	if (key < 0)
		return false;
	if (*seen & 1u << key) {
		m->wants = "it is given twice";
		return false;
	}
	*seen |= 1u << key;
	m->wants = key_wants[key];
	if (!read_key(m, (enum module_key)key, (struct word){ eq + 1, w.len - (size_t)(eq + 1 - w.s) }))
		return false;
	m->wants = NULL;
	return true;
}

static void set_kind(struct module_options *m, enum module_kind kind, struct word w)
{
	m->kind = kind;
	log_escape(m->word, sizeof(m->word), w.s, w.len);
}

void module_parse(struct module_options *m, const char *string)
{
	uint32_t seen = 0;
	struct word w;

	*m = (struct module_options){ .kind = MODULE_GUEST, .weight = MODULE_WEIGHT, .order = MODULE_ORDER_MAX + 1 };
	if (!next_word(&string, &w))
		return;
	if (word_is(w, "policy")) {
		m->kind = MODULE_POLICY;
		if (next_word(&string, &w))
			set_kind(m, MODULE_BAD, w);
		return;
	}
	if (!word_is(w, "guest")) {
		set_kind(m, MODULE_UNKNOWN, w);
		return;
	}
	while (next_word(&string, &w)) {
		if (!read_guest_word(m, w, &seen)) {
			set_kind(m, MODULE_BAD, w);
			return;
		}
	}
}
