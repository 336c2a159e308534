/* SPDX-License-Identifier: BSD-2-Clause */
/* The container's verdict, each file's SHA-256 where it is asked for, the plan, the kernel's header. */
#include "facts.h"

#include "common/cli.h"
#include "common/progress.h"

#include <vouch/options.h>

#include <stdlib.h>
#include <string.h>

static int hash_files(struct facts *f)
{
	struct progress progress;
	uint64_t total = 0;
	int status = CLI_GOOD;

	for (uint32_t i = 0; i < f->o->img.file_count; i++)
		total += f->o->img.file[i].size;
	progress_begin(&progress, "hashing", total);
	for (uint32_t i = 0; i < f->o->img.file_count && status == CLI_GOOD; i++) {
		const struct image_file *file = &f->o->img.file[i];

		status = sha256_range(&f->o->file, file->offset, file->size, f->sha256[i]);
		progress_add(&progress, file->size);
	}
	progress_end(&progress);
	return status;
}

static int read_lists(struct facts *f)
{
	struct opened *o = f->o;

	for (uint32_t i = 0; i < o->img.file_count && o->img.version == 2; i++) {
		f->list[i] = cli_alloc(image_chunks(o->img.file[i].size) * SHA256_LEN);
		if (image_read_list(&o->img, &o->source, i, f->list[i], &o->err))
			return o->read_failed ? CLI_ENV : CLI_REFUSED;
	}
	return CLI_GOOD;
}

/* What Vouch will look at before it starts the kernel. */
static int judge_kernel(struct facts *f)
{
	const struct image *img = &f->o->img;
	const struct image_file *kernel = &img->file[f->plan.kernel];
	uint64_t initrd_size = f->plan.initrd < 0 ? 0 : img->file[f->plan.initrd].size;
	uint8_t head[BZ_HEAD_LEN] = { 0 };

	if (file_read_at(&f->o->file, head, (size_t)min_u64(kernel->size, sizeof(head)), kernel->offset) != CLI_GOOD)
		return CLI_ENV;
	f->has_kernel = bzimage_parse(&f->kernel, head, kernel->size, &f->config_err) == 0;
	if (!f->has_kernel || bzimage_check_cmdline(&f->kernel, f->plan.cmdline, &f->config_err))
		return CLI_REFUSED;
	f->has_layout = bzimage_layout(&f->kernel, f->plan.memory_mib << 20, initrd_size, &f->layout,
				       &f->config_err) == 0;
	return f->has_layout ? CLI_GOOD : CLI_REFUSED;
}

static int judge_configuration(struct facts *f)
{
	int status;

	f->has_plan = manifest_plan(&f->o->img, &f->o->arena, &f->plan, &f->config_err) == 0;
	if (!f->has_plan)
		return CLI_REFUSED;
	status = f->plan.has_boot ? judge_kernel(f) : CLI_GOOD;
	if (status == CLI_GOOD && image_check_whole(&f->o->img, &f->o->source, &f->config_err))
		status = CLI_REFUSED;
	f->config_good = status == CLI_GOOD;
	return status;
}

/* The container, and with digests what is shown of its files; then the configuration. */
static int judge(struct facts *f, const char *path, bool digests)
{
	int status;

	memset(f, 0, sizeof(*f));
	f->path = path;
	f->o = opened_open(path);
	status = f->o ? opened_judge(f->o) : CLI_ENV;
	if (status == CLI_GOOD && digests)
		status = read_lists(f);
	f->container_good = status == CLI_GOOD;
	if (status != CLI_GOOD)
		return status;
	if (digests && hash_files(f) != CLI_GOOD)
		return CLI_ENV;
	status = judge_configuration(f);
	if (status != CLI_ENV && file_unchanged(&f->o->file) != CLI_GOOD)
		return CLI_ENV;
	return status;
}

int facts_gather(struct facts *f, const char *path)
{
	return judge(f, path, true);
}

int facts_judge(struct facts *f, const char *path)
{
	return judge(f, path, false);
}

const char *facts_reason(const struct facts *f)
{
	return f->container_good ? f->config_err.text : f->o->err.text;
}

void facts_release(struct facts *f)
{
	for (uint32_t i = 0; i < IMAGE_MAX_FILES; i++)
		free(f->list[i]);
	opened_close(f->o);
	f->o = NULL;
}

const char *facts_code_name(enum image_err code)
{
	static const char *const names[] = {
#define X(value, text) [value] = #value,
		IMAGE_ERRORS(X)
#undef X
	};

	return code < IMG_ERR_COUNT ? names[code] : "unknown";
}

const char *facts_integrity(const struct image *img)
{
	static const enum integrity level[] = { INTEGRITY_NONE, INTEGRITY_CHECKSUM, INTEGRITY_SHA256 };

	return integrity_name(level[img->version]);
}

uint64_t facts_signed_bytes(const struct image *img)
{
	return img->table + (uint64_t)img->file_count * img->header_len;
}

const char *facts_device_name(enum plan_device device)
{
	static const char *const names[PLAN_DEVICE_COUNT] = {
		[PLAN_PIC] = "8259A", [PLAN_PIT] = "8254_PIT", [PLAN_LAPIC] = "LAPIC", [PLAN_IOAPIC] = "IOAPIC",
		[PLAN_KEYBOARD] = "KEYBOARD", [PLAN_COM1] = "COM1", [PLAN_COM2] = "COM2",
		[PLAN_DEBUG_PORT] = "BOCHS_DEBUG",
	};

	return names[device];
}
