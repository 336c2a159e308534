/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest's configuration asks for, after it was parsed and checked whole: plain data, no pointers into the XML.
 * loader/manifest.c fills it from XML, loader/plan.c checks it.
 */
#ifndef VOUCH_PLAN_H
#define VOUCH_PLAN_H

#include <vouch/image.h>
#include <vouch/types.h>

#define PLAN_NAME_MAX    31
#define PLAN_CMDLINE_MAX 2047
#define PLAN_IGNORE_MAX  64
#define PLAN_MIN_MIB     1
#define PLAN_MAX_CORES   32
#define PLAN_ANY_CPU     UINT32_MAX
#define PLAN_MAX_MIB     (1ull << 20)   /* 1 TiB: a bound, not a promise */

/* Devices of the PC that a plan can have; bit numbers of vm_plan.devices. */
enum plan_device {
	PLAN_PIC, PLAN_PIT, PLAN_LAPIC, PLAN_IOAPIC, PLAN_KEYBOARD, PLAN_COM1, PLAN_COM2, PLAN_DEBUG_PORT,
	/* Always there, not named in Palacios configurations: */
	PLAN_RTC, PLAN_PM, PLAN_RESET, PLAN_PCI_CONFIG,
	PLAN_DEVICE_COUNT
};
#define PLAN_ALWAYS   (1u << PLAN_RTC | 1u << PLAN_PM | 1u << PLAN_RESET | 1u << PLAN_PCI_CONFIG)
#define PLAN_STANDARD ((1u << PLAN_DEVICE_COUNT) - 1)   /* no <devices> element: everything above */

/* A GENERIC range in an ignore mode: reads give ones, writes vanish, no count; print logs (within budget). */
struct plan_ignore {
	bool mmio;
	bool print;
	uint64_t start, end;          /* inclusive */
};

struct vm_plan {
	char name[PLAN_NAME_MAX + 1]; /* empty: not named */
	uint64_t memory_mib;
	uint32_t cores;
	uint32_t cpu[PLAN_MAX_CORES]; /* the host's CPU that a core is pinned to, or PLAN_ANY_CPU */
	uint32_t devices;             /* bits of enum plan_device */
	bool has_boot;
	int32_t kernel, initrd;       /* index in the image's table, or -1 */
	char cmdline[PLAN_CMDLINE_MAX + 1];
	uint32_t ignore_count;
	struct plan_ignore ignore[PLAN_IGNORE_MAX];
};

#endif
