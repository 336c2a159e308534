/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that the CPU cannot deliver because the stack lies where no memory is: how= says which, an exception (ud), a
 * software interrupt (soft) or an external one (intr). Nothing may be printed after the summary.
 */
#include "lib/guest.h"

const char test_name[] = "delivery";

#define NOWHERE 0xd0000f00ul

static void on_event(struct frame *f)
{
	(void)f;
	print("FAIL: delivered on a stack that is not there\n");
	stop_here();
}

/* A local APIC timer of a few hundred ticks, one-shot. */
static void interrupt_on_no_stack(void)
{
	volatile u32 *apic = (volatile u32 *)0xfee00000ul;

	apic[0xf0 / 4] = 0x1ff;
	apic[0x320 / 4] = 0x55;
	apic[0x380 / 4] = 1000000;
	asm volatile("mov %0, %%rsp; sti; 1: incl (%1); jmp 1b" :: "r"(NOWHERE), "r"(0x2000000ul) : "memory");
}

void test_main(void)
{
	trap_set(6, on_event);
	interrupt_set(0x55, on_event);
	report(true, "about to lose the stack");
	summary();
	if (arg_is("how", "soft"))
		asm volatile("mov %0, %%rsp; int $0x55" :: "r"(NOWHERE));
	else if (arg_is("how", "intr"))
		interrupt_on_no_stack();
	else
		asm volatile("mov %0, %%rsp; ud2" :: "r"(NOWHERE));
	print("FAIL: alive\n");
	stop_here();
}
