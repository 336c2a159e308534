/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of a configuration. A class is looked up with case, as Palacios does; a class Vouch does not have is
 * refused by name, because a guest without a device it was promised is not the guest that was asked for.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#define DEVICES_MAX 128u

/* The devices seen so far: a device may only name one that came before it. */
struct device_list {
	uint32_t count;
	struct { const char *id, *class; } dev[DEVICES_MAX];
};

struct device_class {
	const char *name;
	uint32_t bits;                /* of vm_plan.devices, for a class that has nothing else to read */
	int (*read)(struct config *c, const struct xml_node *n, const struct device_list *list);
};

static int add_bits(struct config *c, const struct xml_node *n, uint32_t bits, const char *what)
{
	if (c->plan->devices & bits)
		return xml_fail(c->err, IMG_ERR_CFG_DEVICE_TWICE, &n->place, "%s", what);
	c->plan->devices |= bits;
	return 0;
}

/* apic may be left out: there is only one LAPIC that could be meant. */
static int read_ioapic(struct config *c, const struct xml_node *n, const struct device_list *list)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;
	uint32_t i = 0;

	if (xml_param(n, "apic", &v, c->err))
		return -1;
	if (!v.text)
		return add_bits(c, n, 1u << PLAN_IOAPIC, "IOAPIC");
	while (i < list->count && (strcmp(list->dev[i].id, v.text) || strcmp(list->dev[i].class, "LAPIC")))
		i++;
	if (i == list->count)
		return xml_fail(c->err, IMG_ERR_CFG_DEVICE_REF, &v.place, "apic \"%s\" must be the id of a LAPIC above",
				config_quote(quoted, v.text));
	return add_bits(c, n, 1u << PLAN_IOAPIC, "IOAPIC");
}

/* com_port stands in the device or in its frontend element; without one both ports are there. */
static int read_serial(struct config *c, const struct xml_node *n, const struct device_list *list)
{
	const struct xml_node *front = xml_child(n, "frontend");
	struct xml_value v, in_front = { 0 };
	uint64_t port = 0;

	(void)list;
	if (config_number(c, n, "com_port", &v, &port) ||
	    (front && config_number(c, front, "com_port", &in_front, &port)))
		return -1;
	if (v.text && in_front.text)
		return xml_fail(c->err, IMG_ERR_PARAM_TWICE, &in_front.place, "com_port, in SERIAL and its frontend");
	if (!v.text && !in_front.text) {
		config_note(c, LOG_INFO, &n->place, "SERIAL: COM1 and COM2; there is no COM3 and COM4");
		return add_bits(c, n, 1u << PLAN_COM1 | 1u << PLAN_COM2, "SERIAL");
	}
	if (port == 1)
		return add_bits(c, n, 1u << PLAN_COM1, "COM1");
	if (port == 2)
		return add_bits(c, n, 1u << PLAN_COM2, "COM2");
	return xml_fail(c->err, IMG_ERR_CFG_COM_PORT, v.text ? &v.place : &in_front.place, "%" PRIu64 ", use 1 or 2",
			port);
}

static int read_os_debug(struct config *c, const struct xml_node *n, const struct device_list *list)
{
	(void)list;
	config_note(c, LOG_INFO, &n->place, "OS_DEBUG ignored: Vouch has no such hypercall");
	return 0;
}

static int read_mode(struct config *c, const struct xml_node *n, bool *print)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (xml_param(n, "mode", &v, c->err))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_MODE, &v.place, "none given: use ignore or print_and_ignore");
	*print = xml_same_name(v.text, "print_and_ignore");
	if (*print || xml_same_name(v.text, "ignore"))
		return 0;
	if (xml_same_name(v.text, "passthrough") || xml_same_name(v.text, "print_and_passthrough"))
		return xml_fail(c->err, IMG_ERR_CFG_PASSTHROUGH, &v.place, "GENERIC %s: use print_and_ignore",
				config_quote(quoted, v.text));
	return xml_fail(c->err, IMG_ERR_CFG_MODE, &v.place, "\"%s\"", config_quote(quoted, v.text));
}

static int read_bound(struct config *c, const struct xml_node *n, const char *name, uint64_t *out)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (xml_param(n, name, &v, c->err))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_RANGE_END, &n->place, "no %s", name);
	if (xml_hex(v.text, out))
		return xml_fail(c->err, IMG_ERR_CFG_HEX, &v.place, "%s \"%s\"", name, config_quote(quoted, v.text));
	return 0;
}

static int read_ranges(struct config *c, const struct xml_node *dev, const char *kind, bool mmio)
{
	static const char *const params[] = { "start", "end", "mode", NULL };
	struct vm_plan *plan = c->plan;

	for (const struct xml_node *n = xml_child(dev, kind); n; n = xml_sibling(n, kind)) {
		struct plan_ignore r = { .mmio = mmio };

		if (plan->ignore_count == PLAN_IGNORE_MAX)
			return xml_fail(c->err, IMG_ERR_CFG_RANGES_MANY, &n->place, "at most %u",
					(unsigned int)PLAN_IGNORE_MAX);
		if (read_bound(c, n, "start", &r.start) || read_bound(c, n, "end", &r.end) ||
		    read_mode(c, n, &r.print))
			return -1;
		config_warn_unknown(c, n, params, (const char *const[]){ NULL });
		plan->ignore[plan->ignore_count++] = r;
	}
	return 0;
}

static int read_generic(struct config *c, const struct xml_node *n, const struct device_list *list)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	(void)list;
	if (xml_param(n, "forward", &v, c->err))
		return -1;
	if (v.text && !xml_same_name(v.text, "physical_device"))
		return xml_fail(c->err, IMG_ERR_CFG_PASSTHROUGH, &v.place, "GENERIC forward \"%s\": remove it",
				config_quote(quoted, v.text));
	if (xml_param(n, "hostdev", &v, c->err))
		return -1;
	if (v.text)
		return xml_fail(c->err, IMG_ERR_CFG_PASSTHROUGH, &v.place, "GENERIC hostdev: remove it");
	return read_ranges(c, n, "ports", false) || read_ranges(c, n, "memory", true) ? -1 : 0;
}

static const struct device_class classes[] = {
	{ "8259A", 1u << PLAN_PIC, NULL },
	{ "8254_PIT", 1u << PLAN_PIT, NULL },
	{ "LAPIC", 1u << PLAN_LAPIC, NULL },
	{ "IOAPIC", 0, read_ioapic },
	{ "KEYBOARD", 1u << PLAN_KEYBOARD, NULL },
	{ "SERIAL", 0, read_serial },
	{ "BOCHS_DEBUG", 1u << PLAN_DEBUG_PORT, NULL },
	{ "OS_DEBUG", 0, read_os_debug },
	{ "GENERIC", 0, read_generic },
};

static const struct device_class *find_class(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (!strcmp(classes[i].name, name))
			return &classes[i];
	}
	return NULL;
}

static int read_id(struct config *c, const struct xml_node *n, const struct device_list *list, const char **id)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (xml_param(n, "id", &v, c->err))
		return -1;
	if (!v.text || !*v.text)
		return xml_fail(c->err, IMG_ERR_CFG_DEVICE_ID, &n->place, "add id=\"NAME\"");
	for (uint32_t i = 0; i < list->count; i++) {
		if (!strcmp(list->dev[i].id, v.text))
			return xml_fail(c->err, IMG_ERR_CFG_DEVICE_ID_TWICE, &v.place, "\"%s\"",
					config_quote(quoted, v.text));
	}
	*id = v.text;
	return 0;
}

static int read_device(struct config *c, const struct xml_node *n, struct device_list *list)
{
	static const char *const params[] = { "class", "id", "apic", "com_port", "forward", "hostdev", NULL };
	static const char *const elements[] = { "frontend", "ports", "memory", NULL };
	const struct device_class *class;
	char quoted[CONFIG_QUOTE];
	struct xml_value v;
	const char *id;

	if (xml_param(n, "class", &v, c->err))
		return -1;
	if (!v.text)
		return xml_fail(c->err, IMG_ERR_CFG_OLD_DIALECT, &n->place, "write class=\"CLASS\" id=\"NAME\"");
	class = find_class(v.text);
	if (!class)
		return xml_fail(c->err, IMG_ERR_CFG_DEVICE_CLASS, &v.place, "%s: remove the device",
				config_quote(quoted, v.text));
	if (list->count == DEVICES_MAX)
		return xml_fail(c->err, IMG_ERR_CFG_DEVICES_MANY, &n->place, "at most %u", DEVICES_MAX);
	if (read_id(c, n, list, &id))
		return -1;
	config_warn_unknown(c, n, params, elements);
	if (class->read ? class->read(c, n, list) : add_bits(c, n, class->bits, class->name))
		return -1;
	list->dev[list->count].id = id;
	list->dev[list->count].class = class->name;
	list->count++;
	return 0;
}

int config_devices(struct config *c, const struct xml_node *devices)
{
	struct device_list list = { .count = 0 };

	c->plan->devices = PLAN_ALWAYS;
	for (const struct xml_node *n = xml_child(devices, "device"); n; n = xml_sibling(n, "device")) {
		if (read_device(c, n, &list))
			return -1;
	}
	config_warn_unknown(c, devices, (const char *const[]){ NULL }, (const char *const[]){ "device", NULL });
	return 0;
}
