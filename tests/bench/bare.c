/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare loop: the least that a hypervisor written in C can do for an exit. All general registers are saved and
 * loaded, one exit code is compared, RIP is stepped; nothing is emulated, nothing is checked. It runs alone on the
 * emulated machine, with a guest that executes CPUID in a loop of four instructions, and prints what a round costs, in
 * hundredths, as `EXIT: bare-loop N`. The figure is the physical limit that docs/performance.md compares with.
 */
#include "tests/guest/lib/guest.h"

const char test_name[] = "bare";

#define ROUNDS 10000u
#define RAX 0
#define RSP 4
#define R9  9
#define R10 10

static u64 gpr[16];
static u8 control[4096] __attribute__((aligned(4096)));    /* VMCB or VMCS */
static u8 host_area[4096] __attribute__((aligned(4096)));  /* VM_HSAVE_PA or the VMXON region */
static u8 guest_stack[4096] __attribute__((aligned(16)));

/* bare_enter.S */
void bare_guest(void);                           /* R8 rounds, their TSC ticks as R10 - R9, then HLT */
void bare_svm_enter(u64 *regs, const void *vmcb);
bool bare_vmx_enter(u64 *regs, bool launched);
extern const u8 bare_vmx_exit[];

/* Nested tables that map the first 4 GiB one to one in 2 MiB leaves; bits for tables and leaves. */
static u64 nested_root(u64 table, u64 leaf)
{
	u64 *pml4 = page_alloc(), *pdpt = page_alloc();

	pml4[0] = (u64)pdpt | table;
	for (unsigned int i = 0; i < 4; i++) {
		u64 *pd = page_alloc();

		pdpt[i] = (u64)pd | table;
		for (unsigned int j = 0; j < 512; j++)
			pd[j] = ((u64)i << 30 | (u64)j << 21) | leaf;
	}
	return (u64)pml4;
}

static void result(u64 why, u64 end)
{
	report(why == end, "the guest ended by HLT (exit %lx)", why);
	if (why == end)
		print("EXIT: bare-loop %lu\n", (gpr[R10] - gpr[R9]) * 100 / ROUNDS);
}

/* ------------------------------------------------------------------------- SVM: APM 2 appendix B "Layout of VMCB" */
#define VMCB32(off) (*(u32 *)(control + (off)))
#define VMCB64(off) (*(u64 *)(control + (off)))
#define VMCB_EXITCODE 0x070
#define VMCB_RFLAGS   0x570
#define VMCB_RIP      0x578
#define VMCB_RSP      0x5d8
#define VMCB_RAX      0x5f8
#define EXIT_CPUID    0x72u
#define EXIT_HLT      0x78u
#define MSR_EFER      0xc0000080u
#define EFER_SVME     (1u << 12)
#define MSR_VM_HSAVE  0xc0010117u

static void svm_segment(unsigned int at, u32 attr)
{
	VMCB32(at) = attr << 16;
	VMCB32(at + 4) = 0xffffffff;
}

static void svm_build(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE, (u64)host_area);
	VMCB32(0x00c) = 1u << 18 | 1u << 24;     /* CPUID, HLT */
	VMCB32(0x010) = 1;                       /* VMRUN: must be */
	VMCB32(0x058) = 1;                       /* ASID */
	VMCB64(0x090) = 1;                       /* nested paging */
	VMCB64(0x0b0) = nested_root(7, 0xe7);
	svm_segment(0x400, 0xc93);
	svm_segment(0x410, 0xa9b);
	svm_segment(0x420, 0xc93);
	svm_segment(0x430, 0xc93);
	VMCB64(0x4d0) = rdmsr(MSR_EFER);
	VMCB64(0x548) = read_cr4();
	VMCB64(0x550) = read_cr3();
	VMCB64(0x558) = read_cr0();
	VMCB64(VMCB_RFLAGS) = 2;
	VMCB64(VMCB_RIP) = (u64)bare_guest;
}

static void svm_loop(void)
{
	for (;;) {
		VMCB64(VMCB_RAX) = gpr[RAX];
		VMCB64(VMCB_RSP) = gpr[RSP];
		bare_svm_enter(gpr, control);
		gpr[RAX] = VMCB64(VMCB_RAX);
		gpr[RSP] = VMCB64(VMCB_RSP);
		if (VMCB64(VMCB_EXITCODE) != EXIT_CPUID)
			return;
		VMCB64(VMCB_RIP) += 2;
	}
}

/* --------------------------------------------------------- VMX: SDM 3D appendix B "Field Encoding in VMCS" */
#define VMCS_REASON 0x4402u
#define VMCS_LENGTH 0x440cu
#define VMCS_RSP    0x681cu
#define VMCS_RIP    0x681eu
#define VMX_CPUID   10u
#define VMX_HLT     12u

static u64 vmread(u64 field)
{
	u64 v;

	asm volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
	return v;
}

static void vmwrite(u64 field, u64 v)
{
	asm volatile("vmwrite %1, %0" :: "r"(field), "r"(v) : "cc", "memory");
}

/* SDM 3D appendix A: the low half of a capability MSR is what must be 1, the high half what may be. */
static void control_set(u64 field, u32 msr, u32 want)
{
	u64 caps = rdmsr(msr);

	vmwrite(field, (want | (u32)caps) & (u32)(caps >> 32));
}

/* ES, CS, SS, DS, FS, GS, LDTR, TR: fields stand two apart in their groups. */
static void vmx_segments(void)
{
	static const u16 selector[8] = { 0, 8, 0, 0, 0, 0, 0, 8 };
	static const u32 access[8] = { 0xc093, 0xa09b, 0xc093, 0xc093, 0x10000, 0x10000, 0x10000, 0x8b };

	for (unsigned int i = 0; i < 8; i++) {
		vmwrite(0x800 + 2 * i, selector[i]);
		vmwrite(0x4800 + 2 * i, i == 7 ? 0x67 : 0xffffffff);
		vmwrite(0x4814 + 2 * i, access[i]);
		vmwrite(0x6806 + 2 * i, 0);
	}
	vmwrite(0x4810, 0xffff);                 /* GDTR, IDTR */
	vmwrite(0x4812, 0xffff);
	vmwrite(0x6816, 0);
	vmwrite(0x6818, 0);
}

static void vmx_host(void)
{
	u16 cs, ss, tr;

	asm("mov %%cs, %0; mov %%ss, %1; str %2" : "=r"(cs), "=r"(ss), "=r"(tr));
	vmwrite(0xc00, ss);
	vmwrite(0xc02, cs);
	vmwrite(0xc04, ss);
	vmwrite(0xc06, ss);
	vmwrite(0xc08, 0);
	vmwrite(0xc0a, 0);
	vmwrite(0xc0c, tr);
	vmwrite(0x2c02, rdmsr(MSR_EFER));
	vmwrite(0x4c00, 0);
	vmwrite(0x6c00, read_cr0());
	vmwrite(0x6c02, read_cr3());
	vmwrite(0x6c04, read_cr4());
	vmwrite(0x6c06, 0);
	vmwrite(0x6c08, 0);
	vmwrite(0x6c0a, (u64)&tss);
	vmwrite(0x6c0c, (u64)gdt);
	vmwrite(0x6c0e, (u64)idt);
	vmwrite(0x6c10, 0);
	vmwrite(0x6c12, 0);
	vmwrite(0x6c16, (u64)bare_vmx_exit);
}

static void vmx_guest(void)
{
	vmx_segments();
	vmwrite(0x2800, ~0ull);                  /* VMCS link pointer */
	vmwrite(0x2802, 0);                      /* IA32_DEBUGCTL */
	vmwrite(0x2806, rdmsr(MSR_EFER));
	vmwrite(0x4824, 0);                      /* interruptibility, activity, SYSENTER_CS */
	vmwrite(0x4826, 0);
	vmwrite(0x482a, 0);
	vmwrite(0x6800, read_cr0());
	vmwrite(0x6802, read_cr3());
	vmwrite(0x6804, read_cr4());
	vmwrite(0x681a, 0x400);                  /* DR7 */
	vmwrite(0x6820, 2);                      /* RFLAGS, pending debug exceptions, SYSENTER_ESP, _EIP */
	vmwrite(0x6822, 0);
	vmwrite(0x6824, 0);
	vmwrite(0x6826, 0);
	vmwrite(VMCS_RIP, (u64)bare_guest);
}

static bool vmx_on(void)
{
	u64 area = (u64)host_area, vmcs = (u64)control;
	u8 bad[3];

	if (!(rdmsr(0x3a) & 1))
		wrmsr(0x3a, 5);                  /* IA32_FEATURE_CONTROL */
	write_cr0(read_cr0() | rdmsr(0x486));
	write_cr4(read_cr4() | rdmsr(0x488));
	*(u32 *)host_area = *(u32 *)control = (u32)rdmsr(0x480) & 0x7fffffff;
	asm volatile("vmxon %1; setbe %0" : "=rm"(bad[0]) : "m"(area) : "cc", "memory");
	asm volatile("vmclear %1; setbe %0" : "=rm"(bad[1]) : "m"(vmcs) : "cc", "memory");
	asm volatile("vmptrld %1; setbe %0" : "=rm"(bad[2]) : "m"(vmcs) : "cc", "memory");
	return !bad[0] && !bad[1] && !bad[2];
}

static void vmx_build(void)
{
	control_set(0x4000, 0x48d, 0);
	control_set(0x4002, 0x48e, 1u << 7 | 1u << 31);   /* HLT, secondary controls */
	control_set(0x401e, 0x48b, 1u << 1);              /* EPT */
	control_set(0x400c, 0x48f, 1u << 9 | 1u << 21);   /* 64-bit host, EFER */
	control_set(0x4012, 0x490, 1u << 9 | 1u << 15);   /* 64-bit guest, EFER */
	vmwrite(0x4004, 0);                               /* exceptions, CR3 targets, MSR areas, injection */
	vmwrite(0x400a, 0);
	vmwrite(0x400e, 0);
	vmwrite(0x4010, 0);
	vmwrite(0x4014, 0);
	vmwrite(0x4016, 0);
	vmwrite(0x6000, 0);                               /* CR0 and CR4 masks */
	vmwrite(0x6002, 0);
	vmwrite(0x201a, nested_root(7, 0xb7) | 3 << 3 | 6);
	vmx_host();
	vmx_guest();
}

static u64 vmx_loop(void)
{
	bool launched = false;

	for (;;) {
		vmwrite(VMCS_RSP, gpr[RSP]);
		if (!bare_vmx_enter(gpr, launched))
			return ~0ull;
		launched = true;
		gpr[RSP] = vmread(VMCS_RSP);
		if (vmread(VMCS_REASON) != VMX_CPUID)
			return vmread(VMCS_REASON);
		vmwrite(VMCS_RIP, vmread(VMCS_RIP) + vmread(VMCS_LENGTH));
	}
}

void test_main(void)
{
	gpr[RSP] = (u64)(guest_stack + sizeof(guest_stack));
	gpr[8] = ROUNDS;
	if (cpuid(1).c >> 5 & 1) {
		report(vmx_on(), "VMXON");
		vmx_build();
		result(vmx_loop(), VMX_HLT);
	} else if (cpuid(0x80000001).c >> 2 & 1) {
		svm_build();
		asm volatile("clgi");            /* takes EFER.SVME */
		svm_loop();
		result(VMCB64(VMCB_EXITCODE), EXIT_HLT);
		asm volatile("stgi");
	} else {
		report(false, "the CPU has VT-x or AMD-V");
	}
}
