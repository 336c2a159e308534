/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a boot module to a VM that is ready to be entered: copy the head, bound it, check who signed it, and only then
 * parse it; ask the policy; build memory; copy each file into memory that only this guest owns, hash it there; name the
 * guest by these hashes. Each byte of a module is read once a start; the head of an image below version 2 is read a second
 * time, from a private copy of the whole, and only that reading counts. A refusal scrubs and returns everything.
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
#include <vouch/policy.h>

#include "arch/x86/dev/acpi.h"
#include "arch/x86/guest/linux.h"
#include "core/block.h"
#include "core/file_copy.h"
#include "core/file_share.h"
#include "core/gpa_build.h"
#include "core/guest.h"
#include "core/identity.h"
#include "core/measured.h"
#include "core/module.h"
#include "core/ram.h"
#include "core/rollback.h"
#include "core/vm.h"
#include "loader/crypto_memory.h"

#define STAGE_GPA GPA_HIGH_RAM  /* where a kernel file lands to be verified */

/* What Vouch will keep of a guest, at least: devices and tables, and for each of its vCPUs. */
#define KEPT_BYTES      (256ul << 10)
#define KEPT_CORE_BYTES (32ul << 10)

#define NO_MEMORY_TO_READ "not enough host memory to read the image"

/* An image before one policy. */
struct trial {
	const struct policy *policy;
	struct policy_facts facts;
	struct policy_decision decision;
};

/* What one start needs besides the VM; Vouch's own memory, given back when the guest runs. */
struct launch {
	struct host *host;
	unsigned int module;
	struct image_error err;       /* why it is refused */
	bool refused;
	struct vm *vm;                /* once built */
	struct file_share share;      /* the file that is being loaded, if it is a long one */
	struct timing timing;
	uint64_t frames;              /* that the VM has taken so far */
	struct launch_names *names;
	struct image_source src;
	void *whole;                  /* below version 2 a private copy of the module, else NULL */
	struct tao_guest id;
	struct image image;
	struct trial trial[2];        /* what is demanded, by whom: each must be met */
	unsigned int trials;
	struct vm_plan plan;
	char *xml;                    /* until the plan is made */
	struct xml_arena arena;       /* as xml */
	char name[PLAN_NAME_MAX + 1];
	uint8_t head[BZ_HEAD_LEN];    /* the kernel's first bytes, as verified */
	uint8_t buffer[GPA_BUILD_CHUNK];
	struct bzimage bz;
	struct linux_layout at;
	_Alignas(16) uint8_t crypto[CRYPTO_MEMORY_SIZE];
};

/* A guest's number: policies and other modules are not counted, so that `vouch measure` knows it from the images alone. */
static unsigned int guest_number(const struct launch *l)
{
	struct module_options m;
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->module; i++) {
		module_parse(&m, l->host->boot.module[i].string);
		n += m.kind == MODULE_GUEST;
	}
	return n;
}

static void choose_name(struct launch *l)
{
	if (l->plan.name[0])
		snprintf(l->name, sizeof(l->name), "%s", l->plan.name);
	else
		snprintf(l->name, sizeof(l->name), "guest%u", guest_number(l));
}

/* A verdict names a guest: two of one name could not be told apart. */
static int check_name(const struct launch *l, struct image_error *err)
{
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

static int refuse_text(struct image_error *err, enum image_err code, const char *detail)
{
	*err = (struct image_error){ .code = code };
	snprintf(err->text, sizeof(err->text), "%s: %s", image_err_text(code), detail);
	return -1;
}

/* ------------------------------------------------------------------ the head, and who vouches for it */

/* What digest an image of an older version has is said of all its bytes, so all of them must be out of reach first. */
static int keep_whole(struct launch *l, struct image_error *err)
{
	struct timing *t = &l->timing;
	uint64_t begin = host_tsc(), copied;
	struct sha256 sha;

	_Static_assert(IMAGE_MAX_WHOLE <= (uint64_t)PAGE_SIZE << (PAGE_ORDERS - 1), "a block may be so large");
	if (image_check_whole(&l->image, &l->src, err))
		return -1;
	l->whole = block_get(&l->host->pages, l->src.size);
	if (!l->whole)
		return refuse_text(err, IMG_ERR_HOST_MEMORY, "to take the digest of an image below version 2");
	l->src.copy(l->src.ctx, 0, l->whole, l->src.size);
	l->src = module_source(l->whole, l->src.size);
	copied = host_tsc();
	sha256_init_with(&sha, l->host->sha256);
	sha256_update(&sha, l->whole, l->src.size);
	sha256_final(&sha, l->id.image);
	t->copy += copied - begin;
	t->hash += host_tsc() - copied;
	return 0;
}

/* Header, XML and table into Vouch's memory, bounded; of version 2, the digest over them is the seal's. */
static int read_head(struct launch *l, struct image_error *err)
{
	if (image_read_any(&l->image, &l->src, l->xml, err))
		return -1;
	if (l->image.version < 2 && (keep_whole(l, err) || image_read_any(&l->image, &l->src, l->xml, err)))
		return -1;
	/* Not "else": the second reading, which counts, may have found another version. */
	if (l->image.version >= 2)
		memcpy(l->id.image, l->image.digest, SHA256_LEN);
	return 0;
}

/*
 * What can be refused without the guest's name is not looked into: no digests, or no signature by a trusted key, where
 * the level asks for them; a security version too low for each key that signed; a digest that no guest may have. The rest,
 * and version 0 above none, follows when the XML has told the name.
 */
static int check_origin(struct launch *l, struct trial *t, struct image_error *err)
{
	const struct policy *p = t->policy;
	int ret;

	if (p->integrity >= INTEGRITY_SHA256 && image_check_digests(&l->image, err))
		return -1;
	lib_enter();
	crypto_memory_begin(l->crypto, sizeof(l->crypto));
	ret = policy_gather(&t->facts, p, &l->image, err);
	crypto_memory_end();
	lib_exit();
	if (ret)
		return ret;
	if (p->integrity >= INTEGRITY_SIGNED && !t->facts.verified_count)
		return refuse_text(err, l->image.signature_count ? IMG_ERR_SIG_UNKNOWN : IMG_ERR_SIG_NONE,
				   "signed is demanded");
	t->facts.has_digest = true;
	memcpy(t->facts.digest, l->id.image, SHA256_LEN);
	return policy_may_allow(p, &t->facts, &t->decision) ? 0 : refuse_text(err, IMG_ERR_POLICY, t->decision.text);
}

/* The XML: its files married to the table, then the configuration. */
static int read_config(struct launch *l, struct image_error *err)
{
	int ret;

	/* A guest that starts again and again would fill the log with them. */
	l->image.noted = l->names->name[l->module][0];
	lib_enter();
	ret = manifest_files(&l->image, &l->arena, err);
	if (!ret) {
		l->arena.used = 0;
		ret = manifest_plan(&l->image, &l->arena, &l->plan, err);
	}
	lib_exit();
	return ret;
}

/* The policy's answer; it counts only when all files prove to be what the head says. */
static int decide(struct launch *l, struct trial *t, struct image_error *err)
{
	t->facts.name = l->plan.name;
	if (policy_decide(t->policy, &t->facts, &t->decision) == POLICY_ALLOWED)
		return 0;
	return refuse_text(err, IMG_ERR_POLICY, t->decision.text);
}

/* A pin is a wish that only this machine can refuse. */
static int check_pins(const struct launch *l, struct image_error *err)
{
	unsigned int cpus = l->host->guests->sched.cpus;

	for (uint32_t i = 0; i < l->plan.cores; i++) {
		char text[80];

		if (l->plan.cpu[i] == PLAN_ANY_CPU || l->plan.cpu[i] < cpus)
			continue;
		snprintf(text, sizeof(text), "core %u asks for CPU %u, and those that run guests are 0 to %u", i, l->plan.cpu[i],
			 cpus - 1);
		return refuse_text(err, IMG_ERR_HOST_CPU, text);
	}
	return 0;
}

static int all_trials(struct launch *l, int (*one)(struct launch *l, struct trial *t, struct image_error *err),
		      struct image_error *err)
{
	for (unsigned int i = 0; i < l->trials; i++) {
		if (one(l, &l->trial[i], err))
			return -1;
	}
	return 0;
}

static int read_manifest(struct launch *l, struct image_error *err)
{
	if (read_head(l, err) || all_trials(l, check_origin, err) || read_config(l, err))
		return -1;
	choose_name(l);
	if (check_name(l, err))
		return -1;
	if (l->host->policy->integrity > INTEGRITY_NONE && image_check_hashed(&l->image, err))
		return -1;
	if (all_trials(l, decide, err) || check_pins(l, err))
		return -1;
	return image_check_gaps(&l->image, &l->src, err);
}

/* ------------------------------------------------------------------ files */

static int refuse_small(struct image_error *err, const struct launch *l, uint32_t f)
{
	*err = (struct image_error){ .code = IMG_ERR_MEMORY_SMALL };
	snprintf(err->text, sizeof(err->text), "file %u (%lu bytes) does not fit the guest's %lu MiB", f,
		 l->image.file[f].size, l->plan.memory_mib);
	return -1;
}

/* The guest's name takes the whole kernel and the whole initrd, before any boot protocol touches them. */
static int begin(struct file_copy *c, struct launch *l, uint32_t f, struct image_error *err)
{
	uint8_t *digest = (int64_t)f == l->plan.kernel ? l->id.kernel : (int64_t)f == l->plan.initrd ? l->id.initrd : NULL;

	return file_copy_begin(c, l->host, &l->timing, &l->image, &l->src, f, digest, err);
}

/* What the digests allow is shared with all CPUs that help. */
static int fill(struct launch *l, struct vm *vm, struct file_copy *c, uint64_t at)
{
	if (l->image.version >= 2 && image_chunks(c->file->size) > 1)
		return file_share_load(&l->share, c, vm, gpa(at));
	return gpa_build(vm, gpa(at), c->file->size, file_copy_piece, c);
}

/* Puts file number f at a in the guest's memory and checks what arrived. */
static int load_file(struct launch *l, struct vm *vm, uint32_t f, uint64_t at, struct image_error *err)
{
	struct file_copy c;

	if (begin(&c, l, f, err))
		return -1;
	if (fill(l, vm, &c, at) && !c.refused) {
		c.refused = true;
		refuse_small(err, l, f);
	}
	return file_copy_end(&c);
}

/* A file that goes nowhere is judged all the same. head, if not NULL, gets its first BZ_HEAD_LEN bytes. */
static int judge_file(struct launch *l, uint32_t f, uint8_t *head, struct image_error *err)
{
	struct file_copy c;

	if (begin(&c, l, f, err))
		return -1;
	while (c.done < c.file->size) {
		size_t n = (size_t)min_u64(sizeof(l->buffer), c.file->size - c.done);

		if (file_copy_piece(&c, l->buffer, n))
			break;
		if (head)
			memcpy(head, l->buffer, min_u64(n, BZ_HEAD_LEN));
		head = NULL;
	}
	return file_copy_end(&c);
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

/*
 * The kernel is verified before a byte of it is understood, so it lands at STAGE first; then its header says where its
 * protected-mode part belongs, and that part moves there within the guest's memory. Nothing else stays behind.
 */
static int load_kernel(struct launch *l, struct vm *vm, struct image_error *err)
{
	const struct image_file *k = &l->image.file[l->plan.kernel];
	uint64_t initrd = l->plan.initrd < 0 ? 0 : l->image.file[l->plan.initrd].size;
	bool fits = span_ok(STAGE_GPA, k->size, ram_low_end(l->plan.memory_mib << 20));

	/* A file that its guest cannot hold is verified on the way past: its first bytes tell how much it takes. */
	if (fits ? stage_kernel(l, vm, err) : judge_file(l, (uint32_t)l->plan.kernel, l->head, err))
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
	sha256_of("", 0, l->id.initrd);
	for (uint32_t f = 0; f < l->image.file_count; f++) {
		int ret = 0;

		if ((int64_t)f == l->plan.initrd)
			ret = load_file(l, vm, f, l->at.initrd, err);
		else if ((int64_t)f != l->plan.kernel)
			ret = judge_file(l, f, NULL, err);
		if (ret)
			return -1;
	}
	return 0;
}

/* What the verdict rests on: the key that decided, or the level. */
static const char *proof(const struct launch *l, char *text, size_t size)
{
	const struct trial *t = &l->trial[0];
	const struct policy_key *key;

	if (t->decision.key < 0 && l->trials > 1)
		t++;
	if (t->decision.key < 0)
		return integrity_name(t->facts.level);
	key = &t->policy->key[t->decision.key];
	snprintf(text, size, "signed by %02x%02x%02x%02x%02x%02x%02x%02x (%s)", key->key.id[0], key->key.id[1],
		 key->key.id[2], key->key.id[3], key->key.id[4], key->key.id[5], key->key.id[6], key->key.id[7],
		 key->name);
	return text;
}

static void report_verified(const struct launch *l)
{
	uint64_t bytes = 0;
	char text[80];

	for (uint32_t f = 0; f < l->image.file_count; f++)
		bytes += l->image.file[f].size;
	if (l->image.version == 0)
		log_verdict("guest %s unverified: no hashes (v0), allowed by integrity=none", l->name);
	else
		log_verdict("guest %s verified: %u files, %lu bytes, %s", l->name, l->image.file_count, bytes,
			    proof(l, text, sizeof(text)));
}

/* ------------------------------------------------------------------ the steps */

static void put_text(struct launch *l)
{
	block_put(&l->host->pages, l->xml, IMAGE_MAX_XML + 1);
	block_put(&l->host->pages, l->arena.base, XML_ARENA_SIZE);
	l->xml = NULL;
	l->arena.base = NULL;
}

static void put_whole(struct launch *l)
{
	block_put(&l->host->pages, l->whole, l->host->boot.module[l->module].len);
	l->whole = NULL;
}

struct launch *launch_read(struct host *h, unsigned int module, struct launch_names *names, struct image_error *why)
{
	struct launch *l = block_get(&h->pages, sizeof(*l));
	const struct boot_module *m = &h->boot.module[module];

	if (!l) {
		*why = (struct image_error){ .code = IMG_ERR_HOST_MEMORY, .text = NO_MEMORY_TO_READ };
		log_verdict("guest module %u refused: " NO_MEMORY_TO_READ, module);
		return NULL;
	}
	l->host = h;
	l->module = module;
	l->names = names;
	l->timing = h->timing;
	file_share_init(&l->share);
	l->src = module_source(hpa_to_ptr(m->start), m->len);
	l->trial[l->trials++].policy = h->policy;
	if (h->builtin && h->builtin != h->policy)
		l->trial[l->trials++].policy = h->builtin;
	l->err.code = IMG_ERR_HOST_MEMORY;
	snprintf(l->err.text, sizeof(l->err.text), NO_MEMORY_TO_READ);
	l->xml = block_get(&h->pages, IMAGE_MAX_XML + 1);
	l->arena = (struct xml_arena){ .base = block_get(&h->pages, XML_ARENA_SIZE), .size = XML_ARENA_SIZE };
	l->refused = !l->xml || !l->arena.base || read_manifest(l, &l->err);
	/* The plan does not point there. */
	l->image.xml = NULL;
	put_text(l);
	if (l->refused)
		put_whole(l);
	h->timing = (struct timing){ .since = host_tsc() };
	return l;
}

bool launch_refused(const struct launch *l)
{
	return l->refused;
}

void launch_ask(const struct launch *l, struct launch_wants *w)
{
	*w = (struct launch_wants){ .name = l->name, .memory_mib = l->plan.memory_mib };
	w->whole = l->whole ? l->src.size : 0;
	w->kept = KEPT_BYTES + l->plan.cores * KEPT_CORE_BYTES;
	w->bytes = (l->plan.memory_mib << 20) + w->kept;
}

void launch_no_room(struct launch *l, uint64_t left)
{
	l->refused = true;
	l->err.code = IMG_ERR_HOST_MEMORY;
	snprintf(l->err.text, sizeof(l->err.text), "%s: the guest asks for %lu MiB, and %lu MiB are left for it",
		 image_err_text(IMG_ERR_HOST_MEMORY), l->plan.memory_mib, left >> 20);
	put_whole(l);
}

bool launch_help(struct launch *l)
{
	return file_share_help(&l->share);
}

bool launch_built(const struct launch *l)
{
	return l->vm && !l->refused;
}

bool launch_give_back(struct launch *l)
{
	if (!l->vm || !l->refused)
		return false;
	vm_destroy(l->vm);
	l->vm = NULL;
	return true;
}

void launch_build(struct launch *l)
{
	uint64_t taken = page_taken(&l->host->pages);

	l->vm = vm_create(l->host, l->module, l->name, &l->plan, &l->err);
	l->refused = !l->vm || load_files(l, l->vm, &l->err);
	if (l->vm)
		l->timing.zero += l->vm->timing.zero;
	l->frames = page_taken(&l->host->pages) - taken;
	put_whole(l);
}

/* What went into the log has its name and number for good; what did not must not stand in anybody's way. */
static int measure(struct launch *l, struct image_error *err)
{
	struct tao_guest *own = &l->host->identity->guest[l->module], before = *own;
	bool again = measured_before(l->host, l->module);
	int ret;

	identity_name(l->vm, &l->id);
	ret = measured_guest(l->vm, &l->id, err);
	if (ret && (again || !measured_before(l->host, l->module)))
		*own = before;
	else
		memcpy(l->names->name[l->module], l->name, sizeof(l->name));
	return ret;
}

static int finish(struct launch *l, struct vcpu_start *start, struct image_error *err)
{
	struct vm *vm = l->vm;
	char text[80];

	if (check_name(l, err) || rollback_check(vm, l->image.security_version, err))
		return -1;
	report_verified(l);
	snprintf(vm->proof, sizeof(vm->proof), "%s", proof(l, text, sizeof(text)));
	if (measure(l, err) || vm_equip(vm, err))
		return -1;
	measured_put(vm);
	if (linux_prepare(vm, &l->bz, l->head, &l->at, GPA_ROM_BASE + ACPI_RSDP_OFF)) {
		*err = (struct image_error){ .code = IMG_ERR_MEMORY_SMALL, .text = "no room for boot parameters" };
		return -1;
	}
	/* Last of all: what cannot run must not lock out what ran before. */
	if (rollback_raise(vm, l->image.security_version, err))
		return -1;
	linux_start_state(start, &l->at);
	return 0;
}

/* Where two claim one name, the verdict is of the one that the console calls by its number. */
static void refuse(const struct launch *l)
{
	if (l->err.code == IMG_ERR_NAME_TAKEN && l->plan.name[0])
		log_verdict("guest guest%u (%s) refused: %s", guest_number(l), l->name, l->err.text);
	else if (l->name[0])
		log_verdict("guest %s refused: %s", l->name, l->err.text);
	else
		log_verdict("guest module %u refused: %s", l->module, l->err.text);
}

void launch_drop(struct launch *l)
{
	struct page_alloc *pages = &l->host->pages;

	if (l->vm) {
		measured_put(l->vm);
		vm_destroy(l->vm);
	}
	put_whole(l);
	block_put(pages, l, sizeof(*l));
}

struct vm *launch_finish(struct launch *l, struct vcpu_start *start, struct launch_cost *cost, struct image_error *why)
{
	uint64_t taken = page_taken(&l->host->pages);
	struct vm *vm;

	if (!l->refused)
		l->refused = finish(l, start, &l->err);
	if (l->refused) {
		refuse(l);
		*why = l->err;
		launch_drop(l);
		return NULL;
	}
	*cost = (struct launch_cost){ .timing = l->timing, .frames = l->frames + page_taken(&l->host->pages) - taken };
	vm = l->vm;
	l->vm = NULL;
	launch_drop(l);
	return vm;
}

struct vm *launch_vm(struct host *h, unsigned int module, struct launch_names *names, struct vcpu_start *start,
		     struct launch_cost *cost, struct image_error *why)
{
	struct launch *l = launch_read(h, module, names, why);

	if (!l)
		return NULL;
	if (!l->refused)
		launch_build(l);
	return launch_finish(l, start, cost, why);
}
