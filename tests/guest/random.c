/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does anything: writes all over its memory and its devices', programs every port and MSR with random
 * values, executes random bytes in all widths and at both privilege levels, from seed=N and the second of its start
 * (who comes round by a reset shall not do the same again), for seconds=N. In the last fifth it also does what may be
 * the end of it (instructions on devices, HLT without interrupts, power-off): a guest may die, and what must not die is
 * judged by whoever started it. For Vouch alone: the devices of plain QEMU would write to memory behind its back.
 */
#include "lib/guest.h"

const char test_name[] = "random";

#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define EFER_NXE 0x800ull
#define KVM_CLOCK 0x4b564d01u
#define CODE 0x8000u                  /* below 64 K, so that 16-bit code reaches it */
#define CODE_SIZE 0x1000u
#define ARENA 0x2000000u              /* 2 MiB that random code may have */
#define IST_ALL 3
#define WATCHDOG_HZ 500u
#define PM_HZ 3579545u
#define SEL_USER_CODE16 SEL_SPARE
#define RFLAGS_IF 0x200u
#define RFLAGS_TF 0x100u

extern u8 bss_end[];

static u64 random_state;
static u64 cr0_good, cr4_good, ram_end;
static u64 resume[8];
static volatile bool armed;           /* a trap ends the present piece of work */
static volatile bool running;         /* so does an interrupt: it executes random bytes */
static bool wild;
static u32 storm;                     /* interrupts since the present piece of work began */
static u64 counts[8];
static u8 trap_stack[16384] __attribute__((aligned(16)));
/* Page tables in which there is only memory, for random code that shall not meet devices or change itself. */
static u64 code_pml4[512] __attribute__((aligned(4096)));
static u64 code_pdpt[512] __attribute__((aligned(4096)));
static u64 code_pd[512] __attribute__((aligned(4096)));
static u64 code_pt[512] __attribute__((aligned(4096)));

static u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

static u32 below(u32 n)
{
	return (u32)(random64() >> 33) % n;
}

/* Values at which things break: few bits, edges, addresses. */
static u64 odd_value(void)
{
	switch (below(8)) {
	case 0: return 1ull << below(64);
	case 1: return ~(1ull << below(64));
	case 2: return below(2) ? 0 : ~0ull;
	case 3: return (u64)-(int64_t)below(4096);
	case 4: return below(0x10000);
	case 5: return (1ull << below(64)) - 1 + below(3);
	case 6: return random64() & 0xffffffff;
	default: return random64();
	}
}

/* ------------------------------------------------------------------------------------------------ traps and time */
static void devices_restore(void);

static void on_trap(struct frame *f)
{
	if (read_cr0() != cr0_good)
		write_cr0(cr0_good);
	if (read_cr4() != cr4_good)
		write_cr4(cr4_good);
	if (read_cr3() == (u64)code_pml4)
		write_cr3((u64)page_pml4);
	if (f->vector >= 32) {
		lapic_eoi();
		outb(0xa0, 0x20);
		outb(0x20, 0x20);
	} else if (trap_expected(f)) {
		return;
	}
	/* A timer set to its shortest period leaves no time for anything else. */
	if ((f->vector >= 32 || f->vector == 2) && ++storm % 256 == 0)
		devices_restore();
	if (!running && (f->vector >= 32 || f->vector == 2))
		return;
	if (!armed) {
		print("random: trap %lu error %lx at %lx\n", f->vector, f->error, f->rip);
		finish();
	}
	armed = running = false;
	gdt_load();
	idt_load();
	f->rdi = (u64)resume;
	f->rip = (u64)guarded_resume;
	f->cs = SEL_CODE64;
	f->ss = SEL_DATA;
	f->rsp = (u64)(trap_stack + 4096);
	f->rflags = 2;
}

/* fn(arg), until it returns or traps. */
static void attempt(void (*fn)(void *), void *arg)
{
	armed = true;
	storm = 0;
	guarded_call(fn, arg, resume);
	armed = running = false;
	cli();
}

static void traps_init(void)
{
	unsigned int v;

	tss.ist[IST_ALL - 1] = (u64)(trap_stack + sizeof(trap_stack));
	for (v = 0; v < 256; v++) {
		if (v != 2 && v != 8)
			gate_set(v, 14, v == 3 || v == 4, IST_ALL);
		trap_set(v, on_trap);
	}
	gdt[SEL_USER_CODE16 / 8] = 0x0000fb000000ffff;
	cr0_good = read_cr0() & ~(1ull << 3);
	cr4_good = read_cr4() | 0x600;
}

/* NMIs by two ways end what would never end: the PIT at pin 2 of the IOAPIC, the RTC at pin 8. */
static void watchdog_on(void)
{
	pic_init(0x30, 0xffff);
	ioapic_route(2, 0x400);
	pit_mode(0, 2, 1193182 / WATCHDOG_HZ);
	ioapic_route(8, 0x400);
	cmos_write(0x0a, 0x28);
	cmos_write(0x0b, 0x42);
	cmos_read(0x0c);
}

/* Whatever a piece of work did to the devices that we need. */
static void devices_restore(void)
{
	unsigned int pin;

	wrmsr_try(MSR_APIC_BASE, LAPIC | 0x100);
	wrmsr_try(MSR_APIC_BASE, LAPIC | 0x900);
	lapic_on();
	outb(0x3f9, 0);
	outb(0x3fb, 3);
	outb(0x3fc, 3);
	outb(0x3fa, 7);
	for (pin = 0; pin < 24; pin++)
		ioapic_write(0x10 + pin * 2, 0x10000);
	watchdog_on();
}

/* Seconds since the first call, by a timer that nobody can set; it wraps every 4.6 s. */
static u64 elapsed_ms(void)
{
	static u64 ticks;
	static u32 last_pm;
	static bool started;
	static u16 port;
	u32 pm;

	if (!started)
		port = acpi_power().pm_tmr;
	pm = inl(port) & 0xffffff;
	ticks += started ? (pm - last_pm) & 0xffffff : 0;
	last_pm = pm;
	started = true;
	return ticks / (PM_HZ / 1000);
}

/* ---------------------------------------------------------------------------------------------------- memory, MMIO */
/* Neither our own code and data nor, in all likelihood, what another one of our accesses needs. */
static u64 ram_address(u32 room)
{
	u64 a;

	do {
		a = random64() % (ram_end - room);
	} while (a + room > 0xff0000 && a < (u64)bss_end + 0x10000);
	return a;
}

static void work_ram(void *arg)
{
	unsigned int i;
	u64 n, from;
	void *to;

	(void)arg;
	for (i = 0; i < 2000; i++) {
		*(volatile u64 *)at(ram_address(8)) = random64();
		*(volatile u16 *)at(ram_address(2)) = (u16)random64();
	}
	n = below(65536);
	to = at(ram_address(65536));
	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(below(256)) : "memory");
	n = below(65536);
	from = ram_address(65536);
	to = at(ram_address(65536));
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

static u64 device_address(void)
{
	switch (below(8)) {
	case 0:
	case 1: return LAPIC + below(0x1000);
	case 2: return LAPIC + below(0x40) * 16;
	case 3: return IOAPIC + below(0x60);
	case 4: return 0xa0000 + below(0x60000);
	case 5: return 0xfed00000 + below(0x1000);
	case 6: return 0xc0000000 + below(0x40000000);
	default: return TEST_VA + below(0x10000);      /* anywhere, also beyond 4 GiB */
	}
}

/* Pages of 64 random guest-physical addresses where there is no memory. */
static void map_anywhere(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		map_page(TEST_VA + i * 4096, ((1ull << (32 + below(8))) + (random64() & 0xffffffff)) & ~0xfffull,
			 PTE_P | PTE_W | PTE_U | (below(2) ? PTE_PCD : 0));
}

#define DEVICE_OP(insn) asm volatile(TRY(insn) : "+a"(v) : "D"(a), "c"(below(64)) : "memory", "cc")

static void device_access(u64 a)
{
	u64 v = odd_value(), n = below(20), from = ram_address(4096);
	void *to = at(a);

	switch (below(20)) {
	case 0: DEVICE_OP("movb (%%rdi), %%al"); break;
	case 1: DEVICE_OP("movw (%%rdi), %%ax"); break;
	case 2: DEVICE_OP("movl (%%rdi), %%eax"); break;
	case 3: DEVICE_OP("movq (%%rdi), %%rax"); break;
	case 4: DEVICE_OP("movb %%al, (%%rdi)"); break;
	case 5: DEVICE_OP("movw %%ax, (%%rdi)"); break;
	case 6: case 7: case 8: DEVICE_OP("movl %%eax, (%%rdi)"); break;
	case 9: DEVICE_OP("movq %%rax, (%%rdi)"); break;
	case 10: DEVICE_OP("lock addl %%eax, (%%rdi)"); break;
	case 11: DEVICE_OP("xchgl %%eax, (%%rdi)"); break;
	case 12: DEVICE_OP("orb %%al, (%%rdi)"); break;
	case 13: DEVICE_OP("movzwl (%%rdi), %%eax"); break;
	case 14: DEVICE_OP("testl %%eax, (%%rdi)"); break;
	case 15: DEVICE_OP("xorq %%rax, (%%rdi)"); break;
	case 16: DEVICE_OP("cmpw $-1, (%%rdi)"); break;
	case 17: DEVICE_OP("movl $-1, (%%rdi)"); break;
	case 18: asm volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(v) : "memory"); break;
	default: asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) :: "memory"); break;
	}
}

static void work_mmio(void *arg)
{
	unsigned int i;

	(void)arg;
	map_anywhere();
	for (i = 0; i < 500; i++) {
		device_access(device_address());
		if (below(16) == 0)
			sti_nop();
	}
}

/* ------------------------------------------------------------------------------------------------------------ ports */
/* What ends the run at once, before the last fifth: resets always (they would begin it anew), power-off then. */
static bool port_left_out(u32 port, u32 size)
{
	static const struct { u16 first, last; } ends[] = { { 0x64, 0x64 }, { 0x92, 0x92 }, { 0xcf9, 0xcf9 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (port + size > ends[i].first && port <= ends[i].last)
			return true;
	return port + size > 0x600 && port < 0x60c && (!wild || below(64));
}

static u32 random_port(void)
{
	static const u16 known[] = { 0x20, 0xa0, 0x40, 0x60, 0x70, 0x80, 0x92, 0x2f8, 0x3f8, 0x4d0, 0x600, 0xcf8, 0x400, 0xe8 };

	return below(4) ? known[below(ARRAY_SIZE(known))] + below(8) : below(0x10000);
}

static void port_access(u32 port)
{
	u32 size = below(3), v = (u32)odd_value();
	void *buffer = at(ARENA + below(0x1000));
	u64 n = below(40);

	if (port_left_out(port, 4))
		return;
	switch (below(4) * 3 + size) {
	case 0: asm volatile("inb %w1, %%al" : "+a"(v) : "d"(port)); break;
	case 1: asm volatile("inw %w1, %%ax" : "+a"(v) : "d"(port)); break;
	case 2: asm volatile("inl %w1, %%eax" : "+a"(v) : "d"(port)); break;
	case 3: asm volatile("outb %%al, %w1" :: "a"(v), "d"(port)); break;
	case 4: asm volatile("outw %%ax, %w1" :: "a"(v), "d"(port)); break;
	case 5: asm volatile("outl %%eax, %w1" :: "a"(v), "d"(port)); break;
	case 6: asm volatile("rep insb" : "+D"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	case 7: asm volatile("rep insw" : "+D"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	case 8: asm volatile("rep insl" : "+D"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	case 9: asm volatile("rep outsb" : "+S"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	case 10: asm volatile("rep outsw" : "+S"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	default: asm volatile("rep outsl" : "+S"(buffer), "+c"(n) : "d"(port) : "memory"); break;
	}
}

static void work_ports(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 600; i++) {
		u32 port = random_port();

		/* The console's data registers, once in a while only: the log is to be read by people. */
		if ((port & 0xfef8) == 0x2f8 && below(50))
			continue;
		port_access(port);
		if (below(32) == 0)
			sti_nop();
	}
}

/* ------------------------------------------------------------------------------------------ MSRs, control registers */
static void work_msrs(void *arg)
{
	static const u32 bases[] = { 0, 0x170, 0x200, 0x270, 0x400, 0x6e0, 0x800, 0x820, 0x40000000, 0x4b564d00, 0xc0000080,
				     0xc0000100, 0xc0010000, 0xc0010100, 0xc0011000 };
	unsigned int i;
	u64 v, efer = rdmsr(MSR_EFER);

	(void)arg;
	for (i = 0; i < 1000; i++) {
		u32 msr = below(4) ? bases[below(ARRAY_SIZE(bases))] + below(64) : (u32)random64();

		rdmsr_try(msr, &v);
		v = below(2) ? v ^ 1ull << below(64) : odd_value();
		if (msr == KVM_CLOCK || msr == 0x12 || msr == KVM_CLOCK - 1 || msr == 0x11)
			v = (v & ~0xffffffull) | (v & 0xfffff);  /* Vouch writes to where these say: not over us */
		wrmsr_try(msr, v);
		if (below(32) == 0)
			sti_nop();
	}
	wrmsr_try(KVM_CLOCK, 0);
	wrmsr_try(0x12, 0);
	wrmsr_try(MSR_EFER, efer);
}

/* Bits of CR3 above the physical width and DR7's upper half are left out: QEMU's TCG does not fault, but fails VMRUN. */
static void work_crs(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 300; i++) {
		u64 v = 1ull << below(64);

		switch (below(8)) {
		case 0: (void)WRITE_CR_TRY(0, cr0_good ^ v); break;
		case 1: (void)WRITE_CR_TRY(0, below(2) ? odd_value() : cr0_good ^ v ^ 1ull << below(32)); break;
		case 2: (void)WRITE_CR_TRY(4, cr4_good ^ v); break;
		case 3: (void)WRITE_CR_TRY(4, cr4_good ^ (random64() & 0x7f0fff)); break;
		case 4: (void)WRITE_CR_TRY(8, odd_value()); break;
		case 5: (void)WRITE_CR_TRY(2, odd_value()); break;
		case 6: (void)WRITE_CR_TRY(3, read_cr3() ^ below(32)); break;
		default:
			asm volatile(TRY("mov %0, %%dr0") :: "r"(odd_value()));
			asm volatile(TRY("mov %0, %%dr6") :: "r"(odd_value() & 0xffffffff));
			asm volatile(TRY("mov %0, %%dr7") :: "r"((odd_value() & 0xffffffff) & ~0x2000ull));
			break;
		}
		asm volatile(TRY("xgetbv") :: "c"(0) : "rax", "rdx");
		v = below(4) ? below(16) : odd_value();
		asm volatile(TRY("xsetbv") :: "c"(below(8) ? 0 : below(3)), "a"((u32)v), "d"((u32)(v >> 32)));
		asm volatile(TRY("lmsw %w0") :: "r"(below(16) | 1));
		asm volatile(TRY("clts") ::: "memory");
		cpuid2((u32)odd_value(), below(4));
		write_cr0(cr0_good);
		write_cr4(cr4_good);
		write_cr8(0);
	}
	asm volatile("mov %0, %%dr7" :: "r"(0x400ull));
}

/* ---------------------------------------------------------------------------------------------- interrupts and timers */
static void work_interrupts(void *arg)
{
	unsigned int i, n;

	(void)arg;
	for (i = 0; i < 100; i++) {
		lapic_write(APIC_ICR2, (u32)odd_value());
		lapic_write(APIC_ICR, below(2) ? (u32)random64() : 0x40000 | below(256));
		lapic_write(APIC_LVTT + 0x10 * below(6), (u32)odd_value() & ~(wild ? 0 : 0x10000u));
		ioapic_write(0x10 + below(48), (u32)odd_value());
		if (below(4) == 0)
			lapic_write(APIC_TPR, below(256));
		if (below(4) == 0)
			outb((u16)(below(2) ? 0x20 : 0xa0) | (u16)below(2), (u8)random64());
		for (n = below(4); n; n--)
			sti_nop();
		cli();
	}
}

static void work_timers(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		switch (below(6)) {
		case 0:
			outb(0x43, (u8)random64());
			outb((u16)(0x40 + below(3)), (u8)odd_value());
			outb((u16)(0x40 + below(3)), (u8)odd_value());
			outb(0x61, (u8)random64());
			break;
		case 1:
			lapic_write(APIC_LVTT, below(2) << 17 | 0x60);
			lapic_write(APIC_TDCR, below(16));
			lapic_write(APIC_TMICT, (u32)odd_value());
			break;
		case 2:
			lapic_write(APIC_LVTT, 0x40060);
			wrmsr_try(MSR_TSC_DEADLINE, below(2) ? odd_value() : rdtsc() + odd_value());
			break;
		case 3:
			cmos_write((u8)below(16), (u8)odd_value());
			break;
		case 4:
			wrmsr_try(0x10, odd_value());
			wrmsr_try(0x3b, odd_value());
			break;
		default:
			cmos_read((u8)below(128));
			break;
		}
		sti_nop();
		cli();
	}
}

/* ------------------------------------------------------------------------------------------------- random instructions */
/* Bytes from instructions that exit or that systems use, since random ones rarely meet them. */
static u8 code_byte(void)
{
	static const u8 likely[] = { 0x0f, 0x01, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x48, 0x8b, 0x89, 0xa4, 0xa5, 0xab, 0xcd, 0xcf,
				     0x6c, 0x6e, 0xe4, 0xec, 0xee, 0xa2, 0x30, 0x32, 0x20, 0x22, 0xc7, 0x9d, 0xfb, 0xae, 0xd9, 0x8e };

	return below(3) ? (u8)random64() : likely[below(ARRAY_SIZE(likely))];
}

static bool near_reset_port(u64 port)
{
	return (port & 0xfffc) == 0x64 - 4 || (port & 0xffff) == 0x64 || (port & 0xfffc) == 0x8c || (port & 0xfffc) == 0x90;
}

static bool string_io_behind(const u8 *c)
{
	unsigned int i;

	for (i = 0; i < 14; i++)
		if (c[i] >= 0x6c && c[i] <= 0x6f)
			return true;
	return false;
}

/*
 * Not in the code, because the run would begin anew or end at once: OUT to the reset ports; MOV to CR3 and DR7 (see
 * work_crs()); INS and OUTS with LOCK, which QEMU's TCG executes where a CPU raises #UD; LTR, since that of a null selector
 * ends QEMU; and, while not wild, HLT and writes to IDTR, GDTR and control registers, which are work_crs()'s.
 */
static void tame(u8 *c, u32 n)
{
	u32 i;

	for (i = 0; i + 2 < n; i++) {
		u8 reg = c[i + 2] >> 3 & 7;

		if ((c[i] & 0xfe) == 0xe6 && near_reset_port(c[i + 1]))
			c[i] = 0x90;
		if (c[i] == 0x0f && c[i + 1] == 0 && reg == 3)
			c[i] = 0x90;
		if (c[i] == 0xf0 && string_io_behind(c + i + 1))
			c[i] = 0x90;
		if (c[i] == 0x0f && ((c[i + 1] == 0x22 && reg == 3) || (c[i + 1] == 0x23 && reg == 7)))
			c[i] = 0x90;
		if (wild)
			continue;
		if (c[i] == 0xf4)
			c[i] = 0x90;
		if (c[i] == 0x0f && (c[i + 1] == 0x22 || (c[i + 1] == 0x01 && (reg == 2 || reg == 3))))
			c[i] = 0x90;
	}
}

static u64 random_register(void)
{
	u64 v = odd_value();

	switch (below(wild ? 6 : 4)) {
	case 0: return v - 0xff0000 < 0x20000 ? ~v : v;         /* a jump to our own entry would be the end */
	case 1: return ARENA + below(0x200000);
	case 2: return below(0x10000);
	case 3: return CODE + below(CODE_SIZE);
	default: return device_address();
	}
}

static void tables_init(void)
{
	u64 i;

	for (i = 0; i < 512; i++)
		if (i * 4096 < 0xa0000 || i * 4096 >= 0x100000)
			code_pt[i] = i * 4096 | PTE_P | PTE_W | PTE_U | PTE_NX;
	code_pt[CODE >> 12] &= ~(PTE_W | PTE_NX);
	code_pd[0] = (u64)code_pt | PTE_P | PTE_W | PTE_U;
	for (i = 1; i < ram_end >> 21 && i < 512; i++)
		code_pd[i] = i << 21 | PTE_PS | PTE_P | PTE_W | (i == ARENA >> 21 ? PTE_U | PTE_NX : 0);
	code_pdpt[0] = (u64)code_pd | PTE_P | PTE_W | PTE_U;
	code_pml4[0] = (u64)code_pdpt | PTE_P | PTE_W | PTE_U;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	page_pd[0] |= PTE_U;
	page_pd[ARENA >> 21] |= PTE_U;
	page_pd[IOAPIC >> 21] |= PTE_U;
	page_pd[LAPIC >> 21] |= PTE_U;
}

static void work_code(void *arg)
{
	static const struct { u16 cs, ss; } modes[] = {
		{ SEL_CODE64, SEL_DATA }, { SEL_CODE32, SEL_DATA }, { SEL_CODE16, SEL_DATA16 },
		{ SEL_USER_CODE64 | 3, SEL_USER_DATA | 3 }, { SEL_USER_CODE32 | 3, SEL_USER_DATA | 3 },
		{ SEL_USER_CODE16 | 3, SEL_USER_DATA | 3 },
	};
	static struct frame f;
	u64 *reg = &f.rax;
	unsigned int i, mode = below(ARRAY_SIZE(modes));
	u8 *code = at(CODE);

	(void)arg;
	for (i = 0; i < 64; i++)
		code[i] = code_byte();
	memset(code + 64, 0xcc, CODE_SIZE - 64);
	tame(code, 66);
	for (i = 0; i < 15; i++)
		reg[i] = random_register();
	f.rdx ^= near_reset_port(f.rdx) ? 0x100 : 0;
	f.rip = CODE;
	f.cs = modes[mode].cs;
	f.ss = modes[mode].ss;
	f.rsp = below(4) ? ARENA + 0x100000 + below(0x1000) : random_register();
	f.rflags = 2 | RFLAGS_IF | (random64() & 0x40cd5) | (below(8) ? 0 : RFLAGS_TF) | (below(2) ? 0 : 0x3000);
	/* In this order: an interrupt goes back to our own tables, and ends what is running. */
	running = true;
	if (!wild || below(256))
		write_cr3((u64)code_pml4);
	frame_enter(&f);
}

/* --------------------------------------------------------------------------------------------------------------- main */
static const struct {
	const char *name;
	void (*work)(void *);
	u32 times;
} works[] = {
	{ "ram", work_ram, 1 },
	{ "mmio", work_mmio, 1 },
	{ "ports", work_ports, 1 },
	{ "msrs", work_msrs, 1 },
	{ "crs", work_crs, 1 },
	{ "interrupts", work_interrupts, 1 },
	{ "timers", work_timers, 1 },
	{ "code", work_code, 1000 },
};

static u64 number(const char *key, u64 otherwise)
{
	const char *s = arg(key);
	u64 n = 0;

	for (; s && *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (u64)(*s - '0');
	return s && n ? n : otherwise;
}

static void find_ram(void)
{
	unsigned int i;

	for (i = 0; i < e820_count(); i++) {
		struct e820 e = e820_entry(i);

		if (e.type == 1 && e.base <= 0x1000000 && e.base + e.len > 0x1000000)
			ram_end = e.base + e.len;
	}
	report(ram_end > ARENA + 0x200000, "enough memory");
	if (failed)
		finish();
}

void test_main(void)
{
	u64 seed = number("seed", 1), ms = number("seconds", 10) * 1000, i;
	const char *only = arg("only");
	bool may_be_wild = arg_is("wild", "yes");

	/* Random code may reset the guest: started again, it must not come to the same end for ever. */
	seed += (u64)cmos_read(0) << 32 | (u64)cmos_read(2) << 40;
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	find_ram();
	traps_init();
	write_cr0(cr0_good);
	write_cr4(cr4_good);
	tables_init();
	elapsed_ms();
	while (elapsed_ms() < ms) {
		u32 w = below(ARRAY_SIZE(works));

		if (only && strcmp(only, works[w].name))
			continue;
		devices_restore();
		if (may_be_wild && !wild && elapsed_ms() > ms * 4 / 5) {
			wild = true;
			print("random: wild from here\n");
		}
		for (i = 0; i < works[w].times; i++)
			attempt(works[w].work, NULL);
		counts[w]++;
	}
	devices_restore();
	for (i = 0; i < ARRAY_SIZE(works); i++)
		print("random: %s %lu times\n", works[i].name, counts[i] * works[i].times);
	report(true, "alive after %lu ms with seed %lx", ms, seed);
}
