/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a boot module to a VM that is ready to be entered: copy the head, bound it, parse it; build memory; copy each
 * file into memory that only this guest owns, hash it there. Each byte of a module is read once a start. A refusal scrubs
 * and returns everything.
 */
#include "core/launch.h"

#include <stdio.h>
#include <string.h>

#include <vouch/bzimage.h>
#include <vouch/host.h>
#include <vouch/lib.h>
#include <vouch/log.h>
#include <vouch/manifest.h>
#include <vouch/platform.h>

#include "arch/x86/dev/acpi.h"
#include "arch/x86/guest/linux.h"
#include "core/block.h"
#include "core/gpa_build.h"
#include "core/ram.h"
#include "core/vm.h"

#define STAGE_GPA GPA_HIGH_RAM  /* where a kernel file lands to be verified */

/* What one start needs besides the VM; Vouch's own memory, given back when the guest runs. */
struct launch {
	struct host *host;
	unsigned int module;
	struct launch_names *names;
	struct image_source src;
	struct image image;
	struct vm_plan plan;
	struct xml_arena arena;
	char name[PLAN_NAME_MAX + 1];
	char xml[IMAGE_MAX_XML + 1];
	uint8_t head[BZ_HEAD_LEN];    /* the kernel's first bytes, as verified */
	uint8_t buffer[GPA_BUILD_CHUNK];
	struct bzimage bz;
	struct linux_layout at;
};

static int module_copy(void *ctx, uint64_t off, void *dst, size_t len)
{
	const struct boot_module *m = ctx;

	memcpy(dst, (const uint8_t *)hpa_to_ptr(m->start) + off, len);
	return 0;
}

/* A verdict names a guest: two of one name could not be told apart. */
static int choose_name(struct launch *l, struct image_error *err)
{
	if (l->plan.name[0])
		snprintf(l->name, sizeof(l->name), "%s", l->plan.name);
	else
		snprintf(l->name, sizeof(l->name), "guest%u", l->module);
	for (unsigned int i = 0; i < BOOT_MODULES_MAX; i++) {
		if (i == l->module || strcmp(l->names->name[i], l->name) != 0)
			continue;
		*err = (struct image_error){ .code = IMG_ERR_NAME_TAKEN };
		snprintf(err->text, sizeof(err->text), "%s: module %u has it; give module %u another vm@name",
			 image_err_text(IMG_ERR_NAME_TAKEN), i, l->module);
		return -1;
	}
	return 0;
}

/* Header, XML and table into Vouch's memory, bounded and married; then, and only then, the configuration. */
static int read_manifest(struct launch *l, struct image_error *err)
{
	int ret;

	if (image_read_head(&l->image, &l->src, l->xml, err))
		return -1;
	lib_enter();
	ret = manifest_files(&l->image, &l->arena, err);
	if (!ret) {
		l->arena.used = 0;
		ret = manifest_plan(&l->image, &l->arena, &l->plan, err);
	}
	lib_exit();
	if (ret)
		return -1;
	if (choose_name(l, err))
		return -1;
	if (l->image.version == 0 && l->host->options.integrity > INTEGRITY_NONE)
		return image_check_hashed(&l->image, err);
	return image_check_gaps(&l->image, &l->src, err);
}

/* A file on its way out of the module: each piece is hashed where it lands. */
struct file_copy {
	struct launch *l;
	const struct image_file *file;
	uint64_t done;
	struct v1_hash hash;
};

static int copy_piece(void *ctx, void *dst, size_t n)
{
	struct file_copy *c = ctx;
	struct timing *t = &c->l->host->timing;
	uint64_t begin = host_tsc(), copied;

	if (c->l->src.copy(c->l->src.ctx, c->file->offset + c->done, dst, n))
		return -1;
	copied = host_tsc();
	v1_hash_update(&c->hash, dst, n);
	t->copy += copied - begin;
	t->hash += host_tsc() - copied;
	c->done += n;
	return 0;
}

static int refuse_small(struct image_error *err, const struct launch *l, uint32_t f)
{
	*err = (struct image_error){ .code = IMG_ERR_MEMORY_SMALL };
	snprintf(err->text, sizeof(err->text), "file %u (%lu bytes) does not fit the guest's %lu MiB", f,
		 l->image.file[f].size, l->plan.memory_mib);
	return -1;
}

/* Puts file number f at a in the guest's memory and checks what arrived. */
static int load_file(struct launch *l, struct vm *vm, uint32_t f, uint64_t at, struct image_error *err)
{
	struct file_copy c = { .l = l, .file = &l->image.file[f] };

	if (gpa_build(vm, gpa(at), c.file->size, copy_piece, &c))
		return refuse_small(err, l, f);
	return image_check_hash(&l->image, f, &c.hash, err);
}

/* A file that nothing uses is judged all the same; its bytes go nowhere. */
static int check_unused_file(struct launch *l, uint32_t f, struct image_error *err)
{
	struct file_copy c = { .l = l, .file = &l->image.file[f] };

	while (c.done < c.file->size)
		if (copy_piece(&c, l->buffer, min_u64(sizeof(l->buffer), c.file->size - c.done)))
			return -1;
	return image_check_hash(&l->image, f, &c.hash, err);
}

/* Verifies the kernel's file where it lands, at STAGE, and takes its first bytes from there. */
static int stage_kernel(struct launch *l, struct vm *vm, struct image_error *err)
{
	const struct image_file *k = &l->image.file[l->plan.kernel];

	if (load_file(l, vm, (uint32_t)l->plan.kernel, STAGE_GPA, err))
		return -1;
	if (gpa_read(vm, gpa(STAGE_GPA), l->head, min_u64(k->size, BZ_HEAD_LEN)))
		return refuse_small(err, l, (uint32_t)l->plan.kernel);
	return 0;
}

/* A kernel's file that its guest cannot hold is verified on the way past: its first bytes tell how much it takes. */
static int weigh_kernel(struct launch *l, struct image_error *err)
{
	const struct image_file *k = &l->image.file[l->plan.kernel];
	struct file_copy c = { .l = l, .file = k };

	while (c.done < k->size) {
		bool first = !c.done;

		if (copy_piece(&c, l->buffer, min_u64(sizeof(l->buffer), k->size - c.done)))
			return -1;
		if (first)
			memcpy(l->head, l->buffer, min_u64(c.done, BZ_HEAD_LEN));
	}
	return image_check_hash(&l->image, (uint32_t)l->plan.kernel, &c.hash, err);
}

/*
 * The kernel is verified before a byte of it is understood, so it lands at STAGE first; then its header says where its
 * protected-mode part belongs, and that part moves there within the guest's memory. Nothing else stays behind.
 */
static int load_kernel(struct launch *l, struct vm *vm, struct image_error *err)
{
	const struct image_file *k = &l->image.file[l->plan.kernel];
	uint64_t initrd = l->plan.initrd < 0 ? 0 : l->image.file[l->plan.initrd].size;
	bool fits = span_ok(STAGE_GPA, k->size, ram_low_end(l->plan.memory_mib << 20));

	if (fits ? stage_kernel(l, vm, err) : weigh_kernel(l, err))
		return -1;
	/* Without room for the file there is none for what bzimage_layout() asks for, so it refuses. */
	if (bzimage_parse(&l->bz, l->head, k->size, err) || bzimage_check_cmdline(&l->bz, l->plan.cmdline, err) ||
	    bzimage_layout(&l->bz, l->plan.memory_mib << 20, initrd, &l->at, err))
		return -1;
	if (gpa_build_move(vm, gpa(STAGE_GPA), k->size, gpa(STAGE_GPA + l->bz.setup_bytes), gpa(l->at.load),
			   l->bz.payload_bytes, l->buffer, sizeof(l->buffer)))
		return refuse_small(err, l, (uint32_t)l->plan.kernel);
	return 0;
}

static int load_files(struct launch *l, struct vm *vm, struct image_error *err)
{
	if (load_kernel(l, vm, err))
		return -1;
	for (uint32_t f = 0; f < l->image.file_count; f++) {
		int ret = 0;

		if ((int64_t)f == l->plan.initrd)
			ret = load_file(l, vm, f, l->at.initrd, err);
		else if ((int64_t)f != l->plan.kernel)
			ret = check_unused_file(l, f, err);
		if (ret)
			return -1;
	}
	return 0;
}

static void report_verified(const struct launch *l)
{
	uint64_t bytes = 0;

	for (uint32_t f = 0; f < l->image.file_count; f++)
		bytes += l->image.file[f].size;
	if (l->image.version == 0)
		log_verdict("guest %s unverified: no hashes (v0), allowed by integrity=none", l->name);
	else
		log_verdict("guest %s verified: %u files, %lu bytes, %s", l->name, l->image.file_count,
			 bytes, integrity_name(INTEGRITY_CHECKSUM));
}

/* A VM ready to be entered, or NULL with *err and nothing kept. */
static struct vm *build(struct launch *l, struct vcpu_start *start, struct image_error *err)
{
	struct vm *vm;

	if (read_manifest(l, err))
		return NULL;
	vm = vm_create(l->host, l->module, l->name, &l->plan, err);
	if (!vm)
		return NULL;
	if (load_files(l, vm, err))
		goto refuse;
	report_verified(l);
	memcpy(l->names->name[l->module], l->name, sizeof(l->name));
	if (vm_equip(vm, err))
		goto refuse;
	if (linux_prepare(vm, &l->bz, l->head, &l->at, GPA_ROM_BASE + ACPI_RSDP_OFF)) {
		*err = (struct image_error){ .code = IMG_ERR_MEMORY_SMALL, .text = "no room for boot parameters" };
		goto refuse;
	}
	linux_start_state(start, &l->at);
	return vm;
refuse:
	vm_destroy(vm);
	return NULL;
}

static void refuse(const struct launch *l, const struct image_error *err)
{
	if (l->name[0])
		log_verdict("guest %s refused: %s", l->name, err->text);
	else
		log_verdict("guest module %u refused: %s", l->module, err->text);
}

struct vm *launch_vm(struct host *h, unsigned int module, struct launch_names *names, struct vcpu_start *start)
{
	struct launch *l = block_get(&h->pages, sizeof(*l));
	void *arena = block_get(&h->pages, XML_ARENA_SIZE);
	struct image_error err = { .text = "not enough host memory to read the image" };
	struct vm *vm = NULL;

	if (l && arena) {
		l->host = h;
		l->module = module;
		l->names = names;
		l->src = (struct image_source){ module_copy, &h->boot.module[module], h->boot.module[module].len };
		l->arena = (struct xml_arena){ .base = arena, .size = XML_ARENA_SIZE };
		vm = build(l, start, &err);
		if (!vm)
			refuse(l, &err);
	} else {
		log_verdict("guest module %u refused: %s", module, err.text);
	}
	block_put(&h->pages, arena, XML_ARENA_SIZE);
	block_put(&h->pages, l, sizeof(*l));
	return vm;
}
