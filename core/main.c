/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot story, stage by stage. What a stage does is told in its room. */
#include "main.h"

#include <string.h>

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/acpi.h"
#include "arch/x86/cpu/apic.h"
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/cpu/deadline.h"
#include "arch/x86/cpu/display.h"
#include "arch/x86/cpu/errata.h"
#include "arch/x86/cpu/lib_cpu.h"
#include "arch/x86/cpu/mce.h"
#include "arch/x86/cpu/pci.h"
#include "arch/x86/cpu/sha.h"
#include "arch/x86/cpu/smp.h"
#include "arch/x86/cpu/spec.h"
#include "arch/x86/cpu/tsc.h"
#include "arch/x86/mm/paging.h"
#include "core/block.h"
#include "guest.h"
#include "hvm.h"
#include "memory.h"

#define BOOT_MAP_TOP (1ull << 32)  /* the boot tables map this much */

static void stage_options(struct host *h)
{
	char line[256], loader[80];
	uint32_t i;

	options_parse(&h->options, h->boot.cmdline);
	console_init(&h->console, &h->options);
	log_stage("Vouch loaded at %#lx by %s, options: %s", (unsigned long)h->boot.load_base.v,
		  log_escape(loader, sizeof(loader), h->boot.loader, sizeof(h->boot.loader)),
		  h->boot.cmdline[0] ? log_escape(line, sizeof(line), h->boot.cmdline, sizeof(h->boot.cmdline)) : "none");
	for (i = 0; i < h->options.unknown_count && i < ARRAY_SIZE(h->options.unknown); i++)
		log_warn("unknown option or bad value: %s", h->options.unknown[i]);
	if (h->options.unknown_count > i)
		log_warn("%u more unknown options", (unsigned int)(h->options.unknown_count - i));
}

static void stage_cpu(struct host *h)
{
	char name[CPU_NAME_LEN];
	struct cpu_model model;
	unsigned int keys;

	h->platform.phys_bits = cpu_phys_bits(&keys);
	log_stage("CPU: %s, %u physical address bits, SHA-256 %s", cpu_name(name), h->platform.phys_bits, sha_init(h));
	if (keys)
		log_info("CPU: %u more address bits name keys of its memory encryption: Vouch sets none", keys);
	mce_enable();
	model = cpu_model_read();
	errata_mend(&model, true);
	spec_init(h);                   /* patches text that stage_memory() makes read-only */
}

static void stage_memory(struct host *h)
{
	struct memory_reserved r = { .count = 0 };
	uint64_t beyond = memory_limit(&h->boot, 1ull << h->platform.phys_bits);
	uint64_t frames = memory_end(&h->boot) >> PAGE_SHIFT, state = 0;

	if (beyond)
		log_warn("%lu MiB of memory lie beyond the CPU's %u address bits: not used", (unsigned long)(beyond >> 20),
			 h->platform.phys_bits);
	memory_reserve_boot(&r, &h->boot);
	memory_reserve(&r, h->boot.load_base.v, image_size());
	if (!memory_find(&h->boot, &r, frames, BOOT_MAP_TOP, &state))
		panic("no room below 4 GiB for the page allocator (%lu frames)", (unsigned long)frames);
	memory_reserve(&r, state, frames);
	memset(hpa_to_ptr(hpa(state)), 0, frames);
	page_alloc_init(&h->pages, hpa_to_ptr(hpa(state)), frames);
	memory_add(&h->pages, &h->boot, &r, 0, BOOT_MAP_TOP);
	paging_init(h, h->boot.load_base.v);
	display_map(h);
	if (!lib_init(this_cpu()))
		panic("no memory for the FPU save area");
	memory_add(&h->pages, &h->boot, &r, BOOT_MAP_TOP, MEMORY_TOP);
	log_stage("memory: %lu MiB free of %lu MiB, %u modules kept", (unsigned long)(h->pages.free_frames >> 8),
		  (unsigned long)(h->pages.total_frames >> 8), (unsigned int)h->boot.module_count);
}

/* Memory that is near some CPUs and far from others, as ACPI's SRAT tells. */
static void sort_memory(struct host *h)
{
	const struct platform *p = &h->platform;
	struct page_range range[PAGE_RANGES];
	unsigned int i;

	_Static_assert(PAGE_RANGES >= PLATFORM_RANGES && PAGE_NODES >= PLATFORM_NODES, "the allocator takes what SRAT says");
	if (p->node_count < 2)
		return;
	for (i = 0; i < p->range_count; i++)
		range[i] = (struct page_range){ p->range[i].base >> PAGE_SHIFT,
						(p->range[i].base + p->range[i].len) >> PAGE_SHIFT, p->range[i].node };
	page_set_nodes(&h->pages, range, p->range_count);
	log_info("memory: %u nodes, in %u ranges", p->node_count, p->range_count);
}

static void stage_acpi(struct host *h)
{
	const struct platform *p = &h->platform;

	acpi_init(h);
	sort_memory(h);
	log_stage("ACPI: %u CPUs, IOAPIC %#lx, PM timer port %#x, %s", p->cpu_count, (unsigned long)p->ioapic_hpa,
		  (unsigned int)p->pm_tmr, p->has_s5 ? "_S5 found" : "no _S5 found: power-off will not work");
}

/* A few pages at hand for each CPU. Without memory for that it goes without. */
static void cache_pages(struct host *h)
{
	struct page_cache *c = block_get(&h->pages, h->cpus * sizeof(*c));

	if (c)
		page_set_caches(&h->pages, c, h->cpus);
}

static void stage_clock(struct host *h)
{
	struct platform *p = &h->platform;
	struct tsc_facts facts = tsc_facts_read();
	uint64_t begin = host_tsc();
	const char *by = tsc_init(p, &facts);

	lock_init(&p->cmos_lock, LOCK_CMOS, "CMOS");
	h->timing.wait += host_tsc() - begin;
	log_stage("clock: TSC %lu kHz by %s, %s", (unsigned long)p->tsc_khz, by,
		  p->tsc_invariant ? "invariant" : "not invariant");
}

static void stage_interrupts(struct host *h)
{
	struct platform *p = &h->platform;
	uint64_t begin = host_tsc();

	p->tsc_deadline = deadline_usable();
	lapic_init(h);
	h->timing.wait += host_tsc() - begin;
	ioapic_init(h);
	log_stage("interrupts: LAPIC %u%s, timer by %s %lu kHz", this_cpu()->apic_id,
		  this_cpu()->arch->lapic ? "" : " in x2APIC mode",
		  p->tsc_deadline ? "TSC deadline" : "count",
		  (unsigned long)(p->tsc_deadline ? p->tsc_khz : p->lapic_khz));
}

static void stage_pci(struct host *h)
{
	const struct platform *p = &h->platform;

	pci_quiesce(h);
	log_stage("PCI: %u functions, bus mastering switched off on %u, %u USB controllers taken over", p->pci_functions,
		  p->pci_quieted, p->usb_handoffs);
}

/* What the operator asked for when the last guest has stopped, or none could run. */
static __noreturn void end(const struct host *h)
{
	console_drain(&h->console);
	if (h->options.end == END_REBOOT)
		host_reboot();
	if (h->options.end == END_POWEROFF && !host_poweroff())
		log_error("this machine has no ACPI S5 power-off: halted instead");
	log_info("halted");
	host_halt();
}

void vouch_main(struct host *h)
{
	h->timing.since = host_tsc();
	stage_options(h);
	stage_cpu(h);
	stage_memory(h);
	stage_acpi(h);
	stage_clock(h);
	stage_interrupts(h);
	stage_pci(h);
	if (hvm_start(h)) {
		cpus_start(h);
		cache_pages(h);
		guests_run(h);
	}
	end(h);
}
