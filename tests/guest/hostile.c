/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that means harm: descriptor-table and segment bases that point into a hypervisor's half of the address space,
 * a TSS of its own, wild stack pointers, and then exits of all kinds; random port and MSR traffic; SVM instructions. After
 * each its own state must be as it was. rounds=N sets how long the first part goes on (a runner injects NMIs then); then=reset
 * resets after it, so that the hypervisor verifies this image again with what the guest left in the CPU.
 */
#include "lib/guest.h"

const char test_name[] = "hostile";

#define UD 6u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u
#define ENOSYS_KVM 1000u

static u64 hostile_bases[] = {
	0xffffffff80000000ull, 0xffffffff80100000ull, 0xffff800000000000ull, 0xffffffffffffff00ull, 0xfffffffffffff000ull,
	0x0000000000000000ull, 0x00007ffffffff000ull, 0x00000000fee00000ull, 0x8000000000ull, 0xffff888000000000ull,
};
static u64 other_gdt[32] __attribute__((aligned(16)));
static volatile u32 wakes;

static u32 random(void)
{
	static u64 state = 0x853c49e6748fea9bull;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(state >> 33);
}

static void on_wake(struct frame *f)
{
	(void)f;
	wakes++;
	lapic_eoi();
}

/* TR and LDTR get descriptors of the base in a GDT of their own; no IST is in use meanwhile. */
static void load_hostile(u64 base)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) p = { sizeof(other_gdt) - 1, (u64)other_gdt };
	unsigned int i;

	memcpy(other_gdt, gdt, 0x48);
	for (i = 0; i < 2; i++) {
		u64 type = i ? 0x82 : 0x89;

		other_gdt[10 + i * 2] = 0xffff | (base & 0xffffff) << 16 | type << 40 | 0xfull << 48 | (base >> 24 & 0xff) << 56;
		other_gdt[11 + i * 2] = base >> 32;
	}
	asm volatile("lgdt %0; ltr %w1; lldt %w2" :: "m"(p), "r"(10 * 8), "r"(12 * 8) : "memory");
	wrmsr(MSR_FS_BASE, base);
	wrmsr(MSR_GS_BASE, base ^ 0x1000);
	wrmsr(MSR_KERNEL_GS, base ^ 0x2000);
}

static bool still_hostile(u64 base)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) g, i;
	u16 tr, ldt;

	asm volatile("sgdt %0; sidt %1; str %2; sldt %3" : "=m"(g), "=m"(i), "=r"(tr), "=r"(ldt));
	return g.base == (u64)other_gdt && i.base == (u64)idt && tr == 10 * 8 && ldt == 12 * 8 && rdmsr(MSR_FS_BASE) == base &&
	       rdmsr(MSR_GS_BASE) == (base ^ 0x1000) && rdmsr(MSR_KERNEL_GS) == (base ^ 0x2000);
}

/* CPUID and IN with a stack pointer that points nowhere good. */
static void exits_on_wild_stack(u64 rsp)
{
	asm volatile("mov %%rsp, %%r12; mov %0, %%rsp; xor %%eax, %%eax; cpuid; mov $0x5000, %%edx; inb %%dx, %%al; "
		     "mov $0xfee00020, %%eax; mov (%%rax), %%eax; mov $0x1b, %%ecx; rdmsr; mov %%r12, %%rsp"
		     :: "r"(rsp) : "rax", "rbx", "rcx", "rdx", "r12", "memory");
}

static void all_exits(u64 base)
{
	u8 b[4];
	void *p = b;
	u64 n = sizeof(b), v;

	cpuid(random());
	inb(0x5000);
	outl(0x80, random());
	asm volatile("rep insb" : "+D"(p), "+c"(n) : "d"(0x5000) : "memory");
	lapic_write(APIC_TPR, 0);
	lapic_read(APIC_VERSION);
	(void)*(volatile u8 *)at(0xd0000000);
	rdmsr_try(random(), &v);
	asm volatile(TRY(".byte 0x0f, 0x01, 0xd9") : "=a"(v) : "a"(random()), "b"(base), "c"(base), "d"(base) : "memory");
	asm volatile("swapgs; cpuid; swapgs" ::: "rax", "rbx", "rcx", "rdx");
	exits_on_wild_stack(base);
	lapic_write(APIC_LVTT, 0x60);
	lapic_write(APIC_TMICT, 1000);
	sti_hlt_cli();
}

static void check_bases(void)
{
	const char *rounds_text = arg("rounds");
	u32 rounds = 0, i, n;

	for (; rounds_text && *rounds_text >= '0' && *rounds_text <= '9'; rounds_text++)
		rounds = rounds * 10 + (u32)(*rounds_text - '0');
	if (!rounds)
		rounds = 20;
	gate_set(2, 14, 0, 0);
	lapic_on();
	lapic_write(APIC_TDCR, 0xb);
	interrupt_set(0x60, on_wake);
	print("hostile bases begin\n");
	for (i = 0; i < ARRAY_SIZE(hostile_bases); i++) {
		u64 base = hostile_bases[i];
		bool ok;

		load_hostile(base);
		for (n = 0; n < rounds; n++)
			all_exits(base);
		ok = still_hostile(base);
		wrmsr(MSR_FS_BASE, 0);
		wrmsr(MSR_GS_BASE, 0);
		gdt_load();
		report(ok, "FS, GS, TR and LDTR at %lx stay so over exits of all kinds", base);
	}
	print("hostile bases end\n");
	report(wakes == rounds * ARRAY_SIZE(hostile_bases), "each HLT woke (%u)", wakes);
	gate_set(2, 14, 0, 2);
}

static void check_hypercall(void)
{
	static const u64 numbers[] = { 0, 1, 5, 11, 12, 0x7fffffff, 0x80000000, ~0ull };
	unsigned int i;
	bool ok = true, kept = true;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		u64 a = numbers[i], b = 0x1111, c = 0x2222, d = 0x3333;

		if (cpu_is_intel())
			asm volatile(TRY(VMCALL) : "+a"(a), "+b"(b), "+c"(c), "+d"(d) :: "memory");
		else
			asm volatile(TRY(VMMCALL) : "+a"(a), "+b"(b), "+c"(c), "+d"(d) :: "memory");
		ok = ok && last.vector == NO_FAULT && a == (u64)-(int64_t)ENOSYS_KVM;
		kept = kept && b == 0x1111 && c == 0x2222 && d == 0x3333;
	}
	report_vouch(ok, "a hypercall with an unknown number answers -KVM_ENOSYS");
	report(kept, "and leaves the other registers");
	/* The other vendor's spelling: #UD, unless a hypervisor cares for it. */
	ok = cpu_is_intel() ? TRAPS(UD, VMMCALL) : TRAPS(UD, VMCALL);
	report(ok || last.vector == NO_FAULT, "the other vendor's does no harm (vector %x)", last.vector);
}

static void check_svm(void)
{
	u64 rax = (u64)other_gdt & ~0xfffull;

#define SVM_UD(name, bytes) \
	asm volatile(TRY(".byte " bytes) :: "a"(rax), "c"(0) : "memory"); \
	report(last.vector == UD, name " is #UD (vector %x)", last.vector)
	SVM_UD("VMRUN", "0x0f, 0x01, 0xd8");
	SVM_UD("VMLOAD", "0x0f, 0x01, 0xda");
	SVM_UD("VMSAVE", "0x0f, 0x01, 0xdb");
	SVM_UD("STGI", "0x0f, 0x01, 0xdc");
	SVM_UD("CLGI", "0x0f, 0x01, 0xdd");
	SVM_UD("SKINIT", "0x0f, 0x01, 0xde");
	SVM_UD("INVLPGA", "0x0f, 0x01, 0xdf");
#undef SVM_UD
	asm volatile(TRY(".byte 0x0f, 0x01, 0xc8") :: "a"(rax), "c"(0), "d"(0));
	report_vouch(last.vector == UD, "MONITOR is #UD (vector %x)", last.vector);
	asm volatile(TRY(".byte 0x0f, 0x01, 0xc9") :: "a"(0), "c"(0));
	report_vouch(last.vector == UD, "MWAIT is #UD (vector %x)", last.vector);
	asm volatile(TRY("rdpmc") :: "c"(0) : "rax", "rdx");
	report(last.vector == 13 || last.vector == NO_FAULT || last.vector == UD, "RDPMC does no harm (vector %x)", last.vector);
	report(TRAPS(UD, "rsm"), "RSM is #UD");
	asm volatile("pause; wbinvd");
	report(true, "PAUSE and WBINVD do no harm");
	asm volatile("invd");
	report(true, "INVD does no harm");
}

/* Ports that end the guest, change how we print, or (plain QEMU) start DMA, SMM or PCI reconfiguration. */
static bool port_left_out(u32 port, u32 size)
{
	static const struct { u16 first, last; } out[] = {
		{ 0x60, 0x64 }, { 0x92, 0x92 }, { 0xcf8, 0xcff }, { 0x3f8, 0x3fe }, { 0x600, 0x607 },
	};
	static const struct { u16 first, last; } qemu[] = {
		{ 0x00, 0x0f }, { 0x80, 0x8f }, { 0xb2, 0xb3 }, { 0xc0, 0xdf }, { 0xf4, 0xf7 }, { 0x170, 0x177 }, { 0x1f0, 0x1f7 },
		{ 0x376, 0x376 }, { 0x3f6, 0x3ff }, { 0x510, 0x51b }, { 0x608, 0x63f }, { 0x700, 0x70f }, { 0x5658, 0x5658 },
		{ 0xae00, 0xafff }, { 0xc000, 0xcfff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(out); i++)
		if (port + size > out[i].first && port <= out[i].last)
			return true;
	for (i = 0; i < ARRAY_SIZE(qemu) && !expect_vouch; i++)
		if (port + size > qemu[i].first && port <= qemu[i].last)
			return true;
	return port + size > 0x10000;
}

static void one_port(u32 port)
{
	u32 size = 1u << random() % 3, v = random();
	u8 b[8] = { 0 };
	void *p = b;
	u64 n = 2;

	if (port_left_out(port, size))
		return;
	switch (random() % 4) {
	case 0:
		if (size == 1)
			outb((u16)port, (u8)v);
		else if (size == 2)
			outw((u16)port, (u16)v);
		else
			outl((u16)port, v);
		break;
	case 1:
		if (size == 1)
			inb((u16)port);
		else if (size == 2)
			inw((u16)port);
		else
			inl((u16)port);
		break;
	case 2:
		asm volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(port) : "memory");
		break;
	default:
		asm volatile("rep insb" : "+D"(p), "+c"(n) : "d"(port) : "memory");
		break;
	}
}

static void check_ports(void)
{
	u32 i;

	for (i = 0; i < 0x10000; i++)
		one_port(i);
	for (i = 0; i < 20000; i++)
		one_port(random() & 0x7ff);
	/* The devices that we still need, as firmware leaves them. */
	outb(0x3ff, 0x5a);
	report(inb(0x3ff) == 0x5a, "80000 random accesses to ports, and COM1 still works");
	pic_init(0x30, 0xffff);
	pit_mode(0, 2, 0);
	lapic_on();
}

static void check_mmio(void)
{
	u32 i;

	for (i = 0; i < 20000; i++) {
		u64 a = 0xfec00000ull + (random() & 0xfff);
		u32 what = random() & 3;

		/* LAPIC reads alone: random writes to its ICR could send INIT to ourselves. */
		if (what == 0)
			(void)*(volatile u32 *)at(LAPIC + (random() & 0xffc));
		else if (what == 1)
			(void)*(volatile u32 *)at(0xc0000000ull + (random() & 0x1ffffffcu));
		else if (what == 2)
			*(volatile u32 *)at(a & ~3ull) = random() & ~0x7ffu;
		else
			(void)*(volatile u32 *)at(a & ~3ull);
	}
	for (i = 0; i < 24; i++)
		ioapic_write(0x10 + i * 2, 0x10000);
	report(true, "20000 random accesses to device memory");
}

static void check_msrs(void)
{
	static const u32 bases[] = { 0, 0x200, 0x400, 0x800, 0x40000000, 0x4b564d00, 0xc0000080, 0xc0000100, 0xc0010000, 0xc0011000 };
	u32 i, faults = 0, good = 0;
	u64 v;

	for (i = 0; i < 30000; i++) {
		u32 msr = i & 1 ? random() : bases[random() % ARRAY_SIZE(bases)] + (random() & 0x3ff);

		if (rdmsr_try(msr, &v) == NO_FAULT)
			good++;
		else
			faults++;
	}
	report_vouch(faults > 10000, "30000 random MSR reads: %u allowed, %u #GP", good, faults);
}

static void check_cpuids(void)
{
	u32 i;

	for (i = 0; i < 20000; i++)
		cpuid2(i & 1 ? random() : (random() & 0xc0000000) | (random() & 0x1ff), random() & 3);
	report(true, "20000 random CPUID leaves");
}

void test_main(void)
{
	check_bases();
	if (arg_is("then", "reset")) {
		summary();
		outb(0x64, 0xfe);
		stop_here();
	}
	check_svm();
	check_hypercall();
	check_cpuids();
	check_msrs();
	check_mmio();
	check_ports();
}
