/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot loader's information, copied out tag by tag (Multiboot2 Specification "Boot information"). Bounds all
 * of it, judges none: whether there is enough memory, or what a module is, others decide.
 */
#include <vouch/boot_info.h>

#include "le.h"

#include <string.h>

#define MB2_HEAD      8u              /* u32 total_size, u32 reserved */
#define MB2_TAG_HEAD  8u              /* u32 type, u32 size */
#define MB2_ALIGN     8u
#define MB2_MMAP_HEAD 16u             /* the tag's head, u32 entry_size, u32 entry_version */
#define MB2_MMAP_LEN  24u             /* u64 base, u64 len, u32 type, u32 reserved */
#define RSDP_V1_LEN   20u
#define RSDP_V2_LEN   36u

enum mb2_tag {
	MB2_END = 0, MB2_CMDLINE = 1, MB2_LOADER = 2, MB2_MODULE = 3, MB2_MMAP = 6, MB2_RSDP_V1 = 14, MB2_RSDP_V2 = 15,
	MB2_LOAD_BASE = 21, MB2_FRAMEBUFFER = 8, MB2_EFI_SERVICES = 18,
};

/* Of the framebuffer tag. */
#define MB2_FB_HEAD   32u             /* u64 address, u32 pitch, width, height, u8 bits, u8 type, u16 reserved */
#define MB2_FB_RGB    1u              /* then position and size of red, green, blue, a byte each */
#define MB2_FB_TEXT   2u
#define FB_PIXELS_MAX 16384u
#define FB_CELLS_MAX  255u

static const char *const err_text[] = {
	[MB2_OK] = "no error",
	[MB2_BAD_SIZE] = "total size does not fit",
	[MB2_BAD_TAG] = "malformed tag",
	[MB2_NO_END] = "no end tag",
	[MB2_NO_MEMORY_MAP] = "no memory map",
	[MB2_TOO_MANY_MEMORY] = "too many memory map entries",
	[MB2_TOO_MANY_MODULES] = "too many modules",
	[MB2_BAD_MODULE] = "module ends before it starts",
	[MB2_STRING_TOO_LONG] = "string too long",
};

const char *mb2_err_text(enum mb2_err e)
{
	return (unsigned int)e < ARRAY_SIZE(err_text) ? err_text[e] : "unknown error";
}

/* The string that fills the rest of a tag; it must hold its own NUL and fit dst with it. */
static enum mb2_err copy_string(char *dst, size_t size, const uint8_t *s, uint32_t room)
{
	const uint8_t *nul = room ? memchr(s, 0, room) : NULL;
	size_t len;

	if (!nul)
		return MB2_BAD_TAG;
	len = (size_t)(nul - s);
	if (len >= size)
		return MB2_STRING_TOO_LONG;
	memcpy(dst, s, len + 1);
	return MB2_OK;
}

/* Only ever printed, so a long one is cut. */
static enum mb2_err read_loader(struct boot_info *out, const uint8_t *tag, uint32_t size)
{
	size_t len = size - MB2_TAG_HEAD < sizeof(out->loader) - 1 ? size - MB2_TAG_HEAD : sizeof(out->loader) - 1;

	memcpy(out->loader, tag + MB2_TAG_HEAD, len);
	out->loader[len] = '\0';
	return MB2_OK;
}

static enum mb2_err read_module(struct boot_info *out, const uint8_t *tag, uint32_t size)
{
	struct boot_module *m = &out->module[out->module_count];
	uint32_t start, end;

	if (size < MB2_TAG_HEAD + 8)
		return MB2_BAD_TAG;
	if (out->module_count == BOOT_MODULES_MAX)
		return MB2_TOO_MANY_MODULES;
	start = le32(tag + 8);
	end = le32(tag + 12);
	if (end < start)
		return MB2_BAD_MODULE;
	m->start = hpa(start);
	m->len = end - start;
	out->module_count++;
	return copy_string(m->string, sizeof(m->string), tag + 16, size - 16);
}

static enum mb2_err add_memory(struct boot_info *out, const uint8_t *entry)
{
	struct boot_mem m = { hpa(le64(entry)), le64(entry + 8), le32(entry + 16) };

	if (!m.len)
		return MB2_OK;
	if (m.base.v + m.len - 1 < m.base.v)
		return MB2_BAD_TAG;
	if (out->mem_count == BOOT_MEM_MAX)
		return MB2_TOO_MANY_MEMORY;
	out->mem[out->mem_count++] = m;
	return MB2_OK;
}

/* Entries may grow in later versions: the distance is the tag's, what is read of each is ours. */
static enum mb2_err read_mmap(struct boot_info *out, const uint8_t *tag, uint32_t size)
{
	uint32_t step;

	if (size < MB2_MMAP_HEAD || out->mem_count)
		return MB2_BAD_TAG;
	step = le32(tag + 8);
	if (step < MB2_MMAP_LEN || step % MB2_ALIGN || (size - MB2_MMAP_HEAD) % step)
		return MB2_BAD_TAG;
	for (uint32_t at = MB2_MMAP_HEAD; at < size; at += step) {
		enum mb2_err e = add_memory(out, tag + at);

		if (e != MB2_OK)
			return e;
	}
	return MB2_OK;
}

/* The new RSDP replaces an old one; an old one never a new one. */
static enum mb2_err read_rsdp(struct boot_info *out, const uint8_t *tag, uint32_t size, uint32_t len, uint32_t off)
{
	if (size < MB2_TAG_HEAD + len)
		return MB2_BAD_TAG;
	if (out->rsdp_len >= len)
		return MB2_OK;
	memcpy(out->rsdp_copy, tag + MB2_TAG_HEAD, len);
	out->rsdp_len = len;
	out->rsdp = hpa_add(out->info, off + MB2_TAG_HEAD);
	return MB2_OK;
}

static enum mb2_err read_load_base(struct boot_info *out, const uint8_t *tag, uint32_t size)
{
	if (size < MB2_TAG_HEAD + 4)
		return MB2_BAD_TAG;
	out->load_base = hpa(le32(tag + MB2_TAG_HEAD));
	return MB2_OK;
}

static struct boot_channel read_channel(const uint8_t *p)
{
	return (struct boot_channel){ p[0], p[1] };
}

static bool channel_ok(struct boot_channel c, uint8_t bpp)
{
	return c.size && c.size <= 16 && c.pos < bpp && c.size <= bpp - c.pos;
}

static bool rgb_ok(const struct boot_screen *s)
{
	if (s->bpp != 15 && s->bpp != 16 && s->bpp != 24 && s->bpp != 32)
		return false;
	if (!s->width || s->width > FB_PIXELS_MAX || !s->height || s->height > FB_PIXELS_MAX)
		return false;
	return s->pitch >= s->width * ((s->bpp + 7u) / 8) && s->pitch <= FB_PIXELS_MAX * 4 &&
	       channel_ok(s->red, s->bpp) && channel_ok(s->green, s->bpp) && channel_ok(s->blue, s->bpp);
}

static bool text_ok(const struct boot_screen *s)
{
	if (!s->width || s->width > FB_CELLS_MAX || !s->height || s->height > FB_CELLS_MAX || s->base.v & 1)
		return false;
	return s->pitch >= s->width * 2 && s->pitch <= FB_CELLS_MAX * 2 && !(s->pitch & 1);
}

/* A screen that can't be drawn on is no reason not to boot: it is only remembered as such. */
static enum mb2_err read_framebuffer(struct boot_info *out, const uint8_t *tag, uint32_t size)
{
	struct boot_screen s = { .kind = BOOT_SCREEN_UNUSABLE };
	uint8_t type;
	bool ok;

	if (size < MB2_FB_HEAD)
		return MB2_BAD_TAG;
	type = tag[29];
	if (type == MB2_FB_RGB && size < MB2_FB_HEAD + 6)
		return MB2_BAD_TAG;
	s.base = hpa(le64(tag + 8));
	s.pitch = le32(tag + 16);
	s.width = le32(tag + 20);
	s.height = le32(tag + 24);
	s.bpp = tag[28];
	if (type == MB2_FB_RGB) {
		s.red = read_channel(tag + 32);
		s.green = read_channel(tag + 34);
		s.blue = read_channel(tag + 36);
	}
	ok = type == MB2_FB_RGB ? rgb_ok(&s) : type == MB2_FB_TEXT && text_ok(&s);
	if (ok && s.base.v && s.base.v < (1ull << 52) - (uint64_t)s.pitch * s.height)
		s.kind = type == MB2_FB_RGB ? BOOT_SCREEN_RGB : BOOT_SCREEN_TEXT;
	out->screen = s;
	return MB2_OK;
}

/* size is at least MB2_TAG_HEAD and lies within the information. Unknown tags are skipped, as specified. */
static enum mb2_err read_tag(struct boot_info *out, const uint8_t *tag, uint32_t size, uint32_t off)
{
	switch (le32(tag)) {
	case MB2_CMDLINE:
		return copy_string(out->cmdline, sizeof(out->cmdline), tag + MB2_TAG_HEAD, size - MB2_TAG_HEAD);
	case MB2_LOADER:
		return read_loader(out, tag, size);
	case MB2_MODULE:
		return read_module(out, tag, size);
	case MB2_MMAP:
		return read_mmap(out, tag, size);
	case MB2_RSDP_V1:
		return read_rsdp(out, tag, size, RSDP_V1_LEN, off);
	case MB2_RSDP_V2:
		return read_rsdp(out, tag, size, RSDP_V2_LEN, off);
	case MB2_FRAMEBUFFER:
		return read_framebuffer(out, tag, size);
	case MB2_EFI_SERVICES:
		out->efi_services = true;
		return MB2_OK;
	case MB2_LOAD_BASE:
		return read_load_base(out, tag, size);
	default:
		return MB2_OK;
	}
}

static enum mb2_err walk(struct boot_info *out, const uint8_t *tags, uint32_t total, uint32_t *at)
{
	for (uint64_t off = MB2_HEAD; span_ok(off, MB2_TAG_HEAD, total);) {
		uint32_t size = le32(tags + off + 4);
		enum mb2_err e;

		*at = (uint32_t)off;
		if (size < MB2_TAG_HEAD || !span_ok(off, size, total))
			return MB2_BAD_TAG;
		if (le32(tags + off) == MB2_END)
			return MB2_OK;
		e = read_tag(out, tags + off, size, (uint32_t)off);
		if (e != MB2_OK)
			return e;
		off += align_up(size, MB2_ALIGN);
	}
	*at = total;
	return MB2_NO_END;
}

enum mb2_err mb2_parse(struct boot_info *out, const uint8_t *tags, uint64_t len, uint32_t *at)
{
	hpa_t info = out->info;
	uint32_t total;
	enum mb2_err e;

	memset(out, 0, sizeof(*out));
	out->info = info;
	*at = 0;
	if (len < MB2_HEAD)
		return MB2_BAD_SIZE;
	total = le32(tags);
	if (total < MB2_HEAD || total > len)
		return MB2_BAD_SIZE;
	out->info_len = total;
	e = walk(out, tags, total, at);
	if (e == MB2_OK && !out->mem_count)
		return MB2_NO_MEMORY_MAP;
	return e;
}
