/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vouch inspect` prints for people. Text from the image is escaped. */
#include "facts.h"

#include "common/cli.h"

#include <vouch/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX (4 * PLAN_CMDLINE_MAX + 1)

static void show_text(const char *label, const char *text)
{
	char shown[SHOWN_MAX];

	printf("%-14s%s\n", label, log_escape(shown, sizeof(shown), text, strlen(text)));
}

static void show_hex(const char *label, const uint8_t *bytes, size_t len)
{
	printf("%-14s", label);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

static void show_seal(const struct image *img)
{
	printf("%-14s%" PRIu64 "\n", "Security", img->security_version);
	printf("%-14s%" PRIu64 " (header, XML, table)\n", "Signed bytes", facts_signed_bytes(img));
	show_hex("Manifest", img->digest, SHA256_LEN);
	printf("%-14sat 0x%" PRIx64 ", %u signature%s\n", "Seal", img->data_end, img->signature_count,
	       img->signature_count == 1 ? "" : "s");
	for (uint32_t i = 0; i < img->signature_count; i++) {
		const struct image_signature *s = &img->signature[i];

		printf("Signature %u, not checked here\n", i);
		show_hex("  key id", s->key_id, SHA256_LEN);
		show_hex("  r", s->sig, P256_SIG_LEN / 2);
		show_hex("  s", s->sig + P256_SIG_LEN / 2, P256_SIG_LEN / 2);
	}
}

static void show_container(const struct facts *f)
{
	const struct image *img = &f->o->img;

	printf("%-14s", "Image");
	cli_print(stdout, f->path);
	putchar('\n');
	printf("%-14sv3vee version %u, %" PRIu64 " bytes, XML %u bytes, %u file%s\n", "Format", img->version,
	       f->o->source.size, img->xml_len, img->file_count, img->file_count == 1 ? "" : "s");
	printf("%-14sgood, %s\n", "Container",
	       img->version == 0   ? "but holds no hashes (v0)"
	       : img->version == 1 ? "checksum"
				   : "SHA-256");
	if (img->version == 2)
		show_seal(img);
}

static void show_file(const struct facts *f, uint32_t i)
{
	const struct image_file *file = &f->o->img.file[i];
	char id[4 * IMAGE_MAX_ID + 1];

	printf("File %u\n", i);
	printf("  %-12s%s\n", "id", log_escape(id, sizeof(id), file->id, strlen(file->id)));
	printf("  %-12s%" PRIu64 " bytes at 0x%" PRIx64 "\n", "size", file->size, file->offset);
	if (f->o->img.version == 1)
		printf("  %-12s0x%016" PRIx64 "\n", "hash", file->hash);
	show_hex("  SHA-256", f->sha256[i], SHA256_LEN);
	if (image_chunks(file->size) > 1 && f->o->img.version == 2) {
		show_hex("  digest", file->digest, SHA256_LEN);
		printf("  %-12s%" PRIu64 " of 2 MiB, digests at 0x%" PRIx64 "\n", "chunks", image_chunks(file->size),
		       file->list);
	}
}

static void show_ignored(const struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->ignore_count; i++)
		printf("%-14s%s 0x%" PRIx64 "-0x%" PRIx64 "%s\n", "Ignored", p->ignore[i].mmio ? "memory" : "ports",
		       p->ignore[i].start, p->ignore[i].end, p->ignore[i].print ? ", logged" : "");
}

static void show_plan(const struct facts *f)
{
	const struct vm_plan *p = &f->plan;

	printf("%-14s%s\n", "Guest", p->name[0] ? p->name : "(not named)");
	printf("%-14s%" PRIu64 " MiB\n", "Memory", p->memory_mib);
	printf("%-14s%u\n", "Cores", p->cores);
	printf("%-14s", "Devices");
	for (unsigned int d = 0; d < PLAN_DEVICE_COUNT; d++)
		if (p->devices >> d & 1 && facts_device_name((enum plan_device)d))
			printf("%s ", facts_device_name((enum plan_device)d));
	putchar('\n');
	show_ignored(p);
	if (!p->has_boot)
		return;
	show_text("Boot kernel", f->o->img.file[p->kernel].id);
	if (p->initrd >= 0)
		show_text("Boot initrd", f->o->img.file[p->initrd].id);
	show_text("Command line", p->cmdline);
}

static void show_kernel(const struct bzimage *k)
{
	printf("%-14sLinux boot protocol %u.%02u, %s, xloadflags 0x%x\n", "Kernel",
	       (unsigned int)k->protocol >> 8, k->protocol & 0xffu, k->relocatable ? "relocatable" : "not relocatable",
	       k->xloadflags);
	printf("  %-12s%u + %u bytes (setup, kernel), needs %u from its load address\n", "size", k->setup_bytes,
	       k->payload_bytes, k->init_size);
	printf("  %-12spreferred 0x%" PRIx64 ", alignment 0x%x\n", "address", k->pref_address, k->alignment);
	printf("  %-12scommand line %u bytes, initrd up to 0x%x\n", "limits", k->cmdline_max, k->initrd_max);
}

void inspect_text(const struct facts *f)
{
	if (!f->container_good)
		return;
	show_container(f);
	for (uint32_t i = 0; i < f->o->img.file_count; i++)
		show_file(f, i);
	if (f->has_plan)
		show_plan(f);
	if (f->has_kernel)
		show_kernel(&f->kernel);
	if (f->has_layout) {
		printf("%-14skernel at 0x%" PRIx64, "Layout", f->layout.load);
		if (f->layout.initrd_size > 0)
			printf(", initrd at 0x%" PRIx64, f->layout.initrd);
		putchar('\n');
	}
	printf("%-14s%s\n", "Configuration", f->config_good ? "good" : "refused");
}
