/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/launch.c and all it calls, over a module that somebody else writes to: after each single read, that is between the
 * copy and the hash of what was read and before whatever is read next, the module is changed in every way below. Whatever
 * happens, either the guest is refused and leaves nothing behind, or what lies in its memory, its name and its level are
 * those of one image that passes as a whole. The module's reads are the only thing that is not Vouch's own code here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/host.h>
#include <vouch/policy.h>
#include <vouch/smp.h>

#include "arch/x86/cpu/entropy.h"
#include "arch/x86/guest/linux.h"
#include "arch/x86/mm/nested.h"
#include "core/block.h"
#include "core/guest.h"
#include "core/identity.h"
#include "core/launch.h"
#include "core/measured.h"
#include "core/module.h"
#include "core/ram.h"
#include "core/rollback.h"
#include "core/vm.h"
#include "tests/unit/support/hostram.h"
#include "tests/unit/support/image2.h"
#include "tests/unit/support/log.h"

#define RAM       (64ul << 20)
#define KERNEL    (1024u + 90000u)
#define INITRD    150000u
#define LONG      (IMAGE2_CHUNK + 70000u)
#define LOAD      0x200000u
#define XML \
	"<vm class=\"PC\" name=\"web\"><memory>8</memory><cores count=\"1\"><core target_cpu=\"1\"/></cores>" \
	"<files><file id=\"k\" index=\"0\"/><file id=\"i\" index=\"1\"/></files>" \
	"<boot kernel=\"k\" initrd=\"i\" cmdline=\"quiet\"/></vm>"

/* One image, and what a guest made of it must be. */
struct made {
	struct test_image image;
	struct test_layout at;        /* version 2 */
	size_t data;                  /* where the files' bytes begin */
	uint8_t *kernel, *initrd;
	size_t initrd_len;
	char name[TAO_TEXT_MAX];
};

static struct host host;
static struct identity identity;
static struct policy policy;
static struct guests guests;
static struct key *key;
static struct made a, b;              /* b: of the same key, sizes and name; other files */
static uint8_t *module;               /* in host memory: what is launched */
static uint64_t missing;              /* pages, with nothing launched */

/* What happens after the read with this number. */
static unsigned int reads, strike_at;
static void (*strike)(void);
static bool spoil_each_read;
static bool before;                   /* a guest of the module was measured */
static bool is_another;               /* and it is another one now */
static uint64_t security;             /* of the images of version 2 */
static struct launch_names names;
static struct image_error why;          /* the last refusal's */

/* ------------------------------------------------------------------ what launch.c calls that is not under test */

static int read_module(void *ctx, uint64_t off, void *dst, size_t len)
{
	uint8_t *from = ctx;

	assert_true(span_ok(off, len, a.image.size));
	memcpy(dst, from + off, len);
	if (from != module)
		return 0;             /* Vouch's own copy of it */
	reads++;
	for (size_t i = 0; i < len && spoil_each_read; i++)
		from[off + i] ^= 0xff;
	if (reads == strike_at)
		strike();
	return 0;
}

struct image_source module_source(void *bytes, uint64_t size)
{
	return (struct image_source){ read_module, bytes, size };
}

/* What is measured is what the guest is named by. */
int measured_guest(struct vm *vm, const struct tao_guest *id, struct image_error *err)
{
	char text[TAO_TEXT_MAX];

	if (is_another) {
		strcpy(err->text, "another one");
		return -1;
	}
	assert_true(tao_text(text, sizeof(text), NULL, id, TAO_IMAGE));
	assert_string_equal(text, vm->tao.text);
	return 0;
}

/* Nobody helps with its files, so it never waits. */
void cpu_serve(void)
{
	abort();
}

bool measured_before(const struct host *h, unsigned int number)
{
	assert_ptr_equal(h, &host);
	return number == 0 && before;
}

void measured_put(struct vm *vm)
{
	(void)vm;
}

/* The version that counts is the one under the signature, before the guest is named and after. */
static uint64_t signed_version(void)
{
	return host.policy->integrity >= INTEGRITY_SHA256 ? security : 0;   /* else of a version that has none */
}

int rollback_check(struct vm *vm, uint64_t version, struct image_error *err)
{
	(void)err;
	assert_int_equal(version, signed_version());
	assert_int_equal(vm->tao.text_len, 0);
	return 0;
}

int rollback_raise(struct vm *vm, uint64_t version, struct image_error *err)
{
	(void)err;
	assert_int_equal(version, signed_version());
	assert_int_not_equal(vm->tao.text_len, 0);
	return 0;
}

const char *entropy_seed(uint8_t seed[SHA256_LEN])
{
	memset(seed, 1, SHA256_LEN);
	return "the test";
}

static void limits(uint32_t features_off, struct nested_limits *l)
{
	(void)features_off;
	l->largest = 1;
}

struct vm *vm_create(struct host *h, unsigned int number, const char *name, const struct vm_plan *plan,
		     struct image_error *err)
{
	struct vm *vm = block_get(&h->pages, sizeof(*vm));
	struct nested_limits l = { 0 };

	(void)err;
	assert_non_null(vm);
	vm->host = h;
	vm->module = number;
	vm->plan = *plan;
	strcpy(vm->name, name);
	vm->nested = block_get(&h->pages, sizeof(*vm->nested));
	assert_non_null(vm->nested);
	limits(0, &l);
	assert_int_equal(nested_init(vm->nested, &npt_format, &h->pages, &l), 0);
	assert_int_equal(ram_create(vm, plan->memory_mib << 20), 0);
	return vm;
}

int vm_equip(struct vm *vm, struct image_error *err)
{
	(void)vm;
	(void)err;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	struct page_alloc *pages = &vm->host->pages;

	nested_destroy(vm->nested);
	ram_destroy(vm);
	block_put(pages, vm->nested, sizeof(*vm->nested));
	block_put(pages, vm, sizeof(*vm));
}

/* ------------------------------------------------------------------ two images */

static void fill_kernel(uint8_t *k, unsigned int seed)
{
	for (size_t i = 0; i < KERNEL; i++)
		k[i] = (uint8_t)(i * 2654435761u >> (13 + seed));
	memset(k + 0x1f1, 0, 0x100);
	k[0x1f1] = 1;
	test_put32(k + 0x1f4, (KERNEL - 1024) / 16);
	memcpy(k + 0x1fe, "\x55\xaa\xeb\x6aHdrS\x0f\x02", 10);
	k[0x211] = 1;
	test_put32(k + 0x22c, 0x7fffffff);
	test_put32(k + 0x230, 0x200000);
	test_put32(k + 0x238, 2047);
	test_put64(k + 0x258, LOAD);
	test_put32(k + 0x260, 0x40000);
}

static void name_it(struct made *m, const uint8_t image[SHA256_LEN])
{
	struct tao_guest id = { .number = 0 };

	sha256_of(m->kernel, KERNEL, id.kernel);
	sha256_of(m->initrd, m->initrd_len, id.initrd);
	memcpy(id.image, image, SHA256_LEN);
	tao_text(m->name, sizeof(m->name), NULL, &id, TAO_IMAGE);
}

static void make(struct made *m, unsigned int version, unsigned int seed, size_t initrd_len)
{
	struct test_image2 spec = { .xml = XML, .count = 2, .security = security, .keys = 1, .key = { key } };
	uint8_t digest[SHA256_LEN];

	m->kernel = malloc(KERNEL);
	m->initrd = malloc(initrd_len);
	assert_true(m->kernel && m->initrd);
	m->initrd_len = initrd_len;
	fill_kernel(m->kernel, seed);
	for (size_t i = 0; i < initrd_len; i++)
		m->initrd[i] = (uint8_t)(i * 40503u >> (7 - seed));
	if (version >= 2) {
		spec.file[0].data = m->kernel;
		spec.file[0].len = KERNEL;
		spec.file[1].data = m->initrd;
		spec.file[1].len = initrd_len;
		test_image2_make(&m->image, &spec, &m->at);
		m->data = m->at.data;
		sha256_of(m->image.bytes, m->at.lists, digest);
	} else {
		test_image_make_bytes(&m->image, 1, XML, 2, (const void *const[]){ m->kernel, m->initrd },
				      (const size_t[]){ KERNEL, initrd_len });
		m->data = m->image.data;
		sha256_of(m->image.bytes, m->image.size, digest);
	}
	name_it(m, digest);
}

static void drop(struct made *m)
{
	free(m->kernel);
	free(m->initrd);
	test_image_free(&m->image);
}

static const struct hvm_ops ops = { .name = "none", .nested = &npt_format };

static void set_up(unsigned int version, size_t initrd_len)
{
	struct public_key pub;

	memset(&host, 0, sizeof(host));
	memset(&identity, 0, sizeof(identity));
	hostram_init(&host.pages, RAM);
	security = 3;
	key = key_generate();
	assert_non_null(key);
	key_public(key, &pub);
	policy_none(&policy, version >= 2 ? INTEGRITY_SIGNED : INTEGRITY_CHECKSUM);
	if (version >= 2) {
		policy.key_count = 1;
		policy.key[0] = (struct policy_key){ .name = "k", .key = pub, .any_guest = true, .least_version = 3 };
	}
	host.policy = &policy;
	host.hvm = &ops;
	host.identity = &identity;
	host.guests = &guests;
	guests.sched.cpus = 2;
	make(&a, version, 0, initrd_len);
	make(&b, version, 1, initrd_len);
	assert_int_equal(a.image.size, b.image.size);
	assert_int_equal(a.data, b.data);
	module = block_get(&host.pages, a.image.size);
	assert_non_null(module);
	host.boot.module_count = 1;
	host.boot.module[0] = (struct boot_module){ .start = ptr_to_hpa(module), .len = a.image.size };
	missing = hostram_missing(&host.pages);
	strike_at = 0;
	spoil_each_read = false;
}

static void take_down(void)
{
	drop(&a);
	drop(&b);
	key_free(key);
}

/* ------------------------------------------------------------------ what somebody else does to the module */

static void complement(void)
{
	for (size_t i = 0; i < a.image.size; i++)
		module[i] ^= 0xff;
}

static void zero(void)
{
	memset(module, 0, a.image.size);
}

static void exchange(void)
{
	memcpy(module, b.image.bytes, a.image.size);
}

static void exchange_head(void)
{
	memcpy(module, b.image.bytes, a.data);
}

static void exchange_data(void)
{
	memcpy(module + a.data, b.image.bytes + a.data, a.image.size - a.data);
}

/* One bit of each page. */
static void bits(void)
{
	for (size_t i = 5; i < a.image.size; i += 4096)
		module[i] ^= 0x10;
}

static const struct {
	const char *name;
	void (*fn)(void);
} strikes[] = {
	{ "complement", complement }, { "zero", zero }, { "another image", exchange }, { "another head", exchange_head },
	{ "other data", exchange_data }, { "a bit a page", bits },
};

/* ------------------------------------------------------------------ launches */

static void expect_bytes(struct vm *vm, uint64_t at, const uint8_t *want, size_t len)
{
	uint8_t *got = malloc(len);

	assert_non_null(got);
	assert_int_equal(gpa_read(vm, gpa(at), got, len), 0);
	assert_memory_equal(got, want, len);
	free(got);
}

/* All that the guest will run is of this image. */
static void expect_guest(struct vm *vm, const struct vcpu_start *start, const struct made *m)
{
	uint8_t params[0x280];
	uint32_t initrd, size;

	assert_int_equal(start->rip, LOAD);
	expect_bytes(vm, LOAD, m->kernel + 1024, KERNEL - 1024);
	assert_int_equal(gpa_read(vm, gpa(LINUX_PARAMS_GPA), params, sizeof(params)), 0);
	memcpy(&initrd, params + 0x218, 4);
	memcpy(&size, params + 0x21c, 4);
	assert_int_equal(size, m->initrd_len);
	expect_bytes(vm, initrd, m->initrd, m->initrd_len);
	assert_string_equal(vm->tao.text, m->name);
	assert_string_equal(vm->plan.cmdline, "quiet");
}

/* Launches the module as a, and as it becomes meanwhile. NULL: refused; else whose guest it is. */
static const struct made *launch(void)
{
	struct vcpu_start start;
	struct launch_cost cost;
	const struct made *who = NULL;
	struct vm *vm;

	memcpy(module, a.image.bytes, a.image.size);
	memset(&names, 0, sizeof(names));
	memset(&identity.guest, 0, sizeof(identity.guest));
	log_clear();
	reads = 0;
	vm = launch_vm(&host, 0, &names, &start, &cost, &why);
	assert_int_equal(vm != NULL, strstr(log_text(), " verified: ") != NULL);
	if (vm) {
		who = strcmp(vm->tao.text, a.name) == 0 ? &a : &b;
		expect_guest(vm, &start, who);
		/* It is in its memory now, and the module is nothing to it. */
		zero();
		expect_guest(vm, &start, who);
		vm_destroy(vm);
	} else {
		assert_non_null(strstr(log_text(), " refused: "));
	}
	assert_int_equal(hostram_missing(&host.pages), missing);
	return who;
}

static void every_point(unsigned int version, size_t initrd_len, size_t kinds)
{
	unsigned int count, own = 0, other = 0, refused = 0;

	set_up(version, initrd_len);
	assert_ptr_equal(launch(), &a);
	count = reads;
	assert_true(count >= 6);
	for (size_t s = 0; s < kinds; s++) {
		strike = strikes[s].fn;
		for (strike_at = 1; strike_at <= count; strike_at++) {
			const struct made *who = launch();

			own += who == &a;
			other += who == &b;
			refused += !who;
			/* Behind the last read nothing counts. */
			if (strike_at == count)
				assert_ptr_equal(who, &a);
		}
	}
	assert_true(own >= kinds && refused > 0);
	print_message("version %u: %u reads, %u launches: %u ran as measured first, %u as the other image, %u refused\n",
		      version, count, own + other + refused, own, other, refused);
	take_down();
}

static void signed_image(void **state)
{
	(void)state;
	every_point(2, INITRD, ARRAY_SIZE(strikes));
}

/* Lists of chunks, and more pieces. */
static void long_file(void **state)
{
	(void)state;
	every_point(2, LONG, 2);
}

static void checksum_image(void **state)
{
	(void)state;
	every_point(1, INITRD, ARRAY_SIZE(strikes));
}

/* Each byte is spoilt the moment that it was read: were one read twice, the guest would be refused, or run what is not a. */
static void nothing_is_read_twice(void **state)
{
	(void)state;
	set_up(2, LONG);
	spoil_each_read = true;
	assert_ptr_equal(launch(), &a);
	take_down();
}

/* Between the first reading of the head, and the copy of the whole that an old version needs, the version may change. */
static void version_rises(void **state)
{
	unsigned int own = 0, other = 0, count;
	uint8_t digest[SHA256_LEN];
	size_t old;

	(void)state;
	set_up(1, INITRD);
	drop(&b);
	security = 0;
	make(&b, 2, 1, INITRD);
	old = a.image.size;
	assert_true(old < b.image.size);
	test_image_append(&a.image, 0, b.image.size - old);
	sha256_of(a.image.bytes, a.image.size, digest);
	name_it(&a, digest);
	block_put(&host.pages, module, old);
	module = block_get(&host.pages, a.image.size);
	assert_non_null(module);
	host.boot.module[0] = (struct boot_module){ .start = ptr_to_hpa(module), .len = a.image.size };
	missing = hostram_missing(&host.pages);
	assert_ptr_equal(launch(), &a);
	count = reads;
	strike = exchange;
	for (strike_at = 1; strike_at <= count; strike_at++) {
		const struct made *who = launch();

		own += who == &a;
		other += who == &b;
	}
	assert_true(own && other);
	take_down();
}

/* Who is refused where it would be measured leaves name and number to whom they belonged. */
static void refused_restart_takes_nothing(void **state)
{
	struct tao_guest was = { .number = 7, .kernel = { 1 } };
	struct vcpu_start start;
	struct launch_cost cost;

	(void)state;
	set_up(2, INITRD);
	memcpy(module, a.image.bytes, a.image.size);
	is_another = true;
	for (unsigned int again = 0; again < 2; again++) {
		before = again;
		memset(&names, 0, sizeof(names));
		strcpy(names.name[0], again ? "was" : "");
		identity.guest[0] = again ? was : (struct tao_guest){ .number = 0 };
		assert_null(launch_vm(&host, 0, &names, &start, &cost, &why));
		assert_non_null(strstr(log_text(), "guest web refused: another one"));
		assert_string_equal(names.name[0], again ? "was" : "");
		assert_int_equal(identity.guest[0].number, again ? 7 : 0);
		assert_int_equal(identity.guest[0].kernel[0], again ? 1 : 0);
		assert_int_equal(hostram_missing(&host.pages), missing);
	}
	is_another = before = false;
	take_down();
}

/* The steps by themselves: what is asked for is told before anything is built; what is given up is gone without a word. */
static void steps(void **state)
{
	struct launch_wants wants;
	struct launch_cost cost;
	struct vcpu_start start;
	struct launch *l;

	(void)state;
	set_up(2, INITRD);
	memset(&names, 0, sizeof(names));
	memcpy(module, a.image.bytes, a.image.size);
	for (unsigned int i = 0; i < 4; i++) {
		log_clear();
		l = launch_read(&host, 0, &names, &why);
		assert_non_null(l);
		assert_false(launch_refused(l));
		launch_ask(l, &wants);
		assert_string_equal(wants.name, "web");
		assert_int_equal(wants.memory_mib, 8);
		assert_true(wants.bytes > 8 << 20 && wants.bytes < 9 << 20 && wants.whole == 0);
		if (i == 1)
			launch_no_room(l, 5 << 20);
		else if (i >= 2)
			launch_build(l);
		if (i == 3)             /* another guest was measured under its name meanwhile */
			strcpy(names.name[5], "web");
		if (i == 1 || i == 3) {
			assert_null(launch_finish(l, &start, &cost, &why));
			assert_non_null(strstr(log_text(), i == 1 ?
				"guest web refused: not enough host memory: the guest asks for 8 MiB, and 5 MiB are left for it" :
				"guest guest0 (web) refused: guest name is taken: module 5 has it"));
			assert_int_equal(why.code, i == 1 ? IMG_ERR_HOST_MEMORY : IMG_ERR_NAME_TAKEN);
			assert_non_null(strstr(log_text(), why.text));
		} else {
			launch_drop(l);
			assert_string_equal(log_text(), "");
		}
		assert_string_equal(names.name[0], "");
		assert_int_equal(hostram_missing(&host.pages), missing);
	}
	take_down();
}

/* What proved bad as it was built returns its memory at once, and has its verdict later. */
static void a_bad_file_gives_back(void **state)
{
	struct launch_cost cost;
	struct vcpu_start start;
	struct launch *l;
	uint64_t free;

	(void)state;
	set_up(2, INITRD);
	memset(&names, 0, sizeof(names));
	memcpy(module, a.image.bytes, a.image.size);
	module[a.image.size / 2] ^= 1;         /* within a file */
	l = launch_read(&host, 0, &names, &why);
	assert_non_null(l);
	assert_false(launch_refused(l) || launch_built(l));
	free = host.pages.free_frames;
	launch_build(l);
	assert_true(launch_refused(l));
	assert_false(launch_built(l));
	assert_true(host.pages.free_frames < free);
	assert_true(launch_give_back(l));
	assert_int_equal(host.pages.free_frames, free);
	assert_false(launch_give_back(l));
	log_clear();
	assert_null(launch_finish(l, &start, &cost, &why));
	assert_non_null(strstr(log_text(), "guest web refused:"));
	assert_int_equal(hostram_missing(&host.pages), missing);
	take_down();
}

/* What is larger than any copy that can be taken is refused for that, and not for memory that more would not help. */
static void too_large_for_a_copy(void **state)
{
	struct launch *l;

	(void)state;
	for (unsigned int version = 1; version <= 2; version++) {
		for (uint64_t over = 0; over <= 1; over++) {
			struct launch_cost cost;
			struct vcpu_start start;

			set_up(version, INITRD);
			memset(&names, 0, sizeof(names));
			memcpy(module, a.image.bytes, a.image.size);
			/* Only its head is there to be read. */
			host.boot.module[0].len = IMAGE_MAX_WHOLE + over;
			log_clear();
			l = launch_read(&host, 0, &names, &why);
			assert_non_null(l);
			assert_true(launch_refused(l));
			assert_null(launch_finish(l, &start, &cost, &why));
			if (version == 1)
				assert_non_null(strstr(log_text(), over ?
					"offset 0x40000000: image of version 0 or 1 larger than 1 GiB: it has 1073741825 "
					"bytes; 'vouch convert' makes it version 2" :
					"not enough host memory: to take the digest"));
			else
				assert_null(strstr(log_text(), "larger than 1 GiB"));
			host.boot.module[0].len = a.image.size;
			assert_int_equal(hostram_missing(&host.pages), missing);
			take_down();
		}
	}
}

static bool refused_for(const char *reason)
{
	const struct made *who = launch();

	return !who && strstr(log_text(), reason);
}

/* The whole way in, and not the judge of host tools: one bit of each byte in head and seal, of some in the data. */
static void every_byte_flipped(void **state)
{
	size_t step = 1;

	(void)state;
	set_up(2, INITRD);
	for (size_t i = 0; i < a.image.size; i += step) {
		bool head = i < a.at.lists || i >= a.at.seal;

		a.image.bytes[i] ^= (uint8_t)(1u << i % 8);
		if (!refused_for(i >= a.at.lists && i < a.at.data ? "is not zero" : ""))
			fail_msg("a flip in byte %zu passes", i);
		a.image.bytes[i] ^= (uint8_t)(1u << i % 8);
		step = head ? 1 : 997;
	}
	assert_ptr_equal(launch(), &a);
	take_down();
}

/* Refused under a policy that asks for signatures, each for its own reason. */
static void refusals(void **state)
{
	struct key *own, *mallory = key_generate();

	(void)state;
	assert_non_null(mallory);
	set_up(2, INITRD);
	policy.key[0].least_version = 4;
	assert_true(refused_for("security version too low: 3, key k demands 4"));
	policy.key[0].least_version = 3;
	own = key;
	drop(&a);
	key = mallory;
	make(&a, 2, 0, INITRD);
	key = own;
	assert_true(refused_for("no signature by a trusted key"));
	take_down();
	key_free(mallory);
	set_up(2, INITRD);
	guests.sched.cpus = 1;
	assert_true(refused_for("no such CPU in this machine: core 0 asks for CPU 1, and those that run guests are 0 to 0"));
	take_down();
}

/* Whoever comes second is told of the first: as its head is read, or when a module before it has got the name meanwhile. */
static void name_of_an_earlier_module(void **state)
{
	struct launch_cost cost;
	struct vcpu_start start;
	struct launch *l;
	struct vm *vm;

	(void)state;
	set_up(2, INITRD);
	memcpy(module, a.image.bytes, a.image.size);
	host.boot.module_count = 2;
	host.boot.module[1] = host.boot.module[0];
	for (unsigned int late = 0; late < 2; late++) {
		memset(&names, 0, sizeof(names));
		log_clear();
		strcpy(names.name[0], late ? "" : "web");
		l = launch_read(&host, 1, &names, &why);
		assert_non_null(l);
		assert_int_equal(launch_refused(l), !late);
		if (late)
			launch_build(l);
		strcpy(names.name[0], "web");
		assert_null(launch_finish(l, &start, &cost, &why));
		assert_non_null(strstr(log_text(), "guest guest1 (web) refused: guest name is taken: module 0 has it; "
						   "give module 1 another vm@name\n"));
		assert_int_equal(why.code, IMG_ERR_NAME_TAKEN);
		assert_string_equal(names.name[1], "");
		assert_int_equal(hostram_missing(&host.pages), missing);
	}
	/* One that starts again has its own name already. */
	memset(&names, 0, sizeof(names));
	strcpy(names.name[1], "web");
	vm = launch_vm(&host, 1, &names, &start, &cost, &why);
	assert_non_null(vm);
	vm_destroy(vm);
	take_down();
}

/* The verdict names the key that decided: the policy's own, or, where that asks for none, the one that is built in. */
static void the_key_that_decided(void **state)
{
	static struct policy builtin;
	const char *const by[] = { "k", "ours", "k" };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(by); i++) {
		char want[80], id[2 * 8 + 1];
		struct public_key pub;

		set_up(2, INITRD);
		key_public(key, &pub);
		for (unsigned int n = 0; n < 8; n++)
			snprintf(id + 2 * n, 3, "%02x", pub.id[n]);
		builtin = policy;
		strcpy(builtin.key[0].name, "ours");
		host.builtin = i ? &builtin : NULL;
		if (i == 1)
			policy_none(&policy, INTEGRITY_SHA256);
		assert_ptr_equal(launch(), &a);
		snprintf(want, sizeof(want), "guest web verified: 2 files, %u bytes, signed by %s (%s)\n", KERNEL + INITRD, id,
			 by[i]);
		assert_non_null(strstr(log_text(), want));
		take_down();
	}
	/* Neither has a key: what is left is the level. */
	set_up(2, INITRD);
	policy_none(&policy, INTEGRITY_SHA256);
	assert_ptr_equal(launch(), &a);
	assert_non_null(strstr(log_text(), " bytes, sha256\n"));
	take_down();
}

/* Who has no initrd is named by the digest of no bytes, which an empty file would have, and not by 32 zeros. */
static void without_an_initrd(void **state)
{
	static const char xml[] =
		"<vm class=\"PC\" name=\"web\"><memory>8</memory><cores count=\"1\"/>"
		"<files><file id=\"k\" index=\"0\"/><file id=\"i\" index=\"1\"/></files><boot kernel=\"k\"/></vm>";
	struct tao_guest id = { .number = 0 };
	struct launch_cost cost;
	struct vcpu_start start;
	char want[TAO_TEXT_MAX];
	struct vm *vm;

	(void)state;
	set_up(1, INITRD);
	test_image_free(&a.image);
	test_image_make_bytes(&a.image, 1, xml, 2, (const void *const[]){ a.kernel, a.initrd },
			      (const size_t[]){ KERNEL, INITRD });
	assert_true(a.image.size <= host.boot.module[0].len);
	host.boot.module[0].len = a.image.size;
	memcpy(module, a.image.bytes, a.image.size);
	memset(&names, 0, sizeof(names));
	log_clear();
	vm = launch_vm(&host, 0, &names, &start, &cost, &why);
	assert_non_null(vm);
	sha256_of(a.kernel, KERNEL, id.kernel);
	sha256_of("", 0, id.initrd);
	sha256_of(a.image.bytes, a.image.size, id.image);
	assert_int_equal(id.initrd[0], 0xe3);
	assert_true(tao_text(want, sizeof(want), NULL, &id, TAO_IMAGE));
	assert_string_equal(vm->tao.text, want);
	vm_destroy(vm);
	assert_int_equal(hostram_missing(&host.pages), missing);
	take_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_image), cmocka_unit_test(long_file), cmocka_unit_test(checksum_image),
		cmocka_unit_test(nothing_is_read_twice),
		cmocka_unit_test(version_rises),
		cmocka_unit_test(refused_restart_takes_nothing), cmocka_unit_test(steps),
		cmocka_unit_test(a_bad_file_gives_back), cmocka_unit_test(too_large_for_a_copy),
		cmocka_unit_test(every_byte_flipped), cmocka_unit_test(refusals),
		cmocka_unit_test(name_of_an_earlier_module), cmocka_unit_test(the_key_that_decided),
		cmocka_unit_test(without_an_initrd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
