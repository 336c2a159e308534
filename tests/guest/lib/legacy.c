/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables for code in legacy mode. The way there and back is legacy_entry.S. */
#include "legacy.h"

extern u8 legacy_isr_table[], legacy_stack_top[];
void legacy_enter(struct legacy *l);

struct legacy_tss legacy_tss __attribute__((aligned(4096)));
u64 legacy_idt[256] __attribute__((aligned(16)));
static u8 stacks[2][4096] __attribute__((aligned(16)));

void legacy_gate(unsigned int vector, unsigned int dpl)
{
	u64 a = (u64)(legacy_isr_table + vector * 16);

	legacy_idt[vector] = (a & 0xffff) | (u64)SEL_CODE32 << 16 | (u64)(0x8e | dpl << 5) << 40 | (a >> 16 & 0xffff) << 48;
}

_Static_assert(__builtin_offsetof(struct legacy, gs) == LEGACY_REGS, "legacy_entry.S relies on it");
_Static_assert(__builtin_offsetof(struct legacy, eip) == LEGACY_FRAME, "legacy_entry.S relies on it");

static void tss_descriptor(void)
{
	u64 base = (u64)&legacy_tss, limit = sizeof(legacy_tss) - 1;

	gdt[SEL_LEGACY_TSS / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ull << 40 | (limit >> 16) << 48 |
				  (base >> 24 & 0xff) << 56;
}

void legacy_init(void)
{
	static const u64 segments[] = { 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
					0x00affb000000ffff, 0x00cff3000000ffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(segments); i++)
		gdt[SEL_LEGACY_CODE / 8 + i] = segments[i];
	for (i = 0; i < 256; i++)
		legacy_gate(i, i == 3 || i == 4 || i == 0x80 ? 3 : 0);
	memset(&legacy_tss, 0, sizeof(legacy_tss));
	legacy_tss.esp0 = (u32)(u64)legacy_stack_top;
	legacy_tss.ss0 = SEL_DATA;
	legacy_tss.iomap = (u16)__builtin_offsetof(struct legacy_tss, io);
	memset(legacy_tss.vme, 0xff, sizeof(legacy_tss.vme));
	memset(legacy_tss.io, 0xff, sizeof(legacy_tss.io));
}

struct legacy legacy_at(const void *eip, unsigned int cpl)
{
	struct legacy l;
	u32 data = cpl ? SEL_USER_DATA | 3 : SEL_DATA;

	memset(&l, 0, sizeof(l));
	l.eip = (u32)(u64)eip;
	l.cs = cpl ? SEL_USER_CODE32 | 3 : SEL_CODE32;
	l.ds = l.es = l.fs = l.gs = l.ss = data;
	l.esp = (u32)(u64)(stacks[cpl != 0] + sizeof(stacks[0]));
	l.eflags = 2;
	return l;
}

void legacy_run(struct legacy *l)
{
	tss_descriptor();
	legacy_enter(l);
	asm volatile("pushq $2; popfq" ::: "cc");
	idt_load();
	gdt_load();
}

void legacy_expect(struct legacy *l, u32 vector, u32 error, const u8 *eip, const char *text)
{
	bool ok;

	legacy_run(l);
	ok = l->vector == vector && l->error == error && l->eip == (u32)(u64)eip;
	report(ok, "%s", text);
	if (!ok)
		print("vector %u error %x at %x:%x flags %x cr2 %x, not %u %x at %x\n", l->vector, l->error, l->cs, l->eip,
		      l->eflags, l->cr2, vector, error, (u32)(u64)eip);
}
