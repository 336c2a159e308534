/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same as walk.c for the page tables of 32-bit code: two levels with 4 KiB and 4 MiB pages, PAE with 4 KiB and 2 MiB
 * pages, at CPL 0 and 3.
 */
#include "lib/legacy.h"
#include "lib/walk.h"

const char test_name[] = "walk32";

#define VA    0x80000000u             /* of the page under test: the first below its entries of all levels */
#define NEAR  (VA - 4096)
#define CODE  0x40001000u             /* the forms, for CPL 3 */
#define IDENTITY 0x4000000u           /* mapped one to one, for CPL 0 alone */
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PSE 16u
#define CR4_PAE 32u
#define CR4_SMAP (1u << 21)
#define DONE 0x80u

static u32 directory[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));
static u32 near_table[1024] __attribute__((aligned(4096))), code_table[1024] __attribute__((aligned(4096)));
static u64 pae_pointers[512] __attribute__((aligned(4096))), pae_directory[3][512] __attribute__((aligned(4096)));
static u64 pae_table[512] __attribute__((aligned(4096))), pae_near[512] __attribute__((aligned(4096)));
static u64 pae_code[512] __attribute__((aligned(4096)));
static u8 near_ram[4096] __attribute__((aligned(4096)));
static u8 code_page[4096] __attribute__((aligned(4096)));

extern u8 forms_begin[], forms_end[];
#define FORM(name, insn) \
	extern u8 name[], name##_behind[]; \
	asm(".text\n.code32\n" #name ": " insn "\n" #name "_behind: int $0x80\n.code64\n")
asm(".text\nforms_begin:\n");
FORM(do_movs, "movsb");
FORM(do_ins, "insb");
FORM(do_stos, "stosb");
FORM(do_outs, "outsb");
FORM(do_lods, "lodsb");
FORM(do_load, "movl (%esi), %eax");
FORM(do_store, "movl %eax, (%edi)");
FORM(do_cmps, "cmpsb");
FORM(do_movzx, "movzwl (%esi), %ebx");
asm(".text\nforms_end:\n");

static const struct form {
	const char *name;
	const u8 *on_device, *on_ram;
	u32 di, si;
	bool write, ours;
} forms[] = {
	{ "MOVS from a device", do_movs, do_movs, VA, NEAR + 4088, true, false },
	{ "MOVS to a device", do_movs, do_movs, NEAR + 4088, VA, false, false },
	{ "INS", do_ins, do_stos, VA, 0, true, true },
	{ "OUTS", do_outs, do_lods, 0, VA, false, true },
	{ "a load half from a device", do_load, do_load, 0, VA - 2, false, false },
	{ "a store half to a device", do_store, do_store, VA - 2, 0, true, false },
	{ "MOVZX half from a device", do_movzx, do_movzx, 0, VA - 1, false, false },
	{ "CMPS with a device", do_cmps, do_cmps, VA, NEAR + 4088, false, false },
};

static u64 entry_value(const struct walk_case *c, unsigned int level, u64 address)
{
	unsigned int flags = c->flags[level];
	bool leaf = level == c->leaf;
	u64 v = address | (flags & WALK_FULL);

	if (c->levels == 3 && level == 3)
		return address | (flags & WALK_P);    /* the rest is reserved, and checked when CR3 is loaded */
	if (leaf && level > 1)
		v |= PTE_PS;
	if (flags & WALK_NX)
		v |= PTE_NX;
	if (flags & WALK_RSVD)
		v |= !(leaf && level > 1) ? 1ull << 51 : c->levels == 2 ? 1u << 21 : 1u << 13;
	return v;
}

static u64 entry_get(const struct walk_case *c, unsigned int level)
{
	if (c->levels == 2)
		return level == 2 ? directory[VA >> 22] : table[0];
	return level == 3 ? pae_pointers[VA >> 30] : level == 2 ? pae_directory[2][0] : pae_table[0];
}

static void entry_set(const struct walk_case *c, unsigned int level, u64 v)
{
	if (c->levels == 2)
		*(level == 2 ? &directory[VA >> 22] : &table[0]) = (u32)v;
	else
		*(level == 3 ? &pae_pointers[VA >> 30] : level == 2 ? &pae_directory[2][0] : &pae_table[0]) = v;
}

static u64 table_below(const struct walk_case *c, unsigned int level)
{
	if (level == c->leaf)
		return TARGET;
	if (c->levels == 2)
		return (u64)table;
	return level == 3 ? (u64)pae_directory[2] : (u64)pae_table;
}

static void map_near(const struct walk_case *c, bool device)
{
	u64 pte = (device ? NOBODY | PTE_PCD : (u64)near_ram) | PTE_P | PTE_W | (c->cpl ? PTE_U : 0);

	near_table[1023] = (u32)pte;
	pae_near[511] = pte;
}

static struct legacy cpu_state(const struct form *f, const struct walk_case *c, bool device)
{
	struct legacy l = legacy_at((void *)(u64)(CODE + (u32)((device ? f->on_device : f->on_ram) - forms_begin)), c->cpl);

	l.edi = f->di;
	l.esi = f->si;
	l.ecx = 0x1234;
	l.edx = SCRATCH;
	l.eax = 0x55667788;
	l.eflags |= EFLAGS_IOPL | (c->ac ? EFLAGS_AC : 0);
	l.cr0 = CR0_PG | (c->wp ? CR0_WP : 0);
	l.cr4 = (c->levels == 3 ? CR4_PAE : CR4_PSE) | (c->smap ? CR4_SMAP : 0);
	l.cr3 = (u32)(u64)(c->levels == 3 ? (void *)pae_pointers : (void *)directory);
	l.nxe = c->nxe ? 0x800 : 0;
	return l;
}

static void run_form(const struct form *f, const struct walk_case *c, bool device, struct walk_group *g)
{
	struct legacy l = cpu_state(f, c, device), before = l;
	u8 *target = at(TARGET);
	u64 was[5] = { 0 }, now[5] = { 0 };
	struct walk_result r;
	unsigned int level;

	outb(SCRATCH, 0x77);
	memset(target, 0x5c, 16);
	memset(near_ram + 4080, 0x33, 16);
	map_near(c, device);
	for (level = c->leaf; level <= c->levels; level++) {
		was[level] = entry_value(c, level, table_below(c, level));
		entry_set(c, level, was[level]);
	}
	legacy_run(&l);
	for (level = c->leaf; level <= c->levels; level++)
		now[level] = entry_get(c, level);
	r = (struct walk_result){ .vector = l.vector == DONE ? NO_FAULT : l.vector, .error = l.error, .cr2 = l.cr2,
				  .at_insn = l.eip == before.eip,
				  .moved = l.edi != before.edi || l.esi != before.esi || l.ecx != before.ecx ||
					   near_ram[4094] != 0x33 };
	walk_judge(g, c, &r, f->write, VA, now, was, target[0] != 0x5c);
}

static void run_flags(const struct form *f, struct walk_case c, bool device, struct walk_group *g)
{
	static const unsigned int leaf[] = { 0, WALK_P, WALK_P | WALK_W, WALK_P | WALK_U, WALK_FULL, WALK_FULL | WALK_NX,
					     WALK_FULL | WALK_RSVD };
	static const unsigned int upper[] = { WALK_W | WALK_U, WALK_P | WALK_U, WALK_P | WALK_W, WALK_FULL | WALK_NX,
					      WALK_FULL | WALK_RSVD };
	unsigned int i, level;

	for (level = c.leaf; level <= c.levels; level++)
		for (i = 0; i < (level == c.leaf ? ARRAY_SIZE(leaf) : level == 3 ? 1 : ARRAY_SIZE(upper)); i++) {
			unsigned int flags = level == c.leaf ? leaf[i] : upper[i];
			bool large = level == c.leaf && level == 2;

			if (c.levels == 2 && (flags & WALK_NX || (flags & WALK_RSVD && !large)))
				continue;                     /* entries of 32 bits have neither */
			c.flags[1] = c.flags[2] = c.flags[3] = WALK_FULL;
			c.flags[level] = flags;
			run_form(f, &c, device, g);
		}
}

static void run_controls(const struct form *f, struct walk_case c, bool device, struct walk_group *g)
{
	unsigned int mode, has_smap = cpuid2(7, 0).b >> 20 & 1;

	for (c.cpl = 0; c.cpl <= 3; c.cpl += 3)
		for (mode = 0; mode < (c.cpl || !has_smap ? 2 : 6); mode += mode < 2 ? 1 : 2) {
			c.wp = !(mode & 1);
			c.nxe = c.levels == 3 && mode & 1;
			c.smap = mode >= 2;
			c.ac = mode >= 4;
			run_flags(f, c, device, g);
		}
}

static void run_format(unsigned int levels, unsigned int leaf, const char *what)
{
	const struct walk_case c = { .levels = levels, .leaf = leaf };
	unsigned int i, lost = 0, lost_ours = 0;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		struct walk_group g = { .what = what, .form = forms[i].name };

		run_controls(&forms[i], c, true, &g);
		walk_report(&g);
		lost += g.without_p;
		if (forms[i].ours)
			lost_ours += g.without_p;
		if (!walk_ram())
			continue;
		g = (struct walk_group){ .what = what, .form = "the same on memory alone" };
		run_controls(&forms[i], c, false, &g);
		walk_report(&g);
		lost += g.without_p;
	}
	report_cpu(!lost, "%s: a reserved bit's error code has P set (%u have not)", what, lost);
	report_vouch(!lost_ours, "%s: and that of INS and OUTS (%u have not)", what, lost_ours);
}

static void make_tables(void)
{
	u32 i;

	memcpy(code_page, forms_begin, (u64)(forms_end - forms_begin));
	for (i = 0; i < IDENTITY >> 22; i++)
		directory[i] = i << 22 | 0x83;
	directory[NEAR >> 22] = (u32)(u64)near_table | 7;
	directory[CODE >> 22] = (u32)(u64)code_table | 7;
	code_table[CODE >> 12 & 1023] = (u32)(u64)code_page | 5;
	for (i = 0; i < IDENTITY >> 21; i++)
		pae_directory[0][i] = (u64)i << 21 | 0x83;
	for (i = 0; i < 3; i++)
		pae_pointers[i] = (u64)pae_directory[i] | 1;
	pae_directory[1][511] = (u64)pae_near | 7;
	pae_directory[1][0] = (u64)pae_code | 7;
	pae_code[CODE >> 12 & 511] = (u64)code_page | 5;
}

void test_main(void)
{
	legacy_init();
	make_tables();
	run_format(2, 1, "4 KiB pages of 32 bits");
	run_format(2, 2, "4 MiB pages");
	run_format(3, 1, "4 KiB pages of PAE");
	run_format(3, 2, "2 MiB pages of PAE");
	report(TRAPS(6, "ud2"), "long mode works as before");
}
