/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every mode of the CPU, entered from long mode and left again: real mode, 16-bit protected mode, 32-bit without
 * paging, with 4 MiB pages, with PAE, and compatibility mode. In each, exits of all kinds give what they must give, with
 * code, data and devices at addresses that the mode's own page tables move elsewhere.
 */
#include "lib/guest.h"
#include "modes.h"

const char test_name[] = "modes";

#define ALIAS 0x40000000u         /* where the paged modes see the first 4 MiB again */
#define ALIAS_4K 0x40400000u      /* and, in 4 KiB pages, code and results turned round */
#define ALIAS_LAPIC 0x50000000u
#define CR0_PG (1u << 31)
#define CR4_PSE (1u << 4)
#define CR4_PAE (1u << 5)

extern u8 low_start[], low_end[], code32_start[], code32_end[], isr32_ud[], isr32_ipi[], real_ud[], real_ipi[];
void mode_run(void);

static u32 pse_directory[1024] __attribute__((aligned(4096)));
static u32 pse_table[1024] __attribute__((aligned(4096)));
static u64 pae_pointers[4] __attribute__((aligned(4096)));
static u64 pae_directory[4][512] __attribute__((aligned(4096)));
static u64 pae_table[512] __attribute__((aligned(4096)));
static u64 idt32[256] __attribute__((aligned(16)));

static volatile u32 *param(u32 where)
{
	return at(where);
}

static u32 result(u32 offset)
{
	return *(volatile u32 *)at(RESULTS + offset);
}

static u64 gate32(const u8 *handler)
{
	u64 a = (u64)handler;

	return (a & 0xffff) | (u64)SEL_CODE32 << 16 | 0x8eull << 40 | (a >> 16 & 0xffff) << 48;
}

static void make_tables(void)
{
	u32 i;

	for (i = 0; i < 1024; i++)
		pse_directory[i] = i << 22 | 0x83;
	pse_directory[ALIAS >> 22] = 0x83;
	pse_directory[ALIAS_4K >> 22] = (u32)(u64)pse_table | 7;
	pse_directory[ALIAS_LAPIC >> 22] = ((u32)LAPIC & 0xffc00000) | 0x93;
	for (i = 0; i < 2048; i++)
		pae_directory[i >> 9][i & 511] = (u64)i << 21 | 0x83;
	for (i = 0; i < 4; i++)
		pae_pointers[i] = (u64)pae_directory[i] | 1;
	pae_directory[1][0] = 0x83;
	pae_directory[1][(ALIAS_4K >> 21) & 511] = (u64)pae_table | 7;
	pae_directory[1][(ALIAS_LAPIC >> 21) & 511] = (LAPIC & ~0x1fffffull) | 0x93;
	/* Page 0 is the results', page 1 the code's second half, page 2 its first: not neighbours in memory. */
	pse_table[0] = RESULTS | 3;
	pae_table[0] = RESULTS | 3;
	pse_table[1] = LOW_BASE | 3;
	pae_table[1] = LOW_BASE | 3;
	pse_table[2] = (LOW_BASE + 0x3000) | 3;
	pae_table[2] = (LOW_BASE + 0x3000) | 3;
}

static void make_handlers(void)
{
	volatile u16 *ivt = at(0);

	idt32[6] = gate32(isr32_ud);
	idt32[IPI_VECTOR] = gate32(isr32_ipi);
	ivt[6 * 2] = (u16)(LOW_BASE + (real_ud - low_start));
	ivt[6 * 2 + 1] = 0;
	ivt[IPI_VECTOR * 2] = (u16)(LOW_BASE + (real_ipi - low_start));
	ivt[IPI_VECTOR * 2 + 1] = 0;
}

static void on_ud(struct frame *f)
{
	(*(volatile u32 *)at(RESULTS + R_UD))++;
	f->rip += 2;
}

static void on_ipi(struct frame *f)
{
	(void)f;
	(*(volatile u32 *)at(RESULTS + R_IPI))++;
	lapic_eoi();
}

static void prepare(u32 kind, u32 cr0, u32 cr3, u32 cr4)
{
	memset(at(RESULTS), 0, R_SIZE);
	memcpy(at(RESULTS + R_OUTS), "\x11\x22\x33\x44", 4);
	*param(PARAM_KIND) = kind;
	*param(PARAM_CR0) = cr0;
	*param(PARAM_CR3) = cr3;
	*param(PARAM_CR4) = cr4;
	*param(PARAM_RESULTS) = RESULTS;
	*param(PARAM_LAPIC) = (u32)LAPIC;
	*param(PARAM_CODE) = (u32)(u64)code32_start;
	*(volatile u16 *)at(PARAM_IDT) = kind == KIND_REAL ? 0x3ff : sizeof(idt32) - 1;
	memcpy(at(PARAM_IDT + 2), (u32[]){ kind == KIND_REAL ? 0 : (u32)(u64)idt32 }, 4);
}

static void check_results(const char *mode, u32 cs, u32 efer, u32 cr0)
{
	u32 ins = result(R_INS);

	report(result(R_DONE) == 0xd00dfeed, "%s: entered and left", mode);
	report(result(R_CPUID) == cpuid(0).b, "%s: CPUID", mode);
	report(result(R_IN) == 0x5a, "%s: OUT and IN", mode);
	report(ins == 0x5a5a5a5a, "%s: REP INSB (%x)", mode, ins);
	report(result(R_OUTS_SEEN) == 0x33, "%s: REP OUTSB (%x)", mode, result(R_OUTS_SEEN));
	report(result(R_MMIO_READ) == lapic_read(APIC_VERSION), "%s: a device read", mode);
	report(result(R_MMIO_WRITE) == (0x01234567 | 8), "%s: a device write, and OR (%x)", mode, result(R_MMIO_WRITE));
	report((result(R_EFER) & 0x500) == efer, "%s: EFER (%x)", mode, result(R_EFER));
	report((result(R_CR0) & 0x80000001) == cr0, "%s: CR0 (%x)", mode, result(R_CR0));
	report(result(R_CS) == cs, "%s: CS (%x)", mode, result(R_CS));
	report(result(R_UD) == 1, "%s: an exception", mode);
	report(result(R_IPI) == 2, "%s: an interrupt, and one that ends HLT (%u)", mode, result(R_IPI));
	report(result(R_WORD2) == 0x7788, "%s: 16-bit addressing", mode);
}

static void run(const char *mode, u32 cs, u32 efer, u32 cr0)
{
	mode_run();
	idt_load();
	gdt_load();
	check_results(mode, cs, efer, cr0);
}

/* Code, results and LAPIC at the addresses that the paged modes map elsewhere. */
static void use_alias(void)
{
	memcpy(at(0x9000), code32_start, (u64)(code32_end - code32_start));
	*param(PARAM_RESULTS) = ALIAS + RESULTS;
	*param(PARAM_LAPIC) = ALIAS_LAPIC + (u32)(LAPIC & 0x1fffff);
	*param(PARAM_CODE) = ALIAS + 0x9000;
}

/* The same in 4 KiB pages, with the code across two of them that are not neighbours in memory. */
static void use_alias_4k(u64 lapic_offset)
{
	u32 first = 24;

	memcpy(at(LOW_BASE + 0x1000 - first), code32_start, first);
	memcpy(at(LOW_BASE + 0x3000), code32_start + first, (u64)(code32_end - code32_start) - first);
	*param(PARAM_RESULTS) = ALIAS_4K;
	*param(PARAM_LAPIC) = ALIAS_LAPIC + (u32)lapic_offset;
	*param(PARAM_CODE) = ALIAS_4K + 0x2000 - first;
}

static void check_real(void)
{
	prepare(KIND_REAL, 0x11, 0, 0);
	run("real mode", 0, 0, 0);
	report_vouch(result(R_HOLE) == 0xffff00ff, "real mode: nobody's memory at A0000 reads as ones (%x)", result(R_HOLE));
}

static void check_pse(void)
{
	u32 cr3 = (u32)(u64)pse_directory;

	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PSE);
	run("4 MiB pages", SEL_CODE32, 0, 0x80000001);
	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PSE);
	use_alias();
	*param(PARAM_LAPIC) = ALIAS_LAPIC + (u32)(LAPIC & 0x3fffff);
	run("4 MiB pages, moved", SEL_CODE32, 0, 0x80000001);
	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PSE);
	use_alias_4k(LAPIC & 0x3fffff);
	run("4 KiB pages of 32 bits", SEL_CODE32, 0, 0x80000001);
	prepare(KIND_16, CR0_PG | 0x11, cr3, CR4_PSE);
	run("16-bit protected mode with paging", SEL_CODE16, 0, 0x80000001);
}

static void check_pae(void)
{
	u32 cr3 = (u32)(u64)pae_pointers;

	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PAE);
	run("PAE", SEL_CODE32, 0, 0x80000001);
	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PAE);
	use_alias();
	run("PAE, moved", SEL_CODE32, 0, 0x80000001);
	prepare(KIND_32, CR0_PG | 0x11, cr3, CR4_PAE);
	use_alias_4k(LAPIC & 0x1fffff);
	run("4 KiB pages of PAE", SEL_CODE32, 0, 0x80000001);
}

static void check_compat(void)
{
	trap_set(6, on_ud);
	interrupt_set(IPI_VECTOR, on_ipi);
	prepare(KIND_COMPAT, 0, 0, 0);
	run("compatibility mode", SEL_CODE32, 0x500, 0x80000001);
	trap_set(6, NULL);
}

void test_main(void)
{
	unsigned int i;

	lapic_on();
	make_tables();
	memcpy(at(LOW_BASE), low_start, (u64)(low_end - low_start));
	make_handlers();
	if (subtest("compat"))
		check_compat();
	if (subtest("flat")) {
		prepare(KIND_32, 0x11, 0, 0);
		run("32-bit without paging", SEL_CODE32, 0, 1);
	}
	if (subtest("pse"))
		check_pse();
	make_handlers();
	memcpy(at(LOW_BASE), low_start, (u64)(low_end - low_start));
	if (subtest("pae"))
		check_pae();
	memcpy(at(LOW_BASE), low_start, (u64)(low_end - low_start));
	if (subtest("16")) {
		prepare(KIND_16, 0x11, 0, 0);
		run("16-bit protected mode", SEL_CODE16, 0, 1);
	}
	if (subtest("real"))
		check_real();
	for (i = 0; i < 20; i++) {
		prepare(i % 3, (i % 3 || i % 2 ? 0 : CR0_PG) | 0x11, (u32)(u64)pae_pointers, CR4_PAE);
		mode_run();
		idt_load();
		gdt_load();
	}
	report(result(R_DONE) == 0xd00dfeed, "20 switches in a row");
	report(TRAPS(6, "ud2"), "long mode works as before");
}
