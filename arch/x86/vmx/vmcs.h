/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMCS by the manual's names: field encodings (SDM 3D appendix B "Field Encoding in VMCS"), control bits (SDM 3C
 * "VM-Execution Control Fields" and the sections after it), exit reasons (SDM 3D appendix C "VMX Basic Exit Reasons"),
 * and the two instructions that reach a field. A field that this CPU lacks must not be named: both calls panic then.
 */
#ifndef ARCH_X86_VMX_VMCS_H
#define ARCH_X86_VMX_VMCS_H

#include <vouch/assert.h>
#include <vouch/types.h>

/* Bits 14:13 of an encoding are the width, 11:10 the group: control, exit information, guest state, host state. */
enum vmcs_field {
	VMCS_VPID                   = 0x0000,
	VMCS_POSTED_VECTOR          = 0x0002,
	VMCS_GUEST_ES               = 0x0800,
	VMCS_GUEST_CS               = 0x0802,
	VMCS_GUEST_SS               = 0x0804,
	VMCS_GUEST_DS               = 0x0806,
	VMCS_GUEST_FS               = 0x0808,
	VMCS_GUEST_GS               = 0x080a,
	VMCS_GUEST_LDTR             = 0x080c,
	VMCS_GUEST_TR               = 0x080e,
	VMCS_GUEST_INTR_STATUS      = 0x0810,
	VMCS_HOST_ES                = 0x0c00,
	VMCS_HOST_CS                = 0x0c02,
	VMCS_HOST_SS                = 0x0c04,
	VMCS_HOST_DS                = 0x0c06,
	VMCS_HOST_FS                = 0x0c08,
	VMCS_HOST_GS                = 0x0c0a,
	VMCS_HOST_TR                = 0x0c0c,

	VMCS_IO_BITMAP_A            = 0x2000,
	VMCS_IO_BITMAP_B            = 0x2002,
	VMCS_MSR_BITMAP             = 0x2004,
	VMCS_EXIT_MSR_STORE         = 0x2006,
	VMCS_EXIT_MSR_LOAD          = 0x2008,
	VMCS_ENTRY_MSR_LOAD         = 0x200a,
	VMCS_PML_ADDRESS            = 0x200e,
	VMCS_TSC_OFFSET             = 0x2010,
	VMCS_VIRTUAL_APIC           = 0x2012,
	VMCS_APIC_ACCESS            = 0x2014,
	VMCS_POSTED_DESC            = 0x2016,
	VMCS_VMFUNC_CONTROLS        = 0x2018,
	VMCS_EPTP                   = 0x201a,
	VMCS_EOI_EXIT0              = 0x201c,
	VMCS_EOI_EXIT1              = 0x201e,
	VMCS_EOI_EXIT2              = 0x2020,
	VMCS_EOI_EXIT3              = 0x2022,
	VMCS_EPTP_LIST              = 0x2024,
	VMCS_VMREAD_BITMAP          = 0x2026,
	VMCS_VMWRITE_BITMAP         = 0x2028,
	VMCS_VE_INFO                = 0x202a,
	VMCS_ENCLS_EXIT_BITMAP      = 0x202e,
	VMCS_TSC_MULTIPLIER         = 0x2032,
	VMCS_GUEST_PHYS_ADDR        = 0x2400,
	VMCS_LINK_POINTER           = 0x2800,
	VMCS_GUEST_DEBUGCTL         = 0x2802,
	VMCS_GUEST_PAT              = 0x2804,
	VMCS_GUEST_EFER             = 0x2806,
	VMCS_GUEST_PERF_CTRL        = 0x2808,
	VMCS_GUEST_PDPTE0           = 0x280a,
	VMCS_GUEST_PDPTE1           = 0x280c,
	VMCS_GUEST_PDPTE2           = 0x280e,
	VMCS_GUEST_PDPTE3           = 0x2810,
	VMCS_GUEST_BNDCFGS          = 0x2812,
	VMCS_HOST_PAT               = 0x2c00,
	VMCS_HOST_EFER              = 0x2c02,
	VMCS_HOST_PERF_CTRL         = 0x2c04,

	VMCS_PIN_CTRL               = 0x4000,
	VMCS_CPU_CTRL               = 0x4002,
	VMCS_EXCEPTION_BITMAP       = 0x4004,
	VMCS_PF_ERROR_MASK          = 0x4006,
	VMCS_PF_ERROR_MATCH         = 0x4008,
	VMCS_CR3_TARGET_COUNT       = 0x400a,
	VMCS_EXIT_CTRL              = 0x400c,
	VMCS_EXIT_MSR_STORE_COUNT   = 0x400e,
	VMCS_EXIT_MSR_LOAD_COUNT    = 0x4010,
	VMCS_ENTRY_CTRL             = 0x4012,
	VMCS_ENTRY_MSR_LOAD_COUNT   = 0x4014,
	VMCS_ENTRY_INTR_INFO        = 0x4016,
	VMCS_ENTRY_ERROR_CODE       = 0x4018,
	VMCS_ENTRY_INSN_LEN         = 0x401a,
	VMCS_TPR_THRESHOLD          = 0x401c,
	VMCS_CPU_CTRL2              = 0x401e,
	VMCS_PLE_GAP                = 0x4020,
	VMCS_PLE_WINDOW             = 0x4022,
	VMCS_INSN_ERROR             = 0x4400,
	VMCS_EXIT_REASON            = 0x4402,
	VMCS_EXIT_INTR_INFO         = 0x4404,
	VMCS_IDT_VECTORING_INFO     = 0x4408,
	VMCS_IDT_VECTORING_ERROR    = 0x440a,
	VMCS_EXIT_INSN_LEN          = 0x440c,
	VMCS_GUEST_ES_LIMIT         = 0x4800,
	VMCS_GUEST_CS_LIMIT         = 0x4802,
	VMCS_GUEST_SS_LIMIT         = 0x4804,
	VMCS_GUEST_DS_LIMIT         = 0x4806,
	VMCS_GUEST_FS_LIMIT         = 0x4808,
	VMCS_GUEST_GS_LIMIT         = 0x480a,
	VMCS_GUEST_LDTR_LIMIT       = 0x480c,
	VMCS_GUEST_TR_LIMIT         = 0x480e,
	VMCS_GUEST_GDTR_LIMIT       = 0x4810,
	VMCS_GUEST_IDTR_LIMIT       = 0x4812,
	VMCS_GUEST_ES_ACCESS        = 0x4814,
	VMCS_GUEST_CS_ACCESS        = 0x4816,
	VMCS_GUEST_SS_ACCESS        = 0x4818,
	VMCS_GUEST_DS_ACCESS        = 0x481a,
	VMCS_GUEST_FS_ACCESS        = 0x481c,
	VMCS_GUEST_GS_ACCESS        = 0x481e,
	VMCS_GUEST_LDTR_ACCESS      = 0x4820,
	VMCS_GUEST_TR_ACCESS        = 0x4822,
	VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
	VMCS_GUEST_ACTIVITY         = 0x4826,
	VMCS_GUEST_SYSENTER_CS      = 0x482a,
	VMCS_PREEMPTION_TIMER       = 0x482e,
	VMCS_HOST_SYSENTER_CS       = 0x4c00,

	VMCS_CR0_MASK               = 0x6000,
	VMCS_CR4_MASK               = 0x6002,
	VMCS_CR0_SHADOW             = 0x6004,
	VMCS_CR4_SHADOW             = 0x6006,
	VMCS_EXIT_QUALIFICATION     = 0x6400,
	VMCS_GUEST_CR0              = 0x6800,
	VMCS_GUEST_CR3              = 0x6802,
	VMCS_GUEST_CR4              = 0x6804,
	VMCS_GUEST_ES_BASE          = 0x6806,
	VMCS_GUEST_CS_BASE          = 0x6808,
	VMCS_GUEST_SS_BASE          = 0x680a,
	VMCS_GUEST_DS_BASE          = 0x680c,
	VMCS_GUEST_FS_BASE          = 0x680e,
	VMCS_GUEST_GS_BASE          = 0x6810,
	VMCS_GUEST_LDTR_BASE        = 0x6812,
	VMCS_GUEST_TR_BASE          = 0x6814,
	VMCS_GUEST_GDTR_BASE        = 0x6816,
	VMCS_GUEST_IDTR_BASE        = 0x6818,
	VMCS_GUEST_DR7              = 0x681a,
	VMCS_GUEST_RSP              = 0x681c,
	VMCS_GUEST_RIP              = 0x681e,
	VMCS_GUEST_RFLAGS           = 0x6820,
	VMCS_GUEST_PENDING_DBG      = 0x6822,
	VMCS_GUEST_SYSENTER_ESP     = 0x6824,
	VMCS_GUEST_SYSENTER_EIP     = 0x6826,
	VMCS_HOST_CR0               = 0x6c00,
	VMCS_HOST_CR3               = 0x6c02,
	VMCS_HOST_CR4               = 0x6c04,
	VMCS_HOST_FS_BASE           = 0x6c06,
	VMCS_HOST_GS_BASE           = 0x6c08,
	VMCS_HOST_TR_BASE           = 0x6c0a,
	VMCS_HOST_GDTR_BASE         = 0x6c0c,
	VMCS_HOST_IDTR_BASE         = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP      = 0x6c10,
	VMCS_HOST_SYSENTER_EIP      = 0x6c12,
	VMCS_HOST_RSP               = 0x6c14,
	VMCS_HOST_RIP               = 0x6c16,
};

/* Pin-based VM-execution controls. */
#define PIN_EXT_INTR      (1u << 0)
#define PIN_NMI           (1u << 3)
#define PIN_VIRTUAL_NMI   (1u << 5)
#define PIN_PREEMPT_TIMER (1u << 6)
#define PIN_POSTED_INTR   (1u << 7)

/* Primary processor-based VM-execution controls. */
#define CPU_INTR_WINDOW   (1u << 2)
#define CPU_TSC_OFFSET    (1u << 3)
#define CPU_HLT           (1u << 7)
#define CPU_MWAIT         (1u << 10)
#define CPU_RDPMC         (1u << 11)
#define CPU_CR3_LOAD      (1u << 15)
#define CPU_CR3_STORE     (1u << 16)
#define CPU_CR8_LOAD      (1u << 19)
#define CPU_CR8_STORE     (1u << 20)
#define CPU_TPR_SHADOW    (1u << 21)
#define CPU_NMI_WINDOW    (1u << 22)
#define CPU_UNCOND_IO     (1u << 24)
#define CPU_IO_BITMAPS    (1u << 25)
#define CPU_MSR_BITMAPS   (1u << 28)
#define CPU_MONITOR       (1u << 29)
#define CPU_SECONDARY     (1u << 31)

/* Secondary processor-based VM-execution controls. */
#define CPU2_APIC_ACCESS  (1u << 0)
#define CPU2_EPT          (1u << 1)
#define CPU2_RDTSCP       (1u << 3)
#define CPU2_X2APIC       (1u << 4)
#define CPU2_VPID         (1u << 5)
#define CPU2_WBINVD       (1u << 6)
#define CPU2_UNRESTRICTED (1u << 7)
#define CPU2_APIC_REGS    (1u << 8)
#define CPU2_VIRT_INTR    (1u << 9)
#define CPU2_PLE          (1u << 10)
#define CPU2_VMFUNC       (1u << 13)
#define CPU2_SHADOW_VMCS  (1u << 14)
#define CPU2_ENCLS        (1u << 15)
#define CPU2_PML          (1u << 17)
#define CPU2_EPT_VE       (1u << 18)
#define CPU2_MBEC         (1u << 22)    /* mode-based execute control for EPT */
#define CPU2_TSC_SCALING  (1u << 25)

/* VM-exit controls. */
#define EXIT_SAVE_DEBUG   (1u << 2)
#define EXIT_HOST_64      (1u << 9)
#define EXIT_PERF_CTRL    (1u << 12)
#define EXIT_ACK_INTR     (1u << 15)
#define EXIT_SAVE_PAT     (1u << 18)
#define EXIT_LOAD_PAT     (1u << 19)
#define EXIT_SAVE_EFER    (1u << 20)
#define EXIT_LOAD_EFER    (1u << 21)
#define EXIT_SAVE_PREEMPT (1u << 22)

/* VM-entry controls. */
#define ENTRY_LOAD_DEBUG  (1u << 2)
#define ENTRY_IA32E       (1u << 9)
#define ENTRY_SMM         (1u << 10)
#define ENTRY_DUAL_SMM    (1u << 11)
#define ENTRY_PERF_CTRL   (1u << 13)
#define ENTRY_LOAD_PAT    (1u << 14)
#define ENTRY_LOAD_EFER   (1u << 15)
#define ENTRY_LOAD_BNDCFGS (1u << 16)

/* Interruption information, in all four fields of that layout (SDM 3C "VM-Entry Controls for Event Injection"). */
#define INTR_VECTOR(i)    ((uint8_t)(i))
#define INTR_TYPE(i)      (((unsigned int)(i) >> 8) & 7u)
#define INTR_HAS_ERROR    (1u << 11)
#define INTR_NMI_UNBLOCK  (1u << 12)    /* VM-exit information only: the fault hit an IRET that had unblocked NMIs */
#define INTR_VALID        (1u << 31)
#define INTR_EXT          0u
#define INTR_NMI          2u
#define INTR_HW_EXC       3u
#define INTR_SOFT_INT     4u
#define INTR_PRIV_SW_EXC  5u            /* ICEBP */
#define INTR_SW_EXC       6u            /* INT3, INTO */
#define INTR_OTHER        7u

/* Guest interruptibility state. */
#define BLOCK_STI         (1u << 0)
#define BLOCK_MOV_SS      (1u << 1)
#define BLOCK_SMI         (1u << 2)
#define BLOCK_NMI         (1u << 3)

/* Guest activity state. Vouch runs guests only active: HLT is waited for in its own loop. */
#define ACTIVITY_ACTIVE   0u

/* Pending debug exceptions, and the exit qualification of a debug exception: laid out as DR6. */
#define PENDING_DBG_BS    (1ull << 14)

/* A segment's access rights: attributes as struct x86_seg has them in bits 7:0 and 15:12, and bit 16. */
#define ACCESS_L          (1u << 13)
#define ACCESS_DB         (1u << 14)
#define ACCESS_UNUSABLE   (1u << 16)

/* Basic exit reasons. */
#define VMX_EXIT_EXCEPTION    0u        /* or NMI */
#define VMX_EXIT_EXT_INTR     1u
#define VMX_EXIT_TRIPLE_FAULT 2u
#define VMX_EXIT_INIT         3u
#define VMX_EXIT_SIPI         4u
#define VMX_EXIT_INTR_WINDOW  7u
#define VMX_EXIT_NMI_WINDOW   8u
#define VMX_EXIT_TASK_SWITCH  9u
#define VMX_EXIT_CPUID        10u
#define VMX_EXIT_GETSEC       11u
#define VMX_EXIT_HLT          12u
#define VMX_EXIT_INVD         13u
#define VMX_EXIT_INVLPG       14u
#define VMX_EXIT_RDPMC        15u
#define VMX_EXIT_RDTSC        16u
#define VMX_EXIT_VMCALL       18u
#define VMX_EXIT_VMCLEAR      19u       /* 19 to 27: the VMX instructions but VMCALL */
#define VMX_EXIT_VMXON        27u
#define VMX_EXIT_CR           28u
#define VMX_EXIT_DR           29u
#define VMX_EXIT_IO           30u
#define VMX_EXIT_RDMSR        31u
#define VMX_EXIT_WRMSR        32u
#define VMX_EXIT_BAD_GUEST    33u
#define VMX_EXIT_BAD_MSR      34u
#define VMX_EXIT_MWAIT        36u
#define VMX_EXIT_MONITOR      39u
#define VMX_EXIT_PAUSE        40u
#define VMX_EXIT_MCE_ENTRY    41u
#define VMX_EXIT_TPR          43u
#define VMX_EXIT_APIC_ACCESS  44u
#define VMX_EXIT_VIRT_EOI     45u
#define VMX_EXIT_EPT_VIOL     48u
#define VMX_EXIT_EPT_MISCONF  49u
#define VMX_EXIT_INVEPT       50u
#define VMX_EXIT_RDTSCP       51u
#define VMX_EXIT_PREEMPT      52u
#define VMX_EXIT_INVVPID      53u
#define VMX_EXIT_WBINVD       54u
#define VMX_EXIT_XSETBV       55u
#define VMX_EXIT_APIC_WRITE   56u
#define VMX_EXIT_INVPCID      58u
#define VMX_EXIT_VMFUNC       59u
#define VMX_EXIT_ENCLS        60u
#define VMX_EXIT_SEAMCALL     76u       /* on CPUs with TDX these two exit whatever the controls say */
#define VMX_EXIT_TDCALL       77u
#define VMX_EXIT_ENTRY_FAILED (1u << 31)   /* in the reason's word: the VM entry did not happen */

/* Exit qualification of an I/O instruction (SDM 3C table "Exit Qualification for I/O Instructions"). */
#define IO_SIZE(q)     (((unsigned int)(q) & 7u) + 1)
#define IO_IN          (1u << 3)
#define IO_STRING      (1u << 4)
#define IO_PORT(q)     ((uint16_t)((q) >> 16))

/* Exit qualification of a control-register access. */
#define CRX_NUMBER(q)  ((unsigned int)(q) & 15u)
#define CRX_KIND(q)    (((unsigned int)(q) >> 4) & 3u)
#define CRX_TO         0u               /* MOV to CRn */
#define CRX_FROM       1u
#define CRX_CLTS       2u
#define CRX_LMSW       3u
#define CRX_GPR(q)     (((unsigned int)(q) >> 8) & 15u)
#define CRX_LMSW_DATA(q) ((uint16_t)((q) >> 16))

/* Exit qualification of an EPT violation. */
#define EPT_READ       (1u << 0)
#define EPT_WRITE      (1u << 1)
#define EPT_FETCH      (1u << 2)
#define EPT_GLA_VALID  (1u << 7)
#define EPT_FINAL      (1u << 8)        /* the access itself; clear: the walk of the guest's page tables */
#define EPT_NMI_UNBLOCK (1u << 12)

/* Exit qualification of an APIC access (SDM 3C table "Exit Qualification for APIC-Access VM Exits"). */
#define APIC_OFFSET(q) ((unsigned int)(q) & 0xfffu)
#define APIC_KIND(q)   (((unsigned int)(q) >> 12) & 15u)
#define APIC_WRITE     1u               /* by an instruction; 0 is a read */
#define APIC_FETCH     2u

#ifdef VOUCH_HOST_TEST
/* Host tests bring a VMCS of their own: tests/unit/support/vmcs.h. */
uint64_t vmcs_read(enum vmcs_field f);
void vmcs_write(enum vmcs_field f, uint64_t val);
bool vmcs_try_read(uint32_t field, uint64_t *val);
#else
__noreturn void vmcs_failed(enum vmcs_field f);

static inline uint64_t vmcs_read(enum vmcs_field f)
{
	uint64_t val = 0;             /* a start value only for tools that see no output of an asm goto */

	__asm__ goto volatile("vmread %1, %0; jbe %l2" : "=r"(val) : "r"((uint64_t)f) : "cc" : failed);
	return val;
failed:
	vmcs_failed(f);
}

/* False, and *val undefined, where this CPU lacks the field; the VM-instruction error is 12 then. For failure reports. */
static inline bool vmcs_try_read(uint32_t field, uint64_t *val)
{
	bool read;

	__asm__ volatile("vmread %2, %1" : "=@cca"(read), "=r"(*val) : "r"((uint64_t)field) : "memory");
	return read;
}

static inline void vmcs_write(enum vmcs_field f, uint64_t val)
{
	__asm__ goto volatile("vmwrite %1, %0; jbe %l2" : : "r"((uint64_t)f), "r"(val) : "cc", "memory" : failed);
	return;
failed:
	vmcs_failed(f);
}
#endif

#endif
