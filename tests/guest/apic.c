/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's registers by every way there is to them, as CPUs that virtualize the APIC do some of them by themselves:
 * odd accesses, what cannot be written, single steps, the page while it is not decoded, all x2APIC MSRs, and interrupts
 * that a write lets through at once, with the PIC's among them. What interrupts do in general is in interrupts.c.
 */
#include "lib/guest.h"

const char test_name[] = "apic";

#define GP 13u
#define MSR_APIC_BASE 0x1bu
#define BASE_ENABLE 0x800ull
#define BASE_X2APIC 0x400ull
#define APIC_LVTTHERMAL 0x330
#define APIC_LVTPC 0x340
#define PIC_BASE 0x30

static volatile u32 taken;
static volatile u8 order[16];

static void eoi(void)
{
	if (rdmsr(MSR_APIC_BASE) & BASE_X2APIC)
		wrmsr(0x80b, 0);
	else
		lapic_eoi();
}

static void on_interrupt(struct frame *f)
{
	order[taken++ & 15] = (u8)f->vector;
	eoi();
}

static void on_pic(struct frame *f)
{
	order[taken++ & 15] = (u8)f->vector;
	pic_eoi((unsigned int)f->vector - PIC_BASE);
}

static void forget(void)
{
	taken = 0;
	memset((void *)order, 0, sizeof(order));
}

#define PATIENCE_US 10000000ull              /* a host that is busy with other things may stop us for long */

/* Until the PIT's interrupt waits at the PIC. */
static bool pic_requested(void)
{
	u64 end = rdtsc() + PATIENCE_US * tsc_khz() / 1000;

	do {
		outb(0x20, 0x0a);
		if (inb(0x20) & 1)
			return true;
	} while (rdtsc() < end);
	return false;
}

static bool lapic_requested(unsigned int vector)
{
	u64 end = rdtsc() + PATIENCE_US * tsc_khz() / 1000;

	while (!lapic_bit(APIC_IRR, vector))
		if (rdtsc() >= end)
			return false;
	return true;
}

static void open_interrupts(void)
{
	sti_nop();
	sti_nop();
	cli();
}

/* ---- xAPIC: values ---- */

static void check_masks(void)
{
	static const struct { u32 reg, write, read; const char *name; } rows[] = {
		{ APIC_TPR, 0xffffff5a, 0x5a, "TPR" }, { APIC_LDR, 0x12345678, 0x12000000, "LDR" },
		{ APIC_DFR, 0x00000000, 0x0fffffff, "DFR" }, { APIC_ICR2, 0xabcdef12, 0xab000000, "ICR, upper half" },
		{ APIC_SVR, 0xfffff1c3, 0x1c3, "SVR" }, { APIC_LVTT, 0xfffb0044, 0x30044, "LVT timer" },
		{ APIC_LVTTHERMAL, 0xfffff845, 0x10045, "LVT thermal" }, { APIC_LVTPC, 0xfffff846, 0x10046, "LVT performance" },
		{ APIC_LVT0, 0xffff2847, 0x12047, "LINT0" }, { APIC_LVTERR, 0xffffff48, 0x10048, "LVT error" },
		{ APIC_TDCR, 0xffffffff, 0xb, "divider" }, { APIC_TMICT, 0x7654321, 0x7654321, "initial count" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 was = lapic_read(rows[i].reg), got;

		lapic_write(rows[i].reg, rows[i].write);
		got = lapic_read(rows[i].reg);
		report(got == rows[i].read, "%s: only its own bits are kept (%x)", rows[i].name, got);
		lapic_write(rows[i].reg, was);
	}
	lapic_write(APIC_TMICT, 0);
	lapic_write(APIC_DFR, 0xffffffff);
	lapic_on();
}

static void check_read_only(void)
{
	static const struct { u32 reg; const char *name; } rows[] = {
		{ APIC_ID, "ID" }, { APIC_VERSION, "version" }, { APIC_PPR, "PPR" }, { APIC_ISR + 0x20, "ISR" },
		{ APIC_IRR + 0x20, "IRR" }, { 0x190, "TMR" }, { APIC_TMCCT, "current count" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 was = lapic_read(rows[i].reg);

		lapic_write(rows[i].reg, 0x5a5a5a5a);
		report(lapic_read(rows[i].reg) == was, "%s: read-only", rows[i].name);
	}
	open_interrupts();
	report(!taken, "and none of these writes requests an interrupt (%u)", taken);
}

/* Instructions that are more than a plain move of 32 bits. */
static void check_instructions(void)
{
	volatile u32 *tpr = at(LAPIC + APIC_TPR), *err = at(LAPIC + APIC_LVTERR);
	u32 to[4] = { 0 }, val;
	void *si, *di;
	u64 n;

	lapic_write(APIC_LVTERR, 0x10041);
	asm volatile("orl $6, %0" : "+m"(*err));
	report(lapic_read(APIC_LVTERR) == 0x10047, "OR to a register");
	asm volatile("lock andl $~1, %0" : "+m"(*err));
	report(lapic_read(APIC_LVTERR) == 0x10046, "LOCK AND to a register");
	val = 0x10055;
	asm volatile("xchgl %0, %1" : "+r"(val), "+m"(*err));
	report(val == 0x10046 && lapic_read(APIC_LVTERR) == 0x10055, "XCHG with a register");
	asm volatile("incl %0" : "+m"(*tpr));
	report(lapic_read(APIC_TPR) == 1, "INC of the TPR");
	asm volatile("movzbl %1, %0" : "=r"(val) : "m"(*(volatile u8 *)at(LAPIC + APIC_VERSION + 2)));
	report(val == (lapic_read(APIC_VERSION) >> 16 & 0xff), "a byte out of the version");
	si = at(LAPIC + APIC_VERSION);
	di = to;
	n = 4;
	asm volatile("rep movsb" : "+S"(si), "+D"(di), "+c"(n) :: "memory");
	report(to[0] == lapic_read(APIC_VERSION), "REP MOVSB out of the version");
	si = to;
	di = at(LAPIC + APIC_LVTERR);
	n = 1;
	to[0] = 0x10077;
	asm volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(n) :: "memory");
	report(lapic_read(APIC_LVTERR) == 0x10077, "REP MOVSD into a register");
	lapic_on();
}

/* SDM 3A "Local APIC Register Address Map": others than aligned ones of 32 bits are not defined; nothing must come of them. */
static void check_odd_accesses(void)
{
	lapic_write(APIC_LVTT, 0x20060);
	*(volatile u8 *)at(LAPIC + APIC_LVTT + 1) = 0xff;
	*(volatile u16 *)at(LAPIC + APIC_LVTT + 2) = 0xffff;
	*(volatile u32 *)at(LAPIC + APIC_LVTT + 4) = 0x55;
	*(volatile u32 *)at(LAPIC + APIC_LVTT + 2) = 0x55555555;
	report_vouch(lapic_read(APIC_LVTT) == 0x20060, "parts of a register are not written (%x)", lapic_read(APIC_LVTT));
	*(volatile u32 *)at(LAPIC + 0xffc) = 1;
	*(volatile u32 *)at(LAPIC + 0x800) = 1;
	report_vouch(*(volatile u32 *)at(LAPIC + 0x800) == 0, "behind the registers there is nothing");
	lapic_on();
	lapic_write(APIC_ESR, 0);
}

/* ---- xAPIC: interrupts ---- */

static void check_let_through(void)
{
	forget();
	lapic_write(APIC_TPR, 0x90);
	lapic_self(0x81);
	sti();
	asm volatile("nop");
	report(!taken, "TPR: holds back");
	lapic_write(APIC_TPR, 0x70);
	asm volatile("nop");
	report(taken == 1 && order[0] == 0x81, "TPR: a write to the page lets through at once");
	cli();
	/* Two of a class, the lower one under way by the EOI of the higher one. */
	forget();
	lapic_self(0x83);
	lapic_self(0x84);
	open_interrupts();
	report(taken == 2 && order[0] == 0x84 && order[1] == 0x83, "EOI: lets the next one through");
	lapic_write(APIC_TPR, 0);
	/* An EOI that nothing is in service for. */
	lapic_eoi();
	lapic_eoi();
	forget();
	lapic_self(0x60);
	open_interrupts();
	report(taken == 1 && order[0] == 0x60 && !lapic_bit(APIC_ISR, 0x60), "EOI of nothing: nothing comes of it");
	lapic_write(APIC_ESR, 0);
	lapic_self(3);
	lapic_write(APIC_ESR, 0);
	report(lapic_read(APIC_ESR) & 0x20, "a self-IPI with an illegal vector is an error (%x)", lapic_read(APIC_ESR));
}

/* The PIC's through LINT0, with one of the local APIC's waiting as well, and with one in service. */
static void check_pic_beside(void)
{
	forget();
	interrupt_set(PIC_BASE, on_pic);
	pic_init(PIC_BASE, 0xfffe);
	lapic_write(APIC_LVT0, 0x700);
	pit_mode(0, 0, 100);
	report(pic_requested(), "PIC: the PIT's interrupt waits");
	lapic_self(0x82);
	open_interrupts();
	report(taken == 2 && order[0] == PIC_BASE && order[1] == 0x82, "PIC: first, and the local APIC's behind it (%u, %x, %x)",
	       taken, order[0], order[1]);
	forget();
	lapic_write(APIC_TPR, 0xf0);            /* does not count for the PIC */
	lapic_self(0x82);
	pit_mode(0, 0, 100);
	report(pic_requested(), "PIC: the PIT's next one waits");
	open_interrupts();
	report(taken == 1 && order[0] == PIC_BASE, "PIC: past the TPR (%u, %x, %x)", taken, order[0], order[1]);
	lapic_write(APIC_TPR, 0);
	open_interrupts();
	report(taken == 2 && order[1] == 0x82, "and the one that the TPR held back comes then (%u, %x, %x)",
	       taken, order[0], order[1]);
	lapic_write(APIC_LVT0, 0x10000);
	pic_init(PIC_BASE, 0xffff);
}

static void check_software_disabled(void)
{
	forget();
	lapic_self(0x85);
	lapic_write(APIC_SVR, 0xff);
	lapic_self(0x86);
	open_interrupts();
	report_vouch(!taken, "off by software: what was requested waits (%u)", taken);
	lapic_write(APIC_SVR, 0x1ff);
	open_interrupts();
	report_vouch(taken == 1 && order[0] == 0x85, "on again: it comes, and the IPI sent meanwhile does not (%u)", taken);
	lapic_on();
}

/* ---- single steps ---- */

static volatile u32 steps;
static volatile u64 step_rip[4];

static void on_step(struct frame *f)
{
	if (steps < ARRAY_SIZE(step_rip))
		step_rip[steps] = f->rip;
	steps++;
}

/* insn with ECX and EAX: one #DB right behind it, whatever the CPU makes of the access. */
#define STEP(insn, c, a) ({ \
	u64 behind_; \
	steps = 0; \
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t" insn "\n1:\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n" \
		     "\tlea 1b(%%rip), %0" : "=S"(behind_) : "c"((u64)(c)), "a"((u64)(a)), "d"(0ull) : "memory", "cc"); \
	step_rip[0] == behind_ && steps == 4; })

static void check_steps(void)
{
	trap_set(1, on_step);
	report(STEP("movl %%eax, (%%rcx)", LAPIC + APIC_TPR, 0), "TF: #DB behind a write of the TPR");
	report(STEP("movl %%eax, (%%rcx)", LAPIC + APIC_EOI, 0), "TF: of EOI");
	report(STEP("movl %%eax, (%%rcx)", LAPIC + APIC_LVTERR, 0x10000), "TF: of an LVT");
	report(STEP("movl %%eax, (%%rcx)", LAPIC + APIC_ICR2, 0), "TF: of the ICR's upper half");
	report(STEP("movl %%eax, (%%rcx)", LAPIC + APIC_ICR, 0x40087), "TF: of the ICR, to itself");
	report(STEP("movl (%%rcx), %%edx", LAPIC + APIC_TMCCT, 0), "TF: behind a read of the count");
	report(STEP("movl (%%rcx), %%edx", LAPIC + APIC_ID, 0), "TF: of the ID");
	report(STEP("orl %%eax, (%%rcx)", LAPIC + APIC_LVTERR, 0), "TF: behind OR to an LVT");
	trap_set(1, NULL);
	forget();
	open_interrupts();
	report(taken == 1 && order[0] == 0x87, "and the IPI has come once");
}

/* ---- the timer ---- */

static void check_timer(void)
{
	u32 first, second;
	u64 end;

	forget();
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x10071);
	lapic_write(APIC_TMICT, 100000000);
	first = lapic_read(APIC_TMCCT);
	delay_us(100);
	second = lapic_read(APIC_TMCCT);
	report(second < first && first <= 100000000, "the count goes down (%u, %u)", first, second);
	lapic_write(APIC_LVTT, 0x71);
	lapic_write(APIC_TMICT, 10000);
	report(lapic_requested(0x71), "its interrupt shows in the IRR");
	open_interrupts();
	report(taken == 1 && order[0] == 0x71 && !lapic_read(APIC_TMCCT), "and is taken once");
	forget();
	lapic_write(APIC_LVTT, 0x20072);
	lapic_write(APIC_TMICT, 1000000);
	sti();
	for (end = rdtsc() + PATIENCE_US * tsc_khz() / 1000; taken < 5 && rdtsc() < end; )
		asm volatile("pause");
	report(taken >= 5, "a periodic one comes again (%u)", taken);
	cli();
	lapic_write(APIC_TMICT, 0);
	lapic_write(APIC_LVTT, 0x10000);
	open_interrupts();
}

/* ---- the page while it is not decoded ---- */

static void check_page_gone(const char *mode)
{
	volatile u32 *svr = at(LAPIC + APIC_SVR), *id = at(LAPIC + APIC_ID);

	report_vouch(*svr == 0xffffffff && *id == 0xffffffff, "%s: the page reads ones (%x, %x)", mode, *svr, *id);
	*svr = 0x12345678;
	*(volatile u64 *)at(LAPIC + 0xff8) = 1;
	report_vouch(*svr == 0xffffffff && *(volatile u64 *)at(LAPIC + 0xff8) == ~0ull, "%s: and keeps nothing", mode);
}

/* Twice: Vouch answers from a table that the first one has filled. AMD's copy of the bit must agree. */
static bool cpuid_has_apic(void)
{
	bool has = cpuid(1).d >> 9 & 1;

	for (unsigned int i = 0; i < 2; i++)
		if ((cpuid(1).d >> 9 & 1) != has || (!cpu_is_intel() && (cpuid(0x80000001).d >> 9 & 1) != has))
			report(false, "CPUID tells of the APIC in one way");
	return has;
}

static void check_modes(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	for (unsigned int i = 0; i < 3; i++) {
		lapic_on();
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
		check_page_gone("x2APIC mode");
		wrmsr(MSR_APIC_BASE, base & ~BASE_ENABLE);
		check_page_gone("disabled");
		report(rdmsr_try(0x802, &(u64){ 0 }) == GP && wrmsr_try(0x80b, 0) == GP, "disabled: no x2APIC MSRs");
		report(!cpuid_has_apic(), "disabled: CPUID shows none");
		wrmsr(MSR_APIC_BASE, base);
		report(cpuid_has_apic(), "enabled again: CPUID shows one");
		report(lapic_read(APIC_SVR) == 0xff && lapic_read(APIC_ID) == cpuid(1).b >> 24 << 24,
		       "enabled again: the registers are fresh (%x)", lapic_read(APIC_SVR));
	}
	lapic_on();
}

/* ---- x2APIC ---- */

#define ROW(n) (1ull << (n))

static void check_x2_registers(void)
{
	/* What can be read and written: SDM 3A "x2APIC Register Address Space". Bits are MSR - 800h. */
	const u64 reads = 0x43fd01ffffffa50cull, writes = 0xc1fd010000008900ull;
	u64 v, readable = 0, faults = 0;

	for (u32 n = 0; n < 0x100; n++) {
		u32 vector = rdmsr_try(0x800 + n, &v);

		if (vector == NO_FAULT && n < 64)
			readable |= ROW(n);
		else if (vector != GP)
			faults++;
	}
	report((readable & ~ROW(0x2f)) == reads && !faults,
	       "x2APIC: reads of the MSRs there are, #GP for others (%lx, %lx)", readable, faults);
	for (u32 n = 0; n < 0x100; n++)
		if (n >= 64 || !(writes >> n & 1))
			faults += wrmsr_try(0x800 + n, 0) != GP;
	report(!faults, "x2APIC: #GP for writes to others (%lu)", faults);
	report(wrmsr_try(0x80b, 1ull << 32) == GP && wrmsr_try(0x808, 1ull << 32) == GP && wrmsr_try(0x83f, 0x100) == GP,
	       "x2APIC: #GP for reserved bits of EOI, TPR and SELF IPI");
	wrmsr(0x832, 0x30044);
	report(rdmsr(0x832) == 0x30044, "x2APIC: LVT timer");
	wrmsr(0x838, 55555);
	report(rdmsr(0x838) == 55555 && rdmsr(0x839) <= 55555, "x2APIC: counts");
	wrmsr(0x838, 0);
	wrmsr(0x832, 0x10000);
	wrmsr(0x830, 1ull << 32 | 0x800 | 0x91);
	report(rdmsr(0x830) == (1ull << 32 | 0x800 | 0x91), "x2APIC: ICR is one register (%lx)", rdmsr(0x830));
}

static void check_x2_interrupts(void)
{
	open_interrupts();
	forget();
	wrmsr(0x808, 0x90);
	wrmsr(0x83f, 0x81);
	report(rdmsr(0x824) >> 1 & 1, "x2APIC: pending in the IRR");
	sti();
	asm volatile("nop");
	report(!taken, "x2APIC: TPR holds back");
	wrmsr(0x808, 0x70);
	asm volatile("nop");
	report(taken == 1 && order[0] == 0x81, "x2APIC: WRMSR lets through at once");
	wrmsr(0x83f, 0xa1);
	asm volatile("nop");
	report(taken == 2 && order[1] == 0xa1, "x2APIC: SELF IPI with IF set comes at once");
	cli();
	wrmsr(0x808, 0x35);
	report((rdmsr(0x80a) & 0xf0) == 0x30 && read_cr8() == 3, "x2APIC: PPR follows (%lx)", rdmsr(0x80a));
	wrmsr(0x808, 0);
	wrmsr(0x828, 0);
	wrmsr(0x83f, 7);
	wrmsr(0x828, 0);
	report(rdmsr(0x828) & 0x20, "x2APIC: an illegal vector to oneself is an error (%lx)", rdmsr(0x828));
	wrmsr(0x828, 0);
	if (arg_is("skip", "step"))
		return;
	trap_set(1, on_step);
	report(STEP("wrmsr", 0x80b, 0), "x2APIC, TF: #DB behind EOI");
	report(STEP("wrmsr", 0x808, 0), "x2APIC, TF: of the TPR");
	report(STEP("wrmsr", 0x83f, 0x88), "x2APIC, TF: of SELF IPI");
	report(STEP("rdmsr", 0x802, 0), "x2APIC, TF: behind a read of the ID");
	trap_set(1, NULL);
	forget();
	open_interrupts();
	report(taken == 1 && order[0] == 0x88, "x2APIC: and that one has come once");
}

void test_main(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	tsc_khz();
	lapic_on();
	pic_init(PIC_BASE, 0xffff);
	for (unsigned int v = 0x60; v < 0xf0; v++)
		interrupt_set(v, on_interrupt);
	check_masks();
	check_read_only();
	check_instructions();
	check_odd_accesses();
	check_let_through();
	check_pic_beside();
	check_software_disabled();
	if (!arg_is("skip", "step"))
		check_steps();
	check_timer();
	if (!(cpuid(1).c >> 21 & 1)) {
		report_vouch(false, "x2APIC is there");
		return;
	}
	check_modes();
	wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
	wrmsr(0x80f, 0x1ff);
	check_x2_registers();
	check_x2_interrupts();
}
