/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts from the PIT through PIC and IOAPIC, from UART and SCI as levels, from the LAPIC to itself, in xAPIC and
 * x2APIC mode; what holds them back (masks, IF, TPR, shadows, ISR), what they wake, NMIs and their blocking.
 */
#include "lib/guest.h"

const char test_name[] = "interrupts";

#define PIC_BASE 0x30
#define TIMER_VECTOR 0x50
#define UART_VECTOR 0x58
#define PIT_HZ 1193182u
#define COM1 0x3f8
#define MSR_APIC_BASE 0x1bu
#define GP 13u

static volatile u32 ticks, uart_count, order_count, spurious, nmi_count, nmi_depth, nmi_max_depth;
static volatile u64 last_rip;
static u8 order[16];
static bool keep_quiet;

static void on_pic_tick(struct frame *f)
{
	ticks++;
	last_rip = f->rip;
	pic_eoi(0);
}

static void on_pic_tick_no_eoi(struct frame *f)
{
	(void)f;
	ticks++;
}

static void on_apic_tick(struct frame *f)
{
	ticks++;
	last_rip = f->rip;
	lapic_eoi();
}

static void on_spurious(struct frame *f)
{
	(void)f;
	spurious++;
}

#define PATIENCE_US 10000000ull              /* for what must come: a busy host may stop us for long */

static bool ticks_within(u32 n, u64 us)
{
	u64 end = rdtsc() + us * tsc_khz() / 1000;
	u32 from = ticks;

	sti();
	while (ticks - from < n && rdtsc() < end)
		asm volatile("pause");
	cli();
	return ticks - from >= n;
}

static u8 pic_read(u16 port, u8 what)
{
	outb(port, what);
	return inb(port);
}

/* Until the PIT's interrupt waits at the PIC. */
static bool pic_requested(void)
{
	u64 end = rdtsc() + PATIENCE_US * tsc_khz() / 1000;

	while (!(pic_read(0x20, 0x0a) & 1))
		if (rdtsc() >= end)
			return false;
	return true;
}

static void check_pic(void)
{
	u32 before;

	pic_init(PIC_BASE, 0xfffe);
	interrupt_set(PIC_BASE, on_pic_tick);
	lapic_write(APIC_LVT0, 0x700);
	pit_mode(0, 2, PIT_HZ / 200);
	report(ticks_within(5, PATIENCE_US), "PIC: 5 ticks of a 200 Hz PIT");
	outb(0x21, 0xff);
	sti_nop();
	cli();
	before = ticks;
	report(!ticks_within(1, 30000) && ticks == before, "PIC: none while masked");
	report(pic_requested(), "PIC: the request shows in IRR");
	outb(0x21, 0xfe);
	report(ticks == before, "PIC: none while IF is clear");
	sti_nop();
	cli();
	report(ticks == before + 1, "PIC: the pending one comes with STI");
	interrupt_set(PIC_BASE, on_pic_tick_no_eoi);
	ticks_within(1, PATIENCE_US);
	before = ticks;
	report(!ticks_within(1, 30000) && ticks == before, "PIC: none before EOI");
	outb(0x20, 0x0b);
	report(inb(0x20) & 1, "PIC: in service");
	pic_eoi(0);
	interrupt_set(PIC_BASE, on_pic_tick);
	report(ticks_within(2, PATIENCE_US), "PIC: again after EOI");
	lapic_write(APIC_LVT0, 0x10700);
	sti_nop();
	cli();
	before = ticks;
	report(!ticks_within(1, 30000), "PIC: none while LVT0 is masked");
	lapic_write(APIC_LVT0, 0x700);
	report(ticks_within(1, PATIENCE_US), "PIC: again with LVT0 open");
}

static void check_pic_slave(void)
{
	u32 from;

	/* RTC periodic interrupt, 64 Hz. */
	interrupt_set(PIC_BASE, on_pic_tick);
	interrupt_set(PIC_BASE + 8, on_pic_tick_no_eoi);
	outb(0x21, 0xfb);
	outb(0xa1, 0xfe);
	cmos_write(0x8a, 0x2a);
	cmos_read(0x8c);
	cmos_write(0x8b, 0x42);
	from = ticks;
	ticks_within(1, PATIENCE_US);
	report(ticks == from + 1, "PIC: the RTC through the slave");
	report(cmos_read(0x0c) & 0x40, "RTC: its flag says periodic");
	pic_eoi(8);
	report(ticks_within(1, PATIENCE_US), "PIC: and again after flag and EOI");
	cmos_write(0x8b, 0x02);
	cmos_read(0x0c);
	pic_eoi(8);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

/* What was printed has left: the transmitter stays empty from here on. */
static void uart_idle(void)
{
	while (!(inb(COM1 + 5) & 0x40))
		;
}

/* The UART's interrupt at the PIC. on_pic_uart() takes the cause away when it has come that often. */
static volatile u32 pic_uart_count, pic_uart_stop_at;

static void on_pic_uart(struct frame *f)
{
	(void)f;
	if (++pic_uart_count == pic_uart_stop_at)
		outb(COM1 + 1, 0);
	pic_eoi(4);
}

/* The transmitter is empty: an interrupt as long as it is enabled and nobody has read why. */
static u32 uart_interrupts(u32 stop_at)
{
	pic_uart_count = 0;
	pic_uart_stop_at = stop_at;
	outb(COM1 + 1, 2);
	sti_nop();
	sti_nop();
	sti_nop();
	sti_nop();
	cli();
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	return pic_uart_count;
}

static void check_pic_level(void)
{
	u8 elcr = inb(0x4d0), elcr_slave = inb(0x4d1);
	u32 edge, level;

	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	report(inb(0x4d0) == 0xf8 && inb(0x4d1) == 0xde, "PIC: IRQ 0, 1, 2, 8 and 13 are edges for ever (%x, %x)", inb(0x4d0),
	       inb(0x4d1));
	outb(0x4d0, 0);
	outb(0x4d1, 0);
	report(inb(0x4d0) == 0 && inb(0x4d1) == 0, "PIC: the others are edges if asked to");
	uart_idle();
	outb(COM1 + 4, 0x0b);
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	interrupt_set(PIC_BASE + 4, on_pic_uart);
	pic_init(PIC_BASE, 0xffef);
	lapic_write(APIC_LVT0, 0x700);
	edge = uart_interrupts(3);
	outb(0x4d0, 0x10);
	level = uart_interrupts(3);
	report(edge == 1, "PIC: an edge is one interrupt, cause or not (%u)", edge);
	report(level == 3, "PIC: a level is one after each EOI until the cause is gone (%u)", level);
	outb(0x21, 0xff);
	outb(COM1 + 1, 2);
	report(pic_read(0x20, 0x0a) & 0x10, "PIC: a level shows in IRR");
	outb(COM1 + 1, 0);
	report(!(pic_read(0x20, 0x0a) & 0x10), "PIC: and no longer when it is gone");
	pic_uart_count = pic_uart_stop_at = 0;
	outb(0x21, 0xef);
	outb(COM1 + 1, 2);
	outb(COM1 + 1, 0);
	sti_nop();
	cli();
	report(!pic_uart_count, "PIC: a level that is gone before IF is set interrupts nobody");
	interrupt_set(PIC_BASE + 4, on_pic_tick_no_eoi);
	ticks = 0;
	outb(COM1 + 1, 2);
	sti_nop();
	sti_nop();
	cli();
	report(ticks == 1 && pic_read(0x20, 0x0a) & 0x10 && pic_read(0x20, 0x0b) & 0x10,
	       "PIC: a level in service is requested still, and waits for its EOI (%u)", ticks);
	outb(0x4d0, 0);
	pic_eoi(4);
	sti_nop();
	cli();
	report_vouch(ticks == 1, "PIC: made an edge, it needs a new one (%u)", ticks);
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	pic_eoi(4);
	interrupt_set(PIC_BASE + 4, NULL);
	outb(0x21, 0xff);
	outb(0x4d0, elcr);
	outb(0x4d1, elcr_slave);
}

/* The SCI is a level at the slave: the alarm of the RTC raises it each second. The PC of plain QEMU has no such wire. */
static void on_sci(struct frame *f)
{
	(void)f;
	if (++ticks == 3) {
		outw((u16)(acpi_power().pm1a_evt + 2), 0);
		outw(acpi_power().pm1a_evt, 0x400);
	}
	pic_eoi(9);
}

static void check_sci(void)
{
	u16 event = acpi_power().pm1a_evt;

	if (!expect_vouch)
		return;
	outb(0x4d1, 2);
	interrupt_set(PIC_BASE + 9, on_sci);
	pic_init(PIC_BASE, 0xfdfb);
	lapic_write(APIC_LVT0, 0x700);
	cmos_write(1, 0xc0);
	cmos_write(3, 0xc0);
	cmos_write(5, 0xc0);
	cmos_read(0xc);
	cmos_write(0xb, 0x22);
	outw(event, 0x400);
	outw((u16)(event + 2), 0x400);
	ticks = 0;
	report(ticks_within(3, PATIENCE_US), "PIC: the SCI, a level through the slave");
	sti_nop();
	cli();
	report(ticks == 3 && !(inw(event) & 0x400), "PIC: is gone with its cause (%u)", ticks);
	cmos_write(0xb, 0x02);
	cmos_read(0xc);
	interrupt_set(PIC_BASE + 9, NULL);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	outb(0x4d1, 0);
}

static void check_hlt(void)
{
	u32 before = ticks;
	unsigned int try;
	u64 tsc;

	pic_init(PIC_BASE, 0xfffe);
	pit_mode(0, 2, PIT_HZ / 100);
	interrupt_set(PIC_BASE, on_pic_tick);
	sti_hlt_cli();
	tsc = rdtsc();
	asm volatile("sti; hlt; 1: cli; lea 1b(%%rip), %0" : "=r"(tsc) :: "memory");
	report(ticks == before + 2, "HLT: woken by each tick");
	report(last_rip == tsc, "HLT: the handler returns behind it");
	/* A loaded host delivers ticks late and the next ones early, so there are a few tries. */
	for (try = 0; try < 8; try++) {
		tsc = rdtsc();
		sti_hlt_cli();
		sti_hlt_cli();
		tsc = rdtsc() - tsc;
		if (tsc > tsc_khz() * 8 && tsc < tsc_khz() * 30)
			break;
	}
	report(tsc > tsc_khz() * 8 && tsc < tsc_khz() * 30, "HLT: two ticks of 10 ms take that long (%lu us)",
	       tsc * 1000 / tsc_khz());
	outb(0x21, 0xff);
	lapic_write(APIC_LVT0, 0x10700);
	pit_mode(0, 2, 0);
}

static void check_ioapic(void)
{
	u32 before;

	interrupt_set(TIMER_VECTOR, on_apic_tick);
	pit_mode(0, 2, PIT_HZ / 200);
	ioapic_route(2, TIMER_VECTOR);
	report(ticks_within(5, PATIENCE_US), "IOAPIC: 5 ticks of a 200 Hz PIT");
	ioapic_write(0x14, 0x10000 | TIMER_VECTOR);
	sti_nop();
	cli();
	before = ticks;
	report(!ticks_within(1, 30000) && ticks == before, "IOAPIC: none while masked");
	ioapic_write(0x14, 0x900 | TIMER_VECTOR);
	lapic_write(APIC_DFR, 0xffffffff);
	lapic_write(APIC_LDR, 0x01000000);
	ioapic_write(0x15, 0x01000000);
	report(ticks_within(2, PATIENCE_US), "IOAPIC: logical destination, lowest priority");
	ioapic_write(0x15, 0x02000000);
	sti_nop();
	cli();
	report(!ticks_within(1, 30000), "IOAPIC: none for another destination");
	ioapic_write(0x14, 0x10000);
	ioapic_write(0x15, 0);
	pit_mode(0, 2, 0);
}

static void on_uart(struct frame *f)
{
	(void)f;
	uart_count++;
	/* The cause goes away only the third time. */
	if (uart_count == 3)
		outb(COM1 + 1, 0);
	if (!keep_quiet)
		lapic_eoi();
}

static void check_level(void)
{
	uart_idle();
	outb(COM1 + 4, 0x0b);
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	interrupt_set(UART_VECTOR, on_uart);
	ioapic_route(4, 0x8000 | UART_VECTOR);
	outb(COM1 + 1, 2);
	sti_nop();
	sti_nop();
	sti_nop();
	cli();
	report(uart_count == 3, "level: delivered again after each EOI until the cause is gone (%u)", uart_count);
	keep_quiet = true;
	outb(COM1 + 1, 2);
	sti_nop();
	sti_nop();
	cli();
	report(uart_count == 4, "level: once without EOI (%u)", uart_count);
	report(ioapic_read(0x18) & 0x4000, "level: remote IRR is set");
	outb(COM1 + 1, 0);
	lapic_eoi();
	sti_nop();
	cli();
	report(uart_count == 4 && !(ioapic_read(0x18) & 0x4000), "level: EOI without cause ends it, remote IRR is clear");
	ioapic_write(0x18, 0x10000);
}

static void on_ipi(struct frame *f)
{
	order[order_count++ & 15] = (u8)f->vector;
	last_rip = f->rip;
	if (!lapic_bit(APIC_ISR, (unsigned int)f->vector))
		order_count += 100;
	lapic_eoi();
}

static void ipis_clear(void)
{
	order_count = 0;
	memset(order, 0, sizeof(order));
}

static void check_self_ipi(void)
{
	unsigned int v;

	for (v = 0x60; v < 0xf0; v++)
		interrupt_set(v, on_ipi);
	ipis_clear();
	lapic_self(0x61);
	report(lapic_bit(APIC_IRR, 0x61) && !order_count, "self-IPI: pending in IRR while IF is clear");
	sti_nop();
	cli();
	report(order_count == 1 && order[0] == 0x61 && !lapic_bit(APIC_IRR, 0x61) && !lapic_bit(APIC_ISR, 0x61),
	       "self-IPI: taken, in service meanwhile, then gone");
	ipis_clear();
	lapic_self(0x65);
	lapic_self(0xa0);
	lapic_self(0x81);
	lapic_self(0x65);
	sti_nop();
	sti_nop();
	cli();
	report(order_count == 3 && order[0] == 0xa0 && order[1] == 0x81 && order[2] == 0x65,
	       "self-IPI: highest vector first, the same one once");
	ipis_clear();
	lapic_write(APIC_ICR2, lapic_read(APIC_ID));
	lapic_write(APIC_ICR, 0x62);
	sti_nop();
	cli();
	report(order_count == 1 && order[0] == 0x62, "IPI to our physical ID");
	lapic_write(APIC_ICR2, 0x01000000);
	lapic_write(APIC_ICR, 0x863);
	sti_nop();
	cli();
	report(order_count == 2 && order[1] == 0x63, "IPI to our logical ID");
	lapic_write(APIC_ICR, 0xc0000 | 0x64);
	sti_nop();
	cli();
	report(order_count == 2, "IPI to all but self comes to nobody");
	lapic_write(APIC_ICR, 0x80000 | 0x64);
	sti_nop();
	cli();
	report(order_count == 3 && order[2] == 0x64, "IPI to all comes to us");
}

static void check_priority(void)
{
	u32 same = 0;

	ipis_clear();
	lapic_write(APIC_TPR, 0x70);
	report(read_cr8() == 7, "CR8 shows the TPR");
	lapic_self(0x6f);
	lapic_self(0x7f);
	lapic_self(0x80);
	sti_nop();
	cli();
	report(order_count == 1 && order[0] == 0x80, "TPR 70 holds back 6F and 7F, not 80");
	write_cr8(6);
	report(lapic_read(APIC_TPR) == 0x60, "the TPR shows CR8");
	sti_nop();
	cli();
	report(order_count == 2 && order[1] == 0x7f, "CR8 6 lets 7F through, not 6F");
	sti();
	write_cr8(0);
	asm volatile("nop");
	cli();
	report(order_count == 3 && order[2] == 0x6f, "CR8 0 lets 6F through at once");
	lapic_write(APIC_TPR, 0x20);
	report((lapic_read(APIC_PPR) & 0xf0) == 0x20, "PPR follows the TPR");
	sti();
	lapic_self(0x99);
	asm volatile("nop; nop");
	cli();
	report(order_count == 4 && order[3] == 0x99, "a self-IPI with IF set comes at once");
	lapic_write(APIC_TPR, 0x25);
	write_cr8(2);
	report(lapic_read(APIC_TPR) == 0x20, "CR8 2 clears the low half of TPR 25 (%x)", lapic_read(APIC_TPR));
	lapic_write(APIC_TPR, 0);
	for (u32 i = 0; i < 64; i++) {
		write_cr8(i & 15);
		same += lapic_read(APIC_TPR) == (i & 15) << 4;
		lapic_write(APIC_TPR, (~i & 15) << 4);
		same += read_cr8() == (~i & 15);
	}
	report(same == 128, "CR8 and the TPR follow one another (%u of 128 times)", same);
	lapic_write(APIC_TPR, 0);
	lapic_self(0x99);
	write_cr8(1);
	report(read_cr8() == 1, "CR8 while an interrupt waits for IF");
	write_cr8(0);
	sti_nop();
	cli();
	report(order_count == 5 && order[4] == 0x99, "which comes then (%u)", order_count);
}

static void on_outer(struct frame *f)
{
	order[order_count++ & 15] = (u8)f->vector;
	lapic_self(0x6f);
	lapic_self(0xb0);
	sti_nop();
	sti_nop();
	cli();
	order[order_count++ & 15] = 0xee;
	lapic_eoi();
}

static void check_nested(void)
{
	ipis_clear();
	interrupt_set(0x6e, on_outer);
	lapic_self(0x6e);
	sti_nop();
	sti_nop();
	cli();
	report(order_count == 4 && order[0] == 0x6e && order[1] == 0xb0 && order[2] == 0xee && order[3] == 0x6f,
	       "nested: a higher class interrupts the handler, the same class waits (%x %x %x %x)", order[0], order[1], order[2],
	       order[3]);
	interrupt_set(0x6e, on_ipi);
}

/* Where is an interrupt taken that is pending when `insn` runs? True if right behind it. */
#define TAKEN_BEHIND(before, insn) ({ \
	u64 behind_; \
	ipis_clear(); \
	lapic_self(0x66); \
	asm volatile(before "\n\t" insn "\n1:\tnop\n\tcli\n\tlea 1b(%%rip), %0" : "=S"(behind_) : "d"(0x3ff) \
		     : "rax", "rbx", "rcx", "memory"); \
	order_count == 1 && last_rip == behind_; })

static void check_shadow(void)
{
	report(TAKEN_BEHIND("sti", "nop"), "STI: taken behind the next instruction");
	report(TAKEN_BEHIND("sti", "inb %%dx, %%al"), "STI: the same if that is IN");
	report(TAKEN_BEHIND("sti", "xor %%eax, %%eax; mov $0x5000, %%edx") == false, "(the check can tell)");
	report(TAKEN_BEHIND("sti", "cpuid"), "STI: the same if that is CPUID");
	report(TAKEN_BEHIND("push $0x202", "popfq"), "POPF: no shadow");
	report(TAKEN_BEHIND("mov $0xfee00020, %%ecx; sti", "movl (%%rcx), %%eax"), "STI: the same if that reads a device");
	report(TAKEN_BEHIND("mov $0xc0000080, %%ecx; sti", "rdmsr"), "STI: the same if that is RDMSR");
	report(TAKEN_BEHIND("mov %%ss, %%eax; sti", "mov %%eax, %%ss") ||
	       TAKEN_BEHIND("mov %%ss, %%eax; sti", "mov %%eax, %%ss; nop"), "STI, MOV SS: taken behind one or the other");
	ipis_clear();
	lapic_self(0x66);
	sti_hlt_cli();
	report(order_count == 1, "STI, HLT with one pending: does not sleep");
}

static void nmi_self(void)
{
	lapic_write(APIC_ICR2, lapic_read(APIC_ID));
	lapic_write(APIC_ICR, 0x400);
}

static void on_nmi(struct frame *f)
{
	(void)f;
	nmi_count++;
	nmi_depth++;
	if (nmi_depth > nmi_max_depth)
		nmi_max_depth = nmi_depth;
	if (nmi_count == 1) {
		nmi_self();
		cpuid(0);
		asm volatile("nop");
	}
	nmi_depth--;
}

/* IRET of any exception unblocks NMIs (APM 2 "Non-Maskable Interrupt"): the second one nests here. */
static void on_nmi_iret(struct frame *f)
{
	(void)f;
	nmi_count++;
	nmi_depth++;
	if (nmi_depth > nmi_max_depth)
		nmi_max_depth = nmi_depth;
	if (nmi_count == 1) {
		nmi_self();
		cpuid(0);
		asm volatile(TRY("ud2") ::: "memory");
		cpuid(0);
	}
	nmi_depth--;
}

static volatile u32 traps;
static volatile u64 first_trap;

static void on_trap(struct frame *f)
{
	if (!traps++)
		first_trap = f->rip;
}

/* With a second NMI waiting, an IRET to a selector beyond the GDT; what was pushed for it is dropped again. */
static void on_nmi_bad_iret(struct frame *f)
{
	(void)f;
	nmi_count++;
	if (nmi_count > 1)
		return;
	nmi_self();
	cpuid(0);
	asm volatile("movq %%rsp, %%rbx\n\tpushq $0\n\tpushq %%rbx\n\tpushfq\n\tpushq $0xfff8\n\tpushq $0\n\t"
		     TRY("iretq") "movq %%rbx, %%rsp" ::: "rbx", "memory", "cc");
}

/* A hypervisor may have to step over that IRET: neither the fault nor the next single step may tell. */
static void check_faulting_iret(void)
{
	u64 behind;

	interrupt_set(2, on_nmi_bad_iret);
	nmi_count = 0;
	nmi_self();
	cpuid(0);
	report(nmi_count == 2 && last.vector == 13 && last.error == 0xfff8, "NMI: its IRET may fault (%u, vector %u)", nmi_count,
	       last.vector);
	report(!(last.rflags & 0x100), "NMI: TF is clear in that fault's frame (%lx)", last.rflags);
	trap_set(1, on_trap);
	traps = 0;
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n1:\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n\t"
		     "leaq 1b(%%rip), %0" : "=r"(behind) : : "memory", "cc");
	report(traps == 4 && first_trap == behind, "TF: each #DB comes after that (%u)", traps);
	trap_set(1, NULL);
}

static void check_nmi(void)
{
	gate_set(2, 14, 0, 0);
	interrupt_set(2, on_nmi);
	nmi_count = nmi_max_depth = 0;
	nmi_self();
	cpuid(0);
	asm volatile("nop");
	report(nmi_count == 2 && nmi_max_depth == 1, "NMI: with IF clear; a second one waits for IRET (%u, depth %u)", nmi_count,
	       nmi_max_depth);
	interrupt_set(2, on_nmi_iret);
	nmi_count = nmi_max_depth = 0;
	nmi_self();
	cpuid(0);
	report(nmi_count == 2 && nmi_max_depth == 2, "NMI: the IRET of an exception lets the second one in (%u, depth %u)",
	       nmi_count, nmi_max_depth);
	nmi_count = nmi_max_depth = 0;
	interrupt_set(2, on_nmi);
	nmi_self();
	cpuid(0);
	report(nmi_count == 2 && nmi_max_depth == 1, "NMI: blocked and unblocked again");
	check_faulting_iret();
	interrupt_set(2, NULL);
	gate_set(2, 14, 0, 2);
}

static void check_software_disable(void)
{
	ipis_clear();
	lapic_write(APIC_SVR, 0xff);
	lapic_self(0x67);
	sti_nop();
	cli();
	report(lapic_read(APIC_LVTT) & 0x10000, "LAPIC off by software: LVTs are masked");
	lapic_on();
	sti_nop();
	cli();
	report(order_count == 0 || order_count == 1, "LAPIC on again");
}

static void on_x2_ipi(struct frame *f)
{
	order[order_count++ & 15] = (u8)f->vector;
	wrmsr(0x80b, 0);
}

static void check_x2apic(void)
{
	u64 base = rdmsr(MSR_APIC_BASE), v;

	if (!(cpuid(1).c >> 21 & 1)) {
		report_vouch(false, "x2APIC is there");
		return;
	}
	report(wrmsr_try(MSR_APIC_BASE, base | 0x400) == NO_FAULT && rdmsr(MSR_APIC_BASE) == (base | 0x400), "x2APIC: on");
	report(rdmsr(0x802) == cpuid(1).b >> 24, "x2APIC: its ID");
	report((rdmsr(0x803) & 0xf0) == 0x10, "x2APIC: its version");
	report(rdmsr(0x80d) == 1, "x2APIC: its logical ID is derived (%lx)", rdmsr(0x80d));
	report(wrmsr_try(0x802, 0) == GP && wrmsr_try(0x80d, 0) == GP, "x2APIC: IDs are read-only");
	report(wrmsr_try(0x80b, 1) == GP, "x2APIC: EOI takes zero alone");
	report(rdmsr_try(0x80b, &v) == GP, "x2APIC: EOI cannot be read");
	report(rdmsr_try(0x80e, &v) == GP && wrmsr_try(0x80e, 0) == GP, "x2APIC: no DFR");
	report(rdmsr_try(0x831, &v) == GP, "x2APIC: no second half of ICR");
	report(wrmsr_try(0x808, 0x100) == GP, "x2APIC: reserved TPR bits are #GP");
	report(wrmsr_try(0x808, 0x40) == NO_FAULT && rdmsr(0x808) == 0x40 && read_cr8() == 4, "x2APIC: TPR and CR8");
	wrmsr(0x808, 0);
	interrupt_set(0x68, on_x2_ipi);
	interrupt_set(0x69, on_x2_ipi);
	ipis_clear();
	wrmsr(0x83f, 0x68);
	sti_nop();
	cli();
	report(order_count == 1 && order[0] == 0x68, "x2APIC: SELF IPI");
	wrmsr(0x830, rdmsr(0x802) << 32 | 0x69);
	sti_nop();
	cli();
	report(order_count == 2 && order[1] == 0x69, "x2APIC: IPI to our ID");
	wrmsr(0x830, 1ull << 32 | 0x800 | 0x69);
	sti_nop();
	cli();
	report(order_count == 3, "x2APIC: IPI to our logical ID");
	report(wrmsr_try(MSR_APIC_BASE, base) == GP, "x2APIC: straight back to xAPIC is #GP");
	report(wrmsr_try(MSR_APIC_BASE, base & ~0xc00ull) == NO_FAULT, "x2APIC: to disabled");
	report(wrmsr_try(MSR_APIC_BASE, (base & ~0x800ull) | 0xc00) == GP ||
	       wrmsr_try(MSR_APIC_BASE, base & ~0xc00ull) == NO_FAULT, "x2APIC: disabled to x2APIC");
	report(wrmsr_try(MSR_APIC_BASE, base) == NO_FAULT && rdmsr(MSR_APIC_BASE) == base, "x2APIC: and to xAPIC");
	lapic_on();
	interrupt_set(0x68, on_ipi);
	ipis_clear();
	lapic_self(0x68);
	sti_nop();
	cli();
	report(order_count == 1, "xAPIC works again");
}

void test_main(void)
{
	tsc_khz();
	lapic_on();
	interrupt_set(0xff, on_spurious);
	pic_init(PIC_BASE, 0xffff);
	check_pic();
	check_pic_slave();
	check_pic_level();
	check_sci();
	check_hlt();
	check_ioapic();
	check_level();
	check_self_ipi();
	check_priority();
	check_nested();
	check_shadow();
	check_nmi();
	check_software_disable();
	check_x2apic();
	report(spurious == 0, "no spurious interrupt (%u)", spurious);
}
