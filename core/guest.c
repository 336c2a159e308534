/* SPDX-License-Identifier: BSD-2-Clause */
/* The guests, one after the other: each is launched, run until it stops, and started anew when it asked for a reset. */
#include "core/guest.h"

#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/platform.h>
#include <vouch/policy.h>

#include "arch/x86/cpu/tsc.h"
#include "arch/x86/exit/report.h"
#include "core/identity.h"
#include "core/launch.h"
#include "core/measured.h"
#include "core/operator.h"
#include "core/trust.h"
#include "core/vm.h"

/* A run shorter than QUICK_NS is a quick one; after QUICK_FREE of them in a row each further start waits. */
#define QUICK_NS       1000000000ull
#define QUICK_FREE     10u
#define QUICK_PAUSE_US 100000u

/* One module's guest over its restarts. */
struct slot {
	unsigned int module, number;
	unsigned int starts;
	unsigned int quick;           /* quick runs in a row */
	unsigned int log_budget;      /* what is left of its lines: a reset earns it no new ones */
};

static uint64_t free_frames(struct host *h)
{
	uint64_t n;

	lock_take(&h->pages.lock);
	n = h->pages.free_frames;
	lock_drop(&h->pages.lock);
	return n;
}

/* What the start cost, and what the guest takes; frames were free before it. */
static void report_start(struct host *h, const struct vm *vm, uint64_t frames)
{
	const struct timing *t = &h->timing;
	uint64_t now = host_tsc(), all = now - t->since;

	log_debug("timing: %s copy %lu hash %lu zero %lu wait %lu rest %lu of %lu ticks, guest TSC %lu", vm->name, t->copy,
		  t->hash, t->zero, t->wait, all - t->copy - t->hash - t->zero - t->wait, all, vclock_tsc(&vm->clock));
	log_debug("memory: %s has %lu KiB, and %lu KiB for what Vouch keeps of it", vm->name, vm->ram_bytes >> 10,
		  ((frames - free_frames(h)) << PAGE_SHIFT >> 10) - (vm->ram_bytes >> 10));
}

/* Starts the guest, runs it, and says why it stopped. */
static enum stop_kind run_once(struct host *h, struct slot *s, struct launch_names *names, bool *refused)
{
	struct vcpu_start start;
	uint64_t frames = free_frames(h);
	struct vm *vm = launch_vm(h, s->module, names, &start);
	enum stop_kind kind;

	*refused = !vm;
	if (!vm)
		return STOP_HOST;
	vm->number = s->number;
	console_begin(&h->console, vm->number, vm->name);
	log_verdict("guest %s entered", vm->name);
	report_start(h, vm, frames);
	if (s->starts++)
		vm->log_budget = s->log_budget;
	vm_run(vm, &start);
	kind = vm->stop.kind;
	s->log_budget = vm->log_budget;
	s->quick = vclock_now(&vm->clock) < QUICK_NS ? s->quick + 1 : 0;
	log_verdict("guest %s stopped: %s", vm->name, vm->stop.text);
	if (kind == STOP_TRIPLE_FAULT || kind == STOP_UNHANDLED)
		vm_report(vm);
	vm_report_exits(vm);
	vm_destroy(vm);
	return kind;
}

/* For whoever looks for lost pages: the same after each guest as before the first one. */
static void report_pages(struct host *h)
{
	log_debug("pages: %lu free of %lu", free_frames(h), h->pages.total_frames);
}

/* A guest that resets at once, again and again, must neither flood the log nor keep the CPU busy with verifying it. */
static void pace(const struct slot *s)
{
	if (s->quick > QUICK_FREE)
		host_delay_us(QUICK_PAUSE_US);
}

/* False: it was refused, at its first start or at a later one. number: of the guest, policies not counted. */
static bool run_module(struct host *h, unsigned int module, unsigned int number, struct launch_names *names)
{
	struct slot s = { .module = module, .number = number };
	bool refused = false;
	enum stop_kind kind;

	do {
		pace(&s);
		kind = run_once(h, &s, names, &refused);
		report_pages(h);
		h->timing = (struct timing){ .since = host_tsc() };
	} while (kind == STOP_RESET);
	console_end(&h->console, number);
	return !refused;
}

/* After a refusal. */
static bool go_on(const struct host *h)
{
	if (h->policy->on_refusal == POLICY_CONTINUE)
		return true;
	log_verdict("boot stopped: the policy says on-refusal=\"stop\": no further guest is started");
	return false;
}

static void run_modules(struct host *h)
{
	struct launch_names names = { .name = { "" } };
	struct module_options m;
	unsigned int guests = 0;

	for (unsigned int i = 0; i < h->boot.module_count; i++) {
		module_parse(&m, h->boot.module[i].string);
		if (m.kind != MODULE_GUEST)
			continue;
		if (!run_module(h, i, guests++, &names) && !go_on(h))
			return;
	}
	if (!guests)
		log_error("no guest: give an image as a module (module2 /path/to/image) in GRUB's menu entry");
}

void guests_run(struct host *h)
{
	if (!measured_start(h) || !trust_init(h) || !measured_demand(h) || !identity_init(h))
		return;
	operator_init(h);
	report_pages(h);
	run_modules(h);
}
