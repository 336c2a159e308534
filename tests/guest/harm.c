/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that means harm to those beside it. how= chooses: triple (a triple fault), spin (interrupts off), dead (HLT
 * with interrupts off: its end), exits (leaves the guest as often as it can), ipi, nmi, timer (interrupts itself
 * without end), uart (writes to both serial ports without end), write (to all memory, MSRs and ports: the last ones
 * reset it), debug (a #DB whose delivery hits its own breakpoint); sleep does none: it halts, and nothing wakes it. It
 * waits for a typed character first, unless go=now. Whoever started it looks at the others.
 */
#include "lib/guest.h"

const char test_name[] = "harm";

#define MSR_TSC_DEADLINE 0x6e0u
#define SELF 0x40000u
#define ALL 0x80000u
#define OTHERS 0xc0000u
#define NMI 0x400u
#define COM1 0x3f8u
#define COM2 0x2f8u

static u64 random_state = 88172645463325252ull;

static u32 random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)(random_state >> 16);
}

static void ignore(struct frame *f)
{
	(void)f;
	lapic_eoi();
}

static void take_all_interrupts(trap_handler h)
{
	for (unsigned int v = 32; v < 256; v++)
		interrupt_set(v, h);
	lapic_on();
}

/* ------------------------------------------------------------------ ends */

static void __attribute__((noreturn)) triple(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	for (;;)
		asm volatile("lidt %0; ud2" :: "m"(none));
}

static void __attribute__((noreturn)) spin(void)
{
	cli();
	for (;;)
		asm volatile("" ::: "memory");
}

/* Interrupts would wake it; it has none. */
static void __attribute__((noreturn)) sleep(void)
{
	print("sleeps\n");
	for (;;)
		sti_hlt_cli();
}

/* ------------------------------------------------------------------ floods */

static void __attribute__((noreturn)) exits(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	for (;;) {
		cpuid(random() & 0x1f);
		outb(0x80, 0);
		write_cr0(cr0 ^ 0x40000000);         /* CD */
		write_cr0(cr0);
		write_cr4(cr4 ^ 0x80);               /* PGE: flushes */
		write_cr4(cr4);
		write_cr3(read_cr3());
		asm volatile("wbinvd; invlpg (%0); pause; cli; sti" :: "r"(0x1000ul) : "memory");
		asm volatile(TRY(VMCALL) :: "a"(random()) : "memory");
		(void)*(volatile u32 *)at(0xd0000000);
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + random() % 5000);
	}
}

/* Each one sends the next before it is over, so that some always wait. */
static void send_on(struct frame *f)
{
	lapic_write(APIC_ICR, SELF | (0x20 + ((u32)f->vector * 7 + 1) % 0xd0));
	lapic_eoi();
}

static void __attribute__((noreturn)) ipi(void)
{
	take_all_interrupts(send_on);
	sti();
	for (;;) {
		u32 v = 0x20 + random() % 0xd0;

		lapic_write(APIC_ICR, SELF | v);
		lapic_write(APIC_ICR, ALL | v);
		lapic_write(APIC_ICR, OTHERS | v);
		lapic_write(APIC_ICR2, random());
		lapic_write(APIC_ICR, (random() & 0xc900) | v);      /* anybody, by any of these ways */
	}
}

static void nmi_again(struct frame *f)
{
	(void)f;
	lapic_write(APIC_ICR2, lapic_read(APIC_ID));
	lapic_write(APIC_ICR, NMI);
}

static void __attribute__((noreturn)) nmi(void)
{
	trap_set(2, nmi_again);
	take_all_interrupts(ignore);
	sti();
	for (;;)
		nmi_again(NULL);
}

/* All clocks of a PC as fast as they go. */
static void __attribute__((noreturn)) timer(void)
{
	take_all_interrupts(ignore);
	pic_init(0x30, 0);
	pit_mode(0, 2, 2);
	cmos_write(0x0a, 0x21);                      /* 32 kHz, or what comes of it */
	cmos_write(0x0b, 0x72);
	lapic_write(APIC_TDCR, 0xb);
	lapic_write(APIC_LVTT, 0x20040);
	lapic_write(APIC_TMICT, 1);
	sti();
	for (;;) {
		outb(0x20, 0x20);
		outb(0xa0, 0x20);
		cmos_read(0x0c);
		asm volatile("hlt");
	}
}

static void __attribute__((noreturn)) uart(void)
{
	static const char text[] = "\x1b[2J\x1b]0;harm\a\r\nvouch: guest harm stopped: not so\r\n\x01\x01m\r\ndestroy 0\r\n"
				   "\x0e\x9b\x1bP\xff\xfe long line without an end ";

	for (u32 i = 0;; i++) {
		outb(COM1, (u8)text[i % (sizeof(text) - 1)]);
		outb(COM2, (u8)text[i % (sizeof(text) - 1)]);
		if (!(i % 1000))
			outb(COM1 + random() % 8, (u8)random());
		if (!(i % 5000)) {                   /* and back to what is seen */
			outb(COM1 + 3, 3);
			outb(COM1 + 4, 3);
		}
	}
}

/* ------------------------------------------------------------------ writes everywhere */

static void poke(u64 a, u64 v)
{
	asm volatile(TRY("movq %0, (%1)") :: "r"(v), "r"(a) : "memory");
	asm volatile(TRY("movb %b0, (%1)") :: "q"(v), "r"(a) : "memory");
}

static void write_low(void)
{
	extern u8 bss_end[];
	u64 a;

	memset(at(0x100000), 0xff, 0xf00000);        /* its own, up to its kernel */
	for (a = ((u64)bss_end + 0xfff) & ~0xffful; a < 0xc0000000; a += a < 0x2800000 ? 0x1000 : 0x400000)
		poke(a, ~0ull);
	for (a = 0x80000; a < 0x100000; a += 0x200)  /* where nothing is, where ROMs and tables are */
		poke(a, random());
	for (a = 0xc0000000; a < 0x100000000ull; a += 0x100000)
		poke(a, random());
}

/* At each power of two, and right below it, which is as far as an address goes. */
static void write_high(void)
{
	for (unsigned int bit = 32; bit < 52; bit++) {
		u64 page = 1ull << bit;

		map_large(TEST_VA, page, PTE_P | PTE_W);
		poke(TEST_VA, ~0ull);
		map_large(TEST_VA, page - 0x200000, PTE_P | PTE_W);
		poke(TEST_VA + 0x1ffff8, ~0ull);
	}
}

static void write_chips(void)
{
	for (unsigned int n = 0; n < 3000; n++) {
		u64 a = (n & 1 ? IOAPIC : LAPIC) + (random() & 0xff0) + (n % 50 ? 0 : random() & 15);

		/* INIT and start-up would end it here already. */
		if ((a & ~15ull) != LAPIC + APIC_ICR)
			asm volatile(TRY("movl %0, (%1)") :: "r"(n % 3 ? random() : ~0u), "r"(a) : "memory");
	}
}

static void write_msrs(void)
{
	static const struct { u32 first, count; } ranges[] = {
		{ 0, 0x1000 }, { 0x40000000, 0x200 }, { 0x4b564d00, 0x10 }, { 0xc0000000, 0x400 }, { 0xc0010000, 0x400 },
		{ 0xc0011000, 0x100 }, { 0xffffff00, 0x100 },
	};

	for (size_t r = 0; r < ARRAY_SIZE(ranges); r++)
		for (u32 i = 0; i < ranges[r].count; i++) {
			wrmsr_try(ranges[r].first + i, random() & 1 ? 0 : 1ull << (random() & 63));
			wrmsr_try(ranges[r].first + i, (u64)random() << 32 | random());
		}
	for (u32 i = 0; i < 5000; i++)
		wrmsr_try(random(), random());
}

static bool is_end(u32 port)
{
	return (port >= 0x604 && port <= 0x607) || port == 0x64 || port == 0x92 || (port >= 0xcf8 && port <= 0xcff);
}

static void write_port(u32 port)
{
	switch (random() % 3) {
	case 0:
		outb((u16)port, (u8)random());
		break;
	case 1:
		outw((u16)port, (u16)random());
		break;
	default:
		outl((u16)port, random());
	}
}

static void __attribute__((noreturn)) write_all(void)
{
	take_all_interrupts(ignore);
	sti();
	write_low();
	write_high();
	write_chips();
	write_msrs();
	/* A wide access reaches the ports behind, too. */
	for (u32 port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 13)
		if (!is_end(port) && !is_end(port + 1) && !is_end(port + 3))
			write_port(port);
	for (;;) {
		outb(0x92, 1);
		outb(0x64, 0xfe);
		outb(0xcf9, 6);
	}
}

/* ------------------------------------------------------------------ #DB without end */

/* CVE-2015-8104: where the CPU delivers #DB, it writes to what raises #DB, and never comes to an instruction. */
static void __attribute__((noreturn)) debug(void)
{
	u64 slot = tss.ist[0] - 16;                  /* of the frame on that stack */

	gate_set(1, 14, 0, 1);
	trap_set(1, ignore);
	lapic_on();
	asm volatile("mov %0, %%dr0; mov %1, %%dr7" :: "r"(slot), "r"(0x90303ul));   /* 4 bytes, written */
	for (;;)
		asm volatile("incl (%0)" :: "r"(slot) : "memory");
}

/* With IF=0 Bochs would keep the host's interrupts out, too, and with them what is typed. */
static void await_key(void)
{
	print("waits for a key\n");
	sti();
	while (!(inb(COM1 + 5) & 1))
		asm volatile("pause");
	cli();
}

void test_main(void)
{
	static const struct { const char *name; void (*act)(void); } kinds[] = {
		{ "triple", triple }, { "spin", spin }, { "dead", stop_here }, { "exits", exits }, { "ipi", ipi }, { "nmi", nmi },
		{ "timer", timer }, { "uart", uart }, { "write", write_all }, { "debug", debug }, { "sleep", sleep },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (arg_is("how", kinds[i].name)) {
			if (!arg_is("go", "now"))
				await_key();
			kinds[i].act();
		}
	report(false, "how= says what to do");
}
