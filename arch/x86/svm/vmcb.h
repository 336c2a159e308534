/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCB, bit by bit: APM 2 appendix B "Layout of VMCB". The asserts at the end of vmcb.c hold it to the manual. */
#ifndef ARCH_X86_SVM_VMCB_H
#define ARCH_X86_SVM_VMCB_H

#include <vouch/types.h>

struct vmcb_seg {
	uint16_t sel, attr;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	/* Control area. */
	uint16_t intercept_cr_read, intercept_cr_write;
	uint16_t intercept_dr_read, intercept_dr_write;
	uint32_t intercept_exceptions;
	uint32_t intercept1;          /* SVM_INT1_* */
	uint32_t intercept2;          /* SVM_INT2_* */
	uint8_t reserved_014[0x3c - 0x14];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm_pa, msrpm_pa, tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;          /* SVM_TLB_* */
	uint8_t reserved_05d[3];
	uint64_t int_ctl;             /* SVM_INTCTL_* */
	uint64_t int_state;           /* SVM_INTSTATE_* */
	uint64_t exit_code, info1, info2;
	uint64_t exit_int_info;       /* SVM_EVENT_* */
	uint64_t np_enable;
	uint8_t reserved_098[0xa8 - 0x98];
	uint64_t event_inj;           /* SVM_EVENT_* */
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint32_t clean;
	uint32_t reserved_0c4;
	uint64_t next_rip;
	uint8_t insn_len, insn_bytes[15];
	uint8_t reserved_0e0[0x400 - 0xe0];

	/* State save area. */
	struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint64_t s_cet, ssp, isst_addr;
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t pat;
	uint8_t reserved_670[0x1000 - 0x670];
} __attribute__((packed, aligned(4096)));

#define SVM_INT1_INTR     (1u << 0)
#define SVM_INT1_NMI      (1u << 1)
#define SVM_INT1_SMI      (1u << 2)
#define SVM_INT1_INIT     (1u << 3)
#define SVM_INT1_VINTR    (1u << 4)
#define SVM_INT1_CR0_SEL  (1u << 5)
#define SVM_INT1_RDPMC    (1u << 15)
#define SVM_INT1_PUSHF    (1u << 16)
#define SVM_INT1_POPF     (1u << 17)
#define SVM_INT1_IRET     (1u << 20)
#define SVM_INT1_SWINT    (1u << 21)
#define SVM_INT1_INVD     (1u << 22)
#define SVM_INT1_CPUID    (1u << 18)
#define SVM_INT1_PAUSE    (1u << 23)
#define SVM_INT1_HLT      (1u << 24)
#define SVM_INT1_INVLPGA  (1u << 26)
#define SVM_INT1_IOIO     (1u << 27)
#define SVM_INT1_MSR      (1u << 28)
#define SVM_INT1_SHUTDOWN (1u << 31)

#define SVM_INT2_VMRUN   (1u << 0)
#define SVM_INT2_VMMCALL (1u << 1)
#define SVM_INT2_VMLOAD  (1u << 2)
#define SVM_INT2_VMSAVE  (1u << 3)
#define SVM_INT2_STGI    (1u << 4)
#define SVM_INT2_CLGI    (1u << 5)
#define SVM_INT2_SKINIT  (1u << 6)
#define SVM_INT2_WBINVD  (1u << 9)
#define SVM_INT2_MONITOR (1u << 10)
#define SVM_INT2_MWAIT   (1u << 11)
#define SVM_INT2_MWAIT_ARMED (1u << 12)
#define SVM_INT2_XSETBV  (1u << 13)
#define SVM_INT2_RDPRU   (1u << 14)

#define SVM_TLB_NOTHING   0
#define SVM_TLB_FLUSH_ALL 1
#define SVM_TLB_FLUSH_ASID 3

#define SVM_INTCTL_V_TPR       0xfull
#define SVM_INTCTL_V_IRQ       (1ull << 8)
#define SVM_INTCTL_V_PRIO_MAX  (0xfull << 16)
#define SVM_INTCTL_V_IGN_TPR   (1ull << 20)
#define SVM_INTCTL_V_MASKING   (1ull << 24)
#define SVM_INTCTL_V_NMI_ENABLE (1ull << 26)

#define SVM_INTSTATE_SHADOW (1ull << 0)

/* EXITINTINFO and EVENTINJ. */
#define SVM_EVENT_VECTOR(e)  ((uint8_t)((e) & 0xff))
#define SVM_EVENT_TYPE(e)    ((unsigned int)((e) >> 8) & 7)
#define SVM_EVENT_HAS_ERROR  (1ull << 11)
#define SVM_EVENT_VALID      (1ull << 31)
#define SVM_EVENT_ERROR(e)   ((uint32_t)((e) >> 32))
#define SVM_EVENT_INTR 0u
#define SVM_EVENT_NMI  2u
#define SVM_EVENT_EXC  3u
#define SVM_EVENT_SOFT 4u

#define SVM_NP_ENABLE 1ull

/* In the words of CR intercepts: APM 2 "VMCB Layout" (appendix B). */
#define SVM_CR0 (1u << 0)

/* Exit codes: APM 2 appendix C "SVM Intercept Exit Codes". */
#define SVM_EXIT_CR0_READ  0x00u
#define SVM_EXIT_CR0_WRITE 0x10u
#define SVM_EXIT_CR4_WRITE 0x14u
#define SVM_EXIT_CR8_WRITE 0x18u
#define SVM_EXIT_EXC_DE    0x40u
#define SVM_EXIT_EXC_DB    0x41u
#define SVM_EXIT_EXC_BP    0x43u
#define SVM_EXIT_EXC_OF    0x44u
#define SVM_EXIT_EXC_AC    0x51u
#define SVM_EXIT_EXC_MC    0x52u
#define SVM_EXIT_INTR      0x60u
#define SVM_EXIT_NMI       0x61u
#define SVM_EXIT_SMI       0x62u
#define SVM_EXIT_INIT      0x63u
#define SVM_EXIT_VINTR     0x64u
#define SVM_EXIT_CR0_SEL   0x65u
#define SVM_EXIT_RDPMC     0x6fu
#define SVM_EXIT_PUSHF     0x70u
#define SVM_EXIT_POPF      0x71u
#define SVM_EXIT_CPUID     0x72u
#define SVM_EXIT_IRET      0x74u
#define SVM_EXIT_SWINT     0x75u
#define SVM_EXIT_INVD      0x76u
#define SVM_EXIT_PAUSE     0x77u
#define SVM_EXIT_HLT       0x78u
#define SVM_EXIT_INVLPGA   0x7au
#define SVM_EXIT_IOIO      0x7bu
#define SVM_EXIT_MSR       0x7cu
#define SVM_EXIT_SHUTDOWN  0x7fu
#define SVM_EXIT_VMRUN     0x80u
#define SVM_EXIT_VMMCALL   0x81u
#define SVM_EXIT_SKINIT    0x86u
#define SVM_EXIT_WBINVD    0x89u
#define SVM_EXIT_MONITOR   0x8au
#define SVM_EXIT_MWAIT     0x8bu
#define SVM_EXIT_MWAIT_ARMED 0x8cu
#define SVM_EXIT_XSETBV    0x8du
#define SVM_EXIT_RDPRU     0x8eu
#define SVM_EXIT_NPF       0x400u

/* QEMU reports VMEXIT_INVALID as 32 bits of ones, silicon as 64: the low half decides. */
static inline bool svm_exit_is_invalid(uint64_t code) { return (uint32_t)code == UINT32_MAX; }

static inline bool svm_exit_is_exception(uint64_t code) { return (uint32_t)code - SVM_EXIT_EXC_DE < 32; }

/* EXITINFO1 of a write to CRn, with decode assists: APM 2 "MOV CRx/DRx Intercepts" (15.8.1). */
#define SVM_CR_MOV    (1ull << 63)                         /* MOV, not LMSW or CLTS */
#define SVM_CR_GPR(i) ((unsigned int)(i) & 15u)

/* EXITINFO1 of a nested page fault, above a page fault's error code: APM 2 "Nested versus Guest Page Faults" (15.25.6). */
#define SVM_NPF_WALK (1ull << 33)                          /* at an access to a guest page table */

/* EXITINFO1 of an I/O exit: APM 2 "IOIO Intercept" (15.10.2). */
#define SVM_IOIO_IN      (1u << 0)
#define SVM_IOIO_STRING  (1u << 2)
#define SVM_IOIO_SIZE(i) (((unsigned int)(i) >> 4) & 7u)   /* bytes: bits 4, 5, 6 are 1, 2, 4 */
#define SVM_IOIO_PORT(i) ((uint16_t)((i) >> 16))

#endif
