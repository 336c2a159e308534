/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Vouch does not emulate ends the guest by a line that names it: how=fetch (code fetched from a device), sse (a
 * vector store to one), x87 (a store of the FPU's). For Vouch alone; nothing may be printed after the sum.
 */
#include "lib/guest.h"

const char test_name[] = "refused";

static void fetch(void)
{
	void (*code)(void) = at(LAPIC + 0x30);

	code();
}

static void sse(void)
{
	asm volatile("xorps %%xmm0, %%xmm0; movups %%xmm0, (%0)" :: "r"(IOAPIC + 0x10) : "memory");
}

static void x87(void)
{
	asm volatile("fninit; fld1; fstps (%0)" :: "r"(IOAPIC + 0x10) : "memory");
}

void test_main(void)
{
	write_cr4(read_cr4() | 0x600);
	report(true, "about to do what is not emulated");
	summary();
	if (arg_is("how", "sse"))
		sse();
	else if (arg_is("how", "x87"))
		x87();
	else
		fetch();
	print("FAIL: alive behind it\n");
	stop_here();
}
