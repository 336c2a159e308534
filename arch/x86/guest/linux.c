/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux boot protocol's loader side. Offsets are those of struct boot_params in Linux' "The Linux/x86 Boot Protocol". */
#include "arch/x86/guest/linux.h"

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>

#include "core/ram.h"

#define BP_ACPI_RSDP    0x070u
#define BP_E820_COUNT   0x1e8u
#define BP_VID_MODE     0x1fau
#define BP_LOADER       0x210u
#define BP_LOADFLAGS    0x211u
#define BP_CODE32_START 0x214u
#define BP_INITRD       0x218u
#define BP_INITRD_SIZE  0x21cu
#define BP_CMDLINE      0x228u
#define BP_E820         0x2d0u
#define BP_SIZE         0x1000u
#define BP_HDR_MAX      0x290u          /* the setup header's room in boot_params ends here */

#define LOADER_UNDEFINED 0xffu
#define VID_MODE_NORMAL  0xffffu
#define CAN_USE_HEAP     0x80u

#define E820_RAM      1u
#define E820_RESERVED 2u

struct e820_entry {
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

static void put(uint8_t *bp, uint32_t off, const void *val, size_t len)
{
	memcpy(bp + off, val, len);
}

static void put32(uint8_t *bp, uint32_t off, uint64_t val)
{
	uint32_t v = (uint32_t)val;

	put(bp, off, &v, sizeof(v));
}

static void add_e820(uint8_t *bp, uint64_t base, uint64_t len, uint32_t type)
{
	struct e820_entry e = { base, len, type };

	if (!len)
		return;
	put(bp, BP_E820 + bp[BP_E820_COUNT] * (uint32_t)sizeof(e), &e, sizeof(e));
	bp[BP_E820_COUNT]++;
}

static void fill_e820(uint8_t *bp, uint64_t ram)
{
	uint64_t low = ram_low_end(ram);

	add_e820(bp, 0, GPA_LOW_RAM_END, E820_RAM);
	add_e820(bp, GPA_ROM_BASE, GPA_HIGH_RAM - GPA_ROM_BASE, E820_RESERVED);
	add_e820(bp, GPA_HIGH_RAM, low - GPA_HIGH_RAM, E820_RAM);
	add_e820(bp, GPA_ECAM_BASE, 0x10000000, E820_RESERVED);
	add_e820(bp, IOAPIC_DEFAULT_BASE, PAGE_SIZE, E820_RESERVED);
	add_e820(bp, APIC_DEFAULT_BASE, PAGE_SIZE, E820_RESERVED);
	add_e820(bp, GPA_4G, ram_high_bytes(ram), E820_RAM);
}

static void fill_params(uint8_t *bp, const struct bzimage *bz, const uint8_t *head, const struct linux_layout *at,
			uint64_t ram, uint64_t rsdp)
{
	const uint16_t vid_mode = VID_MODE_NORMAL;
	uint32_t end = bz->header_end < BP_HDR_MAX ? bz->header_end : BP_HDR_MAX;

	memcpy(bp + BZ_HDR_OFFSET, head + BZ_HDR_OFFSET, end - BZ_HDR_OFFSET);
	put(bp, BP_VID_MODE, &vid_mode, sizeof(vid_mode));
	bp[BP_LOADER] = LOADER_UNDEFINED;
	bp[BP_LOADFLAGS] &= (uint8_t)~CAN_USE_HEAP;
	put32(bp, BP_CODE32_START, at->load);
	put32(bp, BP_INITRD, at->initrd);
	put32(bp, BP_INITRD_SIZE, at->initrd_size);
	put32(bp, BP_CMDLINE, LINUX_CMDLINE_GPA);
	put(bp, BP_ACPI_RSDP, &rsdp, sizeof(rsdp));
	fill_e820(bp, ram);
}

int linux_prepare(struct vm *vm, const struct bzimage *bz, const uint8_t *head, const struct linux_layout *at,
		  uint64_t rsdp)
{
	/* Null, null, __BOOT_CS (10h), __BOOT_DS (18h): flat, 4 GiB. */
	static const uint64_t gdt[4] = { 0, 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull };
	uint8_t bp[BP_SIZE] = { 0 };

	fill_params(bp, bz, head, at, vm->ram_bytes, rsdp);
	if (gpa_write(vm, gpa(LINUX_PARAMS_GPA), bp, sizeof(bp)) ||
	    gpa_write(vm, gpa(LINUX_GDT_GPA), gdt, sizeof(gdt)) ||
	    gpa_write(vm, gpa(LINUX_CMDLINE_GPA), vm->plan.cmdline, strlen(vm->plan.cmdline) + 1))
		return -EFAULT;
	return 0;
}

void linux_start_state(struct vcpu_start *s, const struct linux_layout *at)
{
	const struct x86_seg data = { .sel = 0x18, .attr = 0xc93, .limit = 0xffffffff };

	*s = (struct vcpu_start){
		.rip = at->load,
		.rsp = LINUX_GDT_GPA,           /* a stack below the GDT, though the protocol asks for none */
		.rsi = LINUX_PARAMS_GPA,
		.rflags = RFLAGS_FIXED,
		.cr0 = CR0_PE | CR0_ET | CR0_NE,
		.gdt = { .limit = 31, .base = LINUX_GDT_GPA },
		.idt = { .limit = 0, .base = 0 },
	};
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		s->seg[i] = data;
	s->seg[SEG_CS] = (struct x86_seg){ .sel = 0x10, .attr = 0xc9b, .limit = 0xffffffff };
}
