/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of every format under instructions that Vouch executes for the guest: their other operand lies in a page
 * whose entries take all values that decide an access. Fault, error code, CR2, RIP, registers, memory, accessed and
 * dirty bits are held against the manual, and the same on memory alone, where the CPU does the walk. Long mode; the
 * other formats are walk32.c's.
 */
#include "lib/walk.h"

const char test_name[] = "walk";

#define VA (3ull << 39)               /* of the page under test: the first below its entries of all levels */
#define CR0_WP (1ull << 16)
#define CR4_SMAP (1ull << 21)
#define MSR_EFER 0xc0000080u
#define EFER_NXE 0x800ull
#define PF 14u
#define IST_PF 3

static u64 tables[5][512] __attribute__((aligned(4096)));   /* by level: [1] is the page table; VA uses entry 0 of each */
static u64 *entry_of[5];
static u64 *near_pte;
static u8 near_ram[4096] __attribute__((aligned(4096)));
static u8 pf_stack[4096] __attribute__((aligned(16)));

#define READ  0u
#define WRITE 1u
#define STACK 2u
#define OURS  4u                      /* the CPU leaves all of the walk to Vouch */
#define RMW   8u                      /* a read, then a write */

/* Registers of a form; its first operand is `near`, the page below VA, its second one lies at VA. */
struct op {
	u64 di, si, cx, dx, ax;
};

struct form {
	const char *name;
	void (*on_device)(void *), (*on_ram)(void *);
	u8 *at_device, *at_ram;
	u64 di, si;
	unsigned int traits;
};

#define FORM(name, insn) \
	void name(void *op); \
	extern u8 name##_at[]; \
	asm(".text\n" #name ": mov 8(%rdi), %rsi; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx; mov 32(%rdi), %rax; mov (%rdi), %rdi\n" \
	    #name "_at: " insn "\n ret\n")
#define STACK_FORM(name, insn) \
	void name(void *op); \
	extern u8 name##_at[]; \
	asm(".text\n" #name ": mov 8(%rdi), %rsi; mov (%rdi), %rdi; mov %rsp, %rcx; mov %rdi, %rsp\n" \
	    #name "_at: " insn "\n mov %rcx, %rsp; ret\n")
FORM(do_movs, "movsb");
FORM(do_ins, "insb");
FORM(do_stos, "stosb");
FORM(do_outs, "outsb");
FORM(do_lods, "lodsb");
FORM(do_load, "movq (%rsi), %rax");
FORM(do_store, "movq %rax, (%rdi)");
FORM(do_cmps, "cmpsb");
FORM(do_add, "addq %rax, (%rdi)");
FORM(do_xchg, "xchgq %rcx, (%rdi)");
FORM(do_test, "testq %rax, (%rsi)");
STACK_FORM(do_push, "pushq (%rsi)");
STACK_FORM(do_pop, "popq (%rsi)");

#define BOTH(f) f, f, f##_at, f##_at
static const struct form forms[] = {
	{ "MOVS from a device", BOTH(do_movs), VA, VA - 8, WRITE },
	{ "MOVS to a device", BOTH(do_movs), VA - 8, VA, READ },
	{ "INS", do_ins, do_stos, do_ins_at, do_stos_at, VA, 0, WRITE | OURS },
	{ "OUTS", do_outs, do_lods, do_outs_at, do_lods_at, 0, VA, READ | OURS },
	{ "a load half from a device", BOTH(do_load), 0, VA - 4, READ },
	{ "a store half to a device", BOTH(do_store), VA - 4, 0, WRITE },
	{ "TEST half of a device", BOTH(do_test), 0, VA - 4, READ },
	{ "ADD to half a device", BOTH(do_add), VA - 4, 0, WRITE | RMW },
	{ "XCHG with half a device", BOTH(do_xchg), VA - 4, 0, WRITE | RMW },
	{ "CMPS with a device", BOTH(do_cmps), VA, VA - 8, READ },
	{ "PUSH of a device", BOTH(do_push), VA + 8, VA - 8, WRITE | STACK },
	{ "POP to a device", BOTH(do_pop), VA, VA - 8, READ | STACK },
};

static u64 entry_value(unsigned int flags, u64 address, bool leaf, unsigned int level)
{
	u64 v = address | (flags & WALK_FULL);

	if (leaf && level > 1)
		v |= PTE_PS;
	if (flags & WALK_NX)
		v |= PTE_NX;
	if (flags & WALK_RSVD)
		v |= leaf && level > 1 ? 1ull << 13 : 1ull << 51;
	return v;
}

/* The leaf's memory: page 0 for the largest pages, whose alignment allows nothing else. */
static u8 *target_of(unsigned int leaf)
{
	return at(leaf == 3 ? 0 : TARGET);
}

static void set_tables(const struct walk_case *c, u64 was[5])
{
	unsigned int level;

	for (level = c->leaf; level <= 4; level++) {
		bool leaf = level == c->leaf;
		u64 to = leaf ? (u64)target_of(c->leaf) : (u64)tables[level - 1];

		*entry_of[level] = was[level] = entry_value(c->flags[level], to, leaf, level);
	}
	tlb_flush();
}

static void run_form(const struct form *f, const struct walk_case *c, bool device, struct walk_group *g)
{
	struct op op = { .di = f->di, .si = f->si, .cx = 0x1234, .dx = SCRATCH, .ax = 0x1122334455667788ull };
	u8 *target = target_of(c->leaf);
	void (*fn)(void *) = device ? f->on_device : f->on_ram;
	u64 insn = (u64)(device ? f->at_device : f->at_ram), was[5], now[5], before, after;
	struct walk_result r;
	unsigned int level;
	struct fault fault;

	outb(SCRATCH, 0x77);
	memset(target, 0x5c, 16);
	memset(near_ram + 4080, 0x33, 16);
	memcpy(&before, near_ram + 4088, 8);
	*near_pte = (device ? NOBODY | PTE_PCD : (u64)near_ram) | PTE_P | PTE_W | (c->cpl ? PTE_U : 0);
	set_tables(c, was);
	if (c->ac)
		asm volatile("stac");
	fault = c->cpl ? guarded_user(fn, &op) : guarded(fn, &op);
	if (c->ac)
		asm volatile("clac");
	for (level = 1; level <= 4; level++)
		now[level] = *entry_of[level];
	memcpy(&after, near_ram + 4088, 8);
	r = (struct walk_result){ .vector = fault.vector == USER_DONE ? NO_FAULT : fault.vector, .error = fault.error,
				  .cr2 = fault.cr2, .at_insn = fault.rip == insn,
				  .moved = fault.rdi != op.di || fault.rsi != op.si || (!(f->traits & STACK) && fault.rcx != op.cx) ||
					   (f->traits & STACK && fault.rsp != op.di) };
	if (r.vector != NO_FAULT && before != after)
		r.moved = true;
	walk_judge(g, c, &r, f->traits & WRITE, VA, now, was, target[0] != 0x5c);
}

/* All that the leaf can say, then all that an entry above it can take away. */
static void run_flags(const struct form *f, struct walk_case c, bool device, struct walk_group *g)
{
	static const unsigned int leaf[] = { 0, WALK_P, WALK_P | WALK_W, WALK_P | WALK_U, WALK_FULL, WALK_FULL | WALK_NX,
					     WALK_FULL | WALK_RSVD };
	static const unsigned int upper[] = { WALK_W | WALK_U, WALK_P | WALK_U, WALK_P | WALK_W, WALK_FULL | WALK_NX,
					      WALK_FULL | WALK_RSVD };
	unsigned int i, level;

	for (i = 0; i < ARRAY_SIZE(leaf); i++) {
		c.flags[1] = c.flags[2] = c.flags[3] = c.flags[4] = WALK_FULL;
		c.flags[c.leaf] = leaf[i];
		run_form(f, &c, device, g);
	}
	for (level = c.leaf + 1; level <= 4; level++)
		for (i = 0; i < ARRAY_SIZE(upper); i++) {
			c.flags[1] = c.flags[2] = c.flags[3] = c.flags[4] = WALK_FULL;
			c.flags[level] = upper[i];
			run_form(f, &c, device, g);
		}
}

static void run_controls(const struct form *f, unsigned int leaf, bool device, struct walk_group *g)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	unsigned int cpl, mode, has_smap = cpuid2(7, 0).b >> 20 & 1;

	for (cpl = 0; cpl <= 3; cpl += 3)
		for (mode = 0; mode < (cpl || !has_smap ? 2 : 6); mode += mode < 2 ? 1 : 2) {
			struct walk_case c = { .cpl = cpl, .wp = !(mode & 1), .nxe = mode & 1, .smap = mode >= 2, .ac = mode >= 4,
					       .levels = 4, .leaf = leaf };

			paging_user(cpl == 3);
			write_cr0(c.wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
			wrmsr(MSR_EFER, c.nxe ? efer | EFER_NXE : efer & ~EFER_NXE);
			write_cr4(c.smap ? cr4 | CR4_SMAP : cr4);
			run_flags(f, c, device, g);
			write_cr4(cr4);
			write_cr0(cr0);
			wrmsr(MSR_EFER, efer);
		}
	paging_user(false);
}

static void run_long(unsigned int leaf, const char *what)
{
	unsigned int i, lost = 0, lost_ours = 0;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		struct walk_group g = { .what = what, .form = forms[i].name };

		if (forms[i].traits & RMW && !expect_vouch)
			continue;
		run_controls(&forms[i], leaf, true, &g);
		walk_report(&g);
		lost += g.without_p;
		if (forms[i].traits & OURS)
			lost_ours += g.without_p;
		/* QEMU reads before it asks whether it may write, and says so in the error code. */
		if (forms[i].traits & RMW || !walk_ram())
			continue;
		g = (struct walk_group){ .what = what, .form = "the same on memory alone" };
		run_controls(&forms[i], leaf, false, &g);
		walk_report(&g);
		lost += g.without_p;
	}
	report_cpu(!lost, "%s: a reserved bit's error code has P set (%u have not)", what, lost);
	report_vouch(!lost_ours, "%s: and that of INS and OUTS (%u have not)", what, lost_ours);
}

/* A TSS that allows the scratch port at CPL 3, and has a stack for page faults: some forms lose theirs. */
static struct {
	struct tss tss;
	u8 map[0x2001];
} __attribute__((packed, aligned(4096))) big_tss;

static void make_tss(void)
{
	u64 base = (u64)&big_tss;

	big_tss.tss = tss;
	big_tss.tss.ist[IST_PF - 1] = (u64)(pf_stack + sizeof(pf_stack));
	big_tss.tss.iomap = sizeof(struct tss);
	gdt[SEL_SPARE / 8] = (sizeof(big_tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_SPARE / 8 + 1] = base >> 32;
	asm volatile("ltr %w0" :: "r"(SEL_SPARE));
	gate_set(PF, 14, 0, IST_PF);
}

static void make_tables(void)
{
	unsigned int i;

	entry_of[4] = &page_pml4[VA >> 39 & 511];
	for (i = 1; i < 4; i++)
		entry_of[i] = &tables[i][0];
	near_pte = map_page(VA - 4096, (u64)near_ram, PTE_P | PTE_W);
	make_tss();
}

/* ------------------------------------------------------------------------------------------- faults within a REP */
static u64 *missing;
static u64 missing_value;
static struct frame seen;
static unsigned int faults;

static void on_page_fault(struct frame *f)
{
	seen = *f;
	if (++faults > 3) {
		report(false, "the page fault ends");
		finish();
	}
	*missing = missing_value;
	tlb_flush();
}

static void rep_movs(u64 to, u64 from, u64 n, bool device_first)
{
	u64 di = to, si = from, cx = n;

	faults = 0;
	trap_set(PF, on_page_fault);
	asm volatile("rep movsb" : "+D"(di), "+S"(si), "+c"(cx) :: "memory");
	trap_set(PF, NULL);
	report(faults == 1 && seen.rdi == to + 16 && seen.rsi == from + 16 && seen.rcx == n - 16 &&
	       read_cr2() == (device_first ? to : from) + 16,
	       "REP MOVS stops at the byte whose page is missing (%lx %lx %lx)", seen.rdi, seen.rsi, seen.rcx);
	report(!cx && di == to + n && si == from + n, "and goes on when it is there");
}

static void check_rep(void)
{
	static u8 pages[2][4096] __attribute__((aligned(4096)));
	u8 nobody = *(volatile u8 *)at(NOBODY);
	struct fault f;
	u64 *pte;

	map_page(TEST_VA, (u64)pages[0], PTE_P | PTE_W);
	missing = map_page(TEST_VA + 0x1000, 0, 0);
	missing_value = (u64)pages[1] | PTE_P | PTE_W;
	memset(pages, 0x5c, sizeof(pages));
	rep_movs(TEST_VA + 0xff0, NOBODY, 48, true);
	report(pages[0][0xfef] == 0x5c && pages[0][0xff0] == nobody && pages[1][31] == nobody && pages[1][32] == 0x5c,
	       "with just those bytes written");
	report(seen.error == 2 && (*missing & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "the page is marked then (%lx)", *missing);
	*missing = 0;
	tlb_flush();
	rep_movs(NOBODY, TEST_VA + 0xff0, 48, false);
	report(seen.error == 0 && (*missing & (PTE_A | PTE_D)) == PTE_A, "the other way round it is only read (%lx)", *missing);
	/* A port must not be read for a byte that has no place: its next value would be lost. */
	*missing = 0;
	tlb_flush();
	pit_mode(2, 0, 0x1234);
	outb(0x43, 0x80);
	faults = 0;
	trap_set(PF, on_page_fault);
	asm volatile("insb" :: "D"(TEST_VA + 0x1000), "d"(0x42) : "memory");
	trap_set(PF, NULL);
	report(faults == 1 && inb(0x42) == 0x12, "INS that faults has not read its port");
	outb(0x43, 0x80);
	pte = map_page(TEST_VA + 0x2000, NOBODY, PTE_P | PTE_PCD);
	f = guarded(do_store, &(struct op){ .di = TEST_VA + 0x2000 - 4 });
	report(f.vector == PF && f.error == 3 && f.cr2 == TEST_VA + 0x2000 && f.rip == (u64)do_store_at,
	       "a store that ends in a read-only page of a device is #PF there");
	report(!(*pte & PTE_D), "which is not dirty then (%lx)", *pte);
}

void test_main(void)
{
	make_tables();
	run_long(1, "4 KiB pages");
	run_long(2, "2 MiB pages");
	if (cpuid(0x80000001).d >> 26 & 1)
		run_long(3, "1 GiB pages");
	else
		print("NOTE: no 1 GiB pages\n");
	check_rep();
	report(TRAPS(6, "ud2"), "the CPU is as before");
}
