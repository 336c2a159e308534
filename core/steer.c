/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's view of guests and machine. Acts are guest.c's; reports are exit/report.c's, turned away from the log. */
#include "core/steer.h"

#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/platform.h>
#include <vouch/spent.h>
#include <vouch/vm.h>

#include "arch/x86/exit/report.h"
#include "core/guest.h"
#include "core/hold.h"
#include "core/identity.h"
#include "core/measured.h"
#include "core/mux.h"

/* As far as that can be seen from here, while it may change. */
static bool all_halted(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->vcpus; i++) {
		const struct vcpu *v = vm->vcpu[i];

		if (!__atomic_load_n(&v->halted, __ATOMIC_RELAXED) && !__atomic_load_n(&v->waits, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

static const char *state_name(const struct guest *g)
{
	switch (g->state) {
	case GUEST_WAITING:
		return "starting";
	case GUEST_READY:
		return "ready";
	case GUEST_RUNNING:
		return g->vm->paused ? "paused" : all_halted(g->vm) ? "idle" : "running";
	default:
		return g->refused ? "refused" : g->starts ? "stopped" : "off";
	}
}

/* What Vouch keeps of a guest beside its memory: tables, devices, and its place on the console. */
static uint64_t overhead_kib(const struct guest *g)
{
	uint64_t kib = (MUX_OUTPUT + PAGE_SIZE) >> 10;

	return g->vm ? kib + (g->cost.frames << (PAGE_SHIFT - 10)) - (g->vm->ram_bytes >> 10) : kib;
}

static uint64_t cpu_ms(const struct vm *vm)
{
	uint64_t ticks = 0, now = host_tsc();

	for (unsigned int i = 0; i < vm->vcpus; i++)
		ticks += spent_so_far(&vm->vcpu[i]->spent, now);
	return ticks / vm->host->platform.tsc_khz;
}

static bool steer_guest(void *ctx, unsigned int n, struct monitor_guest *m)
{
	struct host *h = ctx;
	struct guest *g;

	if (n >= h->guests->count)
		return false;
	g = &h->guests->guest[n];
	*m = (struct monitor_guest){ .name = g->name, .state = state_name(g), .level = g->proof, .stop = g->stop,
				     .module = g->module, .starts = g->starts, .overhead_kib = overhead_kib(g),
				     .weight = g->words.weight, .cap = g->words.cap };
	console_count(&h->console, n, &m->input, &m->unseen);
	if (!g->vm)
		return true;
	guest_count(g);
	m->vcpus = g->vm->vcpus;
	m->memory_kib = g->vm->ram_bytes >> 10;
	m->cpu_ms = cpu_ms(g->vm);
	m->exits = vm_exits(g->vm);
	m->exits_per_s = g->rate ? g->rate->exits_per_s : 0;
	return true;
}

static const char *steer_act(void *ctx, unsigned int n, enum monitor_act act)
{
	struct host *h = ctx;
	struct guest *g = &h->guests->guest[n];

	switch (act) {
	case MONITOR_PAUSE:
		return guest_pause(g);
	case MONITOR_RESUME:
		return guest_resume(g);
	case MONITOR_RESET:
		return guest_reset(g);
	case MONITOR_DESTROY:
		return guest_destroy(h, g);
	case MONITOR_STOP:
		return guest_press_power(g);
	case MONITOR_START:
		return guest_start(h, g);
	}
	return "no such act";
}

/* The kind that comes index-th when the most frequent come first; kinds of the same count by number. -1: there are fewer. */
static int kind_at(const uint64_t *count, unsigned int index)
{
	for (int i = 0; i < EXIT_KINDS; i++) {
		unsigned int before = 0;

		if (!count[i])
			continue;
		for (int j = 0; j < EXIT_KINDS; j++)
			before += count[j] > count[i] || (j < i && count[j] == count[i]);
		if (before == index)
			return i;
	}
	return -1;
}

static bool steer_exits(void *ctx, unsigned int n, unsigned int index, struct monitor_exits *e)
{
	struct host *h = ctx;
	struct guest *g = &h->guests->guest[n];
	uint64_t count[EXIT_KINDS];
	int kind;

	if (!g->vm)
		return false;
	guest_count(g);
	for (unsigned int i = 0; i < EXIT_KINDS; i++)
		count[i] = vm_exits_of(g->vm, i);
	kind = kind_at(count, index);
	if (kind < 0)
		return false;
	h->hvm->kind_text((unsigned int)kind, e->name, sizeof(e->name));
	e->count = count[kind];
	e->per_s = g->rate ? g->rate->kind_per_s[kind] : 0;
	return true;
}

/* Its state comes to this CPU for it, and goes at once: who runs it next must not have to wait for us. */
static void report_vcpu(struct vcpu *v, enum monitor_text what)
{
	const struct hvm_ops *hvm = v->vm->host->hvm;

	if (!vcpu_hold(v)) {
		log_verdict("vCPU %u does not leave CPU %u: its state cannot be read", v->id, v->task.cpu);
		return;
	}
	if (what == MONITOR_DUMP)
		vcpu_dump(v);
	else
		vcpu_explain(v);
	if (hvm->cpu_let_go)
		hvm->cpu_let_go();
	vcpu_release(v);
}

/* One vCPU after the other, so that none stands for longer than its own report takes. */
static const char *report(const struct guest *g, enum monitor_text what, void (*line)(void *, const char *), void *to)
{
	struct log_tap tap = { line, to };

	if (!g->vm)
		return "it does not run";
	this_cpu()->log_tap = &tap;
	for (unsigned int i = 0; i < g->vm->vcpus; i++)
		report_vcpu(g->vm->vcpu[i], what);
	vm_report_strays(g->vm);
	this_cpu()->log_tap = NULL;
	return NULL;
}

static const char *measure(struct host *h, void (*line)(void *, const char *), void *to)
{
	char text[TAO_TEXT_MAX + 64];

	if (!h->identity->has_key)
		line(to, "this host has no key");
	for (unsigned int i = 0; i < h->guests->count; i++) {
		const struct guest *g = &h->guests->guest[i];

		if (!g->vm)
			continue;
		snprintf(text, sizeof(text), "guest %s is %s", g->name, g->vm->tao.text);
		line(to, text);
	}
	measured_tell(h, line, to);
	return NULL;
}

static const char *steer_text(void *ctx, enum monitor_text what, unsigned int n, void (*line)(void *to, const char *text),
			      void *to)
{
	struct host *h = ctx;

	switch (what) {
	case MONITOR_LOG:
		log_latest(line, to);
		return NULL;
	case MONITOR_MEASURE:
		return measure(h, line, to);
	default:
		return report(&h->guests->guest[n], what, line, to);
	}
}

/* The vCPUs in this CPU's queue: guests by name, where they have several with the vCPU's number. */
static void add_guest(const struct guest *g, unsigned int cpu, struct monitor_cpu *c)
{
	for (unsigned int i = 0; g->state == GUEST_RUNNING && i < g->vm->vcpus; i++) {
		size_t used = strlen(c->guests);
		char which[12] = "";

		if (__atomic_load_n(&g->vm->vcpu[i]->task.cpu, __ATOMIC_RELAXED) != cpu)
			continue;
		if (g->vm->vcpus > 1)
			snprintf(which, sizeof(which), "/%u", i);
		snprintf(c->guests + used, sizeof(c->guests) - used, "%s%s%s", used ? "," : "", g->name, which);
	}
}

/* This one asks. */
static const char *cpu_state(const struct host *h, unsigned int n)
{
	if (n >= h->guests->sched.cpus)
		return "no guests";
	if (n == this_cpu()->id)
		return "monitor";
	return spent_counts(&h->cpu[n]->busy) ? "busy" : "idle";
}

static bool steer_cpu(void *ctx, unsigned int n, struct monitor_cpu *c)
{
	const struct host *h = ctx;

	if (n >= h->cpus)
		return false;
	*c = (struct monitor_cpu){ .apic_id = h->cpu[n]->apic_id, .guests = "", .state = cpu_state(h, n),
				   .busy_ms = spent_so_far(&h->cpu[n]->busy, host_tsc()) / h->platform.tsc_khz,
				   .switches = __atomic_load_n(&h->cpu[n]->switches, __ATOMIC_RELAXED) };
	for (unsigned int i = 0; i < h->guests->count; i++)
		add_guest(&h->guests->guest[i], n, c);
	return true;
}

static void steer_memory(void *ctx, struct monitor_memory *m)
{
	struct host *h = ctx;

	lock_take(&h->pages.lock);
	m->total_kib = h->pages.total_frames << (PAGE_SHIFT - 10);
	m->free_kib = h->pages.free_frames << (PAGE_SHIFT - 10);
	lock_drop(&h->pages.lock);
	for (unsigned int i = 0; i < h->guests->count; i++) {
		const struct guest *g = &h->guests->guest[i];

		m->guests_kib += g->vm ? g->vm->ram_bytes >> 10 : 0;
		m->overhead_kib += overhead_kib(g);
	}
}

const struct monitor_ops steer_ops = {
	.guest = steer_guest, .act = steer_act, .exits = steer_exits, .text = steer_text, .cpu = steer_cpu,
	.memory = steer_memory,
};
