/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a CPU that cannot go on: reason, registers, symbolised backtrace, halt. Takes no lock and trusts nothing:
 * a fault inside the report ends the report.
 */
#include <vouch/assert.h>

#include <stdarg.h>
#include <stdio.h>

#include <vouch/host.h>
#include <vouch/platform.h>
#include <vouch/pcpu.h>
#include <vouch/x86.h>

#include "arch/x86/boot/image_map.h"
#include "asm.h"
#include "core/log_port.h"
#include "cpu.h"
#include "mce.h"
#include "smp.h"
#include "symbols.h"

#define BACKTRACE_MAX 32

const char *symbol_find(uint64_t addr, uint64_t *offset)
{
	unsigned int lo = 0, hi = symbol_count;

	if (addr < (uint64_t)(uintptr_t)image_start || addr >= (uint64_t)(uintptr_t)image_text_end)
		return NULL;
	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (symbol_table[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	*offset = addr - symbol_table[lo - 1].addr;
	return symbol_table[lo - 1].name;
}

static void frame_print(unsigned int n, uint64_t addr)
{
	uint64_t offset = 0;
	const char *name = symbol_find(addr, &offset);

	if (name)
		log_emergency("  #%u %#lx %s+%#lx", n, (unsigned long)addr, name, (unsigned long)offset);
	else
		log_emergency("  #%u %#lx", n, (unsigned long)addr);
}

/* True if a frame of two words at rbp lies on one of this CPU's stacks, where reading cannot fault. */
static bool frame_ok(uint64_t rbp)
{
	uint64_t area = (uint64_t)(uintptr_t)this_cpu();
	uint64_t off = rbp - area;

	if (rbp & 7 || off >= CPU_AREA_SIZE - 16)
		return false;
	return off >= AREA_GUARD_HIGH + PAGE_SIZE || (off >= AREA_GUARD_LOW + PAGE_SIZE && off < AREA_GUARD_HIGH - 16);
}

static void backtrace(uint64_t rip, uint64_t rbp)
{
	unsigned int n;

	log_emergency("backtrace:");
	frame_print(0, rip);
	for (n = 1; n < BACKTRACE_MAX && frame_ok(rbp); n++) {
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;

		if (!frame[1])
			return;
		/* The return address may be the next function's first byte when the call was the last instruction. */
		frame_print(n, frame[1] - 1);
		if (frame[0] <= rbp)	/* stacks grow down: callers are above, else it is a loop */
			return;
		rbp = frame[0];
	}
}

static const char *vector_name(uint64_t vector)
{
	static const char names[][4] = { "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP", "SS",
					 "GP", "PF", "15", "MF", "AC", "MC", "XF", "VE", "CP" };

	return vector < ARRAY_SIZE(names) ? names[vector] : "?";
}

static void regs_print(const struct cpu_regs *r)
{
#define L(x) ((unsigned long)(x))
	log_emergency("exception #%s (%lu) error %#lx on CPU %u", vector_name(r->vector), L(r->vector), L(r->error),
		      this_cpu()->id);
	log_emergency("rip %016lx cs %04lx rflags %08lx rsp %016lx ss %04lx", L(r->rip), L(r->cs & 0xffff), L(r->rflags),
		      L(r->rsp), L(r->ss & 0xffff));
	log_emergency("rax %016lx rbx %016lx rcx %016lx rdx %016lx", L(r->rax), L(r->rbx), L(r->rcx), L(r->rdx));
	log_emergency("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", L(r->rsi), L(r->rdi), L(r->rbp), L(r->r8));
	log_emergency("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", L(r->r9), L(r->r10), L(r->r11), L(r->r12));
	log_emergency("r13 %016lx r14 %016lx r15 %016lx", L(r->r13), L(r->r14), L(r->r15));
	log_emergency("cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx", L(cr0_read()), L(cr2_read()), L(cr3_read()),
		      L(cr4_read()));
#undef L
}

/* Counts this CPU's panics; a second one inside the report says one line, a third nothing. */
static void panic_guard(void)
{
	struct pcpu_arch *a = this_cpu()->arch;
	unsigned int depth;

	__asm__ volatile("cli" : : : "memory");
	depth = ++a->panic_depth;
	if (depth == 1) {
		cpus_stop();
		return;
	}
	if (depth == 2)
		log_emergency("panic: another fault while reporting the first");
	host_halt();
}

static void guard_note(const struct cpu_regs *r)
{
	uint64_t area = (uint64_t)(uintptr_t)this_cpu();
	uint64_t at = r->vector == 8 ? r->rsp : cr2_read();

	if (at - area - AREA_GUARD_HIGH < PAGE_SIZE + 64 || cr2_read() - area - AREA_GUARD_HIGH < PAGE_SIZE)
		log_emergency("the stack of CPU %u overflowed into its guard page", this_cpu()->id);
}

void panic_regs(const struct cpu_regs *r)
{
	panic_guard();
	log_emergency("panic: exception #%s (%lu) in the hypervisor", vector_name(r->vector), (unsigned long)r->vector);
	regs_print(r);
	if (r->vector == EXC_MC)
		mce_report();
	if (r->vector == 8 || r->vector == 14)
		guard_note(r);
	backtrace(r->rip, r->rbp);
	log_emergency("CPU %u halted", this_cpu()->id);
	host_halt();
}

void panic(const char *fmt, ...)
{
	char why[256];
	uint64_t here;
	va_list ap;

	panic_guard();
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_emergency("panic: %s", why);
	__asm__ volatile("leaq (%%rip), %0" : "=r"(here));
	backtrace(here, (uint64_t)(uintptr_t)__builtin_frame_address(0));
	log_emergency("CPU %u halted", this_cpu()->id);
	host_halt();
}
