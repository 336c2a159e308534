/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vouch inspect --json` prints; vouch(1) describes the members. */
#include "facts.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

static void put_hex(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%016" PRIx64, value);
	json_string(j, key, text);
}

static void put_verdict(struct json *j, bool good, const struct image_error *err)
{
	json_string(j, "verdict", good ? "good" : "refused");
	if (good) {
		json_string(j, "error", NULL);
		return;
	}
	json_open(j, "error", '{');
	json_string(j, "code", facts_code_name(err->code));
	json_number(j, "offset", err->offset);
	json_string(j, "text", err->text);
	json_close(j, '}');
}

/* At most 64 bytes. */
static void put_bytes(struct json *j, const char *key, const uint8_t *bytes, size_t len)
{
	char text[129];

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	json_string(j, key, text);
}

static void put_chunks(struct json *j, const struct facts *f, uint32_t i)
{
	json_open(j, "chunks", '[');
	for (uint64_t c = 0; c < image_chunks(f->o->img.file[i].size); c++)
		put_bytes(j, NULL, f->list[i][c], SHA256_LEN);
	json_close(j, ']');
}

static void put_seal(struct json *j, const struct image *img)
{
	json_number(j, "security_version", img->security_version);
	json_number(j, "signed_bytes", facts_signed_bytes(img));
	put_bytes(j, "manifest_digest", img->digest, SHA256_LEN);
	json_number(j, "seal_offset", img->data_end);
	json_open(j, "signatures", '[');
	for (uint32_t i = 0; i < img->signature_count; i++) {
		json_open(j, NULL, '{');
		put_bytes(j, "key_id", img->signature[i].key_id, SHA256_LEN);
		put_bytes(j, "r", img->signature[i].sig, P256_SIG_LEN / 2);
		put_bytes(j, "s", img->signature[i].sig + P256_SIG_LEN / 2, P256_SIG_LEN / 2);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_file(struct json *j, const struct facts *f, uint32_t i)
{
	const struct image_file *file = &f->o->img.file[i];
	json_open(j, NULL, '{');
	json_number(j, "index", i);
	json_string(j, "id", file->id);
	json_number(j, "size", file->size);
	json_number(j, "offset", file->offset);
	if (f->o->img.version == 1)
		put_hex(j, "hash", file->hash);
	else
		json_string(j, "hash", NULL);
	put_bytes(j, "sha256", f->sha256[i], SHA256_LEN);
	if (f->o->img.version == 2) {
		put_bytes(j, "digest", file->digest, SHA256_LEN);
		put_chunks(j, f, i);
	}
	json_close(j, '}');
}

static void put_files(struct json *j, const struct facts *f)
{
	json_open(j, "files", '[');
	for (uint32_t i = 0; i < f->o->img.file_count; i++)
		put_file(j, f, i);
	json_close(j, ']');
}

static void put_ignored(struct json *j, const struct vm_plan *p)
{
	json_open(j, "ignored_ranges", '[');
	for (uint32_t i = 0; i < p->ignore_count; i++) {
		json_open(j, NULL, '{');
		json_string(j, "space", p->ignore[i].mmio ? "memory" : "ports");
		put_hex(j, "start", p->ignore[i].start);
		put_hex(j, "end", p->ignore[i].end);
		json_bool(j, "logged", p->ignore[i].print);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_boot(struct json *j, const struct facts *f)
{
	const struct vm_plan *p = &f->plan;

	if (!p->has_boot) {
		json_string(j, "boot", NULL);
		return;
	}
	json_open(j, "boot", '{');
	json_string(j, "kernel", f->o->img.file[p->kernel].id);
	json_string(j, "initrd", p->initrd < 0 ? NULL : f->o->img.file[p->initrd].id);
	json_string(j, "cmdline", p->cmdline);
	json_close(j, '}');
}

static void put_plan(struct json *j, const struct facts *f)
{
	const struct vm_plan *p = &f->plan;

	json_string(j, "name", p->name[0] ? p->name : NULL);
	json_number(j, "memory_mib", p->memory_mib);
	json_number(j, "cores", p->cores);
	json_open(j, "devices", '[');
	for (unsigned int d = 0; d < PLAN_DEVICE_COUNT; d++)
		if (p->devices >> d & 1 && facts_device_name((enum plan_device)d))
			json_string(j, NULL, facts_device_name((enum plan_device)d));
	json_close(j, ']');
	put_ignored(j, p);
	put_boot(j, f);
}

static void put_kernel(struct json *j, const struct bzimage *k)
{
	char protocol[16];

	snprintf(protocol, sizeof(protocol), "%u.%02u", (unsigned int)k->protocol >> 8, k->protocol & 0xffu);
	json_open(j, "kernel", '{');
	json_string(j, "protocol", protocol);
	json_bool(j, "relocatable", k->relocatable);
	json_number(j, "setup_bytes", k->setup_bytes);
	json_number(j, "payload_bytes", k->payload_bytes);
	json_number(j, "init_size", k->init_size);
	json_number(j, "alignment", k->alignment);
	put_hex(j, "pref_address", k->pref_address);
	json_number(j, "cmdline_max", k->cmdline_max);
	put_hex(j, "initrd_max", k->initrd_max);
	json_number(j, "xloadflags", k->xloadflags);
	json_close(j, '}');
}

static void put_layout(struct json *j, const struct linux_layout *l)
{
	json_open(j, "layout", '{');
	put_hex(j, "kernel", l->load);
	if (l->initrd_size > 0)
		put_hex(j, "initrd", l->initrd);
	else
		json_string(j, "initrd", NULL);
	json_close(j, '}');
}

static void put_configuration(struct json *j, const struct facts *f)
{
	json_open(j, "configuration", '{');
	put_verdict(j, f->config_good, &f->config_err);
	if (f->has_plan)
		put_plan(j, f);
	if (f->has_kernel)
		put_kernel(j, &f->kernel);
	if (f->has_layout)
		put_layout(j, &f->layout);
	json_close(j, '}');
}

void inspect_json(const struct facts *f)
{
	struct json j = { 0 };

	json_open(&j, NULL, '{');
	json_string(&j, "image", f->path);
	json_number(&j, "size", f->o->source.size);
	put_verdict(&j, f->container_good, &f->o->err);
	if (f->container_good) {
		json_number(&j, "version", f->o->img.version);
		json_string(&j, "integrity", facts_integrity(&f->o->img));
		json_number(&j, "xml_length", f->o->img.xml_len);
		if (f->o->img.version == 2)
			put_seal(&j, &f->o->img);
		put_files(&j, f);
		put_configuration(&j, f);
	}
	json_close(&j, '}');
}
