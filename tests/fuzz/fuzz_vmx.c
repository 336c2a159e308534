/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX's exit decode and event delivery on a whole guest: a random VMCS is prepared for an entry and then handled as if
 * it had just exited. Everything behind the seam is real; only the CPU is missing. Host faults (#MC) and INIT are left
 * out: they end in panic() or a reset by design. What must hold: no check of a VM entry fails, whatever the guest did
 * and Vouch made of it; windows are as event.c promises them; and what rig_check() says.
 *
 * Input: a byte of plan, a byte for the mode the guest starts in and for APIC virtualization, then steps of one exit each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouch/platform.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/exit/report.h"
#include "arch/x86/mm/gwalk.h"
#include "arch/x86/mm/nested.h"
#include "arch/x86/vmx/check.h"
#include "tests/fuzz/rig.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/vmcs.h"

#define GPA_CODE  0x8000u
#define GPA_GDT   0x9000u
#define STEPS_MAX 400u

#define CR4_OPEN (CR4_PSE | CR4_PGE | CR4_TSD | CR4_DE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vcpu_hw hw;
static bool legacy;                     /* the guest starts in 32-bit protected mode without paging */
static bool apicv;                      /* the CPU virtualizes all it can of the local APIC, but its page */
static uint8_t msr_bitmap[PAGE_SIZE];
static uint64_t shown_cr4, shown_efer;  /* the policy's: it asks the CPU each time, which is slow in a virtual machine */

void vmx_host_window(void)
{
}

void vmx_host_nmi(void)
{
}

void host_reboot(void)
{
	abort();
}

/* For vmx_check_report(), which only a failed entry leads to. */
bool msr_read_safe(uint32_t msr, uint64_t *val)
{
	(void)msr;
	(void)val;
	abort();
}

unsigned int nested_path(const struct nested *n, gpa_t g, uint64_t e[4])
{
	(void)n;
	e[0] = g.v;
	return 1;
}

/* The local APIC's page is not virtualized here: hw.apic_access is 0. */
int nested_map(struct nested *n, gpa_t g, hpa_t h, uint64_t len, enum nested_prot prot)
{
	(void)n, (void)g, (void)h, (void)len, (void)prot;
	abort();
}

int nested_unmap(struct nested *n, gpa_t g, uint64_t len)
{
	(void)n, (void)g, (void)len;
	abort();
}

bool page_get_zeroed(struct page_alloc *p, unsigned int order, hpa_t *out)
{
	(void)p, (void)order, (void)out;
	abort();
}

void page_put(struct page_alloc *p, hpa_t base, unsigned int order)
{
	(void)p, (void)base, (void)order;
	abort();
}

void page_scrub(hpa_t base, unsigned int order)
{
	(void)base, (void)order;
	abort();
}

static const struct hvm_ops ops = {
	.name = "VMX",
	.vcpu_dump = vmx_dump,
	.exit_text = vmx_exit_text,
	.kind_text = vmx_kind_text,
	.env_load = vmx_env_load,
	.env_store = vmx_env_store,
	.reg_get = vmx_reg_get,
	.reg_set = vmx_reg_set,
};

static uint64_t get(enum vmcs_field f)
{
	return fake_vmcs_get(f);
}

static void set(enum vmcs_field f, uint64_t val)
{
	fake_vmcs_set(f, val);
}

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return fake_vmcs_get((enum vmcs_field)field);
}

static void put(uint64_t at, uint64_t val, unsigned int size)
{
	memcpy(rig.ram + at, &val, size);
}

/* Controls and the host's state: any good ones. */
static void set_room(void)
{
	set(VMCS_PIN_CTRL, 0x16 | PIN_EXT_INTR | PIN_NMI | PIN_VIRTUAL_NMI);
	set(VMCS_CPU_CTRL, 0x04006172 | CPU_HLT | CPU_TPR_SHADOW | CPU_MSR_BITMAPS | CPU_SECONDARY | CPU_UNCOND_IO);
	set(VMCS_CPU_CTRL2, CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED);
	set(VMCS_EXIT_CTRL, 0x36dfb | EXIT_HOST_64 | EXIT_LOAD_EFER | EXIT_LOAD_PAT);
	set(VMCS_VPID, 1);
	set(VMCS_EPTP, 0x1000 | 3 << 3 | 6);
	set(VMCS_HOST_CR0, 0x80050033);
	set(VMCS_HOST_CR4, 0x2020);
	set(VMCS_HOST_EFER, EFER_LME | EFER_LMA);
	set(VMCS_HOST_PAT, get(VMCS_GUEST_PAT));
	set(VMCS_HOST_CS, 8);
	set(VMCS_HOST_TR, 24);
	hw.ctl.cpu = (uint32_t)get(VMCS_CPU_CTRL);
	hw.ctl.cpu2 = (uint32_t)get(VMCS_CPU_CTRL2);
	hw.msr_bitmap = ptr_to_hpa(msr_bitmap);
	hw.apic_ctls = apicv ? CPU2_X2APIC | CPU2_APIC_REGS | CPU2_VIRT_INTR : 0;
	vmx_apic_reset(&rig.vcpu);
	set(VMCS_VIRTUAL_APIC, 0x8000);         /* for the checks only: the CPU's part is in guest_ran() */
	hw.ctl.entry = (uint32_t)get(VMCS_ENTRY_CTRL);
}

/* 32-bit protected mode without paging. */
static void leave_long_mode(void)
{
	vmx_reg_set(&rig.vcpu, HVM_EFER, 0);
	vmx_reg_set(&rig.vcpu, HVM_CR0, CR0_PE | CR0_ET);
	set(VMCS_GUEST_CS_ACCESS, 0xc09b);
}

/* Low linear addresses in long mode: page 8 is code, 16 RAM, 17 the local APIC, 18 the IOAPIC, 19 nobody. */
static void reset_vmcs(void)
{
	static const uint64_t page[] = { 0x10000, APIC_DEFAULT_BASE, IOAPIC_DEFAULT_BASE, 0xd0000000 };

	fake_vmcs_reset();
	for (unsigned int i = 0; i < 3; i++)
		put(0x1000 + 0x1000 * i, (0x2000 + 0x1000 * i) | PTE_P | PTE_RW | PTE_US, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		put(0x4000 + 8 * (16 + i), page[i] | PTE_P | PTE_RW | PTE_US, 8);
	put(0x4000 + 8 * 8, GPA_CODE | PTE_P | PTE_RW | PTE_US, 8);
	set_room();
	set(VMCS_CR4_MASK, ~(shown_cr4 & ~CR4_MCE));
	rig.vcpu.tsc_offset = rig.vm.clock.tsc_offset;
	set(VMCS_TSC_OFFSET, rig.vcpu.tsc_offset);
	if (legacy)
		leave_long_mode();
}

/* The CPU knows what the local APIC has: nothing else makes it deliver an interrupt, or tell of an EOI. */
static void check_delivery(uint32_t windows)
{
	const struct lapic *l = rig.vcpu.lapic;

	rig_expect(lapic_delivers(l) && (lapic_xapic_enabled(l) || (hw.ctl.cpu2 & CPU2_X2APIC)));
	rig_expect(get(VMCS_GUEST_INTR_STATUS) == (lapic_highest_irr(l) | (uint64_t)lapic_highest_isr(l) << 8));
	for (unsigned int i = 0; i < 4; i++)
		rig_expect(get((enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * i)) == lapic_levels(l, i));
	rig_expect(machine_extint_pending(&rig.vcpu) == !!(windows & CPU_INTR_WINDOW));
}

/* SDM 3C "Checks on the Guest State Area" and the others: the CPU is Bochs' corei7_skylake_x. */
static void check_entry(void)
{
	const struct vmx_facts facts = {
		.caps = {
			.pin = { 0x16, 0x7f }, .cpu = { 0x04006172, 0xf7f9fffe }, .cpu2 = { 0, 0x02177fff },
			.exit = { 0x36dfb, 0x7fffff }, .entry = { 0x11fb, 0xffff },
			.cr0_fixed0 = 0x80000021, .cr0_fixed1 = 0xffffffff,
			.cr4_fixed0 = CR4_VMXE, .cr4_fixed1 = shown_cr4 | CR4_VMXE | CR4_MCE | 0x2020,
			.misc = 0x600401e0, .ept_vpid = 0xf0106334141,
		},
		.phys_bits = 40, .linear_bits = 48, .efer = shown_efer | EFER_LMA, .vmcs = { 0x7000 },
		.vtpr = (uint8_t)rig.vcpu.lapic->page[LAPIC_TPR].val,
	};
	struct vmcs_state s;
	struct refusals r;
	uint32_t windows = hw.ctl.cpu & (CPU_INTR_WINDOW | CPU_NMI_WINDOW);

	vmcs_state_read(&s, read_field, NULL);
	vmx_check(&r, &s, &facts);
	if (r.count) {
		log_clear();
		refusals_log(&r);
		fputs(log_text(), stderr);
	}
	rig_expect(r.count == 0);
	rig_expect(hw.ctl.cpu == get(VMCS_CPU_CTRL) && hw.ctl.entry == get(VMCS_ENTRY_CTRL));
	rig_expect(hw.ctl.cpu2 == get(VMCS_CPU_CTRL2));
	/* Whatever still waits has its window, and no other is open. */
	rig_expect(!(windows & CPU_NMI_WINDOW) || rig.vcpu.nmi_pending);
	rig_expect(!rig.vcpu.nmi_pending || (windows & CPU_NMI_WINDOW));
	if (vmx_apic_delivers(&rig.vcpu))
		check_delivery(windows);
	else
		rig_expect(!machine_irq_pending(&rig.vcpu) || (windows & CPU_INTR_WINDOW));
}

/* What the CPU makes of the entry: an injected event is delivered, which ends shadows and blocks NMIs behind one. */
static void entered(void)
{
	uint64_t info = get(VMCS_ENTRY_INTR_INFO), block = get(VMCS_GUEST_INTERRUPTIBILITY);

	if (!(info & INTR_VALID))
		return;
	block &= ~(uint64_t)(BLOCK_STI | BLOCK_MOV_SS);
	if (INTR_TYPE(info) == INTR_NMI)
		block |= BLOCK_NMI;
	set(VMCS_GUEST_INTERRUPTIBILITY, block);
	set(VMCS_GUEST_PENDING_DBG, 0);
	set(VMCS_ENTRY_INTR_INFO, info & ~(uint64_t)INTR_VALID);
}

static void set_status(void)
{
	const struct lapic *l = rig.vcpu.lapic;

	set(VMCS_GUEST_INTR_STATUS, lapic_highest_irr(l) | (uint64_t)lapic_highest_isr(l) << 8);
}

/* SDM 3C "Evaluation of Pending Virtual Interrupts" and "Virtual-Interrupt Delivery". */
static void deliver_virtual(void)
{
	struct lapic *l = rig.vcpu.lapic;
	int vector = lapic_pending(l);

	if (!vmx_apic_delivers(&rig.vcpu) || vector < 0 || (hw.ctl.cpu & CPU_INTR_WINDOW) ||
	    !(get(VMCS_GUEST_RFLAGS) & RFLAGS_IF) || (get(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCK_STI | BLOCK_MOV_SS)))
		return;
	l->page[LAPIC_IRR + (unsigned int)vector / 32].val &= ~(1u << vector % 32);
	l->page[LAPIC_ISR + (unsigned int)vector / 32].val |= 1u << vector % 32;
	set_status();
	set(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) & ~(RFLAGS_IF | RFLAGS_TF));
}

static bool in_long_mode(void)
{
	return hw.ctl.entry & ENTRY_IA32E;
}

static bool in_64_bit(void)
{
	return in_long_mode() && (get(VMCS_GUEST_CS_ACCESS) & ACCESS_L);
}

/* Code and stack of another level or size, as a far transfer brings them. */
static void far_transfer(void)
{
	uint64_t how = rig_take(1), level = get(VMCS_GUEST_CR0) & CR0_PE ? how & 3 : 0;
	uint64_t size = how & 4 ? ACCESS_DB : how & 8 && in_long_mode() ? ACCESS_L : 0;

	set(VMCS_GUEST_CS_ACCESS, 0x809b | level << 5 | size);
	set(VMCS_GUEST_SS_ACCESS, how & 16 && size == ACCESS_L ? ACCESS_UNUSABLE | level << 5 : 0xc093 | level << 5);
	if (!in_64_bit())
		set(VMCS_GUEST_RIP, (uint32_t)get(VMCS_GUEST_RIP));
}

/* Control-register bits that are the guest's own, PE among them while paging is off. */
static void change_control_registers(void)
{
	uint64_t how = rig_take(2), cr0 = get(VMCS_GUEST_CR0), cr4 = get(VMCS_GUEST_CR4);

	cr0 = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)) |
	      (how & 1 ? CR0_TS | CR0_MP : 0) | (how & 2 ? CR0_WP : 0) | (how & 4 ? CR0_AM : 0) | (how & 8 ? CR0_EM : 0);
	if (how & 16 && !(cr0 & CR0_PG) && SEG_ATTR_DPL(get(VMCS_GUEST_SS_ACCESS)) == 0)
		cr0 ^= CR0_PE;
	set(VMCS_GUEST_CR0, cr0);
	set(VMCS_GUEST_CR4, (cr4 & ~(CR4_OPEN & shown_cr4)) | (how >> 8 & CR4_OPEN & shown_cr4));
	if (how & 32)
		set(VMCS_GUEST_CR3, how & 64 ? 0x1000 : rig_number() & 0xfffffff000ull);
	if (how & 128)
		set(VMCS_GUEST_DR7, (how & 1 ? 0x2000 : 0) | 0x400);
}

/* Flags, and a shadow that fits them: SDM 3C "Saving Non-Register State" says what is pending in that of MOV SS. */
static void change_flags(void)
{
	uint64_t how = rig_take(2), block = get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCK_NMI, pending = 0;
	uint64_t flags = RFLAGS_FIXED | (how & (RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_CF)) | (how & 2 ? RFLAGS_RF : 0);

	if (how & 4)
		block = 0;
	if (how & 8) {
		block |= BLOCK_MOV_SS;
		pending = (flags & RFLAGS_TF ? PENDING_DBG_BS : 0) | (how & 16 ? 1u << 12 | 2 : 0);
	} else if (how & 32 && flags & RFLAGS_IF && !(flags & RFLAGS_TF)) {
		block |= BLOCK_STI;
	}
	set(VMCS_GUEST_RFLAGS, flags);
	set(VMCS_GUEST_INTERRUPTIBILITY, block);
	set(VMCS_GUEST_PENDING_DBG, pending);
}

/* EOI and self-IPI without an exit, or up to the one behind an EOI that somebody waits for. Its reason, or 0. */
static uint32_t used_apic(uint8_t how)
{
	struct lapic *l = rig.vcpu.lapic;
	unsigned int vector = how & 0x80 ? (unsigned int)rig_take(1) | 16 : lapic_highest_isr(l);

	if (how & 0x80) {
		l->page[LAPIC_IRR + vector / 32].val |= 1u << vector % 32;
	} else {
		l->page[LAPIC_ISR + vector / 32].val &= ~(1u << vector % 32);
		set(VMCS_EXIT_QUALIFICATION, vector);
	}
	set_status();
	return !(how & 0x80) && get((enum vmcs_field)(VMCS_EOI_EXIT0 + vector / 64 * 2)) >> vector % 64 & 1 ?
		VMX_EXIT_VIRT_EOI : 0;
}

/* MOV to CR8, in the TPR shadow: the guest goes on, but for the one that lets an interrupt through. The exit, or 0. */
static uint32_t moved_to_cr8(void)
{
	uint8_t cr8 = (uint8_t)rig_take(1);
	uint32_t exits;

	if (vmx_apic_delivers(&rig.vcpu) && (cr8 & 0x40))
		return used_apic(cr8);
	cr8 &= 15;
	rig.vcpu.lapic->page[LAPIC_TPR].val = (uint32_t)cr8 << 4;
	if (vmx_apic_delivers(&rig.vcpu))
		return 0;
	exits = cr8 < get(VMCS_TPR_THRESHOLD) ? VMX_EXIT_TPR : 0;
	rig_expect(exits ? lapic_pending(rig.vcpu.lapic) >= 0 :
		   lapic_pending(rig.vcpu.lapic) < 0 || (hw.ctl.cpu & CPU_INTR_WINDOW));
	return exits;
}

/* What the guest did until it exited: flags, privilege, code and registers change as it likes. */
static uint32_t guest_ran(void)
{
	uint64_t what = rig_take(1), rip;
	uint32_t exits = what & 8 ? moved_to_cr8() : 0;

	if (what & 1)
		change_flags();
	if (what & 2)
		far_transfer();
	if (what & 4)
		change_control_registers();
	if (what & 16)
		rig.vcpu.gpr[rig_take(1) & 15] = rig_number();
	if (what & 32) {
		rip = what & 128 ? rig_number() : GPA_CODE + rig_take(1) * 8;
		/* 48 bits are canonical with their top one: the fetch of anything else does not get far enough to exit. */
		set(VMCS_GUEST_RIP, in_64_bit() ? (uint64_t)((int64_t)(rip << 16) >> 16) : (uint32_t)rip);
	}
	rip = get(VMCS_GUEST_RIP);
	if (what & 64)
		for (size_t i = 0, n = rig_take(1) & 15; i < n && span_ok(rip, 16, RIG_ROM); i++)
			rig.ram[rip + i] = (uint8_t)rig_take(1);
	return exits;
}

/* SDM 3A "Error Code": real mode has none. */
static uint32_t error_bit(unsigned int vector)
{
	return (get(VMCS_GUEST_CR0) & CR0_PE) && (0x27d00u >> vector & 1) ? INTR_HAS_ERROR : 0;
}

/* IDT-vectoring information as hardware gives it. */
static void event_cut_short(void)
{
	static const uint8_t types[] = { INTR_EXT, INTR_NMI, INTR_HW_EXC, INTR_SOFT_INT, INTR_PRIV_SW_EXC, INTR_SW_EXC };
	uint64_t how = rig_take(1);
	unsigned int type = types[(how >> 1) % ARRAY_SIZE(types)], vector = (unsigned int)rig_take(1);
	uint32_t info = how & 1 ? INTR_VALID : 0, block = (uint32_t)get(VMCS_GUEST_INTERRUPTIBILITY);

	set(VMCS_EXIT_INSN_LEN, 1 + how % 15);
	set(VMCS_IDT_VECTORING_INFO, 0);
	if (!info)
		return;
	switch (type) {
	case INTR_NMI:
		vector = EXC_NMI;
		block |= BLOCK_NMI;
		break;
	case INTR_HW_EXC:
		vector = vector % 18 == EXC_NMI ? EXC_PF : vector % 18;
		info |= error_bit(vector);
		break;
	case INTR_PRIV_SW_EXC:
		vector = EXC_DB;
		break;
	case INTR_SW_EXC:
		vector = vector & 1 ? EXC_BP : EXC_OF;
		break;
	}
	if (type == INTR_EXT)
		set(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) | RFLAGS_IF);
	/* Delivery has begun: no shadow any more. */
	set(VMCS_GUEST_INTERRUPTIBILITY, block & ~(BLOCK_STI | BLOCK_MOV_SS));
	set(VMCS_GUEST_PENDING_DBG, 0);
	set(VMCS_IDT_VECTORING_INFO, info | type << 8 | vector);
	set(VMCS_IDT_VECTORING_ERROR, info & INTR_HAS_ERROR ? how >> 4 : 0);
}

static uint64_t exception_words(void)
{
	static const uint32_t infos[] = { INTR_HW_EXC << 8 | EXC_DB, INTR_PRIV_SW_EXC << 8 | EXC_DB, INTR_NMI << 8 | EXC_NMI,
					  INTR_HW_EXC << 8 | INTR_HAS_ERROR | EXC_AC, INTR_HW_EXC << 8 | EXC_UD };
	uint64_t how = rig_take(1), info = infos[how % ARRAY_SIZE(infos)] | INTR_VALID;

	if (how & 0x80 && INTR_TYPE(info) == INTR_HW_EXC)
		info |= INTR_NMI_UNBLOCK;
	set(VMCS_EXIT_INTR_INFO, info);
	if (INTR_VECTOR(info) != EXC_DB)
		return 0;
	/* What was pending is in the qualification, and pending no more. */
	set(VMCS_GUEST_PENDING_DBG, 0);
	return rig_take(2) & 0x600f;
}

/* A GDT with anything in it, and a TSS register to leave. */
static uint64_t task_words(void)
{
	uint64_t how = rig_take(1), by = get(VMCS_IDT_VECTORING_INFO) & INTR_VALID ? 3 : how % 3;

	for (unsigned int i = 1; i < 8 && how & 8; i++)
		put(GPA_GDT + 8 * i, 0x67 | rig_take(1) << 24 | rig_take(1) << 40 | (how & 16 ? 0xcf0000ull << 32 | 0xffff : 0), 8);
	set(VMCS_GUEST_GDTR_BASE, how & 32 ? rig_number() & UINT32_MAX : GPA_GDT);
	set(VMCS_GUEST_GDTR_LIMIT, 0x3f);
	set(VMCS_GUEST_TR, how >> 6 << 3);
	set(VMCS_GUEST_TR_BASE, how & 4 ? 0xa000 : rig_mmio() & UINT32_MAX);
	return by << 30 | (rig_take(1) & 0x3f);
}

/* A register that the CPU lets the guest write, with anything in it. */
static uint64_t apic_written(void)
{
	unsigned int n = (unsigned int)rig_take(1) % LAPIC_REGS;

	if (n != LAPIC_TPR && (n < LAPIC_ISR || n >= LAPIC_ESR))
		rig.vcpu.lapic->page[n].val = (uint32_t)rig_take(4);
	return n * 16;
}

/* Reason and qualification of an exit that hardware can give, most of the time. */
static uint64_t exit_words(uint32_t reason)
{
	switch (reason) {
	case VMX_EXIT_IO:
		return (uint64_t)rig_port() << 16 | (rig_take(1) & 0x38) | (uint64_t[]){ 0, 1, 3 }[rig_take(1) % 3];
	case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR:
		rig.vcpu.gpr[REG_RCX] = rig_msr();
		return 0;
	case VMX_EXIT_EPT_VIOL:
		set(VMCS_GUEST_PHYS_ADDR, rig_mmio());
		return (rig_take(1) & 7) | 0x180;
	case VMX_EXIT_CR:
		/* At any other level it faults before it exits. */
		set(VMCS_GUEST_CS_ACCESS, get(VMCS_GUEST_CS_ACCESS) & ~0x60ull);
		set(VMCS_GUEST_SS_ACCESS, get(VMCS_GUEST_SS_ACCESS) & ~0x60ull);
		return rig_take(4) & 0xffff0f3f;
	case VMX_EXIT_EXCEPTION:
		return exception_words();
	case VMX_EXIT_TASK_SWITCH:
		return task_words();
	case VMX_EXIT_APIC_ACCESS:
		return rig_take(2) & 0x1fff;
	case VMX_EXIT_APIC_WRITE:
		return apic_written();
	case VMX_EXIT_VIRT_EOI:
		return lapic_highest_isr(rig.vcpu.lapic);
	default:
		return rig_number();
	}
}

static uint32_t exit_reason(void)
{
	static const uint8_t usual[] = { VMX_EXIT_IO, VMX_EXIT_RDMSR, VMX_EXIT_WRMSR, VMX_EXIT_EPT_VIOL, VMX_EXIT_HLT,
					 VMX_EXIT_CPUID, VMX_EXIT_EXT_INTR, VMX_EXIT_INTR_WINDOW, VMX_EXIT_NMI_WINDOW,
					 VMX_EXIT_CR, VMX_EXIT_EXCEPTION, VMX_EXIT_VMCALL, VMX_EXIT_XSETBV, VMX_EXIT_WBINVD,
					 VMX_EXIT_RDPMC, VMX_EXIT_VMXON, VMX_EXIT_TASK_SWITCH, VMX_EXIT_TRIPLE_FAULT,
					 VMX_EXIT_APIC_ACCESS, VMX_EXIT_APIC_WRITE };
	uint64_t which = rig_take(1);
	uint32_t reason = which < 0xc0 ? usual[which % ARRAY_SIZE(usual)] : (uint32_t)rig_number() & ~VMX_EXIT_ENTRY_FAILED;

	return reason == VMX_EXIT_INIT ? VMX_EXIT_EXT_INTR : reason;
}

static void leave(uint32_t trap)
{
	uint32_t reason = trap ? trap : exit_reason();

	/* There are none in real mode and in long mode. */
	if (reason == VMX_EXIT_TASK_SWITCH && (in_long_mode() || !(get(VMCS_GUEST_CR0) & CR0_PE)))
		reason = VMX_EXIT_CPUID;
	/* No instruction has run that could change whether the event has an error code. */
	if (reason == VMX_EXIT_CR && (get(VMCS_IDT_VECTORING_INFO) & INTR_VALID))
		reason = VMX_EXIT_EPT_VIOL;
	set(VMCS_EXIT_REASON, reason);
	if (reason != VMX_EXIT_VIRT_EOI || !trap)
		set(VMCS_EXIT_QUALIFICATION, exit_words(reason));
	vmx_handle_exit(&rig.vcpu);
}

static void check_state(void)
{
	uint64_t cr0 = vmx_reg_get(&rig.vcpu, HVM_CR0), efer = get(VMCS_GUEST_EFER);

	rig_expect(!(efer & ~shown_efer) && !(vmx_reg_get(&rig.vcpu, HVM_CR4) & ~shown_cr4) && !(cr0 >> 32));
	rig_expect(!(efer & EFER_LMA) == !((efer & EFER_LME) && (cr0 & CR0_PG)));
	rig_expect(!(efer & EFER_LMA) == !(hw.ctl.entry & ENTRY_IA32E));
	rig_expect(rig.vcpu.hw == &hw);
	rig_expect(get(VMCS_TSC_OFFSET) == rig.vm.clock.tsc_offset + rig.vcpu.tsc_adjust);
}

static void restart_if_stopped(void)
{
	if (rig.vm.stop.kind == STOP_NONE)
		return;
	rig_restart_if_stopped();
	rig.vcpu.xcr0 = 1;
	memset(&hw, 0, sizeof(hw));
	reset_vmcs();
}

static void step(void)
{
	uint64_t how = rig_take(1);
	uint32_t trap;

	if (how & 1)
		rig_pass_time();
	if (how & 16)
		rig_raise_interrupt();
	rig.vcpu.nmi_pending |= (how & 0x0e) == 0x0e;
	rig.vcpu.halted = rig.vcpu.halted && !vmx_event_wakes(&rig.vcpu);
	if (rig.vcpu.halted) {
		rig_pass_time();
		return;
	}
	vmx_apic_mode(&rig.vcpu);
	vmx_event_prepare(&rig.vcpu);
	vmx_apic_prepare(&rig.vcpu);
	check_entry();
	entered();
	deliver_virtual();
	trap = guest_ran();
	event_cut_short();
	leave(trap);
}

static void play(void)
{
	uint64_t how = rig_take(1);

	legacy = how & 1;
	apicv = how & 2;
	msr_reset(&rig.vcpu);
	reset_vmcs();
	for (unsigned int i = 0; rig.in_left && i < STEPS_MAX; i++) {
		step();
		rig_check();
		check_state();
		restart_if_stopped();
	}
	vm_report(&rig.vm);
	vm_report_exits(&rig.vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!shown_efer) {
		shown_cr4 = policy_cr4();
		shown_efer = policy_efer();
	}
	rig_reset(&ops, data, size);
	memset(&hw, 0, sizeof(hw));
	rig.vcpu.hw = &hw;
	rig_run(play);
	return 0;
}
