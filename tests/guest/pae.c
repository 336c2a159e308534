/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four page-directory-pointer-table entries of PAE paging. On Intel's CPUs they are registers, loaded and checked when
 * CR3 or certain bits of CR0 and CR4 are written (SDM 3A "PDPTE Registers"), some of which Vouch writes. On AMD's, with
 * nested paging, they are read at each walk (APM 2 "Legacy PAE Mode" in 15.25); what is said of them there is that they
 * do no harm.
 */
#include "lib/legacy.h"

const char test_name[] = "pae";

#define GP 13u
#define DONE 0x80u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define NOWHERE 0xd0000000u           /* no memory, no device */
#define MARK_A 0xaaaaaaaau
#define MARK_B 0xbbbbbbbbu

static u64 pointers[4] __attribute__((aligned(32))), other[4] __attribute__((aligned(32)));
static u64 directory[512] __attribute__((aligned(4096)));        /* the first GiB, one to one */
static u64 far_a[512] __attribute__((aligned(4096))), far_b[512] __attribute__((aligned(4096)));
static u64 table_a[512] __attribute__((aligned(4096))), table_b[512] __attribute__((aligned(4096)));
static u32 page_a[1024] __attribute__((aligned(4096))), page_b[1024] __attribute__((aligned(4096)));

#define CODE32(name, before, insn) LEGACY_CODE(32, name, before, insn, "int $0x80")

/* ECX goes to where EBX points first: an entry in memory changes, the registers do not. */
CODE32(load_cr3, "", "movl %eax, %cr3");
CODE32(toggle_pge, "movl %ecx, (%ebx)\nmovl %cr4, %eax\nxorl $0x80, %eax", "movl %eax, %cr4");
CODE32(toggle_cd, "movl %ecx, (%ebx)\nmovl %cr0, %eax\nxorl $0x40000000, %eax", "movl %eax, %cr0");
CODE32(toggle_wp, "movl %ecx, (%ebx)\nmovl %cr0, %eax\nxorl $0x10000, %eax", "movl %eax, %cr0");
CODE32(toggle_ne, "movl %ecx, (%ebx)\nmovl %cr0, %eax\nxorl $0x20, %eax", "movl %eax, %cr0");
CODE32(switch_on, "movl %cr0, %eax\norl $0x80000000, %eax", "movl %eax, %cr0");

/* What lies behind the entry before it changes, after that, and after the load. */
#define LOOK(name, load) \
	CODE32(name, "movl 0x40000000, %esi\nmovl %ecx, (%ebx)\nmovl 0x40200000, %edi\n" load "\nmovl 0x40400000, %edx", "")
LOOK(look_cr3, "movl %cr3, %eax\nmovl %eax, %cr3");
LOOK(look_cr4, "movl %cr4, %eax\nxorl $0x80, %eax\nmovl %eax, %cr4");
LOOK(look_cr0, "movl %cr0, %eax\nxorl $0x40000000, %eax\nmovl %eax, %cr0");

/* What is read from a port goes where the registers lead, not memory. */
CODE32(string_in, "movl %ecx, (%ebx)\nmovl $0x40000010, %edi\nmovl $0x2e0, %edx\ncld", "insl");

static void make_tables(void)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		directory[i] = (u64)i << 21 | 0x83;
	for (i = 0; i < 3; i++) {
		far_a[i] = (u64)table_a | 3;
		far_b[i] = (u64)table_b | 3;
	}
	table_a[0] = (u64)page_a | 3;
	table_b[0] = (u64)page_b | 3;
	page_a[0] = MARK_A;
	page_b[0] = MARK_B;
}

/* Fresh entries, and code in PAE paging at CPL 0. */
static struct legacy fresh(const u8 *code)
{
	struct legacy l = legacy_at(code, 0);

	pointers[0] = other[0] = (u64)directory | 1;
	pointers[1] = other[1] = (u64)far_a | 1;
	pointers[2] = other[2] = pointers[3] = other[3] = 0;
	l.cr0 = CR0_PG;
	l.cr4 = CR4_PAE;
	l.cr3 = (u32)(u64)pointers;
	l.eax = (u32)(u64)other;
	l.ebx = (u32)(u64)&pointers[3];
	return l;
}

static void refused(struct legacy *l, const u8 *at, const char *text)
{
	legacy_run(l);
	if (cpu_is_intel())
		report(l->vector == GP && l->error == 0 && l->eip == (u32)(u64)at, "%s: #GP(0)", text);
	else
		report(l->vector == GP || l->vector == DONE, "%s does no harm (vector %x)", text, l->vector);
}

static void taken(struct legacy *l, const char *text)
{
	legacy_run(l);
	report(l->vector == DONE, "%s (vector %x)", text, l->vector);
}

static void check_cr3(void)
{
	static const u8 reserved[] = { 1, 2, 5, 6, 7, 8, 52, 62, 63 }, fine[] = { 3, 4, 9, 10, 11 };
	struct legacy l = fresh(load_cr3);
	unsigned int i, bad = 0, good = 0;

	taken(&l, "MOV to CR3 after good entries");
	for (i = 0; i < ARRAY_SIZE(reserved); i++) {
		l = fresh(load_cr3);
		other[3] = 1ull << reserved[i] | 1;
		legacy_run(&l);
		bad += cpu_is_intel() ? l.vector == GP && l.eip == (u32)(u64)load_cr3_at : l.vector == GP || l.vector == DONE;
		l = fresh(load_cr3);
		other[3] = 1ull << reserved[i];
		legacy_run(&l);
		good += l.vector == DONE;
	}
	report(bad == ARRAY_SIZE(reserved), "each reserved bit faults there, or does no harm (%u)", bad);
	report(good == ARRAY_SIZE(reserved), "but not in an entry that is not present (%u)", good);
	for (i = good = 0; i < ARRAY_SIZE(fine); i++) {
		l = fresh(load_cr3);
		other[3] = 1ull << fine[i] | 1;
		legacy_run(&l);
		good += l.vector == DONE;
	}
	report(good == ARRAY_SIZE(fine), "and no other bit does (%u)", good);
	if (!cpu_is_intel())
		return;                         /* the next fetch has no page there */
	l = fresh(load_cr3);
	l.eax = NOWHERE;
	refused(&l, load_cr3_at, "MOV to CR3 after entries where no memory is");
}

static void check_bits(void)
{
	struct legacy l = fresh(toggle_pge);

	l.ecx = 3;
	refused(&l, toggle_pge_at, "CR4.PGE with a bad entry in memory");
	l = fresh(toggle_cd);
	l.ecx = 3;
	refused(&l, toggle_cd_at, "CR0.CD with a bad entry in memory");
	l = fresh(toggle_wp);
	l.ecx = 3;
	taken(&l, "CR0.WP loads none");
	l = fresh(toggle_ne);
	l.ecx = 3;
	taken(&l, "CR0.NE loads none");
}

static void check_switch(void)
{
	struct legacy l = fresh(switch_on);

	l.cr0 = 0;
	taken(&l, "paging on with good entries");
	l = fresh(switch_on);
	l.cr0 = 0;
	pointers[3] = 3;
	refused(&l, switch_on_at, "paging on with a bad entry");
	if (!cpu_is_intel())
		return;
	l = fresh(switch_on);
	l.cr0 = 0;
	l.cr3 = NOWHERE;
	refused(&l, switch_on_at, "paging on with entries where no memory is");
}

static void look(const u8 *code, const char *text)
{
	struct legacy l = fresh(code);
	bool ok;

	l.ebx = (u32)(u64)&pointers[1];
	l.ecx = (u32)(u64)far_b | 1;
	legacy_run(&l);
	ok = l.vector == DONE && l.esi == MARK_A && l.edx == MARK_B;
	report(ok, "%s loads the entries (%x, then %x)", text, l.esi, l.edx);
	if (cpu_is_intel())
		report_cpu(l.edi == MARK_A, "they are as before until then (%x)", l.edi);
}

static void check_string_in(void)
{
	struct legacy l = fresh(string_in);

	page_a[4] = page_b[4] = 0;
	l.ebx = (u32)(u64)&pointers[1];
	l.ecx = (u32)(u64)far_b | 1;
	legacy_run(&l);
	report(l.vector == DONE && l.edi == 0x40000014 && page_a[4] + page_b[4] == 0xffffffff, "INS writes once (%x, %x)", page_a[4],
	       page_b[4]);
	if (cpu_is_intel())
		report(page_a[4] == 0xffffffff, "and by the entries that were loaded");
}

void test_main(void)
{
	legacy_init();
	make_tables();
	check_cr3();
	check_bits();
	check_switch();
	look(look_cr3, "MOV to CR3");
	look(look_cr4, "CR4.PGE");
	look(look_cr0, "CR0.CD");
	check_string_in();
	report(TRAPS(6, "ud2"), "long mode works as before");
}
