/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM's exit decode and event delivery on a whole guest: a random VMCB is prepared for an entry and then handled as if
 * it had just exited. Everything behind the seam is real; only the CPU is missing. Host faults (#MC) are left out:
 * they end in panic() by design. What must hold: an event that hardware takes, a window that is open or not, and what
 * rig_check() says.
 *
 * Input: a byte of plan, a byte of CPU features, then steps of one exit each.
 */
#include <string.h>

#include <vouch/pcpu.h>

#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/exit/report.h"
#include "arch/x86/mm/gwalk.h"
#include "arch/x86/svm/svm.h"
#include "tests/fuzz/rig.h"

#define GPA_CODE  0x8000u
#define STEPS_MAX 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vmcb vmcb;
static struct vcpu_hw hw;
static struct svm_cpu cpu;

void svm_host_window(void)
{
}

static const struct hvm_ops ops = {
	.name = "SVM",
	.vcpu_dump = svm_dump,
	.exit_text = svm_exit_text,
	.kind_text = svm_kind_text,
	.env_load = svm_env_load,
	.env_store = svm_env_store,
	.reg_get = svm_reg_get,
	.reg_set = svm_reg_set,
};

static void put(uint64_t at, uint64_t val, unsigned int size)
{
	memcpy(rig.ram + at, &val, size);
}

/* Low linear addresses in long mode: page 8 is code, 16 RAM, 17 the local APIC, 18 the IOAPIC, 19 nobody. */
static void reset_vmcb(void)
{
	static const uint64_t page[] = { 0x10000, APIC_DEFAULT_BASE, IOAPIC_DEFAULT_BASE, 0xd0000000 };

	memset(&vmcb, 0, sizeof(vmcb));
	for (unsigned int i = 0; i < 3; i++)
		put(0x1000 + 0x1000 * i, (0x2000 + 0x1000 * i) | PTE_P | PTE_RW | PTE_US, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		put(0x4000 + 8 * (16 + i), page[i] | PTE_P | PTE_RW | PTE_US, 8);
	put(0x4000 + 8 * 8, GPA_CODE | PTE_P | PTE_RW | PTE_US, 8);
	vmcb.cr0 = CR0_PE | CR0_PG | CR0_ET;
	vmcb.cr3 = 0x1000;
	vmcb.cr4 = CR4_PAE;
	vmcb.efer = EFER_LME | EFER_LMA | EFER_SVME;
	vmcb.pat = 0x0007040600070406ull;
	vmcb.rflags = RFLAGS_FIXED;
	vmcb.cs = (struct vmcb_seg){ .attr = 0xa9b, .limit = 0xffffffff };
	vmcb.ss = vmcb.ds = vmcb.es = vmcb.fs = vmcb.gs = (struct vmcb_seg){ .attr = 0xc93, .limit = 0xffffffff };
	vmcb.intercept_exceptions = SVM_EXCEPTIONS;
	vmcb.rip = GPA_CODE;
	rig.vcpu.tsc_offset = vmcb.tsc_offset = rig.vm.clock.tsc_offset;
	vmcb.intercept2 = SVM_INT2_VMRUN;
	vmcb.asid = 1;
	vmcb.np_enable = SVM_NP_ENABLE;
}

/* What the guest did until it exited: flags, privilege, code and registers change as it likes. */
static void guest_ran(void)
{
	uint64_t what = rig_take(1);

	if (what & 1)
		vmcb.rflags = RFLAGS_FIXED | (rig_take(2) & (RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_CF)) |
			      (what & 2 ? RFLAGS_RF : 0);
	if (hw.stepping)                        /* an instruction that clears TF is still trapped */
		vmcb.rflags |= RFLAGS_TF;
	if (what & 4)
		vmcb.int_state = rig_take(1) & SVM_INTSTATE_SHADOW;
	if (what & 8)
		vmcb.cpl = rig_take(1) & 3;
	if (what & 16)
		rig.vcpu.gpr[rig_take(1) & 15] = rig_number();
	if (what & 32)
		vmcb.rip = what & 128 ? rig_number() : GPA_CODE + rig_take(1) * 8;
	if (what & 64)
		for (size_t i = 0, n = rig_take(1) & 15; i < n && span_ok(vmcb.rip, 16, RIG_ROM); i++)
			rig.ram[vmcb.rip + i] = (uint8_t)rig_take(1);
}

/* EXITINTINFO as hardware gives it. QEMU leaves stale bits without V. */
static void event_cut_short(void)
{
	static const uint64_t types[] = { SVM_EVENT_INTR, SVM_EVENT_NMI, SVM_EVENT_EXC, SVM_EVENT_SOFT };
	/* What no CPU raises here: NMI, reserved vectors, and #BR, which 64-bit code has no more. */
	const uint32_t not_raised = 0x8fd08224;
	uint64_t how = rig_take(1), type = types[how >> 1 & 3], vector = rig_take(1);

	if (type == SVM_EVENT_EXC) {
		vector &= 31;
		vector = not_raised & 1u << vector ? EXC_PF : vector;
	} else if (type == SVM_EVENT_NMI) {
		vector = EXC_NMI;
	}
	vmcb.exit_int_info = vector | type << 8 | (how & 8 ? SVM_EVENT_HAS_ERROR | 6ull << 32 : 0) |
			     (how & 1 ? SVM_EVENT_VALID : 0);
}

/* Words of an exit that hardware can give. */
static void exit_words(void)
{
	static const uint16_t codes[] = { SVM_EXIT_IOIO, SVM_EXIT_MSR, SVM_EXIT_NPF, SVM_EXIT_HLT, SVM_EXIT_CPUID,
					  SVM_EXIT_INTR, SVM_EXIT_VINTR, SVM_EXIT_CR0_WRITE, SVM_EXIT_CR4_WRITE,
					  SVM_EXIT_CR8_WRITE, SVM_EXIT_EXC_DB, SVM_EXIT_EXC_AC, SVM_EXIT_IRET,
					  SVM_EXIT_VMMCALL, SVM_EXIT_XSETBV, SVM_EXIT_WBINVD, SVM_EXIT_RDPMC,
					  SVM_EXIT_VMRUN, SVM_EXIT_SHUTDOWN, SVM_EXIT_EXC_DE + EXC_PF,
					  SVM_EXIT_EXC_DE + EXC_GP, SVM_EXIT_EXC_BP, SVM_EXIT_SWINT, SVM_EXIT_PUSHF,
					  SVM_EXIT_PAUSE };
	uint64_t which = rig_take(1);

	vmcb.exit_code = which < 0x80 ? codes[which % ARRAY_SIZE(codes)] : rig_number();
	if ((uint32_t)vmcb.exit_code == SVM_EXIT_EXC_MC)
		vmcb.exit_code = SVM_EXIT_EXC_DB;
	if ((uint32_t)vmcb.exit_code == SVM_EXIT_IRET && !(vmcb.intercept1 & SVM_INT1_IRET))
		vmcb.exit_code = SVM_EXIT_INTR;
	vmcb.info1 = vmcb.info2 = 0;
	vmcb.next_rip = vmcb.rip + 2;
	switch ((uint32_t)vmcb.exit_code) {
	case SVM_EXIT_IOIO:
		vmcb.info1 = (uint64_t)rig_port() << 16 | 1u << (4 + rig_take(1) % 3) | (rig_take(1) & 0x0d);
		vmcb.info2 = vmcb.rip + 1;
		break;
	case SVM_EXIT_MSR:
		vmcb.info1 = rig_take(1) & 1;
		rig.vcpu.gpr[REG_RCX] = rig_msr();
		break;
	case SVM_EXIT_NPF:
		vmcb.info1 = rig_take(1) & 0x1f;
		vmcb.info2 = rig_mmio();
		break;
	default:
		vmcb.info1 = rig_number();
	}
}

/* APM 2 "Event Injection" (15.20): what VMRUN takes, and windows as event.c promises them. */
static void check_entry(void)
{
	uint64_t e = vmcb.event_inj;
	unsigned int type = SVM_EVENT_TYPE(e), vector = SVM_EVENT_VECTOR(e);

	if (e & SVM_EVENT_VALID) {
		rig_expect(type == SVM_EVENT_INTR || type == SVM_EVENT_NMI || type == SVM_EVENT_EXC);
		rig_expect(type != SVM_EVENT_EXC || (vector < 32 && vector != EXC_NMI));
		rig_expect(!(e & 0x7ffff000));
	}
	rig_expect(!(vmcb.int_ctl & SVM_INTCTL_V_IRQ) == !(vmcb.intercept1 & SVM_INT1_VINTR));
	rig_expect(hw.stepping || !machine_irq_pending(&rig.vcpu) || (vmcb.int_ctl & SVM_INTCTL_V_IRQ));
	rig_expect(!hw.stepping || (vmcb.rflags & RFLAGS_TF));
	rig_expect(!(vmcb.intercept1 & SVM_INT1_IRET) || hw.nmi_masked || hw.stepping);
	rig_expect(hw.stepping || (vmcb.intercept_exceptions == SVM_EXCEPTIONS && !(vmcb.intercept1 & SVM_INT1_PUSHF)));
	rig_expect(!hw.stepping || !(e & SVM_EVENT_VALID));
	rig_expect(svm_state_ok(&rig.vcpu));
}

static void check_state(void)
{
	rig_expect((vmcb.efer & EFER_SVME) && !(vmcb.efer & ~(policy_efer() | EFER_SVME)));
	rig_expect(!(vmcb.cr4 & ~policy_cr4()) && !(vmcb.cr0 >> 32));
	rig_expect(!(vmcb.efer & EFER_LMA) == !((vmcb.efer & EFER_LME) && (vmcb.cr0 & CR0_PG)));
	rig_expect(rig.vcpu.hw == &hw && hw.vmcb == &vmcb);
	rig_expect(vmcb.tsc_offset == rig.vm.clock.tsc_offset + rig.vcpu.tsc_adjust);
}

static void restart_if_stopped(void)
{
	if (rig.vm.stop.kind == STOP_NONE)
		return;
	rig_restart_if_stopped();
	rig.vcpu.xcr0 = 1;
	memset(&hw, 0, sizeof(hw));
	hw.vmcb = &vmcb;
	reset_vmcb();
}

static void step(void)
{
	uint64_t how = rig_take(1);

	if (how & 1)
		rig_pass_time();
	if (how & 16)
		rig_raise_interrupt();
	rig.vcpu.nmi_pending |= (how & 0x0e) == 0x0e;
	rig.vcpu.halted = rig.vcpu.halted && !svm_event_wakes(&rig.vcpu);
	if (rig.vcpu.halted) {
		rig_pass_time();
		return;
	}
	svm_event_prepare(&rig.vcpu);
	check_entry();
	guest_ran();
	event_cut_short();
	exit_words();
	svm_handle_exit(&rig.vcpu);
}

static void play(void)
{
	uint64_t has = rig_take(1);

	cpu.has = (struct svm_features){ .nrip_save = has & 1, .decode_assists = has & 2, .asids = 16 };
	cpu.facts = svm_facts_read(cpuid_leaf);         /* the policy also asks this CPU */
	cpu.facts.efer |= EFER_SVME;
	cpu.facts.asids = 16;
	cpu.facts.nested_paging = true;
	this_cpu()->hvm = &cpu;
	msr_reset(&rig.vcpu);
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
	rig_reset(&ops, data, size);
	memset(&hw, 0, sizeof(hw));
	hw.vmcb = &vmcb;
	rig.vcpu.hw = &hw;
	reset_vmcb();
	rig_run(play);
	return 0;
}
