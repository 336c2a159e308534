/* SPDX-License-Identifier: BSD-2-Clause */
/* Architectural constants and small structs of the guest CPU, vendor-free. Names as in the manuals. */
#ifndef VOUCH_X86_H
#define VOUCH_X86_H

#include <vouch/types.h>

/* General registers in encoding order: index = REX.r:reg. */
enum { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
       REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_COUNT };

/* Segment registers in encoding order of MOV Sreg. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_VME        (1ull << 0)
#define CR4_PVI        (1ull << 1)
#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_PKE        (1ull << 22)
#define CR4_CET        (1ull << 23)

#define EFER_SCE  (1ull << 0)
#define EFER_LME  (1ull << 8)
#define EFER_LMA  (1ull << 10)
#define EFER_NXE  (1ull << 11)
#define EFER_SVME (1ull << 12)

#define RFLAGS_CF (1ull << 0)
#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_PF (1ull << 2)
#define RFLAGS_AF (1ull << 4)
#define RFLAGS_ZF (1ull << 6)
#define RFLAGS_SF (1ull << 7)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_OF (1ull << 11)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_VM (1ull << 17)
#define RFLAGS_AC (1ull << 18)

#define EXC_DE 0
#define EXC_DB 1
#define EXC_NMI 2
#define EXC_BP 3
#define EXC_OF 4
#define EXC_BR 5
#define EXC_UD 6
#define EXC_NM 7
#define EXC_DF 8
#define EXC_TS 10
#define EXC_NP 11
#define EXC_SS 12
#define EXC_GP 13
#define EXC_PF 14
#define EXC_MF 16
#define EXC_AC 17
#define EXC_MC 18

/* Page-fault error code bits. */
#define PF_P    (1u << 0)
#define PF_W    (1u << 1)
#define PF_U    (1u << 2)
#define PF_RSVD (1u << 3)
#define PF_I    (1u << 4)

/* A segment register with its hidden part. attr is laid out as SVM and Xen's records do: bits 0-3 type,
 * 4 S, 5-6 DPL, 7 P, 8 AVL, 9 L, 10 D/B, 11 G. limit is in bytes, already scaled by G. */
struct x86_seg {
	uint16_t sel;
	uint16_t attr;
	uint32_t limit;
	uint64_t base;
};

#define SEG_ATTR_TYPE  0x00fu
#define SEG_ATTR_CODE  0x008u  /* type bit 3: code */
#define SEG_ATTR_RW    0x002u  /* type bit 1: readable (code), writable (data) */
#define SEG_ATTR_DOWN  0x004u  /* type bit 2: expand-down (data), conforming (code) */
#define SEG_ATTR_S     0x010u
#define SEG_ATTR_DPL(a) (((a) >> 5) & 3u)
#define SEG_ATTR_P     0x080u
#define SEG_ATTR_L     0x200u
#define SEG_ATTR_DB    0x400u
#define SEG_ATTR_G     0x800u

/*
 * What emulation needs to know of a vCPU besides its general registers: a copy that the vendor fills and, where a
 * comment says so, writes back. Emulators work on this and on gpr[], never on hardware structures.
 */
struct x86_env {
	uint64_t rip;             /* written back */
	uint64_t rflags;          /* written back */
	uint64_t cr0, cr3, cr4, efer;
	uint8_t cpl;
	bool stepped;             /* result: an instruction, or one element of a REP, is done, which TF traps */
	struct x86_seg seg[SEG_COUNT];
	const uint64_t *pdpte;        /* of PAE paging, where the CPU holds these four; NULL: they are read from memory */
};

/* An exception to deliver to the guest. */
struct x86_fault {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t cr2;             /* for #PF */
};

enum x86_mode { MODE_16, MODE_32, MODE_64 };  /* code size by CS; real and virtual-8086 mode are MODE_16 */

static inline enum x86_mode x86_env_mode(const struct x86_env *e)
{
	uint16_t cs = e->seg[SEG_CS].attr;

	if ((e->efer & EFER_LMA) && (cs & SEG_ATTR_L))
		return MODE_64;
	if (!(e->cr0 & CR0_PE) || (e->rflags & RFLAGS_VM))
		return MODE_16;
	return cs & SEG_ATTR_DB ? MODE_32 : MODE_16;
}

/* MSRs. */
#define MSR_TSC            0x10u
#define MSR_APIC_BASE      0x1bu
#define MSR_TSC_ADJUST     0x3bu
#define MSR_UCODE_REV      0x8bu
#define MSR_MTRR_CAP       0xfeu
#define MSR_SYSENTER_CS    0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_MTRR_PHYSBASE0 0x200u
#define MSR_MTRR_FIX64K    0x250u
#define MSR_MTRR_FIX16K_80 0x258u
#define MSR_MTRR_FIX16K_A0 0x259u
#define MSR_MTRR_FIX4K_C0  0x268u
#define MSR_MTRR_FIX4K_F8  0x26fu
#define MSR_PAT            0x277u
#define MSR_MTRR_DEF_TYPE  0x2ffu
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_X2APIC_FIRST   0x800u
#define MSR_X2APIC_EOI     0x80bu
#define MSR_X2APIC_ICR     0x830u
#define MSR_X2APIC_SELF_IPI 0x83fu
#define MSR_X2APIC_LAST    0x8ffu
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_DEFAULT_BASE 0xfee00000ull
#define IOAPIC_DEFAULT_BASE 0xfec00000ull

#endif
