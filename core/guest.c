/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests: all are launched, then all enter, and run until they stop; one that asked for a reset is started anew. Which of
 * them has a CPU is cpu_turn.c's and the scheduler's subject.
 */
#include "core/guest.h"

#include <stdio.h>

#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/policy.h>
#include <vouch/smp.h>

#include "arch/x86/exit/report.h"
#include "core/block.h"
#include "core/cpu_turn.h"
#include "core/hold.h"
#include "core/identity.h"
#include "core/launch.h"
#include "core/measured.h"
#include "core/operator.h"
#include "core/trust.h"
#include "core/vm.h"

/* A run shorter than QUICK_NS is a quick one; after QUICK_FREE of them in a row each further start waits. */
#define QUICK_NS       1000000000ull
#define QUICK_FREE     10u
#define QUICK_PAUSE_MS 100u

static uint64_t free_frames(struct host *h)
{
	uint64_t n;

	lock_take(&h->pages.lock);
	n = h->pages.free_frames;
	lock_drop(&h->pages.lock);
	return n;
}

/* What the start cost, and what the guest takes. */
static void report_start(const struct guest *g)
{
	const struct timing *t = &g->cost.timing;
	uint64_t now = host_tsc(), all = now - t->since;

	log_debug("timing: %s copy %lu hash %lu zero %lu wait %lu rest %lu of %lu ticks, guest TSC %lu", g->vm->name, t->copy,
		  t->hash, t->zero, t->wait, all - t->copy - t->hash - t->zero - t->wait, all,
		  vclock_tsc(&g->vm->clock));
	log_debug("memory: %s has %lu KiB, and %lu KiB for what Vouch keeps of it", g->vm->name, g->vm->ram_bytes >> 10,
		  (g->cost.frames << PAGE_SHIFT >> 10) - (g->vm->ram_bytes >> 10));
}

/* For whoever looks for lost pages: the same before the first guest and after the last one. */
static void report_pages(struct host *h)
{
	log_debug("pages: %lu free of %lu", free_frames(h), h->pages.total_frames);
}

/* Of the one that was made here another CPU may be the first to run it. */
static void let_go(const struct host *h)
{
	if (h->hvm->cpu_let_go)
		h->hvm->cpu_let_go();
}

_Static_assert(sizeof(((struct guest *)0)->stop) >= sizeof(((struct stop *)0)->text) &&
	       sizeof(((struct guest *)0)->stop) >= sizeof("refused: ") + sizeof(((struct image_error *)0)->text),
	       "there is room for each reason");

/* Its launch has ended. vm NULL, false: it was refused, *why says why. */
static bool launched(struct guest *g, struct vm *vm, const struct image_error *why)
{
	if (!vm)
		snprintf(g->stop, sizeof(g->stop), "refused: %s", why->text);
	else if (g->refused)
		g->stop[0] = '\0';
	g->vm = vm;
	g->state = vm ? GUEST_READY : GUEST_OFF;
	g->refused = !vm;
	return vm;
}

static bool launch(struct host *h, struct guest *g)
{
	struct image_error why;
	struct vm *vm;

	cpu_away();
	vm = launch_vm(h, g->module, &h->guests->names, &g->start, &g->cost, &why);
	cpu_back();
	if (launched(g, vm, &why))
		return true;
	report_pages(h);
	return false;
}

static void enter(struct host *h, struct guest *g)
{
	struct vm *vm = g->vm;

	vm->number = (unsigned int)(g - h->guests->guest);
	vm->weight = g->words.weight;
	vm->cap = g->words.cap;
	snprintf(g->name, sizeof(g->name), "%s", vm->name);
	snprintf(g->proof, sizeof(g->proof), "%s", vm->proof);
	g->rate = block_get(&h->pages, sizeof(*g->rate));
	if (g->rate)
		g->rate->at = host_tsc();
	console_begin(&h->console, vm->number, vm->name);
	log_verdict("guest %s entered", vm->name);
	report_start(g);
	if (g->starts++)
		vm->log_budget = g->log_budget;
	vm_prepare(vm, &g->start);
	let_go(h);
	g->state = GUEST_RUNNING;
	vm->live = vm->vcpus;
	/* The one that boots comes last: it may stop the VM at once. */
	for (unsigned int i = vm->vcpus; i-- > 0; )
		vcpu_start(vm->vcpu[i]);
}

/* A guest that resets at once, again and again, must neither flood the log nor keep the CPU busy with verifying it. */
static uint64_t pace(const struct host *h, const struct guest *g)
{
	return host_tsc() + (g->quick > QUICK_FREE ? h->platform.tsc_khz * QUICK_PAUSE_MS : 0);
}

/* Its VM has stopped. */
static void leave(struct host *h, struct guest *g)
{
	struct vm *vm = g->vm;
	enum stop_kind kind = vm->stop.kind;

	let_go(h);
	vclock_stop(&vm->clock);
	g->log_budget = vm->log_budget;
	g->quick = vclock_now(&vm->clock) < QUICK_NS ? g->quick + 1 : 0;
	log_verdict("guest %s stopped: %s", vm->name, vm->stop.text);
	cpu_away();                             /* reports and scrubbing may take seconds: who waits here may go elsewhere */
	if (kind == STOP_TRIPLE_FAULT || kind == STOP_UNHANDLED)
		vm_report(vm);
	vm_report_exits(vm);
	snprintf(g->stop, sizeof(g->stop), "%s", vm->stop.text);
	block_put(&h->pages, g->rate, sizeof(*g->rate));
	g->rate = NULL;
	g->state = GUEST_OFF;
	g->vm = NULL;
	vm_destroy(vm);
	cpu_back();
	report_pages(h);
	/* A destroy that came when it was stopping already holds. */
	if (kind == STOP_RESET && !g->by_operator) {
		g->state = GUEST_WAITING;
		g->restart_at = pace(h, g);
	} else {
		console_end(&h->console, (unsigned int)(g - h->guests->guest));
	}
}

static void leave_stopped(struct host *h)
{
	struct vm *vm = stopped_take(&h->guests->stopped);

	while (vm) {
		struct vm *next = vm->next_stopped;

		leave(h, &h->guests->guest[vm->number]);
		vm = next;
	}
}

/* After a refusal. */
static bool go_on(const struct host *h)
{
	if (h->policy->on_refusal == POLICY_CONTINUE)
		return true;
	h->guests->closed = true;
	log_verdict("boot stopped: the policy says on-refusal=\"stop\": no further guest is started");
	return false;
}

/* A guest that waited for it starts again. False: no guest may start any more. */
static bool restart(struct host *h, struct guest *g)
{
	bool by_operator = g->by_operator;

	g->by_operator = false;
	h->guests->told_idle = false;           /* should it be refused, nothing has changed, and whoever tried wants to know */
	h->timing = (struct timing){ .since = host_tsc() };
	if (launch(h, g)) {
		enter(h, g);
		return true;
	}
	console_end(&h->console, (unsigned int)(g - h->guests->guest));
	/* What the operator tries is no part of the boot, and may be tried again. */
	g->by_operator = by_operator;
	return by_operator || go_on(h);
}

/* Nobody starts again. */
static void give_up(struct host *h)
{
	struct guests *all = h->guests;

	for (unsigned int i = 0; i < all->count; i++) {
		if (all->guest[i].state != GUEST_WAITING)
			continue;
		all->guest[i].state = GUEST_OFF;
		console_end(&h->console, i);
	}
}

/* Starts whoever's time has come; *next is when to look again. False: no guest may start any more. */
static bool restart_due(struct host *h, uint64_t *next)
{
	struct guests *all = h->guests;

	*next = UINT64_MAX;
	for (unsigned int i = 0; i < all->count; i++) {
		struct guest *g = &all->guest[i];

		if (g->state == GUEST_WAITING && host_tsc() >= g->restart_at && !restart(h, g))
			return false;
		if (g->state == GUEST_WAITING)
			*next = min_u64(*next, g->restart_at);
	}
	return true;
}

/* Of those in that state the one whose turn is first, by order=, then by module; NULL: none is. */
static struct guest *first_in(struct guests *all, enum guest_state state)
{
	struct guest *first = NULL;

	for (unsigned int i = 0; i < all->count; i++) {
		struct guest *g = &all->guest[i];

		if (g->state == state && (!first || g->words.order < first->words.order))
			first = g;
	}
	return first;
}

/* What the operator has ended, or is to start, the operator may start. */
static bool operator_holds(const struct host *h)
{
	for (unsigned int i = 0; i < h->guests->count && !h->guests->closed; i++)
		if (h->guests->guest[i].by_operator && !operator_gone(h))
			return true;
	return false;
}

static bool any_left(struct host *h, bool hold)
{
	struct guests *all = h->guests;

	if (first_in(all, GUEST_RUNNING) || first_in(all, GUEST_WAITING)) {
		all->told_idle = false;
		return true;
	}
	if (!hold || !operator_holds(h))
		return false;
	if (!all->told_idle)
		log_info("no guest runs: start one in the monitor, or quit it");
	all->told_idle = true;
	return true;
}

/*
 * All that are ready enter, and run until none is left; with hold, and if the operator ended one, until the operator lets go.
 * False: no guest may start any more.
 */
static bool run_all(struct host *h, bool hold)
{
	struct guests *all = h->guests;
	uint64_t next = UINT64_MAX;
	bool more = true;

	for (struct guest *g; (g = first_in(all, GUEST_READY));)
		enter(h, g);
	while (any_left(h, hold)) {
		cpu_turn(this_cpu(), next);
		leave_stopped(h);
		operator_serve(h);
		more = more && restart_due(h, &next);
		if (!more) {
			give_up(h);
			next = UINT64_MAX;
		}
	}
	host_timer_arm(UINT64_MAX);
	return more;
}

/* Each guest among the modules gets its number. */
static void find_guests(struct host *h)
{
	struct guests *all = h->guests;

	for (unsigned int i = 0; i < h->boot.module_count; i++) {
		struct guest *g = &all->guest[all->count];

		module_parse(&g->words, h->boot.module[i].string);
		if (g->words.kind != MODULE_GUEST)
			continue;
		snprintf(g->name, sizeof(g->name), "guest%u", all->count);
		g->module = i;
		g->by_operator = g->words.manual;
		g->state = g->words.manual ? GUEST_OFF : GUEST_LISTED;
		all->count++;
	}
}

/* ------------------------------------------------------------------ the operator's will */

/* Its vCPUs see the same clock as before, though later: each with its next turn. */
static void go_on_running(struct vm *vm)
{
	vclock_start(&vm->clock);
	vm->paused = false;
	vm_release(vm);
}

const char *guest_pause(struct guest *g)
{
	if (g->state != GUEST_RUNNING)
		return "it does not run";
	if (g->vm->paused)
		return "it is paused already";
	if (!vm_hold(g->vm))
		return "it is not paused: one of its vCPUs does not leave its CPU";
	/* Those of its vCPUs that have not seen it yet must have another turn, or it would never come to its end. */
	if (vm_stopped(g->vm)) {
		vm_release(g->vm);
		return "it is stopping";
	}
	vclock_stop(&g->vm->clock);
	g->vm->paused = true;
	return NULL;
}

const char *guest_resume(struct guest *g)
{
	if (g->state != GUEST_RUNNING || !g->vm->paused)
		return "it is not paused";
	go_on_running(g->vm);
	return NULL;
}

static const char *ask(struct guest *g, uint32_t what)
{
	if (g->state != GUEST_RUNNING)
		return "it does not run";
	vm_ask(g->vm, what);
	if (g->vm->paused)
		go_on_running(g->vm);
	vcpu_call(g->vm->vcpu[0]);
	return NULL;
}

const char *guest_reset(struct guest *g)
{
	return ask(g, VM_ASK_RESET);
}

const char *guest_destroy(struct host *h, struct guest *g)
{
	const char *error = NULL;

	if (g->state == GUEST_WAITING) {        /* between two starts */
		g->state = GUEST_OFF;
		console_end(&h->console, (unsigned int)(g - h->guests->guest));
	} else {
		error = ask(g, VM_ASK_DESTROY);
	}
	g->by_operator |= !error;
	return error;
}

const char *guest_press_power(struct guest *g)
{
	if (g->state == GUEST_RUNNING && g->vm->paused)
		return "it is paused: resume it first";
	return ask(g, VM_ASK_POWER);
}

const char *guest_start(const struct host *h, struct guest *g)
{
	if (h->guests->closed)
		return "the policy has stopped the boot: no guest starts any more";
	if (g->state != GUEST_OFF && g->state != GUEST_LISTED)
		return "it runs already";
	g->by_operator = true;
	g->state = GUEST_WAITING;
	g->restart_at = host_tsc();
	return NULL;
}

void guest_count(struct guest *g)
{
	struct guest_rate *r = g->rate;
	uint64_t ms, exits;

	if (!r)
		return;
	ms = (host_tsc() - r->at) / g->vm->host->platform.tsc_khz;
	if (ms < 1000)
		return;
	exits = vm_exits(g->vm);
	r->exits_per_s = (exits - r->exits) * 1000 / ms;
	r->exits = exits;
	for (unsigned int i = 0; i < EXIT_KINDS; i++) {
		exits = vm_exits_of(g->vm, i);
		r->kind_per_s[i] = (exits - r->kind[i]) * 1000 / ms;
		r->kind[i] = exits;
	}
	r->at = host_tsc();
}

/* ------------------------------------------------------------------ all at the same time */

/* The guests that start together. Their launches are the boot CPU's but while they are built. */
struct batch {
	struct host *host;
	unsigned int count;
	struct guest *guest[BOOT_MODULES_MAX];
	struct launch *launch[BOOT_MODULES_MAX];
	bool waits[BOOT_MODULES_MAX]; /* for room: has been promised none */
	uint64_t left[BOOT_MODULES_MAX];       /* then: bytes that were left for it */
	unsigned int next;            /* atomic: who is built next */
	unsigned int over;            /* atomic: with how many of them their CPUs are done */
	uint64_t helped;              /* atomic: chunks of files that others than these CPUs did */
	bool stop;                    /* somebody behind them was refused: they are the last that start */
};

/* False: the policy lets nobody start behind one that is refused, so nobody else needs to be looked at. */
static bool goes_on(const struct host *h, bool refused)
{
	return !refused || h->policy->on_refusal == POLICY_CONTINUE;
}

/* In the order of modules. What has no memory to be looked at has had its line. */
static void read_all(struct batch *b)
{
	struct guests *all = b->host->guests;

	for (unsigned int i = 0; i < all->count; i++) {
		struct guest *g = &all->guest[i];
		struct image_error why;
		struct launch *l;

		if (g->state != GUEST_LISTED)
			continue;
		l = launch_read(b->host, g->module, &all->names, &why);
		if (l) {
			b->guest[b->count] = g;
			b->launch[b->count++] = l;
		} else {
			b->stop = !goes_on(b->host, !launched(g, NULL, &why));
		}
		if (b->stop || (l && !goes_on(b->host, launch_refused(l))))
			return;
	}
}

/*
 * What the guests that are not built may take in all: what is free, but for what the others still need, and what copies of
 * modules give back when their guests are built, but for as many of these as are built at a time.
 */
static uint64_t room_for(const struct batch *b)
{
	uint64_t room = free_frames(b->host) << PAGE_SHIFT, largest = 0, all = 0;
	unsigned int at_once = b->host->cpus < b->count ? b->host->cpus : b->count;

	for (unsigned int i = 0; i < b->count; i++) {
		struct launch_wants w;

		if (launch_refused(b->launch[i]))
			continue;
		launch_ask(b->launch[i], &w);
		if (launch_built(b->launch[i]))
			room -= min_u64(room, w.kept);
		all += w.whole;
		largest = w.whole > largest ? w.whole : largest;
	}
	return room + all - min_u64(all, largest * at_once);
}

static void drop_behind(struct batch *b, unsigned int last)
{
	while (b->count > last + 1)
		launch_drop(b->launch[--b->count]);
}

/* Memory is promised in the order of modules, and none twice. True: there is too little for somebody. */
static bool share_room(struct batch *b)
{
	uint64_t all = room_for(b), left = all;
	bool enough = true;

	for (unsigned int i = 0; i < b->count; i++) {
		struct launch_wants w;

		if (launch_refused(b->launch[i]) || launch_built(b->launch[i]))
			continue;
		launch_ask(b->launch[i], &w);
		b->waits[i] = w.bytes > left;
		b->left[i] = left;
		if (!b->waits[i]) {
			left -= w.bytes;
			log_debug("memory: guest %s asks for %lu MiB, %lu MiB are left", w.name, w.memory_mib, left >> 20);
			continue;
		}
		if (enough)
			log_info("memory: not enough for all guests in the %lu MiB that are free", all >> 20);
		enough = false;
		log_info("memory: guest %s asks for %lu MiB, %lu MiB are left", w.name, w.memory_mib, left >> 20);
		if (!goes_on(b->host, true))
			drop_behind(b, i);
	}
	return !enough;
}

static bool help(struct batch *b)
{
	for (unsigned int i = 0; i < b->count; i++)
		if (launch_help(b->launch[i]))
			return true;
	return false;
}

/*
 * One CPU's part of the work. Who finds nobody left to build helps the others with their files. It waits for them within a call
 * and serves meanwhile, so they may call this CPU.
 */
static void build_some(void *arg)
{
	struct batch *b = arg;
	unsigned int i;

	while ((i = __atomic_fetch_add(&b->next, 1, __ATOMIC_RELAXED)) < b->count) {
		if (!launch_refused(b->launch[i]) && !launch_built(b->launch[i]) && !b->waits[i])
			launch_build(b->launch[i]);
		__atomic_fetch_add(&b->over, 1, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&b->over, __ATOMIC_ACQUIRE) < b->count) {
		if (help(b)) {
			__atomic_fetch_add(&b->helped, 1, __ATOMIC_RELAXED);
		} else {
			cpu_serve();
			__builtin_ia32_pause();
		}
	}
}

static bool room_came_back(struct batch *b)
{
	bool some = false;

	for (unsigned int i = 0; i < b->count; i++)
		some |= launch_give_back(b->launch[i]);
	return some;
}

/* Whoever turns out bad takes no good guest's memory: those that there was too little for are asked again. */
static void build_all(struct batch *b)
{
	bool more;

	do {
		more = share_room(b);
		b->next = b->over = 0;
		cpu_call_all(build_some, b);
	} while (room_came_back(b) && more);
	for (unsigned int i = 0; i < b->count; i++)
		if (b->waits[i])
			launch_no_room(b->launch[i], b->left[i]);
}

/* Verdicts, names and measurements in the order of modules. Whom the policy lets start no more was never there. */
static void finish_all(struct batch *b)
{
	struct host *h = b->host;

	for (unsigned int i = 0; i < b->count; i++) {
		struct guest *g = b->guest[i];
		struct image_error why;
		struct vm *vm;

		if (h->guests->closed) {
			launch_drop(b->launch[i]);
			continue;
		}
		vm = launch_finish(b->launch[i], &g->start, &g->cost, &why);
		if (!launched(g, vm, &why))
			go_on(h);
	}
}

/*
 * All that start are verified; no guest runs yet, so the other CPUs have nothing to do but help. Whoever stands before a
 * refusal that ends the boot runs.
 */
static void launch_all(struct host *h)
{
	struct guests *all = h->guests;
	struct batch b = { .host = h };
	uint64_t begin;

	read_all(&b);
	begin = host_tsc();
	build_all(&b);
	log_debug("timing: %u guests built in %lu ticks, by at most %u CPUs, %lu chunks of files by those that helped", b.count,
		  host_tsc() - begin, h->cpus, b.helped);
	finish_all(&b);
	if (b.stop && !all->closed)
		go_on(h);
	for (unsigned int i = 0; i < all->count; i++)
		if (all->guest[i].state == GUEST_LISTED)
			all->guest[i].state = GUEST_OFF;
}

static void run_modules(struct host *h)
{
	struct guests *all = h->guests;
	struct guest *g;

	if (h->options.guests == GUESTS_SEQUENTIAL) {
		while ((g = first_in(all, GUEST_LISTED)) && (launch(h, g) || go_on(h)))
			if (!run_all(h, false))
				return;
	} else {
		launch_all(h);
	}
	run_all(h, true);
}

void guests_run(struct host *h)
{
	struct guests *all;

	if (!measured_start(h) || !trust_init(h) || !measured_demand(h) || !identity_init(h))
		return;
	all = block_get(&h->pages, sizeof(*all) + h->cpus * sizeof(struct sched_queue));
	if (!all) {
		log_error("not enough memory to run guests");
		return;
	}
	sched_init(&all->sched, all->queue, h->cpus, h->platform.tsc_khz);
	__atomic_store_n(&h->guests, all, __ATOMIC_RELEASE);    /* the other CPUs use it from here on */
	find_guests(h);
	if (!h->guests->count) {
		log_error("no guest: give an image as a module (module2 /path/to/image) in GRUB's menu entry");
		return;
	}
	operator_init(h);
	report_pages(h);
	run_modules(h);
}
