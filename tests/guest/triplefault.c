/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that dies by a triple fault; how= chooses the way: idt (no IDT at all), df (the #DF gate is not present),
 * paging (the page tables are gone). Nothing may be printed after its last line.
 */
#include "lib/guest.h"

const char test_name[] = "triplefault";

static void empty_idt(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" :: "m"(none));
}

static void no_double_fault_gate(void)
{
	idt[6].type = 0;
	idt[8].type = 0;
	idt[11].type = 0;
	idt[13].type = 0;
	asm volatile("ud2");
}

static void no_paging(void)
{
	page_pml4[0] = 0;
	write_cr3(read_cr3());
}

/* What nobody answers for, so that the report of this guest's death has something to show. */
static void touch_nobody(void)
{
	u64 val;

	outb(0x3bc, 0x55);
	outb(0x3bc, 0xaa);
	inb(0x3bc);
	inb(0x279);
	rdmsr_try(0x3f0, &val);
	*(volatile u32 *)0xd0000010 = 1;
}

void test_main(void)
{
	print("how=%s\n", arg("how") ? arg("how") : "idt");
	report(true, "about to triple fault");
	summary();
	touch_nobody();
	if (arg_is("how", "df"))
		no_double_fault_gate();
	else if (arg_is("how", "paging"))
		no_paging();
	else
		empty_idt();
	print("FAIL: alive after a triple fault\n");
	stop_here();
}
