/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of a guest that died, and its count of exits: text only, through the seam's cold table. Nothing here is
 * needed for a guest to run. Lines are meant for 100 columns, all of them for one screen.
 */
#include "arch/x86/exit/report.h"

#include <stdio.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/log.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/insn_text.h"

#define COLUMNS 96u                     /* of a line behind "vouch:   " */

/* Short texts side by side, in lines of the log. */
struct row {
	enum log_level level;
	char line[COLUMNS + 1];
	size_t used, next;            /* what stands there; where the next text begins */
};

static void row_flush(struct row *r)
{
	if (r->used)
		log_line(r->level, "  %s", r->line);
	r->used = r->next = 0;
}

/* The text takes width columns, or as many as it needs. */
static void row_add(struct row *r, const char *text, size_t width)
{
	size_t n = strlen(text), most = sizeof(r->line) - 1;

	if (r->used && r->next + n > most)
		row_flush(r);
	while (r->used < r->next)
		r->line[r->used++] = ' ';
	snprintf(r->line + r->used, sizeof(r->line) - r->used, "%s", text);
	r->used = strlen(r->line);
	r->next = min_u64(most, r->next + (n > width ? n : width) + 1);
}

static void report_instruction(struct vcpu *v, const struct x86_env *e)
{
	char hex[3 * INSN_MAX_LEN + 1] = "", text[INSN_TEXT_MAX];
	struct x86_fault f;
	uint8_t code[INSN_MAX_LEN];
	int n = gva_fetch(v, e, code, &f);
	unsigned int len;

	if (n <= 0) {
		log_verdict("  RIP %lx: the code cannot be fetched", e->rip);
		return;
	}
	len = insn_text(text, sizeof(text), code, (unsigned int)n, x86_env_mode(e), e->rip);
	for (unsigned int i = 0; i < len; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", code[i]);
	log_verdict("  RIP %lx:%s   %s", e->rip, hex, text);
}

static const char *mode_text(const struct x86_env *e)
{
	enum x86_mode mode = x86_env_mode(e);

	if (!(e->cr0 & CR0_PE))
		return "real mode";
	if (mode == MODE_64)
		return "64-bit mode";
	if (e->efer & EFER_LMA)
		return mode == MODE_32 ? "compatibility mode, 32-bit code" : "compatibility mode, 16-bit code";
	if (e->rflags & RFLAGS_VM)
		return "virtual-8086 mode";
	return mode == MODE_32 ? "protected mode, 32-bit code" : "protected mode, 16-bit code";
}

static const char *paging_text(const struct x86_env *e)
{
	if (!(e->cr0 & CR0_PG))
		return "no paging";
	if (e->efer & EFER_LMA)
		return "4-level paging";
	return e->cr4 & CR4_PAE ? "PAE paging" : "32-bit paging";
}

static void report_registers(const struct vcpu *v, const struct x86_env *e)
{
	static const char *const segs[SEG_COUNT] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	const uint64_t *g = v->gpr;
	struct row r = { .level = LOG_VERDICT };

	log_verdict("  %s, CPL %u, %s, RFLAGS %lx%s", mode_text(e), e->cpl, paging_text(e), e->rflags,
		    v->halted ? ", halted" : "");
	log_verdict("  CR0 %lx CR2 %lx CR3 %lx CR4 %lx EFER %lx XCR0 %lx", e->cr0, vcpu_reg(v, HVM_CR2), e->cr3,
		    e->cr4, e->efer, v->xcr0);
	log_verdict("  RAX %016lx RBX %016lx RCX %016lx RDX %016lx", g[REG_RAX], g[REG_RBX], g[REG_RCX], g[REG_RDX]);
	log_verdict("  RSI %016lx RDI %016lx RBP %016lx RSP %016lx", g[REG_RSI], g[REG_RDI], g[REG_RBP], g[REG_RSP]);
	log_verdict("  R8  %016lx R9  %016lx R10 %016lx R11 %016lx", g[REG_R8], g[REG_R9], g[REG_R10], g[REG_R11]);
	log_verdict("  R12 %016lx R13 %016lx R14 %016lx R15 %016lx", g[REG_R12], g[REG_R13], g[REG_R14], g[REG_R15]);
	for (unsigned int i = 0; i < SEG_COUNT; i++) {
		const struct x86_seg *s = &e->seg[i];
		char text[64];

		snprintf(text, sizeof(text), "%s %04x %lx+%x %03x", segs[i], s->sel, s->base, s->limit, s->attr);
		row_add(&r, text, 31);
	}
	row_flush(&r);
}

/* Oldest first. */
static void report_ring(const struct vcpu *v)
{
	struct row r = { .level = LOG_VERDICT };
	uint64_t i = v->exits > EXIT_RING ? v->exits - EXIT_RING : 0;

	for (; i < v->exits; i++) {
		const struct exit_record *x = &v->ring[i % EXIT_RING];
		char text[64], what[40];

		v->vm->host->hvm->exit_text(x, true, what, sizeof(what));
		snprintf(text, sizeof(text), "%lx %s", x->rip, what);
		row_add(&r, text, 31);
	}
	row_flush(&r);
}

/* The latest one that is older than before. */
static const struct unhandled_row *next_unhandled(const struct unhandled *u, uint64_t before)
{
	const struct unhandled_row *best = NULL;

	for (unsigned int i = 0; i < UNHANDLED_ROWS; i++) {
		const struct unhandled_row *x = &u->row[i];

		if (x->last && x->last < before && (!best || x->last > best->last))
			best = x;
	}
	return best;
}

/* The latest first, with how often each was read and written. */
static void report_unhandled(const char *what, const struct unhandled *u)
{
	struct row r = { .level = LOG_VERDICT };
	const struct unhandled_row *x = next_unhandled(u, UINT64_MAX);
	char text[96];

	if (!x)
		return;
	snprintf(text, sizeof(text), "unhandled %s (%lu):", what, u->accesses);
	row_add(&r, text, 0);
	for (; x; x = next_unhandled(u, x->last)) {
		snprintf(text, sizeof(text), "%lx r%lu w%lu;", x->at, x->reads, x->writes);
		row_add(&r, text, 0);
	}
	row_flush(&r);
}

/* Those of the fast path are counted by kind only. */
uint64_t vcpu_exits(const struct vcpu *v)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < EXIT_KINDS; i++)
		n += v->exit_count[i];
	return n;
}

uint64_t vm_exits(const struct vm *vm)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < vm->vcpus; i++)
		n += vcpu_exits(vm->vcpu[i]);
	return n;
}

void vm_report_strays(const struct vm *vm)
{
	report_unhandled("ports", &vm->pio.unclaimed);
	report_unhandled("addresses", &vm->mmio.unclaimed);
	for (unsigned int i = 0; i < vm->vcpus; i++)
		report_unhandled("MSRs", &vm->vcpu[i]->recent_msrs);
}

static const char *last_exit(const struct vcpu *v, char *text, size_t size)
{
	snprintf(text, size, "no exit yet");
	if (v->exits)
		v->vm->host->hvm->exit_text(&v->ring[(v->exits - 1) % EXIT_RING], false, text, size);
	return text;
}

static void report_state(struct vcpu *v, struct x86_env *e)
{
	v->vm->host->hvm->env_load(v, e);
	report_instruction(v, e);
	report_registers(v, e);
	v->vm->host->hvm->vcpu_dump(v);
	report_ring(v);
}

static void report_vcpu(struct vcpu *v, const char *role)
{
	struct x86_env e;
	char text[96], which[64] = "";

	if (v->vm->vcpus > 1)
		snprintf(which, sizeof(which), ", vCPU %u (%s)", v->id, role);
	log_verdict("guest %s died%s at exit %lu: %s", v->vm->name, which, vcpu_exits(v), last_exit(v, text, sizeof(text)));
	report_state(v, &e);
}

/* All of its vCPUs, the cause first. */
void vm_report(const struct vm *vm)
{
	unsigned int by = vm->stop.vcpu;

	if (by < vm->vcpus)
		report_vcpu(vm->vcpu[by], "the cause");
	for (unsigned int i = 0; i < vm->vcpus; i++)
		if (i != by)
			report_vcpu(vm->vcpu[i], by < vm->vcpus ? "when that stopped it" : "when it was stopped");
	vm_report_strays(vm);
}

#define STACK_WORDS 16u

/* The words from RSP up, as far as they are mapped. Code of 16 bits has its stack elsewhere: none is shown. */
static void report_stack(struct vcpu *v, const struct x86_env *e)
{
	size_t word = x86_env_mode(e) == MODE_64 ? 8 : 4;
	uint64_t at = v->gpr[REG_RSP] + (word == 8 ? 0 : e->seg[SEG_SS].base);
	struct row r = { .level = LOG_VERDICT };

	if (x86_env_mode(e) != MODE_64 && x86_env_mode(e) != MODE_32)
		return;
	row_add(&r, "stack:", 0);
	for (unsigned int i = 0; i < STACK_WORDS; i++, at += word) {
		struct x86_fault f;
		uint64_t val = 0;
		char text[24];

		if (gva_read(v, e, at, &val, word, GVA_READ | GVA_IMPLICIT_SUPERVISOR, &f))
			break;
		snprintf(text, sizeof(text), "%lx", val);
		row_add(&r, text, 0);
	}
	row_flush(&r);
}

void vcpu_dump(struct vcpu *v)
{
	struct x86_env e;
	char text[96];

	log_verdict("guest %s, vCPU %u on CPU %u at exit %lu: %s", v->vm->name, v->id, v->task.cpu, vcpu_exits(v),
		    last_exit(v, text, sizeof(text)));
	report_state(v, &e);
	report_stack(v, &e);
}

/* The place to which most of the last exits belong, if there is one: a loop that waits. */
static bool spins_at(const struct vcpu *v, uint64_t *rip)
{
	unsigned int same = 0;

	if (v->exits < EXIT_RING)
		return false;
	*rip = v->ring[(v->exits - 1) % EXIT_RING].rip;
	for (unsigned int i = 0; i < EXIT_RING; i++)
		same += v->ring[i].rip - *rip + 32 < 64;
	return same > EXIT_RING * 3 / 4;
}

/* Of its local APIC, and of the devices, whose interrupts may be meant for any vCPU. */
static uint64_t next_timer(const struct vcpu *v)
{
	uint64_t next;

	vm_lock(v->vm);
	next = min_u64(vtimers_next(v->timers), vtimers_next(&v->vm->timers));
	vm_unlock(v->vm);
	return next;
}

static void explain_halt(const struct vcpu *v, const struct x86_env *e, const char *who)
{
	uint64_t next = next_timer(v), now = vclock_now(&v->vm->clock);

	if (!(e->rflags & RFLAGS_IF))
		log_verdict("%s: halted with interrupts off: only an NMI%s wakes it", who, v->vm->vcpus > 1 ? " or INIT" : "");
	else if (next == VTIMER_OFF)
		log_verdict("%s: halted, waits for an interrupt; no timer of its devices runs", who);
	else
		log_verdict("%s: halted, waits for an interrupt; its devices' next timer is due in %lu us", who,
			    next > now ? (next - now) / 1000 : 0);
}

void vcpu_explain(struct vcpu *v)
{
	struct x86_env e;
	uint64_t rip;
	char text[96], who[32];

	v->vm->host->hvm->env_load(v, &e);
	snprintf(who, sizeof(who), "vCPU %u on CPU %u", v->id, v->task.cpu);
	if (v->waits) {
		log_verdict("%s: has not been started: it waits for INIT and SIPI from another vCPU", who);
		return;
	}
	if (v->vm->paused)
		log_verdict("%s: paused by the operator; `resume` lets it go on", who);
	if (v->halted)
		explain_halt(v, &e, who);
	else if (v->vm->paused)
		log_verdict("%s: stands at RIP %lx; its last exit: %s", who, e.rip, last_exit(v, text, sizeof(text)));
	else if (spins_at(v, &rip))
		log_verdict("%s: most of its last %u exits are at RIP %lx, the last: %s", who, EXIT_RING, rip,
			    last_exit(v, text, sizeof(text)));
	else
		log_verdict("%s: runs at RIP %lx; its last exit: %s", who, e.rip, last_exit(v, text, sizeof(text)));
	if (!v->halted)
		report_instruction(v, &e);
}

uint64_t vm_exits_of(const struct vm *vm, unsigned int kind)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < vm->vcpus; i++)
		n += vm->vcpu[i]->exit_count[kind];
	return n;
}

void vm_report_exits(const struct vm *vm)
{
	struct row r = { .level = LOG_DEBUG };
	uint64_t left[EXIT_KINDS];

	for (unsigned int i = 0; i < EXIT_KINDS; i++)
		left[i] = vm_exits_of(vm, i);
	log_debug("guest %s: %lu exits", vm->name, vm_exits(vm));
	for (;;) {
		unsigned int most = 0;
		char name[32], text[64];

		for (unsigned int i = 1; i < EXIT_KINDS; i++)
			if (left[i] > left[most])
				most = i;
		if (!left[most])
			break;
		vm->host->hvm->kind_text(most, name, sizeof(name));
		snprintf(text, sizeof(text), "%s %lu", name, left[most]);
		row_add(&r, text, 0);
		left[most] = 0;
	}
	row_flush(&r);
}
