/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot loader told us, copied out of its structures (loader/mb2.c) before they can be overwritten. */
#ifndef VOUCH_BOOT_INFO_H
#define VOUCH_BOOT_INFO_H

#include <vouch/types.h>

#define BOOT_CMDLINE_MAX 1023
#define BOOT_MEM_MAX     384
#define BOOT_MODULES_MAX 64
#define BOOT_STRING_MAX  255

enum boot_mem_type { BOOT_MEM_RAM = 1, BOOT_MEM_RESERVED = 2, BOOT_MEM_ACPI = 3, BOOT_MEM_NVS = 4, BOOT_MEM_BAD = 5 };

struct boot_mem { hpa_t base; uint64_t len; uint32_t type; };
struct boot_module { hpa_t start; uint64_t len; char string[BOOT_STRING_MAX + 1]; };

/*
 * The screen as the loader left it. RGB: width, height in pixels, bpp 15, 16, 24 or 32, channels within bpp. TEXT: width,
 * height in cells of two bytes. Of both: pitch holds a line, base + pitch * height is below 2^52. UNUSABLE: anything else.
 */
enum boot_screen_kind { BOOT_SCREEN_NONE, BOOT_SCREEN_RGB, BOOT_SCREEN_TEXT, BOOT_SCREEN_UNUSABLE };
struct boot_channel { uint8_t pos, size; };
struct boot_screen {
	enum boot_screen_kind kind;
	hpa_t base;
	uint32_t pitch, width, height; /* pitch in bytes */
	uint8_t bpp;
	struct boot_channel red, green, blue;
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX + 1];
	char loader[64];
	hpa_t load_base;              /* tag 21, or 0 if absent */
	hpa_t rsdp;                   /* of the copy in the tag's bytes, or 0; prefer the new (v2) one */
	uint8_t rsdp_copy[36];
	uint32_t rsdp_len;            /* 0: no tag */
	bool efi_services;            /* tag 18: UEFI's boot services still run; what memory they use, no map says */
	struct boot_screen screen;
	uint32_t mem_count, module_count;
	struct boot_mem mem[BOOT_MEM_MAX];
	struct boot_module module[BOOT_MODULES_MAX];
	hpa_t info;                   /* the tags themselves, to be reserved */
	uint32_t info_len;
};

enum mb2_err { MB2_OK, MB2_BAD_SIZE, MB2_BAD_TAG, MB2_NO_END, MB2_NO_MEMORY_MAP, MB2_TOO_MANY_MEMORY, MB2_TOO_MANY_MODULES,
	       MB2_BAD_MODULE, MB2_STRING_TOO_LONG };

/*
 * tags points to the multiboot2 information itself (its u32 total size first), of which len bytes may be read; never
 * reads past them. out->info is the caller's to set before (where the information lies); all else is overwritten.
 * Returns MB2_OK or why not; *at = offset of the culprit.
 */
enum mb2_err mb2_parse(struct boot_info *out, const uint8_t *tags, uint64_t len, uint32_t *at);
const char *mb2_err_text(enum mb2_err e);

#endif
