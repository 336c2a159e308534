/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No emulator shows a missing TLB flush, so a model does. Physical CPUs with TLBs that never forget by themselves; VMs of
 * several vCPUs that move between them, change their page tables, are reset, lose pages, die and are born again on the same
 * pages. Nested tables, the page allocator, IDs, the call to all CPUs that they forget, and what SVM makes of all that are
 * the real code; CPUs and guests are the model. While CPUs are asked to forget, others go on and enter guests.
 *
 * Each time a CPU enters a guest, every translation that the hardware could use there must be one that the guest may
 * still see. Random walks over all that can happen, with fixed seeds; and each flush rule left out, one by one, must make
 * such a walk fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/smp.h>
#include <vouch/vm.h>

#include "arch/x86/mm/nested.h"
#include "arch/x86/mm/tlb_flush.h"
#include "arch/x86/svm/svm.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/hostram.h"

#define CPUS  3u
#define VMS   4u
#define VCPUS 3u              /* of each VM */
#define GVAS  3u              /* linear pages of a vCPU */
#define GPAS  3u              /* pages of a VM */
#define IDS   16u
#define SEEDS 40u
#define FAULT_SEEDS 60u      /* some need two vCPUs to meet in one ID */
#define STEPS 12000u
#define TLB_MAX 4096u
#define HOST_RAM (64 * SIZE_2M)

/* What the hardware tags its translations with, and what it can flush. */
enum kind {
	SVM_BY_ASID,          /* by ASID; TLB_CONTROL 3 flushes one */
	SVM_ALL_ONLY,         /* by ASID; TLB_CONTROL 3 does nothing */
	VMX_VPID,             /* by VPID and root, and through the nested tables alone by root */
	VMX_ALL_ONLY,         /* the same, without INVVPID of a single context */
	VMX_NO_VPID,          /* each entry and exit flushes, but not what is tagged by root alone */
	KINDS
};
#define ANY     ((1u << KINDS) - 1)
#define ANY_SVM (1u << SVM_BY_ASID | 1u << SVM_ALL_ONLY)
#define ANY_VMX (1u << VMX_VPID | 1u << VMX_ALL_ONLY | 1u << VMX_NO_VPID)
#define BY_ID   (1u << SVM_BY_ASID | 1u << VMX_VPID)
#define HAS_IDS (ANY & ~(1u << VMX_NO_VPID))

enum fault {
	NO_FAULT, NO_FLUSH_ALL, NO_FLUSH_ID, NO_FLUSH_ROOT, NARROWING_UNSEEN, NO_KICK, CR3_WITHOUT_FLUSH, ID_KEPT_ON_MOVE,
	VCPU_NOT_ZEROED, GENERATION_KEPT, COUNTED_TOO_EARLY, SINGLE_FLUSH_BELIEVED, FIRST_IDS_BELIEVED,
	FORGOTTEN_IN_THE_GUEST, NOTHING_FORGOTTEN, FORGOTTEN_TOO_EARLY, REUSED_TOO_EARLY, JOINED_TOO_LATE, NEVER_JOINED,
};

struct translation {
	bool used;
	bool by_root;         /* through the nested tables alone: tagged by root, says nothing of a gva */
	uint32_t id;
	uint64_t root, gva, gpa, hpa;
	uint64_t vcpu;        /* serial of whose it is */
	uint64_t at;          /* when it was read from the guest's tables */
};

struct guest_cpu {
	struct vcpu v;
	struct vcpu_hw hw;
	uint64_t serial;
	int in;               /* the CPU where it is in the guest, or -1 */
	unsigned int last;    /* the CPU where it entered latest */
	bool restless;        /* moves often */
	bool unjoined;        /* JOINED_TOO_LATE: its CPU is not in used_on yet */
	uint64_t map[GVAS];   /* its page tables: gva to gpa */
	uint64_t flushed[GVAS];  /* when the guest last flushed that page: older translations are dead */
};

struct guest {
	bool alive;
	struct vm vm;
	struct nested nested;
	hpa_t page[GPAS];     /* v == 0: taken away */
	hpa_t going;          /* taken away, but still nobody else's */
	struct guest_cpu cpu[VCPUS];
};

static struct world {
	enum kind kind;
	enum fault fault;
	uint64_t random, now, serials;
	bool quiet;           /* no CPU is asked to forget: then IDs last longest */
	struct page_alloc pages;
	struct svm_cpu cpu[CPUS];
	struct guest_cpu *running[CPUS];
	struct translation tlb[CPUS][TLB_MAX];
	unsigned int tlb_top[CPUS];   /* none is used from there on */
	struct guest guest[VMS];
	struct vmcb vmcb[VMS][VCPUS];
	const char *stale;    /* how a stale translation could be used, or NULL */
	unsigned int flushes[3], reused_roots, asked, met;
	uint64_t last_root[VMS];
} w;

static uint64_t draw(uint64_t below)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return (w.random >> 11) % below;
}

static bool is_svm(void)
{
	return ANY_SVM >> w.kind & 1;
}

static struct guest *guest_of(const struct guest_cpu *g)
{
	return container_of(g->v.vm, struct guest, vm);
}

/* ---- the hardware ---- */

static bool tag_matches(const struct translation *t, const struct guest_cpu *g)
{
	uint64_t root = guest_of(g)->nested.root.v;

	if (!t->used)
		return false;
	if (t->by_root)
		return t->root == root;
	return t->id == g->hw.asid.id && (is_svm() || t->root == root);
}

static void cache(unsigned int cpu, struct translation t)
{
	for (unsigned int i = 0; i < TLB_MAX; i++) {
		if (!w.tlb[cpu][i].used) {
			w.tlb[cpu][i] = t;
			w.tlb[cpu][i].used = true;
			if (i >= w.tlb_top[cpu])
				w.tlb_top[cpu] = i + 1;
			return;
		}
	}
	fail_msg("the model's TLB is full");
}

enum tlb_op { OP_ID, OP_ALL_IDS, OP_ROOT, OP_PAGE };

static void drop(unsigned int cpu, enum tlb_op op, const struct guest_cpu *g, uint64_t gva)
{
	for (unsigned int i = 0; i < w.tlb_top[cpu]; i++) {
		struct translation *t = &w.tlb[cpu][i];
		bool own = !t->by_root && t->id == g->hw.asid.id;

		if ((op == OP_ID && own) || (op == OP_ALL_IDS && !t->by_root) || (op == OP_PAGE && own && t->gva == gva) ||
		    (op == OP_ROOT && t->root == guest_of(g)->nested.root.v))
			t->used = false;
	}
}

/* May the guest still see this? The one judge of the whole test. */
static const char *why_stale(const struct translation *t, const struct guest_cpu *g)
{
	struct nested_hit hit;

	if ((!nested_lookup(&guest_of(g)->nested, gpa(t->gpa), &hit) || hit.hpa.v != t->hpa) &&
	    (t->hpa != guest_of(g)->going.v || !t->hpa))
		return "a page that is not the VM's at that address";
	if (t->by_root)
		return NULL;
	if (t->vcpu != g->serial)
		return "another vCPU's translation";
	if (t->at < g->flushed[t->gva])
		return "what the guest has flushed";
	return NULL;
}

static void judge(unsigned int cpu, const struct guest_cpu *g)
{
	for (unsigned int i = 0; i < w.tlb_top[cpu] && !w.stale; i++) {
		if (tag_matches(&w.tlb[cpu][i], g))
			w.stale = why_stale(&w.tlb[cpu][i], g);
	}
}

/* What is cached for this address, of one of the two sorts. */
static const struct translation *cached(unsigned int cpu, const struct guest_cpu *g, bool by_root, uint64_t addr)
{
	for (unsigned int i = 0; i < w.tlb_top[cpu]; i++) {
		const struct translation *t = &w.tlb[cpu][i];

		if (tag_matches(t, g) && t->by_root == by_root && (by_root ? t->gpa : t->gva) == addr)
			return t;
	}
	return NULL;
}

static bool walk_nested(unsigned int cpu, const struct guest_cpu *g, uint64_t addr, uint64_t *hpa)
{
	const struct translation *t = is_svm() ? NULL : cached(cpu, g, true, addr);
	struct nested_hit hit;

	if (t) {
		*hpa = t->hpa;
		return true;
	}
	if (!nested_lookup(&guest_of(g)->nested, gpa(addr), &hit))
		return false;
	*hpa = hit.hpa.v;
	if (!is_svm())
		cache(cpu, (struct translation){ .by_root = true, .root = guest_of(g)->nested.root.v, .gpa = addr,
						 .hpa = *hpa });
	return true;
}

/* The guest touches all it has: the TLB learns the most it can. */
static void touch_all(unsigned int cpu, const struct guest_cpu *g)
{
	for (uint64_t gva = 0; gva < GVAS; gva++) {
		struct translation t = { .id = g->hw.asid.id, .root = guest_of(g)->nested.root.v, .gva = gva,
					 .gpa = g->map[gva], .vcpu = g->serial, .at = ++w.now };

		if (!cached(cpu, g, false, gva) && walk_nested(cpu, g, t.gpa, &t.hpa))
			cache(cpu, t);
	}
}

/* ---- what enters, as the vendors' rooms do it ---- */

static void flush_svm(unsigned int cpu, struct guest_cpu *g)
{
	struct vmcb *c = (struct vmcb *)g->hw.vmcb;

	svm_tlb_prepare(&g->v, &w.cpu[cpu]);
	assert_in_range(c->asid, 1, IDS - 1);           /* 0 is the host's */
	if ((w.fault == NO_FLUSH_ALL && c->tlb_control == SVM_TLB_FLUSH_ALL) ||
	    (w.fault == NO_FLUSH_ID && c->tlb_control == SVM_TLB_FLUSH_ASID))
		c->tlb_control = SVM_TLB_NOTHING;
	if (c->tlb_control == SVM_TLB_FLUSH_ALL) {
		drop(cpu, OP_ALL_IDS, g, 0);
		w.flushes[0]++;
	} else if (c->tlb_control == SVM_TLB_FLUSH_ASID && w.kind == SVM_BY_ASID) {
		drop(cpu, OP_ID, g, 0);
		w.flushes[1]++;
	}
}

static void flush_vmx(unsigned int cpu, struct guest_cpu *g)
{
	unsigned int flush = tlb_id_prepare(&w.cpu[cpu].asids, &g->hw.asid, &guest_of(g)->nested);

	if (w.kind == VMX_NO_VPID)
		drop(cpu, OP_ALL_IDS, g, 0);
	else
		assert_in_range(g->hw.asid.id, 1, IDS - 1);
	if ((flush & TLB_FLUSH_ALL) && w.fault != NO_FLUSH_ALL) {
		drop(cpu, OP_ALL_IDS, g, 0);
		w.flushes[0]++;
	}
	if ((flush & TLB_FLUSH_ID) && w.kind == VMX_VPID && w.fault != NO_FLUSH_ID) {
		drop(cpu, OP_ID, g, 0);
		w.flushes[1]++;
	}
	if ((flush & TLB_FLUSH_ROOT) && w.fault != NO_FLUSH_ROOT) {
		drop(cpu, OP_ROOT, g, 0);
		w.flushes[2]++;
	}
}

static void enter(struct guest_cpu *g)
{
	unsigned int cpu = draw(g->restless ? 2 : 64) ? g->last : (unsigned int)draw(CPUS);
	uint64_t generation = w.cpu[cpu].asids.generation;
	struct nested *n = &guest_of(g)->nested;
	bool joined = cpu_set_has(&n->used_on, cpu);

	if (g->in >= 0 || w.running[cpu])
		return;
	if (w.fault == ID_KEPT_ON_MOVE && g->hw.asid.cpu) {
		g->hw.asid.cpu = &w.cpu[cpu].asids;
		g->hw.asid.generation = generation;
	}
	if (w.fault == NARROWING_UNSEEN)
		g->hw.asid.narrowed = nested_narrowed(n);
	if (is_svm())
		flush_svm(cpu, g);
	else
		flush_vmx(cpu, g);
	assert_true(w.fault || cpu_set_has(&n->used_on, cpu));
	if (!joined && (w.fault == JOINED_TOO_LATE || w.fault == NEVER_JOINED)) {
		cpu_set_remove(&n->used_on, cpu);
		g->unjoined = w.fault == JOINED_TOO_LATE;
	}
	if (w.fault == GENERATION_KEPT && generation != w.cpu[cpu].asids.generation)
		g->hw.asid.generation = w.cpu[cpu].asids.generation = generation;
	judge(cpu, g);
	touch_all(cpu, g);
	g->in = (int)cpu;
	g->last = cpu;
	w.running[cpu] = g;
}

static void leave(struct guest_cpu *g)
{
	if (g->in < 0)
		return;
	if (w.kind == VMX_NO_VPID)
		drop((unsigned int)g->in, OP_ALL_IDS, g, 0);
	if (g->unjoined)
		cpu_set_add(&guest_of(g)->nested.used_on, (unsigned int)g->in);
	g->unjoined = false;
	w.running[g->in] = NULL;
	g->in = -1;
}

/* ---- what guests do ---- */

/* The guest changes its tables and flushes, as its manual tells it: the hardware does it on the CPU where it runs. */
static void guest_flushes_a_page(struct guest_cpu *g)
{
	uint64_t gva = draw(GVAS);

	if (g->in < 0)
		return;
	g->map[gva] = draw(GPAS) << PAGE_SHIFT;
	g->flushed[gva] = ++w.now;
	drop((unsigned int)g->in, OP_PAGE, g, gva);
}

static void guest_loads_cr3(struct guest_cpu *g)
{
	if (g->in < 0)
		return;
	for (unsigned int i = 0; i < GVAS; i++) {
		g->map[i] = draw(GPAS) << PAGE_SHIFT;
		g->flushed[i] = ++w.now;
	}
	drop((unsigned int)g->in, OP_ID, g, 0);
}

/* A change of CR0 or CR4, which Vouch makes for it: to the guest that is a flush as well. */
static void vouch_changes_cr0(struct guest_cpu *g)
{
	if (g->in < 0)
		return;
	leave(g);
	g->map[draw(GVAS)] = draw(GPAS) << PAGE_SHIFT;
	for (unsigned int i = 0; i < GVAS; i++)
		g->flushed[i] = ++w.now;
	if (w.fault != CR3_WITHOUT_FLUSH)
		tlb_id_flush(&g->hw.asid);
}

static void guest_runs_on(struct guest_cpu *g)
{
	if (g->in < 0)
		return;
	judge((unsigned int)g->in, g);
	touch_all((unsigned int)g->in, g);
}

/* ---- what happens to VMs ---- */

static void kick_all(struct guest *m)
{
	for (unsigned int i = 0; i < VCPUS && w.fault != NO_KICK; i++)
		leave(&m->cpu[i]);
}

static struct tlb_ids *ids_of(struct pcpu *p)
{
	return &w.cpu[p->id].asids;
}

static const struct hvm_ops ops = { .tlb_ids = ids_of };
static struct host host = { .hvm = &ops, .cpus = CPUS };

/* The call as that CPU gets it: it leaves its guest first, as interrupts are taken outside only. */
static void call_one(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct tlb_ids before = w.cpu[cpu].asids;

	w.asked++;
	if (w.running[cpu] && w.fault != FORGOTTEN_IN_THE_GUEST) {
		w.met++;
		leave(w.running[cpu]);
	}
	this_cpu()->id = cpu;
	fn(arg);
	if (w.fault == NOTHING_FORGOTTEN)
		w.cpu[cpu].asids = before;
}

/* In any order, and in between whoever wants to enters. */
void cpu_call_set(const struct cpu_set *cpus, void (*fn)(void *arg), void *arg)
{
	unsigned int first = (unsigned int)draw(CPUS);

	for (unsigned int i = 0; i < CPUS; i++) {
		unsigned int cpu = (first + i) % CPUS;
		struct guest *m = &w.guest[draw(VMS)];

		if (m->alive && draw(2))
			enter(&m->cpu[draw(VCPUS)]);
		if (cpu_set_has(cpus, cpu))
			call_one(cpu, fn, arg);
	}
}

static hpa_t unmap_page(struct guest *m, uint64_t i)
{
	hpa_t page = m->page[i];

	m->page[i] = hpa(0);
	m->going = page;
	assert_int_equal(nested_unmap(&m->nested, gpa(i << PAGE_SHIFT), PAGE_SIZE), 0);
	return page;
}

static void reuse(struct guest *m, hpa_t page)
{
	m->going = hpa(0);
	page_put(&w.pages, page, PAGE_ORDER_4K);
}

/*
 * Takes a page away by the count of narrowings alone, as for a page that stays the VM's, with a vCPU entering just between
 * the entry's end and the count of it.
 */
static void lose_page(struct guest *m)
{
	uint64_t i = draw(GPAS);
	struct guest_cpu *other = &m->cpu[draw(VCPUS)];
	hpa_t page;

	if (!m->page[i].v)
		return;
	if (w.fault == COUNTED_TOO_EARLY) {
		m->nested.narrowed++;
		enter(other);
		m->nested.narrowed--;
	}
	page = unmap_page(m, i);
	if (w.fault != COUNTED_TOO_EARLY && draw(2)) {
		m->nested.narrowed--;
		enter(other);
		m->nested.narrowed++;
	}
	kick_all(m);
	reuse(m, page);
}

/* Takes a page away by asking all CPUs to forget: that alone suffices, so nobody sees the count here. */
static void lose_page_for_good(struct guest *m)
{
	uint64_t i = draw(GPAS);
	hpa_t page = m->page[i];

	if (!page.v || w.quiet)
		return;
	if (w.fault == FORGOTTEN_TOO_EARLY)
		tlb_flush_tables(&m->nested);
	if (draw(2))
		enter(&m->cpu[draw(VCPUS)]);
	unmap_page(m, i);
	m->nested.narrowed--;
	if (draw(2))
		enter(&m->cpu[draw(VCPUS)]);
	if (w.fault == REUSED_TOO_EARLY)
		reuse(m, page);
	if (w.fault != FORGOTTEN_TOO_EARLY)
		tlb_flush_tables(&m->nested);
	if (w.fault != REUSED_TOO_EARLY)
		reuse(m, page);
}

static void gain_page(struct guest *m)
{
	uint64_t i = draw(GPAS);

	if (m->page[i].v)
		return;
	assert_true(page_get(&w.pages, PAGE_ORDER_4K, &m->page[i]));
	assert_int_equal(nested_map(&m->nested, gpa(i << PAGE_SHIFT), m->page[i], PAGE_SIZE, NESTED_RWX), 0);
}

static void destroy(struct guest *m)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		leave(&m->cpu[i]);
	m->alive = false;
	/* Even without it nobody would meet a dead VM's translations: a new ID comes with a flush of its root. */
	if (!w.quiet && draw(2))
		tlb_flush_tables(&m->nested);
	w.last_root[m - w.guest] = m->nested.root.v;
	nested_destroy(&m->nested);
	for (unsigned int i = 0; i < GPAS; i++) {
		if (m->page[i].v)
			page_put(&w.pages, m->page[i], PAGE_ORDER_4K);
		m->page[i] = hpa(0);
	}
}

/* INIT: to the guest that is a flush as well. */
static void reset_vcpu(struct guest_cpu *g)
{
	leave(g);
	for (unsigned int i = 0; i < GVAS; i++) {
		g->map[i] = draw(GPAS) << PAGE_SHIFT;
		g->flushed[i] = ++w.now;
	}
	if (w.fault != VCPU_NOT_ZEROED)
		g->hw.asid = (struct tlb_id){ 0 };
}

static void create(struct guest *m)
{
	static const struct nested_limits limits = { .largest = 1 };

	m->alive = true;
	m->vm.nested = &m->nested;
	assert_int_equal(nested_init(&m->nested, &npt_format, &w.pages, &limits), 0);
	for (unsigned int i = 0; i < VMS; i++)
		w.reused_roots += m->nested.root.v == w.last_root[i];
	for (unsigned int i = 0; i < GPAS; i++)
		gain_page(m);
	for (unsigned int i = 0; i < VCPUS; i++) {
		struct guest_cpu *g = &m->cpu[i];

		*g = (struct guest_cpu){ .serial = ++w.serials, .in = -1, .last = (unsigned int)draw(CPUS),
					  .restless = i > 0 };
		g->v.vm = &m->vm;
		g->v.hw = &g->hw;
		g->hw.vmcb = &w.vmcb[m - w.guest][i];
		for (unsigned int j = 0; j < GVAS; j++)
			g->map[j] = draw(GPAS) << PAGE_SHIFT;
	}
}

static void step(void)
{
	struct guest *m = &w.guest[draw(VMS)];
	struct guest_cpu *g = &m->cpu[draw(VCPUS)];
	uint64_t what = draw(100);

	if (!m->alive) {
		create(m);
		return;
	}
	if (what < 40)
		enter(g);
	else if (what < 65)
		leave(g);
	else if (what < 75)
		guest_flushes_a_page(g);
	else if (what < 80)
		guest_loads_cr3(g);
	else if (what < 86)
		vouch_changes_cr0(g);
	else if (what < 89)
		guest_runs_on(g);
	else if (what < 90)
		reset_vcpu(g);
	else if (what < 92)
		lose_page(m);
	else if (what < 94)
		lose_page_for_good(m);
	else if (what < 98)
		gain_page(m);
	else if (m < &w.guest[VMS / 2] || !draw(16))    /* short lives and long ones */
		destroy(m);
}

static void init_ids(unsigned int cpu)
{
	struct tlb_ids *ids = &w.cpu[cpu].asids;
	static const bool by_id[KINDS] = { [SVM_BY_ASID] = true, [VMX_VPID] = true };

	if (w.kind == VMX_NO_VPID)
		tlb_ids_init(ids, cpu, 0, 0, false);
	else
		tlb_ids_init(ids, cpu, 1, IDS, by_id[w.kind] || w.fault == SINGLE_FLUSH_BELIEVED);
	if (w.fault == FIRST_IDS_BELIEVED)
		ids->next = ids->first;
}

/* What ran before Vouch had IDs, too. */
static void fill_before_vouch(unsigned int cpu)
{
	for (uint32_t id = 1; id < IDS; id++)
		cache(cpu, (struct translation){ .id = id, .gva = id % GVAS });
}

/* Walks until a stale translation could be used, at most STEPS. Returns how it could, or NULL. */
static const char *random_walk(enum kind kind, enum fault fault, uint64_t seed)
{
	memset(&w, 0, sizeof(w));
	w.kind = kind;
	w.fault = fault;
	w.quiet = seed % 2;
	w.random = seed * 0x9e3779b97f4a7c15ull;
	hostram_init(&w.pages, HOST_RAM);
	for (unsigned int i = 0; i < CPUS; i++) {
		init_ids(i);
		fill_before_vouch(i);
	}
	for (unsigned int i = 0; i < STEPS && !w.stale; i++)
		step();
	return w.stale;
}

static const char *const kind_names[KINDS] = {
	"SVM, flush by ASID", "SVM, flush of all only", "VMX with VPID", "VMX, INVVPID of all only", "VMX without VPID",
};

static void no_walk_meets_a_stale_translation(void **ctx)
{
	(void)ctx;
	for (enum kind k = 0; k < KINDS; k++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			const char *stale = random_walk(k, NO_FAULT, seed);

			if (stale)
				fail_msg("%s, seed %lu: %s", kind_names[k], (unsigned long)seed, stale);
		}
		/* The walks have been where it matters. */
		assert_true(w.reused_roots > 5);
		assert_true(w.asked > 50 && w.met > 10);
		assert_true(k == VMX_NO_VPID || w.flushes[0] > 5);
		assert_true(!(BY_ID >> k & 1) || w.flushes[1] > 5);
		assert_true(!(ANY_VMX >> k & 1) || w.flushes[2] > 5);
	}
}

/* Each rule left out, and the hardware on which that must show. */
static const struct {
	enum fault fault;
	unsigned int kinds;
	const char *what;
} faults[] = {
	/* On VMX a new ID comes with INVEPT, which already takes what carries both tags. */
	{ NO_FLUSH_ALL, ANY_SVM, "no flush of all when IDs begin again" },
	{ NO_FLUSH_ID, BY_ID, "no flush of an ID" },
	{ NO_FLUSH_ROOT, ANY_VMX, "no flush of nested tables" },
	{ NARROWING_UNSEEN, ANY, "narrowed tables go unseen" },
	{ NO_KICK, ANY, "a vCPU stays in the guest while its page goes" },
	{ CR3_WITHOUT_FLUSH, HAS_IDS, "a change of control registers wants no flush" },
	{ ID_KEPT_ON_MOVE, HAS_IDS, "an ID goes with its vCPU to another CPU" },
	{ VCPU_NOT_ZEROED, HAS_IDS, "a vCPU keeps its ID over a reset" },
	/* Not where each flush takes a new ID: no vCPU there keeps one for so long that another meets it. */
	{ GENERATION_KEPT, HAS_IDS & ~(1u << VMX_ALL_ONLY), "the generation stays when IDs begin again" },
	{ COUNTED_TOO_EARLY, ANY, "narrowing is counted before it is done" },
	/* On VMX the new ID's INVEPT takes what was cached under it. */
	{ FIRST_IDS_BELIEVED, ANY_SVM, "the first IDs come without a flush" },
	{ FORGOTTEN_IN_THE_GUEST, ANY, "a CPU acknowledges and stays in the guest" },
	{ NOTHING_FORGOTTEN, ANY, "a CPU acknowledges and keeps what it knows" },
	{ FORGOTTEN_TOO_EARLY, ANY, "CPUs are asked to forget before the page is unmapped" },
	{ REUSED_TOO_EARLY, ANY, "a page is reused before all have acknowledged" },
	{ JOINED_TOO_LATE, ANY, "a CPU is known to have run a VM only when it has" },
	{ NEVER_JOINED, ANY, "a CPU is not known to have run a VM" },
	{ SINGLE_FLUSH_BELIEVED, 1u << SVM_ALL_ONLY | 1u << VMX_ALL_ONLY, "a flush that the CPU does not have" },
};

static void each_rule_left_out_is_caught(void **ctx)
{
	unsigned int missed = 0;

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		for (enum kind k = 0; k < KINDS; k++) {
			bool caught = false;

			if (!(faults[i].kinds >> k & 1))
				continue;
			for (uint64_t seed = 1; seed <= FAULT_SEEDS && !caught; seed++)
				caught = random_walk(k, faults[i].fault, seed);
			if (!caught)
				print_error("%s: not caught on %s\n", faults[i].what, kind_names[k]);
			missed += !caught;
		}
	}
	assert_int_equal(missed, 0);
}

static void all_tests(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_walk_meets_a_stale_translation),
		cmocka_unit_test(each_rule_left_out_is_caught),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(all_tests, &failed, &host);
	return failed;
}
