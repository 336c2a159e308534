/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges a plan as a whole, wherever it came from: numbers bounded, ranges apart from each other, RAM and devices. */
#include <vouch/manifest.h>
#include <vouch/vm.h>

#include "error.h"

#include <inttypes.h>

#define PORT_MAX 0xffffu
_Static_assert(PLAN_MAX_CORES == VM_MAX_VCPUS, "what a plan may ask for, a VM can have");
#define GPA_MAX  ((1ull << 52) - 1)   /* APM 2 "Long-Mode Physical-Address" limit: 52 bits */

/*
 * What the PC's devices occupy, and what the guest-physical layout reserves (dev < 0: always). The bus would refuse an
 * overlap as well, but only when the guest is built; a unit test compares this with the machine's own table.
 */
static const struct claim {
	int dev;
	bool mmio;
	uint64_t start, end;
	const char *name;
} claims[] = {
	{ PLAN_PIC, false, 0x20, 0x21, "8259A" },
	{ PLAN_PIC, false, 0xa0, 0xa1, "8259A" },
	{ PLAN_PIC, false, 0x4d0, 0x4d1, "8259A" },
	{ PLAN_PIT, false, 0x40, 0x43, "8254_PIT" },
	{ PLAN_PIT, false, 0x61, 0x61, "8254_PIT" },
	{ PLAN_KEYBOARD, false, 0x60, 0x60, "KEYBOARD" },
	{ PLAN_KEYBOARD, false, 0x64, 0x64, "KEYBOARD" },
	{ PLAN_COM1, false, 0x3f8, 0x3ff, "COM1" },
	{ PLAN_COM2, false, 0x2f8, 0x2ff, "COM2" },
	{ PLAN_DEBUG_PORT, false, 0xe9, 0xe9, "BOCHS_DEBUG" },
	{ PLAN_DEBUG_PORT, false, 0x400, 0x403, "BOCHS_DEBUG" },
	{ PLAN_RTC, false, 0x70, 0x71, "the clock" },
	{ PLAN_PM, false, 0x600, 0x60b, "power management" },
	{ PLAN_RESET, false, 0x92, 0x92, "the reset port" },
	{ PLAN_PCI_CONFIG, false, 0xcf8, 0xcff, "PCI configuration" },
	{ PLAN_LAPIC, true, 0xfee00000, 0xfee00fff, "LAPIC" },
	{ PLAN_IOAPIC, true, 0xfec00000, 0xfec00fff, "IOAPIC" },
	{ -1, true, GPA_ROM_BASE, GPA_HIGH_RAM - 1, "the ACPI tables" },
	{ -1, true, GPA_ECAM_BASE, GPA_ECAM_BASE + 0x10000000 - 1, "the window for PCI" },
};

/* Inclusive bounds. */
static bool ranges_meet(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	return a <= b_end && b <= a_end;
}

static bool meets_ram(const struct plan_ignore *r, uint64_t ram)
{
	uint64_t low = min_u64(ram, GPA_LOW_RAM_END), top = min_u64(ram, GPA_MMIO_BASE);

	if (r->start < low)
		return true;
	if (top > GPA_HIGH_RAM && ranges_meet(r->start, r->end, GPA_HIGH_RAM, top - 1))
		return true;
	return ram > GPA_MMIO_BASE && ranges_meet(r->start, r->end, GPA_4G, GPA_4G + (ram - GPA_MMIO_BASE) - 1);
}

static int range_fail(struct image_error *err, enum image_err code, const struct plan_ignore *r, const char *why)
{
	return plan_fail(err, code, "%s 0x%" PRIx64 "-0x%" PRIx64 " %s", r->mmio ? "memory" : "ports", r->start, r->end,
			 why);
}

static int check_range(const struct vm_plan *plan, uint32_t i, struct image_error *err)
{
	const struct plan_ignore *r = &plan->ignore[i];

	if (r->start > r->end)
		return range_fail(err, IMG_ERR_PLAN_RANGE, r, "ends before it starts");
	if (r->end > (r->mmio ? GPA_MAX : PORT_MAX))
		return range_fail(err, IMG_ERR_PLAN_RANGE, r, "goes beyond the last address");
	if (r->mmio && meets_ram(r, plan->memory_mib << 20))
		return range_fail(err, IMG_ERR_PLAN_OVERLAP, r, "and the guest's RAM");
	for (size_t k = 0; k < ARRAY_SIZE(claims); k++) {
		const struct claim *c = &claims[k];

		if (c->dev >= 0 && !(plan->devices >> c->dev & 1))
			continue;
		if (c->mmio == r->mmio && ranges_meet(r->start, r->end, c->start, c->end))
			return range_fail(err, IMG_ERR_PLAN_OVERLAP, r, c->name);
	}
	for (uint32_t k = 0; k < i; k++) {
		const struct plan_ignore *o = &plan->ignore[k];

		if (o->mmio == r->mmio && ranges_meet(r->start, r->end, o->start, o->end))
			return range_fail(err, IMG_ERR_PLAN_OVERLAP, r, "and another range");
	}
	return 0;
}

static int check_devices(uint32_t devices, struct image_error *err)
{
	if (devices >> PLAN_DEVICE_COUNT || (devices & PLAN_ALWAYS) != PLAN_ALWAYS)
		return plan_fail(err, IMG_ERR_PLAN_DEVICES, "set 0x%" PRIx32, devices);
	if ((devices >> PLAN_IOAPIC & 1) && !(devices >> PLAN_LAPIC & 1))
		return plan_fail(err, IMG_ERR_PLAN_DEVICES, "an IOAPIC needs a LAPIC");
	if (!(devices >> PLAN_PIC & 1) && !(devices >> PLAN_IOAPIC & 1))
		return plan_fail(err, IMG_ERR_PLAN_DEVICES, "without 8259A and IOAPIC no interrupt reaches the guest");
	return 0;
}

static int check_files(const struct vm_plan *plan, const struct image *img, struct image_error *err)
{
	if (!plan->has_boot)
		return plan_fail(err, IMG_ERR_PLAN_NO_BOOT, "add <boot kernel=\"ID\"/> below vm");
	if (plan->kernel < 0 || (uint32_t)plan->kernel >= img->file_count)
		return plan_fail(err, IMG_ERR_PLAN_FILE, "kernel %" PRId32, plan->kernel);
	if (plan->initrd < -1 || (plan->initrd >= 0 && (uint32_t)plan->initrd >= img->file_count))
		return plan_fail(err, IMG_ERR_PLAN_FILE, "initrd %" PRId32, plan->initrd);
	/* A file is copied once, to one place. */
	if (plan->initrd == plan->kernel)
		return plan_fail(err, IMG_ERR_PLAN_FILE, "kernel and initrd are the same file");
	return 0;
}

int plan_check(const struct vm_plan *plan, const struct image *img, struct image_error *err)
{
	if (plan->memory_mib < PLAN_MIN_MIB || plan->memory_mib > PLAN_MAX_MIB)
		return plan_fail(err, IMG_ERR_PLAN_MEMORY, "%" PRIu64 " MiB", plan->memory_mib);
	if (plan->cores < 1 || plan->cores > PLAN_MAX_CORES)
		return plan_fail(err, IMG_ERR_PLAN_CORES, "%" PRIu32 ", this Vouch runs %u a guest", plan->cores,
				 PLAN_MAX_CORES);
	if (plan->cores > 1 && !(plan->devices >> PLAN_LAPIC & 1))
		return plan_fail(err, IMG_ERR_PLAN_CORES, "%" PRIu32 ", but no LAPIC, without which one cannot start another",
				 plan->cores);
	if (plan->ignore_count > PLAN_IGNORE_MAX)
		return plan_fail(err, IMG_ERR_PLAN_RANGE, "%" PRIu32 " of them", plan->ignore_count);
	if (check_files(plan, img, err) || check_devices(plan->devices, err))
		return -1;
	for (uint32_t i = 0; i < plan->ignore_count; i++) {
		if (check_range(plan, i, err))
			return -1;
	}
	return 0;
}
