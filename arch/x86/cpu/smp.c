/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the other CPUs, one after the other: the boot CPU wakes one by INIT and STARTUP interrupts and follows it
 * from step to step. A CPU comes up the way the boot CPU did, shows that it is like it, and goes to cpu_run_loop().
 */
#include "smp.h"

#include <stdio.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/smp.h>
#include <vouch/x86.h>

#include "ap.h"
#include "apic.h"
#include "asm.h"
#include "arch/x86/mm/mtrr_copy.h"
#include "arch/x86/mm/paging.h"
#include "core/memory.h"
#include "cpu.h"
#include "cpu_facts.h"
#include "errata.h"
#include "fpu.h"
#include "lib_cpu.h"
#include "mce.h"
#include "tsc.h"
#include "tsc_sync.h"

/* SDM 3A "Typical BSP Initialization Sequence": 10 ms after INIT, 200 us after each STARTUP. */
#define INIT_US      10000u
#define STARTUP_US   200u
/* For code to run that takes a millisecond at most; but an emulator on a busy machine may come to it late. */
#define ANSWER_MS    2000u
#define STEP_MS      10000u
#define SYNC_TRIES   3u
#define TIMER_PART   4u             /* of a millisecond: to try the timer */
#define TSC_ADJUST_BIT (1u << 1)    /* CPUID leaf 7 EBX */

/* How far a CPU has come. */
enum ap_state { AP_SILENT, AP_ARRIVED, AP_LIKE_BOOT, AP_UP, AP_REFUSED };
/* What it is told to do after its clock was compared. */
enum ap_order { AP_WAIT, AP_ADJUST, AP_GO };

/* Between the boot CPU and the one it is starting; behind the latter's struct pcpu_arch. */
struct ap {
	uint32_t state, order;        /* atomic */
	hpa_t root;                   /* of the host's page tables */
	const struct starter *starter;
	bool mtrr_loaded;
	uint64_t microcode;
	struct tsc_sync sync;
	int64_t adjust;
	char why[160];                /* with AP_REFUSED */
};

/* What the boot CPU runs with, once virtualization is on. */
struct control_regs {
	uint64_t cr0, cr4, efer, pat;
};

/* What all starts share. */
struct starter {
	struct host *h;
	struct control_regs control;
	hpa_t page;
	uint8_t old[PAGE_SIZE];       /* what the page held before */
	struct cpu_facts facts;
	struct mtrr_regs mtrr;
	unsigned int areas;           /* taken so far; the last may be free again */
	struct pcpu *spare;           /* an area whose CPU was sent back to wait for a STARTUP */
};

/* --------------------------------------------------------------------------------------- on the CPU that starts */

static void state_set(struct ap *a, enum ap_state s)
{
	__atomic_store_n(&a->state, s, __ATOMIC_RELEASE);
}

static __noreturn void refuse(struct ap *a, const char *why)
{
	if (why)
		snprintf(a->why, sizeof(a->why), "%s", why);
	state_set(a, AP_REFUSED);
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

/* Refuses a CPU that is not like the boot CPU; gives it the boot CPU's MTRRs if it has others. */
static void check_alike(struct ap *a, const struct host *h)
{
	const struct mtrr_regs *boot_mtrr = &a->starter->mtrr;
	struct mtrr_regs mtrr;
	struct cpu_facts f;
	unsigned int keys;
	const char *why;

	if (cpu_phys_bits(&keys) != h->platform.phys_bits)
		refuse(a, "its physical addresses have another width, by its memory encryption");
	cpu_facts_read(&f);
	a->microcode = f.microcode;
	if (!cpu_facts_same(&a->starter->facts, &f, a->why, sizeof(a->why)))
		refuse(a, NULL);
	mtrr_regs_read(&mtrr);
	if (!mtrr_regs_same(&mtrr, boot_mtrr)) {
		if (mtrr.cap != boot_mtrr->cap)
			refuse(a, "it has other MTRRs than the boot CPU");
		mtrr_regs_load(boot_mtrr);
		a->mtrr_loaded = true;
	}
	why = h->hvm->probe();
	if (why)
		refuse(a, why);
}

static void compare_clock(struct ap *a)
{
	for (;;) {
		uint32_t order;

		tsc_sync_answer(&a->sync);
		while ((order = __atomic_load_n(&a->order, __ATOMIC_ACQUIRE)) == AP_WAIT)
			cpu_relax();
		if (order == AP_GO)
			return;
		msr_write(MSR_TSC_ADJUST, msr_read(MSR_TSC_ADJUST) - (uint64_t)a->adjust);
		__atomic_store_n(&a->order, AP_WAIT, __ATOMIC_RELEASE);
	}
}

static struct control_regs control_read(void)
{
	return (struct control_regs){ cr0_read(), cr4_read(), msr_read(MSR_EFER), msr_read(MSR_PAT) };
}

/* A guest finds every CPU the same. What differs here, Vouch has set differently. */
static void check_control(const struct control_regs *boot)
{
	const struct control_regs c = control_read();

	ASSERT(c.cr0 == boot->cr0 && c.cr4 == boot->cr4 && c.efer == boot->efer && c.pat == boot->pat);
}

/* Sleeps until the timer of this CPU wakes it: what guests will wait by. Should it not, the boot CPU sees it. */
static void try_timer(struct pcpu *p)
{
	uint64_t until = tsc_read() + p->host->platform.tsc_khz / TIMER_PART;

	while (tsc_read() < until) {
		host_timer_arm(until);
		cpu_sleep();
	}
	host_timer_arm(UINT64_MAX);
}

/* From ap.S: interrupts off, the stack of this CPU's area, page tables that are only for coming here. */
static __noreturn void ap_main(void)
{
	struct pcpu *p = this_cpu();
	struct ap *a = p->arch->start;
	struct cpu_model model;
	const char *why;

	state_set(a, AP_ARRIVED);
	cpu_tables_init(p);
	cpu_features_init();
	mce_enable();
	model = cpu_model_read();
	errata_mend(&model, false);
	paging_load(a->root);
	fpu_reset();
	why = lapic_init_other(p->host);
	if (why)
		refuse(a, why);
	check_alike(a, p->host);
	state_set(a, AP_LIKE_BOOT);
	compare_clock(a);
	if (p->host->hvm->cpu_enable(p))
		refuse(a, "its virtualization cannot be switched on, or there is no memory for it");
	check_control(&a->starter->control);
	try_timer(p);
	p->arch->start = NULL;
	state_set(a, AP_UP);
	cpu_run_loop(p);
}

/* ------------------------------------------------------------------------------------------- on the boot CPU */

static enum ap_state wait_state(const struct ap *a, enum ap_state want, uint64_t us)
{
	uint64_t until = tsc_read() + mul_div(us, this_cpu()->host->platform.tsc_khz, 1000);
	uint32_t s;

	do {
		s = __atomic_load_n(&a->state, __ATOMIC_ACQUIRE);
		if (s >= want)
			break;
		cpu_relax();
	} while (tsc_read() < until);
	return (enum ap_state)s;
}

static size_t offset(const uint8_t *part)
{
	return (uintptr_t)part - (uintptr_t)ap_begin;
}

static uint32_t at(const struct starter *s, const uint8_t *part)
{
	return (uint32_t)(s->page.v + offset(part));
}

static bool page_prepare(struct starter *s)
{
	uint8_t *page;
	uint64_t low;

	_Static_assert(AP_PARAMS + sizeof(struct ap_params) <= PAGE_SIZE, "code and words fill one page");
	ASSERT(offset(ap_end) <= AP_PARAMS);
	if (!memory_find_start(&s->h->boot, &low))
		return false;
	s->page = hpa(low);
	page = hpa_to_ptr(s->page);
	memcpy(s->old, page, PAGE_SIZE);
	memset(page, 0, PAGE_SIZE);
	memcpy(page, ap_begin, offset(ap_end));
	*(struct ap_params *)(page + AP_PARAMS) = (struct ap_params){
		.jump32 = { at(s, ap_32), AP_CODE32, 0 }, .jump64 = { at(s, ap_64), AP_CODE64, 0 },
		.gdt_limit = 31, .gdt_base = at(s, ap_gdt),
		.root = (uint32_t)paging_ap_begin(s->h, s->page).v, .entry = (uint64_t)(uintptr_t)ap_main,
	};
	return true;
}

static void page_give_back(struct starter *s)
{
	paging_ap_end();
	memcpy(hpa_to_ptr(s->page), s->old, PAGE_SIZE);
}

/* A CPU's area with all that it finds there when it arrives. */
static struct pcpu *area_prepare(struct starter *s, const struct platform_cpu *cpu)
{
	struct pcpu *p = s->spare ? s->spare : paging_cpu_area(s->h, s->areas, cpu->node);
	struct pcpu_arch *arch = p ? (struct pcpu_arch *)((uint8_t *)p + CPU_AREA_ARCH) : NULL;
	struct lib_cpu *lib;
	struct fpu_cpu fpu;

	_Static_assert(sizeof(struct pcpu_arch) + sizeof(struct ap) <= CPU_ARCH_SIZE, "both have their place in an area");
	if (!p)
		return NULL;
	if (!s->spare)
		s->areas++;
	s->spare = NULL;
	lib = arch->lib;
	fpu = arch->fpu;
	memset(arch, 0, sizeof(*arch));
	arch->start = (struct ap *)(arch + 1);
	*arch->start = (struct ap){ .root = hpa(cr3_read()), .starter = s };
	*p = (struct pcpu){ .self = p, .host = s->h, .arch = arch, .id = s->h->cpus, .apic_id = cpu->apic_id,
			    .node = cpu->node };
	arch->lib = lib;
	arch->fpu = fpu;
	return lib || lib_init(p) ? p : NULL;
}

/* One INIT, and STARTUP until it answers: a second one is for CPUs that were slow to take the first. */
static enum ap_state wake(struct starter *s, const struct pcpu *p, struct ap *a)
{
	struct ap_params *words = (struct ap_params *)((uint8_t *)hpa_to_ptr(s->page) + AP_PARAMS);
	enum ap_state state = AP_SILENT;

	words->apic_id = p->apic_id;
	words->stack = (uint64_t)(uintptr_t)p + CPU_AREA_SIZE;
	host_ipi(p->apic_id, ICR_INIT);
	host_delay_us(INIT_US);
	for (unsigned int i = 0; i < 2 && state == AP_SILENT; i++) {
		host_ipi(p->apic_id, ICR_STARTUP | (uint32_t)(s->page.v >> PAGE_SHIFT));
		state = wait_state(a, AP_ARRIVED, i ? ANSWER_MS * 1000 : STARTUP_US);
	}
	return state;
}

static void order_set(struct ap *a, enum ap_order o)
{
	a->sync = (struct tsc_sync){ 0 };
	__atomic_store_n(&a->order, o, __ATOMIC_RELEASE);
}

/* The other CPU takes an order back to AP_WAIT when it has obeyed. */
static bool order_done(const struct ap *a, uint64_t us)
{
	uint64_t until = tsc_read() + mul_div(us, this_cpu()->host->platform.tsc_khz, 1000);
	bool done;

	do {
		done = __atomic_load_n(&a->order, __ATOMIC_ACQUIRE) == AP_WAIT;
		cpu_relax();
	} while (!done && tsc_read() < until);
	return done;
}

/* Compares the clocks, and sets the other one where that can be done. False if the CPU has gone silent. */
static bool sync_clock(struct host *h, struct pcpu *p, struct ap *a)
{
	bool can = (cpuid_leaf(7, 0).ebx & TSC_ADJUST_BIT) != 0, steady;
	struct tsc_bounds b;

	for (unsigned int i = 0; ; i++) {
		if (!tsc_sync_ask(&a->sync, &b, h->platform.tsc_khz))
			return false;
		p->tsc_delta = tsc_bounds_delta(&b, &steady);
		if (!p->tsc_delta || !can || i == SYNC_TRIES)
			break;
		a->adjust = p->tsc_delta;
		order_set(a, AP_ADJUST);
		if (!order_done(a, STEP_MS * 1000))
			return false;
	}
	h->platform.tsc_uneven |= !steady;
	if (p->tsc_delta || !steady)
		log_warn("the TSC of the CPU with APIC ID %u is %ld ticks %s the boot CPU's%s", p->apic_id,
			 (long)(p->tsc_delta < 0 ? -p->tsc_delta : p->tsc_delta), p->tsc_delta < 0 ? "behind" : "before",
			 steady ? "" : ", and runs unevenly");
	order_set(a, AP_GO);
	return true;
}

static void report_oddities(const struct starter *s, const struct pcpu *p, const struct ap *a)
{
	if (a->mtrr_loaded)
		log_info("CPU %u: its MTRRs were not the boot CPU's, and are now", p->id);
	if (a->microcode != s->facts.microcode)
		log_warn("CPU %u has microcode %#lx, the boot CPU %#lx", p->id, (unsigned long)a->microcode,
			 (unsigned long)s->facts.microcode);
}

/* NULL once it is up, else why it is not; *gone if it may still use its area. */
static const char *bring_up(struct starter *s, struct pcpu *p, struct ap *a, bool *gone)
{
	enum ap_state state = wake(s, p, a);

	if (state == AP_SILENT)
		return "it does not answer";
	*gone = true;
	state = wait_state(a, AP_LIKE_BOOT, STEP_MS * 1000);
	if (state == AP_LIKE_BOOT && sync_clock(s->h, p, a))
		state = wait_state(a, AP_UP, STEP_MS * 1000);
	if (state == AP_UP) {
		report_oddities(s, p, a);
		return NULL;
	}
	*gone = state != AP_REFUSED;
	return state == AP_REFUSED ? a->why : "it stopped on its way up";
}

static void nothing(void *arg)
{
	(void)arg;
}

/* True if CPU id takes a call: interrupts reach it. It may have been told to halt by then. */
static bool answers_calls(unsigned int id)
{
	struct cpu_work *w = &this_cpu()->host->cpu[id]->arch->ping;
	uint64_t until = tsc_read() + this_cpu()->host->platform.tsc_khz * ANSWER_MS;

	*w = (struct cpu_work){ .fn = nothing };
	cpu_post(id, w);
	while (!cpu_work_done(w) && tsc_read() < until)
		cpu_relax();
	return cpu_work_done(w);
}

static void start_one(struct starter *s, const struct platform_cpu *cpu)
{
	struct host *h = s->h;
	struct pcpu *p = area_prepare(s, cpu);
	uint32_t apic_id = cpu->apic_id;
	bool gone = false;
	const char *why;

	if (!p) {
		log_warn("the CPU with APIC ID %u is left out: no memory for it", apic_id);
		return;
	}
	why = bring_up(s, p, p->arch->start, &gone);
	if (!why) {
		h->cpu[h->cpus] = p;
		h->cpus++;
		if (answers_calls(h->cpus - 1))
			return;
		/* VMX keeps INIT from it: it stays where it is, and nobody asks anything of it. */
		h->cpus--;
		gone = true;
		why = "interrupts do not reach it";
	}
	/* Back to where only a STARTUP wakes it: it must not come by later. */
	host_ipi(apic_id, ICR_INIT);
	host_delay_us(INIT_US);
	if (!gone)
		s->spare = p;
	log_warn("the CPU with APIC ID %u is left out: %s", apic_id, why);
}

static void start_all(struct starter *s, unsigned int most)
{
	struct host *h = s->h;
	const struct platform *p = &h->platform;
	unsigned int i;

	s->control = control_read();
	cpu_facts_read(&s->facts);
	mtrr_regs_read(&s->mtrr);
	for (i = 0; i < p->cpu_count && i < PLATFORM_CPUS && h->cpus < most; i++) {
		if (p->cpu[i].apic_id == this_cpu()->apic_id)
			continue;
		if (p->cpu[i].apic_id > 254 && this_cpu()->arch->lapic)
			log_warn("the CPU with APIC ID %u is left out: the boot CPU has no x2APIC to reach it by",
				 p->cpu[i].apic_id);
		else
			start_one(s, &p->cpu[i]);
	}
}

static void find_node(const struct platform *p)
{
	for (unsigned int i = 0; i < p->cpu_count && i < PLATFORM_CPUS; i++)
		if (p->cpu[i].apic_id == this_cpu()->apic_id)
			this_cpu()->node = p->cpu[i].node;
}

void cpus_start(struct host *h)
{
	unsigned int most = h->options.cpus && h->options.cpus < CPUS_MAX ? h->options.cpus : CPUS_MAX;
	struct starter s = { .h = h };

	find_node(&h->platform);
	if (most > 1 && h->platform.cpu_count > 1) {
		/* The first area brings the tables that all areas hang from: paging_ap_begin() copies what there is. */
		s.spare = paging_cpu_area(h, s.areas++, 0);
		if (s.spare && page_prepare(&s)) {
			start_all(&s, most);
			page_give_back(&s);
		} else {
			log_warn("other CPUs cannot start: %s", s.spare ? "no page below 640 KiB is free" : "no memory");
		}
	}
	log_stage("CPUs: %u of %u started%s", h->cpus, h->platform.cpu_count,
		  h->cpus == most && h->cpus < h->platform.cpu_count ?
			  h->options.cpus == most ? ", as cpus= says" : ", which is as many as Vouch uses" : "");
}
