/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux bzImage: is the header one we can start, and where does all of it go. Reads only the header's copy; fills in
 * no header and copies no kernel (that is the starter's work). Names follow Linux "The Linux/x86 Boot Protocol".
 */
#include <vouch/bzimage.h>
#include <vouch/vm.h>

#include "error.h"
#include "le.h"

#include <inttypes.h>
#include <string.h>

/* "The Real-Mode Kernel Header": offsets in the file. */
#define BZ_SETUP_SECTS    0x1f1u
#define BZ_SYSSIZE        0x1f4u
#define BZ_BOOT_FLAG      0x1feu
#define BZ_JUMP           0x200u
#define BZ_MAGIC          0x202u
#define BZ_VERSION        0x206u
#define BZ_LOADFLAGS      0x211u
#define BZ_INITRD_MAX     0x22cu
#define BZ_ALIGNMENT      0x230u
#define BZ_RELOCATABLE    0x234u
#define BZ_XLOADFLAGS     0x236u
#define BZ_CMDLINE_SIZE   0x238u
#define BZ_PAYLOAD_OFFSET 0x248u
#define BZ_PAYLOAD_LENGTH 0x24cu
#define BZ_PREF_ADDRESS   0x258u
#define BZ_INIT_SIZE      0x260u
#define BZ_HEADER_MIN     0x264u     /* the end of init_size: the last field read here */

#define BZ_SECTOR         512u
#define BZ_DEFAULT_SECTS  4u
#define BZ_LOADED_HIGH    0x01u
#define BZ_PROTOCOL_MIN   0x020cu
#define BZ_ALIGNMENT_MAX  (1u << 30)

/* Is it a bzImage whose header has all the fields that parse_fields() reads? */
static int check_header(const uint8_t *head, uint64_t file_size, struct image_error *err)
{
	uint16_t version;

	if (file_size < BZ_HEADER_MIN)
		return image_fail(err, IMG_ERR_BZ_SHORT, file_size, "%" PRIu64 " bytes", file_size);
	if (le16(head + BZ_BOOT_FLAG) != 0xaa55)
		return image_fail(err, IMG_ERR_BZ_MAGIC, BZ_BOOT_FLAG, "no boot flag 0xaa55");
	if (memcmp(head + BZ_MAGIC, "HdrS", 4))
		return image_fail(err, IMG_ERR_BZ_MAGIC, BZ_MAGIC, "no \"HdrS\"");
	version = le16(head + BZ_VERSION);
	if (version < BZ_PROTOCOL_MIN)
		return image_fail(err, IMG_ERR_BZ_PROTOCOL, BZ_VERSION, "%u.%u, 2.12 is the least (Linux 3.8)",
				  version >> 8, version & 0xffu);
	/* The jump over the header ends it: 2 bytes of code, then the distance. */
	if (head[BZ_JUMP] != 0xeb || BZ_MAGIC + head[BZ_JUMP + 1] < BZ_HEADER_MIN)
		return image_fail(err, IMG_ERR_BZ_HEADER, BZ_JUMP, "it ends at 0x%x", BZ_MAGIC + head[BZ_JUMP + 1]);
	if (!(head[BZ_LOADFLAGS] & BZ_LOADED_HIGH))
		return image_fail(err, IMG_ERR_BZ_LOW, BZ_LOADFLAGS, "loadflags 0x%02x", head[BZ_LOADFLAGS]);
	return 0;
}

static int check_sizes(struct bzimage *bz, const uint8_t *head, uint64_t file_size, struct image_error *err)
{
	uint32_t sects = head[BZ_SETUP_SECTS] ? head[BZ_SETUP_SECTS] : BZ_DEFAULT_SECTS;
	uint64_t code = (uint64_t)le32(head + BZ_SYSSIZE) * 16;

	bz->setup_bytes = (sects + 1) * BZ_SECTOR;
	bz->header_end = BZ_MAGIC + head[BZ_JUMP + 1];
	if (file_size > UINT32_MAX || file_size <= bz->setup_bytes)
		return image_fail(err, IMG_ERR_BZ_SIZE, BZ_SETUP_SECTS,
				  "setup has %" PRIu32 " bytes, the file %" PRIu64,
				  bz->setup_bytes, file_size);
	bz->payload_bytes = (uint32_t)(file_size - bz->setup_bytes);
	/* syssize counts paragraphs: the file may lack the last one's padding. */
	if (!code || code > align_up(bz->payload_bytes, 16))
		return image_fail(err, IMG_ERR_BZ_SIZE, BZ_SYSSIZE,
				  "%" PRIu64 " bytes of code, the file holds %" PRIu32,
				  code, bz->payload_bytes);
	if (!span_ok(le32(head + BZ_PAYLOAD_OFFSET), le32(head + BZ_PAYLOAD_LENGTH), bz->payload_bytes))
		return image_fail(err, IMG_ERR_BZ_SIZE, BZ_PAYLOAD_OFFSET, "the payload leaves the file");
	bz->init_size = le32(head + BZ_INIT_SIZE);
	if (!bz->init_size)
		return image_fail(err, IMG_ERR_BZ_SIZE, BZ_INIT_SIZE, "init_size is 0");
	return 0;
}

static int check_address(const struct bzimage *bz, struct image_error *err)
{
	uint64_t room = max_u64(bz->init_size, bz->payload_bytes);

	if (!bz->alignment || bz->alignment & (bz->alignment - 1) || bz->alignment > BZ_ALIGNMENT_MAX ||
	    (bz->relocatable && bz->pref_address & (bz->alignment - 1)))
		return image_fail(err, IMG_ERR_BZ_ALIGNMENT, BZ_ALIGNMENT, "0x%" PRIx32 " for address 0x%" PRIx64,
				  bz->alignment, bz->pref_address);
	/* The file is copied whole, so that its setup part lies right below: it must not reach below 1 MiB. */
	if (bz->pref_address > GPA_MMIO_BASE || bz->pref_address < GPA_HIGH_RAM + bz->setup_bytes ||
	    !span_ok(bz->pref_address, room, GPA_MMIO_BASE))
		return image_fail(err, IMG_ERR_BZ_ADDRESS, BZ_PREF_ADDRESS, "0x%" PRIx64 " and 0x%" PRIx64
				  " bytes do not lie between 1 MiB and 3 GiB", bz->pref_address, room);
	return 0;
}

int bzimage_parse(struct bzimage *bz, const uint8_t *head, uint64_t file_size, struct image_error *err)
{
	memset(bz, 0, sizeof(*bz));
	memset(err, 0, sizeof(*err));
	if (check_header(head, file_size, err) || check_sizes(bz, head, file_size, err))
		return -1;
	bz->protocol = le16(head + BZ_VERSION);
	bz->initrd_max = le32(head + BZ_INITRD_MAX);
	bz->alignment = le32(head + BZ_ALIGNMENT);
	bz->relocatable = head[BZ_RELOCATABLE] != 0;
	bz->xloadflags = le16(head + BZ_XLOADFLAGS);
	bz->cmdline_max = le32(head + BZ_CMDLINE_SIZE);
	bz->pref_address = le64(head + BZ_PREF_ADDRESS);
	return check_address(bz, err);
}

int bzimage_check_cmdline(const struct bzimage *bz, const char *cmdline, struct image_error *err)
{
	size_t len = strlen(cmdline);

	memset(err, 0, sizeof(*err));
	if (len <= bz->cmdline_max)
		return 0;
	return plan_fail(err, IMG_ERR_BZ_CMDLINE, "%u bytes, at most %" PRIu32, (unsigned int)len, bz->cmdline_max);
}

int bzimage_layout(const struct bzimage *bz, uint64_t ram_bytes, uint64_t initrd_size, struct linux_layout *out,
		   struct image_error *err)
{
	uint64_t kernel_end = align_up(bz->pref_address + max_u64(bz->init_size, bz->payload_bytes), PAGE_SIZE);
	uint64_t limit = min_u64(GPA_MMIO_BASE, (uint64_t)bz->initrd_max + 1);
	uint64_t top = min_u64(ram_bytes, limit), need = kernel_end;

	memset(out, 0, sizeof(*out));
	memset(err, 0, sizeof(*err));
	if (initrd_size) {
		/* More RAM does not help when the initrd's own limit is in the way. */
		limit = align_down(limit, PAGE_SIZE);
		if (kernel_end > limit || initrd_size > limit - kernel_end)
			return plan_fail(err, IMG_ERR_BZ_INITRD,
					 "%" PRIu64 " bytes between 0x%" PRIx64 " and 0x%" PRIx64,
					 initrd_size, kernel_end, limit);
		need += align_up(initrd_size, PAGE_SIZE);
	}
	if (need > ram_bytes) {
		out->need_mib = align_up(need, 1u << 20) >> 20;
		return plan_fail(err, IMG_ERR_MEMORY_SMALL, "%" PRIu64 " MiB, kernel%s need %" PRIu64 " MiB",
				 ram_bytes >> 20, initrd_size ? " and initrd" : "", out->need_mib);
	}
	out->load = bz->pref_address;
	out->initrd_size = initrd_size;
	if (initrd_size)
		out->initrd = align_down(top - initrd_size, PAGE_SIZE);
	return 0;
}
