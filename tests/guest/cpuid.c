/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID shows: a whole AMD64 CPU without the features that Vouch keeps for itself, Vouch's leaves, KVM's leaves. */
#include "lib/guest.h"

const char test_name[] = "cpuid";

#define CR4_OSXSAVE (1ull << 18)
#define HV_VOUCH 0x40000000u
#define HV_KVM   0x40000100u
#define KVM_NOP_IO_DELAY (1u << 1)
#define KVM_CLOCKSOURCE2 (1u << 3)
#define KVM_CLOCKSOURCE_STABLE (1u << 24)

static bool same(struct cpuid x, struct cpuid y)
{
	return !memcmp(&x, &y, sizeof(x));
}

static void check_stable(u32 first, u32 last_leaf)
{
	bool ok = true;
	u32 leaf;

	for (leaf = first; leaf <= last_leaf; leaf++)
		ok = ok && same(cpuid(leaf), cpuid(leaf));
	report(ok, "leaves %x to %x are stable", first, last_leaf);
}

static void text_of(char out[13], struct cpuid r)
{
	memcpy(out, &r.b, 4);
	memcpy(out + 4, &r.c, 4);
	memcpy(out + 8, &r.d, 4);
	out[12] = 0;
}

static void check_registers(void)
{
	u64 a = 0xffffffff00000000ull, b = ~0ull, c = 0xffffffff00000000ull, d = ~0ull;

	asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	report(!(a >> 32 | b >> 32 | c >> 32 | d >> 32), "the upper halves of RAX, RBX, RCX and RDX become zero");
	asm volatile("std; stc; cpuid; pushfq; popq %%rdi; cld" : "=D"(b) : "a"(0) : "rbx", "rcx", "rdx", "cc");
	report((b & 0x401) == 0x401, "flags are left alone");
}

static void check_basic(void)
{
	struct cpuid r = cpuid(0), e = cpuid(0x80000000);
	u32 max = r.a;
	char vendor[13], vendor2[13];

	text_of(vendor, (struct cpuid){ r.a, r.b, r.d, r.c });
	text_of(vendor2, (struct cpuid){ e.a, e.b, e.d, e.c });
	print("vendor %s, leaves to %x and %x\n", vendor, max, e.a);
	report(max >= 0xd && max < 0x100, "highest basic leaf %x", max);
	report(e.a >= 0x80000008 && e.a < 0x80000100, "highest extended leaf %x", e.a);
	/* SDM 2A "CPUID": reserved on Intel's CPUs, and 0. APM 3 appendix D: the vendor again. */
	report(!strcmp(vendor, vendor2) || (cpu_is_intel() && !(e.b | e.c | e.d)), "one vendor in both");
	check_stable(0, 0xa);
	check_stable(0x80000000, 0x80000008);
	report_vouch(same(cpuid(max + 1), (struct cpuid){ 0 }) || same(cpuid(max + 1), cpuid(max)),
		     "a leaf beyond the highest shows nothing new");
	r = cpuid(0x80000008);
	report((r.a & 0xff) >= 36 && (r.a & 0xff) <= 52, "physical address bits %u", r.a & 0xff);
	report((r.a >> 8 & 0xff) == 48, "linear address bits %u", r.a >> 8 & 0xff);
}

static void check_features(void)
{
	struct cpuid r = cpuid(1), e = cpuid(0x80000001);

	report((r.d & 0x0789a971) == 0x0789a971, "FPU PSE TSC MSR PAE CX8 APIC MTRR PGE CMOV PAT CLFSH MMX FXSR SSE SSE2 (%x)", r.d);
	report(e.d >> 29 & 1 && e.d >> 20 & 1, "long mode and NX");
	report(r.c >> 31 & 1, "hypervisor bit");
	report_vouch(!(r.c >> 3 & 1), "no MONITOR");
	report(!(r.c >> 5 & 3), "no VMX, no SMX");
	report_vouch(!(e.c >> 2 & 1), "no SVM");
	report_vouch(!(e.c >> 12 & 1), "no SKINIT");
	report_vouch(!(e.c >> 29 & 1), "no MONITORX");
	report_vouch(r.c >> 21 & 1, "x2APIC");
	report_vouch(r.c >> 24 & 1, "TSC deadline");
	if (cpuid(0x80000000).a >= 0x8000000a)
		report_vouch(same(cpuid(0x8000000a), (struct cpuid){ 0 }), "leaf 8000000A is empty");
	report(r.b >> 24 == lapic_read(APIC_ID) >> 24, "initial APIC ID %u is the LAPIC's", r.b >> 24);
	if (cpuid(0).a >= 0xb && cpuid2(0xb, 0).b)
		report(cpuid2(0xb, 0).d == r.b >> 24, "leaf B shows the same ID");
}

static void check_osxsave(void)
{
	u64 cr4 = read_cr4();

	if (!(cpuid(1).c >> 26 & 1)) {
		report(!(cpuid(1).c >> 27 & 1), "no XSAVE, no OSXSAVE");
		return;
	}
	write_cr4(cr4 & ~CR4_OSXSAVE);
	report(!(cpuid(1).c >> 27 & 1), "OSXSAVE is clear with CR4.OSXSAVE clear");
	write_cr4(cr4 | CR4_OSXSAVE);
	report(cpuid(1).c >> 27 & 1, "OSXSAVE is set with CR4.OSXSAVE set");
	report(cpuid2(0xd, 0).a & 1, "leaf D allows the x87 bit of XCR0");
	report(cpuid2(0xd, 0).b >= 576 && cpuid2(0xd, 0).b <= cpuid2(0xd, 0).c, "leaf D sizes: %u now, %u at most",
	       cpuid2(0xd, 0).b, cpuid2(0xd, 0).c);
	write_cr4(cr4);
}

static void check_hypervisor(void)
{
	struct cpuid r = cpuid(HV_VOUCH);
	u32 known = KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_CLOCKSOURCE_STABLE;
	char sig[13];

	text_of(sig, r);
	print("leaf %x: highest %x, signature '%s'\n", HV_VOUCH, r.a, sig);
	report_vouch(!strncmp(sig, "Vouch", 5), "Vouch's signature");
	report_vouch(r.a >= HV_VOUCH && r.a < HV_KVM, "Vouch's leaves end before KVM's");
	r = cpuid(HV_KVM);
	text_of(sig, r);
	report_vouch(!memcmp(sig, "KVMKVMKVM\0\0\0", 12), "KVM's signature at %x", HV_KVM);
	report_vouch(r.a == HV_KVM + 1, "KVM's highest leaf is %x", r.a);
	r = cpuid(HV_KVM + 1);
	print("KVM features %x, hints %x\n", r.a, r.d);
	report_vouch(r.a & KVM_CLOCKSOURCE2, "kvmclock is shown");
	report_vouch(!(r.a & ~known), "no KVM feature but the clock and the I/O delay hint");
}

void test_main(void)
{
	check_registers();
	check_basic();
	check_features();
	check_osxsave();
	check_hypervisor();
}
