/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns the configuration below the root into a plan (docs/configuration.md). What Vouch does not have is refused by
 * name, what does not matter is ignored with a log line. config_devices.c has the devices, plan.c the whole.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_NOTES 32u
#define CPU_NUMBER_MAX 65535u

static const char *const no_elements[] = { NULL };

void config_note(struct config *c, enum log_level level, const struct xml_place *at, const char *fmt, ...)
{
	const char *name = *c->plan->name ? c->plan->name : "(no name)";
	char text[160];
	va_list ap;

	if (!c->notes)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line(level, "configuration of guest %s, line %" PRIu32 ": %s", name, at->line, text);
	if (!--c->notes)
		log_line(level, "configuration of guest %s: further notes are not shown", name);
}

const char *config_quote(char buf[CONFIG_QUOTE], const char *text)
{
	return log_escape(buf, CONFIG_QUOTE, text, strlen(text));
}

static bool is_known(const char *name, const char *const *known)
{
	/* The mark of Palacios' v3_create, allowed anywhere and of no meaning to a loader. */
	if (xml_same_name(name, "opt_tag"))
		return true;
	for (; *known; known++) {
		if (xml_same_name(name, *known))
			return true;
	}
	return false;
}

void config_warn_unknown(struct config *c, const struct xml_node *n, const char *const *params,
			 const char *const *elements)
{
	char outer[CONFIG_QUOTE], quoted[CONFIG_QUOTE];

	config_quote(outer, n->name);
	for (uint32_t i = 0; i < n->attr_count; i++) {
		if (!is_known(n->attr[i].name, params))
			config_note(c, LOG_WARN, &n->place, "unknown attribute %s of %s ignored",
				    config_quote(quoted, n->attr[i].name), outer);
	}
	for (const struct xml_node *k = n->child; k; k = k->next) {
		if (!is_known(k->name, params) && !is_known(k->name, elements))
			config_note(c, LOG_WARN, &k->place, "unknown element %s in %s ignored",
				    config_quote(quoted, k->name), outer);
	}
}

int config_number(struct config *c, const struct xml_node *n, const char *name, struct xml_value *v, uint64_t *out)
{
	char quoted[CONFIG_QUOTE];

	if (xml_param(n, name, v, c->err))
		return -1;
	if (v->text && xml_decimal(v->text, UINT32_MAX, out))
		return xml_fail(c->err, IMG_ERR_CFG_NUMBER, &v->place, "%s \"%s\"", name,
				config_quote(quoted, v->text));
	return 0;
}

static bool name_allowed(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len && len <= PLAN_NAME_MAX && strspn(name, allowed) == len;
}

static int read_root(struct config *c, const struct xml_node *root)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (!xml_same_name(root->name, "vm"))
		return xml_fail(c->err, IMG_ERR_CFG_ROOT, &root->place, "%s", config_quote(quoted, root->name));
	if (xml_param(root, "name", &v, c->err))
		return -1;
	if (v.text && !name_allowed(v.text))
		return xml_fail(c->err, IMG_ERR_CFG_NAME, &v.place, "\"%s\", use 1 to %u of A-Z a-z 0-9 . _ -",
				config_quote(quoted, v.text), (unsigned int)PLAN_NAME_MAX);
	if (v.text)
		strcpy(c->plan->name, v.text);
	if (xml_param(root, "class", &v, c->err))
		return -1;
	if (!v.text || !xml_same_name(v.text, "PC"))
		return xml_fail(c->err, IMG_ERR_CFG_CLASS, &v.place, "%s%s", v.text ? "it is " : "none is given",
				v.text ? config_quote(quoted, v.text) : "");
	return 0;
}

/* The size may also stand in an attribute of the root; memory is the element then, if there is one. */
static int read_memory(struct config *c, const struct xml_node *root)
{
	const struct xml_node *memory = xml_child(root, "memory");
	struct xml_value v;

	if (config_number(c, root, "memory", &v, &c->plan->memory_mib))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_MEMORY_MISSING, &root->place, "add <memory>MiB</memory>");
	if (!memory)
		return 0;
	if (xml_sibling(memory, "memory"))
		return xml_fail(c->err, IMG_ERR_CFG_SECTION_TWICE, &xml_sibling(memory, "memory")->place, "memory");
	if (xml_param(memory, "alignment", &v, c->err))
		return -1;
	if (v.text)
		config_note(c, LOG_INFO, &memory->place, "memory alignment ignored: Vouch aligns as it can");
	config_warn_unknown(c, memory, (const char *const[]){ "alignment", NULL }, no_elements);
	return 0;
}

/* The i-th one tells of core i; those behind the last core tell of none. */
static int read_core(struct config *c, const struct xml_node *core, uint32_t i)
{
	uint64_t cpu = PLAN_ANY_CPU;
	struct xml_value v;

	if (config_number(c, core, "target_cpu", &v, &cpu))
		return -1;
	if (v.text && cpu > CPU_NUMBER_MAX)
		return xml_fail(c->err, IMG_ERR_CFG_NUMBER, &v.place, "target_cpu %" PRIu64 ": at most %u", cpu,
				CPU_NUMBER_MAX);
	if (i < min_u64(c->plan->cores, PLAN_MAX_CORES))
		c->plan->cpu[i] = (uint32_t)cpu;
	else if (core->attr_count || core->child)
		config_note(c, LOG_WARN, &core->place, "settings of a core that is not there ignored");
	for (const char *const *p = (const char *const[]){ "vnode", "khz", NULL }; *p; p++) {
		if (xml_param(core, *p, &v, c->err))
			return -1;
		if (v.text)
			config_note(c, LOG_INFO, &v.place, "%s of a core ignored", *p);
	}
	config_warn_unknown(c, core, (const char *const[]){ "target_cpu", "vnode", "khz", NULL }, no_elements);
	return 0;
}

static int read_cores(struct config *c, const struct xml_node *cores)
{
	struct xml_value v = { 0 };
	uint64_t count = 0;
	uint32_t i = 0;

	if (cores && config_number(c, cores, "count", &v, &count))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_CORES_MISSING, cores ? &cores->place : &c->root,
				"add <cores count=\"1\"/>");
	c->plan->cores = (uint32_t)count;
	for (const struct xml_node *k = xml_child(cores, "core"); k; k = xml_sibling(k, "core"), i++) {
		if (read_core(c, k, i))
			return -1;
	}
	config_warn_unknown(c, cores, (const char *const[]){ "count", NULL }, (const char *const[]){ "core", NULL });
	return 0;
}

static int read_paging(struct config *c, const struct xml_node *paging)
{
	static const char *const params[] = { "mode", "large_pages", "strategy", "cache_size", NULL };
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (!paging)
		return 0;
	if (xml_param(paging, "mode", &v, c->err))
		return -1;
	if (!v.text || xml_same_name(v.text, "shadow"))
		config_note(c, LOG_INFO, &paging->place, "shadow paging asked for, nested paging used");
	else if (!xml_same_name(v.text, "nested"))
		config_note(c, LOG_WARN, &paging->place, "unknown paging mode %s, nested paging used",
			    config_quote(quoted, v.text));
	for (const char *const *p = params + 1; *p; p++) {
		if (xml_param(paging, *p, &v, c->err))
			return -1;
		if (v.text)
			config_note(c, LOG_INFO, &v.place, "paging %s ignored", *p);
	}
	config_warn_unknown(c, paging, params, no_elements);
	return 0;
}

static int read_bioses(struct config *c, const struct xml_node *bioses)
{
	const struct xml_node *bios = xml_child(bioses, "bios");

	if (!bioses)
		return 0;
	if (bios)
		return xml_fail(c->err, IMG_ERR_CFG_FIRMWARE, &bios->place,
				"bioses: use <boot kernel=\"ID\"/> with a Linux bzImage");
	config_note(c, LOG_INFO, &bioses->place, "bioses ignored: Vouch loads no firmware of its own");
	config_warn_unknown(c, bioses, (const char *const[]){ "disable_vgabios", "disable_rombios", NULL },
			    no_elements);
	return 0;
}

/* An element with a switch enable="y": absent and n are off, all else is on. */
static int refuse_enabled(struct config *c, const struct xml_node *n, enum image_err code, const char *remedy)
{
	struct xml_value v;

	if (!n)
		return 0;
	if (xml_param(n, "enable", &v, c->err))
		return -1;
	if (v.text && !xml_same_name(v.text, "n"))
		return xml_fail(c->err, code, &n->place, "%s", remedy);
	config_note(c, LOG_INFO, &n->place, "%s is not enabled, ignored", image_err_text(code));
	return 0;
}

static int read_multiboot(struct config *c, const struct xml_node *n)
{
	return refuse_enabled(c, n, IMG_ERR_CFG_MULTIBOOT, "use <boot kernel=\"ID\"/> with a Linux bzImage");
}

static int read_hvm(struct config *c, const struct xml_node *n)
{
	return refuse_enabled(c, n, IMG_ERR_CFG_HVM, "remove the hvm element");
}

static int read_memmap(struct config *c, const struct xml_node *n)
{
	const struct xml_node *region = xml_child(n, "region");

	if (region)
		return xml_fail(c->err, IMG_ERR_CFG_MEMMAP, &region->place, "remove the region");
	return 0;
}

static int find_file(struct config *c, const struct xml_value *v, const char *what, int32_t *index)
{
	char quoted[CONFIG_QUOTE];

	for (uint32_t i = 0; i < c->img->file_count; i++) {
		if (c->img->file[i].named && !strcmp(c->img->file[i].id, v->text)) {
			*index = (int32_t)i;
			return 0;
		}
	}
	return xml_fail(c->err, IMG_ERR_CFG_BOOT_FILE, &v->place, "%s \"%s\"", what, config_quote(quoted, v->text));
}

static int read_boot(struct config *c, const struct xml_node *boot)
{
	struct vm_plan *plan = c->plan;
	struct xml_value v;

	if (!boot)
		return 0;
	if (xml_param(boot, "kernel", &v, c->err))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_BOOT_KERNEL, &boot->place, "add kernel=\"ID\"");
	if (find_file(c, &v, "kernel", &plan->kernel) || xml_param(boot, "initrd", &v, c->err))
		return -1;
	if (v.text && find_file(c, &v, "initrd", &plan->initrd))
		return -1;
	if (xml_param(boot, "cmdline", &v, c->err))
		return -1;
	if (v.text && strlen(v.text) > PLAN_CMDLINE_MAX)
		return xml_fail(c->err, IMG_ERR_CFG_CMDLINE, &v.place, "at most %u bytes",
				(unsigned int)PLAN_CMDLINE_MAX);
	if (v.text)
		strcpy(plan->cmdline, v.text);
	plan->has_boot = true;
	config_warn_unknown(c, boot, (const char *const[]){ "kernel", "initrd", "cmdline", NULL }, no_elements);
	return 0;
}

static int read_devices(struct config *c, const struct xml_node *devices)
{
	if (devices)
		return config_devices(c, devices);
	c->plan->devices = PLAN_STANDARD;
	return 0;
}

/* Elements below the root that may stand there once; read also gets NULL, for an absent one. */
static const struct section {
	const char *name;
	int (*read)(struct config *c, const struct xml_node *n);
} sections[] = {
	{ "cores", read_cores },
	{ "paging", read_paging },
	{ "bioses", read_bioses },
	{ "multiboot", read_multiboot },
	{ "hvm", read_hvm },
	{ "memmap", read_memmap },
	{ "boot", read_boot },
	{ "devices", read_devices },
};

static int read_sections(struct config *c, const struct xml_node *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct xml_node *n = xml_child(root, sections[i].name);
		const struct xml_node *second = n ? xml_sibling(n, sections[i].name) : NULL;

		if (second)
			return xml_fail(c->err, IMG_ERR_CFG_SECTION_TWICE, &second->place, "%s", sections[i].name);
		if (sections[i].read(c, n))
			return -1;
	}
	return 0;
}

/* What is without effect in Vouch is said once each, be it an attribute or an element. */
static void note_ignored(struct config *c, const struct xml_node *root)
{
	static const char *const params[] = {
		"class", "name", "memory",
		/* Ignored from here on. */
		"telemetry", "schedule_hz", "perftune", "cachepart", "time", "swapping", "mem_layout", "extensions",
		NULL,
	};
	static const char *const elements[] = {
		"files", "cores", "paging", "bioses", "multiboot", "hvm", "memmap", "boot", "devices", NULL,
	};

	for (const char *const *p = params + 3; *p; p++) {
		const struct xml_node *n = xml_child(root, *p);
		struct xml_value v;
		bool cut;

		xml_find_param(root, *p, &v, &cut);
		if (n || v.attributes)
			config_note(c, LOG_INFO, n ? &n->place : &v.place, "%s ignored: without effect in Vouch", *p);
	}
	config_warn_unknown(c, root, params, elements);
}

int manifest_check_name(const struct image *img, struct xml_arena *arena, struct image_error *err)
{
	const struct xml_node *root;
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	memset(err, 0, sizeof(*err));
	root = xml_parse(img, arena, err);
	if (!root || xml_param(root, "name", &v, err))
		return -1;
	if (!v.text)
		return xml_fail(err, IMG_ERR_UNNAMED, &root->place, "add name=\"NAME\"");
	if (!name_allowed(v.text))
		return xml_fail(err, IMG_ERR_CFG_NAME, &v.place, "\"%s\"", config_quote(quoted, v.text));
	return 0;
}

int manifest_plan(const struct image *img, struct xml_arena *arena, struct vm_plan *plan, struct image_error *err)
{
	struct config c = { .img = img, .plan = plan, .err = err, .notes = img->noted ? 0 : CONFIG_NOTES };
	const struct xml_node *root;

	memset(err, 0, sizeof(*err));
	memset(plan, 0, sizeof(*plan));
	plan->kernel = -1;
	plan->initrd = -1;
	for (uint32_t i = 0; i < PLAN_MAX_CORES; i++)
		plan->cpu[i] = PLAN_ANY_CPU;
	root = xml_parse(img, arena, err);
	if (!root)
		return -1;
	c.root = root->place;
	if (read_root(&c, root) || read_memory(&c, root) || read_sections(&c, root))
		return -1;
	note_ignored(&c, root);
	return plan_check(plan, img, err);
}
