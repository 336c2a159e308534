/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with several CPUs: how they are found, started and stopped, how they interrupt each other in each of the ways that
 * there are, and what they share: memory, time, devices, and not their translations. cpus=N: how many there must be, 2 to 32.
 */
#include "lib/guest.h"

const char test_name[] = "smp";

#define CPUS_MAX 32u
#define AP_PAGE 0x8000ull
#define MSR_APIC_BASE 0x1bu
#define BASE_BSP 0x100ull
#define BASE_ENABLE 0x800ull
#define BASE_X2APIC 0x400ull
#define MSR_X2(reg) (0x800u + (reg) / 16)
#define PIC_BASE 0x30

#define ICR_FIXED  0x4000u
#define ICR_LOWEST 0x4100u
#define ICR_NMI    0x4400u
#define ICR_INIT   0x4500u
#define ICR_SIPI   0x4600u
#define TO_LOGICAL 0x800u
#define TO_SELF    0x40000u
#define TO_ALL     0x80000u
#define TO_OTHERS  0xc0000u

#define VEC_CALL   0x41u
#define VEC_FIRST  0x50u
#define VEC_LEVEL  0x60u
#define SECOND     1000000u

/* What a CPU found when it began: as smp.S writes it. */
struct found {
	u32 eax, edx, cr0;
	u16 cs, ds, ss, pad;
	u32 cr4, cr3;
};

extern u8 ap_code[], ap_code_end[], ap_found[];
void ap_main(void);

u64 ap_stack;                        /* of the one that starts next */
static u8 stacks[CPUS_MAX][8192] __attribute__((aligned(16)));
static struct cpu {
	volatile u32 starts;
	volatile u32 calls;          /* done */
	volatile u32 nmis, taken[256];
	void (*volatile fn)(void);
	struct found found;
} cpu[CPUS_MAX];
static unsigned int cpus;
static volatile bool x2;

/* All of them, as bits. */
static u32 everybody(void)
{
	return 0xffffffffu >> (CPUS_MAX - cpus);
}

/* Those of everybody whose ID leaves `rest` when it is divided by n. */
static u32 each_nth(unsigned int n, unsigned int rest)
{
	u32 mask = 0;

	for (unsigned int i = rest; i < cpus; i += n)
		mask |= 1u << i;
	return mask;
}

static inline void relax(void) { asm volatile("pause" ::: "memory"); }

static unsigned int me(void)
{
	return cpuid(1).b >> 24;
}

/* Until it has counted as far. */
static bool wait_until(volatile u32 *what, u32 value)
{
	u64 end = rdtsc() + 20 * SECOND * tsc_khz() / 1000;

	while ((int)(*what - value) < 0) {
		if (rdtsc() >= end)
			return false;
		relax();
	}
	return true;
}

static void eoi(void)
{
	if (x2)
		wrmsr(MSR_X2(APIC_EOI), 0);
	else
		lapic_eoi();
}

static void send(u32 icr, u32 dest)
{
	if (x2) {
		wrmsr(MSR_X2(APIC_ICR), (u64)dest << 32 | icr);
		return;
	}
	lapic_write(APIC_ICR2, dest << 24);
	lapic_write(APIC_ICR, icr);
}

/* ---- what runs on each CPU ---- */

static void on_vector(struct frame *f)
{
	cpu[me()].taken[f->vector]++;
	eoi();
}

static void on_nmi(struct frame *f)
{
	(void)f;
	cpu[me()].nmis++;
}

static void on_call(struct frame *f)
{
	struct cpu *c = &cpu[me()];

	(void)f;
	eoi();
	c->fn();
	c->calls++;
}

void ap_main(void)
{
	idt_load();
	if (!(rdmsr(MSR_APIC_BASE) & BASE_X2APIC))
		lapic_on();
	else
		wrmsr(MSR_X2(APIC_SVR), 0x1ff);
	cpu[me()].starts++;
	for (;;)
		asm volatile("sti; hlt" ::: "memory");
}

/* Without waiting for it. */
static void call_begin(unsigned int i, void (*fn)(void))
{
	cpu[i].fn = fn;
	send(ICR_FIXED | VEC_CALL, i);
}

static bool call_end(unsigned int i, u32 before)
{
	return wait_until(&cpu[i].calls, before + 1);
}

static bool call(unsigned int i, void (*fn)(void))
{
	u32 before = cpu[i].calls;

	call_begin(i, fn);
	return call_end(i, before);
}

/* On all the others, at the same time if there are CPUs enough. */
static bool call_others(void (*fn)(void))
{
	u32 before[CPUS_MAX];
	bool ok = true;

	for (unsigned int i = 1; i < cpus; i++) {
		before[i] = cpu[i].calls;
		call_begin(i, fn);
	}
	for (unsigned int i = 1; i < cpus; i++)
		ok &= call_end(i, before[i]);
	return ok;
}

/* ---- finding and starting ---- */

/* Level 1 and 2 are a core's own; what is behind them all cores share. Where there is no such leaf it is empty. */
static void check_caches(unsigned int bits)
{
	unsigned int shared = (1u << bits) - 1, i;
	bool ok = true;

	for (i = 0; i < 8 && cpuid2(4, i).a & 31; i++) {
		struct cpuid c = cpuid2(4, i);

		ok = ok && c.a >> 26 == shared && (c.a >> 14 & 0xfff) == ((c.a >> 5 & 7) >= 3 ? shared : 0);
	}
	report(ok && i < 8 && (i || !cpuid2(4, 0).b), "CPUID 4: %u caches, each of one core or of all", i);
	if (!cpu_is_intel())
		report(cpuid(0x80000000).a < 0x8000001d && !(cpuid(0x80000001).c & 1u << 22), "no AMD leaves of topology");
}

static void check_tables(void)
{
	const u8 *t = acpi_table("APIC");
	unsigned int found = 0, bits = 0;
	u32 len;

	report(t != NULL, "there is a MADT");
	if (!t)
		return;
	memcpy(&len, t + 4, 4);
	for (u32 i = 44; i + 2 <= len && t[i + 1]; i += t[i + 1])
		if (t[i] == 0 && (t[i + 4] & 1) && t[i + 3] == found)
			found++;
	report(found == cpus, "the MADT lists %u local APICs, IDs from 0 (%u)", cpus, found);
	while (1u << bits < cpus)
		bits++;
	report((cpuid(1).b >> 16 & 0xff) == cpus && (cpuid(1).d & 1u << 28), "CPUID 1: %u logical processors", cpus);
	report((cpuid2(0xb, 0).c >> 8 & 0xff) == 1 && (cpuid2(0xb, 0).a & 31) == 0 && (cpuid2(0xb, 0).b & 0xffff) == 1,
	       "CPUID Bh: one thread a core");
	report((cpuid2(0xb, 1).c >> 8 & 0xff) == 2 && (cpuid2(0xb, 1).a & 31) == bits && (cpuid2(0xb, 1).b & 0xffff) == cpus,
	       "CPUID Bh: %u cores, %u bits of ID", cpus, bits);
	check_caches(bits);
	if (!cpu_is_intel())
		report((cpuid(0x80000008).c & 0xff) == cpus - 1 && (cpuid(0x80000001).c & 2), "CPUID 80000008h: %u cores", cpus);
}

static void begin(unsigned int i)
{
	memset(at(AP_PAGE), 0, 4096);
	memcpy(at(AP_PAGE), ap_code, (size_t)(ap_code_end - ap_code));
	ap_stack = (u64)(stacks[i] + sizeof(stacks[i]));
	send(ICR_INIT, i);
	delay_us(200);
	send(ICR_SIPI | AP_PAGE >> 12, i);
}

static bool start(unsigned int i)
{
	u32 before = cpu[i].starts;

	begin(i);
	return wait_until(&cpu[i].starts, before + 1);
}

static void check_start(unsigned int i)
{
	struct found f;

	report(start(i), "CPU %u starts", i);
	memcpy(&f, at(AP_PAGE + (u64)(ap_found - ap_code)), sizeof(f));
	send(ICR_SIPI | AP_PAGE >> 12, i);
	report(f.cs == AP_PAGE >> 4 && !f.ds && !f.ss, "CPU %u: CS is the page of the SIPI (%x), DS and SS are 0", i, f.cs);
	report((f.cr0 & ~0x60000000u) == 0x10 && !f.cr4 && !f.cr3, "CPU %u: control registers as after INIT (%x)", i, f.cr0);
	report(f.edx == cpuid(1).a && !f.eax, "CPU %u: EDX names the processor (%x)", i, f.edx);
}

static volatile u64 seen_base, seen_mtrr, seen_pat;

static void look(void)
{
	seen_base = rdmsr(MSR_APIC_BASE);
	seen_mtrr = rdmsr(0x2ff);
	seen_pat = rdmsr(0x277);
}

static void check_each(void)
{
	for (unsigned int i = 1; i < cpus; i++) {
		bool ok = call(i, look);

		report(ok && seen_base == (LAPIC | BASE_ENABLE), "CPU %u is no boot CPU (%lx)", i, seen_base);
		report(seen_mtrr == rdmsr(0x2ff) && seen_pat == rdmsr(0x277), "CPU %u: memory types as here", i);
		report(cpu[i].starts == 1, "CPU %u: the second SIPI was ignored", i);
	}
	report(rdmsr(MSR_APIC_BASE) & BASE_BSP, "this is the boot CPU");
}

/* ---- interrupts ---- */

static u32 count[CPUS_MAX];

static void note(u8 vector)
{
	for (unsigned int i = 0; i < cpus; i++)
		count[i] = vector == 2 ? cpu[i].nmis : cpu[i].taken[vector];
}

/*
 * Since note(): exactly those of mask got one each. QEMU's translator delivers an event that VMRUN injects twice, when it is to
 * leave its loop right behind that (cpu=tcg; docs/testing.md).
 */
static void check_got(u8 vector, u32 mask, const char *what)
{
	u32 got = 0, twice = 0;

	for (unsigned int i = 0; i < cpus; i++) {
		volatile u32 *n = vector == 2 ? &cpu[i].nmis : &cpu[i].taken[vector];

		if (mask & 1u << i)
			wait_until(n, count[i] + 1);
	}
	sti_nop();
	cli();
	/* Whoever got it although it should not has had it by the time it has done this. */
	call_others(relax);
	for (unsigned int i = 0; i < cpus; i++) {
		u32 n = (vector == 2 ? cpu[i].nmis : cpu[i].taken[vector]) - count[i];

		got |= n ? 1u << i : 0;
		twice |= n > 1 ? 1u << i : 0;
	}
	report(got == mask && (!twice || (vector != 2 && arg_is("cpu", "tcg"))),
	       "%s%s (%x, twice %x)", x2 ? "x2APIC: " : "", what, got, twice);
}

static void try_ipi(u32 icr, u32 dest, u32 mask, const char *what)
{
	static u8 next;
	u8 vector = (u8)(VEC_FIRST + next++ % 8);

	note(vector);
	sti();
	send(icr | vector, dest);
	check_got(vector, mask, what);
}

static void try_nmi(u32 icr, u32 dest, u32 mask, const char *what)
{
	note(2);
	send(ICR_NMI | icr, dest);
	check_got(2, mask, what);
}

static void check_ipis(void)
{
	u32 all = everybody();

	for (unsigned int i = 0; i < cpus; i++)
		try_ipi(ICR_FIXED, i, 1u << i, "fixed, to one ID");
	try_ipi(ICR_FIXED | TO_SELF, 0, 1, "to itself");
	try_ipi(ICR_FIXED | TO_ALL, 0, all, "to all");
	try_ipi(ICR_FIXED | TO_OTHERS, 0, all & ~1u, "to all others");
	try_ipi(ICR_FIXED, x2 ? 0xffffffff : 0xff, all, "broadcast ID");
	try_ipi(ICR_FIXED, 0x7e, 0, "to nobody");
	if (x2)
		try_ipi(ICR_FIXED, 0xff, 0, "255, which is one ID like others here");
	try_nmi(0, cpus - 1, 1u << (cpus - 1), "NMI to one ID");
	try_nmi(TO_OTHERS, 0, all & ~1u, "NMI to all others");
	try_nmi(0, 0, 1, "NMI to itself, by its ID");
}

/* There are eight bits: of more CPUs several have the same one. */
static void set_flat(void)
{
	lapic_write(APIC_DFR, 0xffffffff);
	lapic_write(APIC_LDR, 1u << (24 + me() % 8));
}

/* Clusters 0 to 14 have members. */
static unsigned int cluster_size(void)
{
	return cpus > 16 ? 4 : 2;
}

static void set_cluster(void)
{
	unsigned int size = cluster_size();

	lapic_write(APIC_DFR, 0x0fffffff);
	lapic_write(APIC_LDR, (me() / size) << 28 | 1u << (24 + me() % size));
}

static void set_priority(void)
{
	u32 tpr = me() == 1 ? 0 : 0x20;

	if (x2)
		wrmsr(MSR_X2(APIC_TPR), tpr);
	else
		lapic_write(APIC_TPR, tpr);
}

static void clear_priority(void)
{
	if (x2)
		wrmsr(MSR_X2(APIC_TPR), 0);
	else
		lapic_write(APIC_TPR, 0);
}

static void check_logical(void)
{
	u32 all = everybody(), size = cluster_size(), end = (cpus - 1) / size;

	set_flat();
	call_others(set_flat);
	try_ipi(ICR_FIXED | TO_LOGICAL, 6, each_nth(8, 1) | each_nth(8, 2), "flat: to two bits");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0xff, all, "flat: to all");
	try_nmi(TO_LOGICAL, 2, each_nth(8, 1), "flat: NMI to one bit");
	set_priority();
	call_others(set_priority);
	try_ipi(ICR_LOWEST | TO_LOGICAL, 0xff, 2, "flat: lowest priority");
	clear_priority();
	call_others(clear_priority);
	set_cluster();
	call_others(set_cluster);
	if (cpus >= 4)
		try_ipi(ICR_FIXED | TO_LOGICAL, 0x13, size == 2 ? 0xc : 0x30, "cluster: two of the second");
	if (cpus > 4)
		try_ipi(ICR_FIXED | TO_LOGICAL, end << 4 | 0xf, all & ~0u << end * size, "cluster: all of the last");
	try_ipi(ICR_FIXED | TO_LOGICAL, 14 << 4 | 0xf, 0, "cluster: where nobody is");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0x02, 2, "cluster: one of the first");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0xff, all, "cluster: to all");
	set_flat();
	call_others(set_flat);
}

static volatile u32 wrong_ldr;

/* SDM 3A "Deriving Logical x2APIC ID from the Local x2APIC ID". */
static void look_at_ldr(void)
{
	if (rdmsr(MSR_X2(APIC_LDR)) != ((me() & ~15u) << 12 | 1u << (me() & 15)) || rdmsr(MSR_X2(APIC_ID)) != me())
		__atomic_fetch_or(&wrong_ldr, 1u << me(), __ATOMIC_SEQ_CST);
}

static void enter_x2(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BASE_X2APIC);
}

static void check_x2apic(void)
{
	u32 all = everybody(), before[CPUS_MAX];
	bool ok = true;

	/* Their EOI comes before the change, what they do after it needs none. */
	for (unsigned int i = 1; i < cpus; i++) {
		before[i] = cpu[i].calls;
		call_begin(i, enter_x2);
		ok &= call_end(i, before[i]);
	}
	enter_x2();
	x2 = true;
	report(ok && rdmsr(MSR_X2(APIC_ID)) == 0, "all enter x2APIC mode");
	check_ipis();
	try_ipi(ICR_FIXED | TO_LOGICAL, 6, 6 & all, "logical: two of cluster 0");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0x1ffff, all & 0xffff0000, "logical: cluster 1, those that are there");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0x18001, all & 0x80010000, "logical: the first and the last of cluster 1");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0x2ffff, 0, "logical: cluster 2, where nobody is");
	try_nmi(TO_LOGICAL, 0x1ffff, all & 0xffff0000, "logical: NMI to cluster 1");
	call_others(look_at_ldr);
	look_at_ldr();
	report(!wrong_ldr, "each has the logical ID that follows from its ID");
	try_ipi(ICR_FIXED | TO_LOGICAL, 0xffffffff, all, "logical: broadcast");
	set_priority();
	call_others(set_priority);
	try_ipi(ICR_LOWEST | TO_LOGICAL, 0xffff, 2, "logical: lowest priority");
	clear_priority();
	call_others(clear_priority);
}

/* ---- what they share ---- */

static volatile u32 turn;
static volatile u64 stamp;
static volatile u32 backwards;

#define ROUNDS 40u

static void answer(void)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		while (turn != 2 * i + 1)
			relax();
		backwards += rdtsc() < stamp;
		stamp = rdtsc();
		turn = 2 * i + 2;
	}
}

/* A TSC that is behind another one shows when it is read after the other. */
static void check_tsc(void)
{
	for (unsigned int c = 1; c < cpus; c++) {
		u32 before = cpu[c].calls;

		turn = backwards = 0;
		call_begin(c, answer);
		for (u32 i = 0; i < ROUNDS; i++) {
			stamp = rdtsc();
			turn = 2 * i + 1;
			while (turn != 2 * i + 2)
				relax();
			backwards += rdtsc() < stamp;
		}
		report(call_end(c, before) && !backwards, "CPU %u has the same TSC (%u times behind)", c, backwards);
	}
}

#define ADDS 20000u
static u32 sum;

static void add(void)
{
	for (u32 i = 0; i < ADDS; i++)
		asm volatile("lock incl %0" : "+m"(sum));
}

static void check_memory(void)
{
	u32 before[CPUS_MAX];
	bool ok = true;

	for (unsigned int i = 1; i < cpus; i++) {
		before[i] = cpu[i].calls;
		call_begin(i, add);
	}
	add();
	for (unsigned int i = 1; i < cpus; i++)
		ok &= call_end(i, before[i]);
	report(ok && sum == cpus * ADDS, "what all add up is right (%u)", sum);
}

static volatile u32 seen[CPUS_MAX];

static void read_page(void)
{
	seen[me()] = *(volatile u32 *)at(TEST_VA);
}

static void shoot_down(void)
{
	asm volatile("invlpg (%0)" :: "r"(TEST_VA) : "memory");
}

static bool all_see(u32 value)
{
	bool ok = true;

	for (unsigned int i = 1; i < cpus; i++)
		ok &= seen[i] == value;
	return ok;
}

static void check_shootdown(void)
{
	u32 *a = page_alloc(), *b = page_alloc();
	u64 *pte = map_page(TEST_VA, (u64)a, PTE_P | PTE_W);
	bool ok;

	*a = 1;
	*b = 2;
	ok = call_others(read_page) && all_see(1);
	*pte = (u64)b | PTE_P | PTE_W;
	ok &= call_others(shoot_down) && call_others(read_page);
	report(ok && all_see(2), "a page that has moved is found where it is, after a shootdown");
	*pte = (u64)a | PTE_P | PTE_W;
	call_others(shoot_down);
	call_others(read_page);
	report(all_see(1), "and again");
}

/* ---- devices ---- */

/* COM2 asks as a level as long as it may: the handler silences it. */
static void on_level(struct frame *f)
{
	cpu[me()].taken[f->vector]++;
	outb(0x2f9, 0);
	(void)inb(0x2fa);
	eoi();
}

static void check_ioapic(void)
{
	unsigned int to = cpus - 1;

	interrupt_set(VEC_LEVEL, on_level);
	for (unsigned int i = 0; i < 3; i++) {
		note(VEC_LEVEL);
		ioapic_write(0x11 + 2 * 3, to << 24);
		ioapic_write(0x10 + 2 * 3, 0x8000 | VEC_LEVEL);
		outb(0x2f9, 2);
		check_got(VEC_LEVEL, 1u << to, "a level at the IOAPIC");
		report(!(ioapic_read(0x10 + 2 * 3) & 0x4000), "and its EOI came back there");
		to = i ? 0 : 1;
		sti();
	}
	ioapic_write(0x10 + 2 * 3, 0x10000);
	cli();
}

/* Its timer is its own: it goes on while this CPU does nothing but wait. */
static void arm_timer(void)
{
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x20000 | VEC_FIRST);
	lapic_write(APIC_TMICT, 1000000);
}

static void stop_timer(void)
{
	lapic_write(APIC_LVTT, 0x10000);
	lapic_write(APIC_TMICT, 0);
}

static void check_timers(void)
{
	bool ok = true;

	note(VEC_FIRST);
	call_others(arm_timer);
	for (unsigned int i = 1; i < cpus; i++) {
		u64 end = rdtsc() + 20 * SECOND * tsc_khz() / 1000;

		while (cpu[i].taken[VEC_FIRST] - count[i] < 3 && rdtsc() < end)
			relax();
		ok &= cpu[i].taken[VEC_FIRST] - count[i] >= 3;
	}
	call_others(stop_timer);
	report(ok && cpu[0].taken[VEC_FIRST] == count[0], "each local APIC's timer interrupts its own CPU");
}

/* ---- starting again, and the end ---- */

static void spin_for_good(void)
{
	for (;;)
		relax();
}

static void halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

static void check_again(void)
{
	call_begin(1, spin_for_good);
	report(start(1), "a CPU that spins with interrupts off is started again");
	call_begin(1, halt);
	delay_us(2000);
	report(start(1), "and one that has halted for good");
	delay_us(2000);
	note(VEC_FIRST);
	send(ICR_INIT, 1);
	delay_us(200);
	send(ICR_FIXED | VEC_FIRST, 1);
	send(ICR_NMI, 1);
	delay_us(2000);
	report(cpu[1].taken[VEC_FIRST] == count[1], "one that waits for its SIPI takes no interrupt");
	report(start(1), "and starts when it comes");
	report(call(1, relax), "and does what it is told");
}

static void end_here(void)
{
	finish();
}

static void triple_fault(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" :: "m"(none));
}

static void prepare(void)
{
	pic_init(PIC_BASE, 0xffff);
	lapic_on();
	/* NMIs come to CPUs without a TSS of their own. */
	gate_set(2, 14, 0, 0);
	trap_set(2, on_nmi);
	interrupt_set(VEC_CALL, on_call);
	for (unsigned int i = 0; i < 8; i++)
		interrupt_set(VEC_FIRST + i, on_vector);
}

void test_main(void)
{
	const char *n = arg("cpus");

	for (cpus = n ? 0 : 2; n && *n >= '0' && *n <= '9' && cpus <= CPUS_MAX; n++)
		cpus = 10 * cpus + (unsigned int)(*n - '0');
	if (cpus < 2 || cpus > CPUS_MAX) {
		report(false, "cpus= is 2 to %u", CPUS_MAX);
		return;
	}
	prepare();
	check_tables();
	for (unsigned int i = 1; i < cpus; i++)
		check_start(i);
	check_each();
	check_ipis();
	check_logical();
	check_timers();
	check_tsc();
	check_memory();
	check_shootdown();
	check_ioapic();
	check_again();
	check_x2apic();
	if (!arg("end"))
		call_begin(1, end_here);
	else
		summary();
	if (arg_is("end", "triple"))
		call_begin(1, triple_fault);
	else if (arg_is("end", "halt"))
		for (unsigned int i = 1; i < cpus; i++)
			call_begin(i, halt);
	halt();
}
