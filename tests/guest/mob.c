/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with several CPUs that means harm. how= chooses: ipi (all flood each other with interrupts and NMIs, in all modes of
 * delivery), init (they reset and start each other), code (one executes instructions that exit, the others rewrite them
 * meanwhile), tables (the same with its page tables), triple (one dies while all the others make noise). Each begins when a
 * character has been typed, or at once with go=now.
 */
#include "lib/guest.h"

const char test_name[] = "mob";

#define CPUS_MAX 8u
#define AP_PAGE 0x8000ul
#define COM1 0x3f8u
#define ICR_LEVEL 0x4000u
#define ICR_INIT 0x4500u
#define ICR_SIPI 0x4600u
#define UNCLAIMED 0xd0000000ul
#define WINDOW 0x8000000000ul                /* the page that is mapped to ever other things */
#define RAM 0x400000ul

extern u8 ap_code[], ap_code_end[];
void ap_main(void);

u64 ap_stack;                                /* of the one that starts next */
static u8 stacks[CPUS_MAX][8192] __attribute__((aligned(16)));
static unsigned int cpus;
static volatile u32 started;
static void (*volatile job)(void);

/* By its stack: CPUID would exit, and the boot CPU has another one. */
static unsigned int me(void)
{
	u64 at = (u64)__builtin_frame_address(0) - (u64)stacks;

	return at < sizeof(stacks) ? (unsigned int)(at / sizeof(stacks[0])) : 0;
}

static u32 random(void)
{
	static u64 states[CPUS_MAX];
	u64 *s = &states[me()], x = *s ? *s : 88172645463325252ull * (me() + 3);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*s = x;
	return (u32)(x >> 16);
}

static void send(u32 icr, u32 dest)
{
	lapic_write(APIC_ICR2, dest << 24);
	lapic_write(APIC_ICR, icr);
}

static void ignore(struct frame *f)
{
	(void)f;
	lapic_eoi();
}

static void ignore_nmi(struct frame *f)
{
	(void)f;
}

void ap_main(void)
{
	idt_load();
	lapic_on();
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	while (!job)
		asm volatile("pause");
	job();
	stop_here();
}

static void start(unsigned int i)
{
	u32 before = started;

	ap_stack = (u64)(stacks[i] + sizeof(stacks[i]));
	send(ICR_INIT, i);
	delay_us(200);
	send(ICR_SIPI | (u32)(AP_PAGE >> 12), i);
	report(wait_for(&started, before + 1, 4000000), "CPU %u starts", i);
}

static void await_key(void)
{
	print("waits for a key\n");
	while (!(inb(COM1 + 5) & 1))
		asm volatile("pause");
}

/* ------------------------------------------------------------------ to each other */

static void __attribute__((noreturn)) ipi(void)
{
	sti();
	for (;;) {
		u32 v = 0x20 + random() % 0xd0, mode = random() % 8;

		if (mode == 5 || mode == 6)          /* INIT and SIPI are init's */
			mode = 4;
		lapic_write(APIC_LDR, random());
		lapic_write(APIC_TPR, random() % 0x20);
		send(ICR_LEVEL | mode << 8 | (random() & 0xc8800) | v, random() & 1 ? random() % cpus : random());
	}
}

static void __attribute__((noreturn)) init(void)
{
	if (me())
		ipi();
	for (;;) {
		unsigned int i = 1 + random() % (cpus - 1);

		ap_stack = (u64)(stacks[i] + sizeof(stacks[i]));
		send(random() & 1 ? ICR_INIT : ICR_SIPI | (u32)(AP_PAGE >> 12), i);
		if (!(random() & 7))
			delay_us(random() % 300);
	}
}

static void __attribute__((noreturn)) triple(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };

	if (me() != cpus - 1)
		ipi();
	delay_us(20000);
	for (;;)
		asm volatile("lidt %0; ud2" :: "m"(none));
}

/* ------------------------------------------------------------------ to what is executed */

/* Runs what stands at site; whatever trap comes of it goes on behind it. */
void run_site(u64 device, u64 ram);
extern u8 site[], site_end[];
asm(".text\n"
    "run_site: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov $4, %ecx; mov %rdi, %rbx; mov $0x80, %edx; mov $1, %eax; cld\n"
    "site: .fill 32, 1, 0x90\n"
    "site_end: cld; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

/* They do not touch RSP; ends of instructions fall where others begin. */
static const u8 variants[][8] = {
	{ 0x89, 0x03, 0x90 },                        /* mov %eax, (%rbx) */
	{ 0x8b, 0x03, 0x90 },                        /* mov (%rbx), %eax */
	{ 0x48, 0x89, 0x83, 0x80, 0x03, 0, 0 },      /* mov %rax, 0x380(%rbx) */
	{ 0xf3, 0xa4, 0x90 },                        /* rep movsb */
	{ 0xf3, 0x48, 0xab },                        /* rep stosq */
	{ 0x66, 0xf0, 0x0f, 0xb1, 0x03 },            /* lock cmpxchg %ax, (%rbx) */
	{ 0x81, 0x03, 0x78, 0x56, 0x34, 0x12 },      /* addl $.., (%rbx) */
	{ 0x0f, 0xb6, 0x43, 0x20 },                  /* movzbl 0x20(%rbx), %eax */
	{ 0xec, 0xee, 0xef },                        /* in, out */
	{ 0xf3, 0x6c, 0x6e },                        /* rep insb; outsb */
	{ 0x0f, 0x20, 0xc0 },                        /* mov %cr0, %rax */
	{ 0x44, 0x0f, 0x20, 0xc0 },                  /* mov %cr8, %rax */
	{ 0x0f, 0xa2, 0x0f, 0x31 },                  /* cpuid; rdtsc */
	{ 0x0f, 0x32, 0x0f, 0x0b },                  /* rdmsr; ud2 */
	{ 0x67, 0x66, 0x2e, 0x3e, 0x64, 0x65, 0xf2, 0x8a },
	{ 0xff, 0x03, 0x0f, 0x01, 0xd9 },            /* incl (%rbx); vmmcall */
};

static void behind_site(struct frame *f)
{
	if (f->rip >= (u64)site && f->rip < (u64)site_end + 16)
		f->rip = (u64)site_end;
}

static void catch_all(void)
{
	for (unsigned int v = 0; v < 20; v++)
		if (v != 2 && v != 8)
			trap_set(v, behind_site);
}

/* So that the other one comes to what was written, and an emulator that translates code has time for it. */
static void breathe(void)
{
	for (u32 i = random() % 1000; i; i--)
		asm volatile("pause");
}

static void __attribute__((noreturn)) rewrite(void)
{
	for (;;) {
		const u8 *v = variants[random() % ARRAY_SIZE(variants)];
		u64 bytes;

		memcpy(&bytes, v, 8);
		if (random() & 1)
			*(volatile u64 *)(site + random() % 24) = bytes;
		else
			((volatile u8 *)site)[random() % 32] = v[random() % 8];
		if (!(random() & 15))
			memset(site, 0x90, 32);
		breathe();
	}
}

static void __attribute__((noreturn)) code(void)
{
	if (me())
		rewrite();
	for (;;)
		run_site(random() & 1 ? UNCLAIMED : LAPIC + 0x80, RAM);
}

/* ------------------------------------------------------------------ to page tables */

static u64 *leaf, *upper[3];                         /* of WINDOW: its own tables */

static u64 some_entry(void)
{
	static const u64 targets[] = {
		RAM, LAPIC, IOAPIC, UNCLAIMED, 0xe0000, 0xa0000, 0x7ffff000, 0xfffffff000, RAM + 0x1000, 0xffffffffff000,
	};
	u64 e = targets[random() % ARRAY_SIZE(targets)] | PTE_P | PTE_W;

	switch (random() % 6) {
	case 0:
		return e & ~PTE_P;
	case 1:
		return e & ~PTE_W;
	case 2:
		return e ^ 1ull << random() % 64;
	default:
		return e;
	}
}

static void __attribute__((noreturn)) remap(void)
{
	const u64 good[3] = { *upper[0], *upper[1], *upper[2] };

	for (;;) {
		unsigned int n = random() % 3;

		*(volatile u64 *)leaf = some_entry();
		if (!(random() & 3))
			*(volatile u64 *)upper[n] = random() & 1 ? some_entry() : good[n] ^ 1ull << random() % 64;
		if (random() & 1)
			for (n = 0; n < 3; n++)
				*(volatile u64 *)upper[n] = good[n];
		breathe();
	}
}

static void __attribute__((noreturn)) walk(void)
{
	for (;;) {
		u64 v = WINDOW + (random() & 0xfff);

		/* No pointer of its own is in these pages, so the registers alone are at stake. */
		memset(site, 0x90, 32);
		memcpy(site + random() % 8, variants[random() % 10], 8);
		asm volatile("invlpg (%0)" :: "r"(WINDOW) : "memory");
		run_site(v, random() & 1 ? v : RAM);
	}
}

static void __attribute__((noreturn)) tables(void)
{
	if (me())
		remap();
	walk();
}

static void build_window(void)
{
	u64 *t = page_pml4;

	leaf = map_page(WINDOW, RAM, PTE_P | PTE_W);
	for (unsigned int n = 0; n < 3; n++) {
		upper[n] = &t[WINDOW >> (39 - 9 * n) & 511];
		t = (u64 *)(*upper[n] & PTE_ADDR);
	}
}

/* ------------------------------------------------------------------ */

static void prepare(void)
{
	for (unsigned int v = 32; v < 256; v++)
		interrupt_set(v, ignore);
	trap_set(2, ignore_nmi);
	/* These come nested and on CPUs that have no stacks of their own for them. */
	gate_set(2, 14, 0, 0);
	gate_set(8, 14, 0, 0);
	lapic_on();
	memcpy(at(AP_PAGE), ap_code, (size_t)(ap_code_end - ap_code));
	cpus = cpuid(1).b >> 16 & 0xff;
	if (cpus > CPUS_MAX)
		cpus = CPUS_MAX;
}

void test_main(void)
{
	static const struct { const char *name; void (*act)(void); } kinds[] = {
		{ "ipi", ipi }, { "init", init }, { "triple", triple }, { "code", code }, { "tables", tables },
	};

	prepare();
	for (unsigned int i = 1; i < cpus; i++)
		start(i);
	if (!arg_is("go", "now"))
		await_key();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (arg_is("how", kinds[i].name)) {
			if (arg_is("how", "code") || arg_is("how", "tables")) {
				build_window();
				catch_all();
			}
			job = kinds[i].act;
			kinds[i].act();
		}
	report(false, "how= says what to do");
}
