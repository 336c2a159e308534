/* SPDX-License-Identifier: BSD-2-Clause */
/* Vouch's command line and a module's string. */
#include <vouch/options.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const char *s, size_t size)
{
	if (strnlen(s, size) == size)
		abort();
	for (; *s; s++) {
		if (*s <= 0x20 || *s > 0x7e)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct module_options m;
	struct options o;
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	options_parse(&o, line);
	if (!o.console || o.console & o.log || (o.console | o.log) & ~(OPT_COM1 | OPT_COM2 | OPT_SCREEN) || o.log & OPT_SCREEN)
		abort();
	if (o.control & (o.console | o.log) || o.control & ~(OPT_COM1 | OPT_COM2) || o.control & (o.control - 1))
		abort();
	if (o.integrity == INTEGRITY_NONE && !strstr(line, "integrity=none"))
		abort();
	if (o.integrity_bad && o.integrity != INTEGRITY_SIGNED)
		abort();
	if (strnlen(o.bad_level, sizeof(o.bad_level)) == sizeof(o.bad_level))
		abort();
	if (o.features_off && (o.features_off >= FEATURE_APIC_INTR << 1 || !strstr(line, "features=-")))
		abort();
	if (o.cpus > 65535 || (o.cpus && !strstr(line, "cpus=")))
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(o.unknown) && i < o.unknown_count; i++)
		check_word(o.unknown[i], sizeof(o.unknown[i]));
	module_parse(&m, line);
	check_word(m.word, sizeof(m.word));
	if ((m.kind == MODULE_GUEST || m.kind == MODULE_POLICY) != !*m.word)
		abort();
	if (m.wants && m.kind != MODULE_BAD)
		abort();
	if (!m.weight || m.weight > MODULE_WEIGHT_MAX || m.cap > MODULE_CAP_MAX || !m.order || m.order > MODULE_ORDER_MAX + 1)
		abort();
	free(line);
	return 0;
}
