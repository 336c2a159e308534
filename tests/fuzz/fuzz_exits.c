/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The neutral exit handlers on a whole guest: each step of the input is an exit, an instruction, an interrupt or time
 * that passes. Whatever they are: no assertion, no access outside, an action that the handler may return, registers
 * that agree with each other, and what rig_check() says.
 *
 * Input: a byte of plan, then steps: a byte that chooses, and what that step takes.
 */
#include <string.h>

#include "arch/x86/exit/emulate.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/policy.h"
#include "arch/x86/exit/report.h"
#include "arch/x86/mm/gwalk.h"
#include "tests/fuzz/rig.h"
#include "tests/unit/support/seam.h"

#define GPA_CODE  0x8000u
#define STEPS_MAX 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- states of the vCPU ---- */

static void put(uint64_t at, uint64_t val, unsigned int size)
{
	memcpy(rig.ram + at, &val, size);
}

/* Low linear addresses: page 8 is code, 16 RAM, 17 the local APIC, 18 the IOAPIC, 19 nobody, 20-23 the input's choice. */
static void tables(bool wide)
{
	unsigned int n = wide ? 8 : 4;

	put(0x1000, 0x2000 | PTE_P | PTE_RW | PTE_US, 8);
	put(0x2000, 0x3000 | PTE_P | PTE_RW | PTE_US, 8);
	put(0x3000, 0x4000 | PTE_P | PTE_RW | PTE_US, 8);
	put(0x6020, 0x3000 | PTE_P, 8);                 /* a PDPT for PAE; 32-bit tables start at 7000 */
	put(0x7000, 0x4000 | PTE_P | PTE_RW | PTE_US, 4);
	put(0x4000 + 8 * n, GPA_CODE | PTE_P | PTE_US, n);
	put(0x4000 + 9 * n, (GPA_CODE + 0x1000) | PTE_P | PTE_RW | PTE_US, n);
	put(0x4000 + 16 * n, 0x10000 | PTE_P | PTE_RW | PTE_US, n);
	put(0x4000 + 17 * n, APIC_DEFAULT_BASE | PTE_P | PTE_RW | PTE_US, n);
	put(0x4000 + 18 * n, IOAPIC_DEFAULT_BASE | PTE_P | PTE_RW | PTE_US, n);
	put(0x4000 + 19 * n, 0xd0000000 | PTE_P | PTE_RW | PTE_US, n);
	for (unsigned int i = 20; i < 24; i++)
		put(0x4000 + i * n, rig_take(4), n);
}

/* 0 real, 1 protected, 2 with 32-bit paging, 3 PAE, 4 long. Control registers agree with each other. */
static void set_mode(unsigned int kind)
{
	uint64_t bits = rig_take(2);

	for (int i = 0; i < SEG_COUNT; i++)
		seam.env.seg[i] = (struct x86_seg){ .attr = 0xc93, .limit = 0xffffffff };
	seam.env.seg[SEG_CS].attr = (uint16_t)(kind == 4 ? 0xa9b : bits & 1 ? 0xc9b : 0x9b);
	seam.env.seg[SEG_DS].attr = (uint16_t)(0xc91 | (bits >> 1 & 6));
	if (bits & 16)
		seam.env.seg[SEG_DS].limit = 0x12fff;
	seam.reg[HVM_CR0] = CR0_ET | (kind ? CR0_PE : 0) | (kind > 1 ? CR0_PG : 0) | (bits & 64 ? CR0_WP : 0);
	seam.reg[HVM_CR4] = (kind >= 3 ? CR4_PAE : 0) | CR4_PSE;
	seam.reg[HVM_EFER] = kind == 4 ? EFER_LME | EFER_LMA : 0;
	seam.reg[HVM_CR3] = kind == 4 ? 0x1000 : kind == 3 ? 0x6020 : 0x7000;
	seam.reg[HVM_RFLAGS] = RFLAGS_FIXED | (bits >> 4 & (RFLAGS_DF | RFLAGS_CF)) | (bits & 1024 ? RFLAGS_AC : 0);
	seam.reg[HVM_RIP] = GPA_CODE + (bits & 2048 ? 0xff8 : 0);
	seam.env.cpl = kind && bits & 512 ? 3 : 0;
	tables(kind >= 3);
}

/* Code of the input's choice at RIP. */
static void set_code(void)
{
	size_t n = rig_take(1) % (INSN_MAX_LEN + 1);

	seam.reg[HVM_RIP] = GPA_CODE + (seam.reg[HVM_RIP] & 0xff8);
	memset(rig.ram + seam.reg[HVM_RIP], 0, INSN_MAX_LEN);
	for (size_t i = 0; i < n; i++)
		rig.ram[seam.reg[HVM_RIP] + i] = (uint8_t)rig_take(1);
}

/* ---- exits ---- */

static void expect_action(enum exit_action a, unsigned int allowed)
{
	rig_expect(allowed >> a & 1);
	rig_expect(a != EXIT_FAULT || rig.vcpu.fault.vector < 32);
	rig_expect(a != EXIT_STOP || rig.vm.stop.kind != STOP_NONE);
}

#define NEXT  (1u << EXIT_NEXT)
#define AGAIN (1u << EXIT_AGAIN)
#define FAULT (1u << EXIT_FAULT)
#define STOP  (1u << EXIT_STOP)

static void do_cpuid(void)
{
	rig.vcpu.gpr[REG_RAX] = rig_take(1) | rig_take(1) << 28;
	rig.vcpu.gpr[REG_RCX] = rig_take(1);
	expect_action(exit_cpuid(&rig.vcpu), NEXT);
}

static void do_msr(bool write)
{
	rig.vcpu.gpr[REG_RCX] = rig_msr();
	if (write) {
		uint64_t val = rig_number();

		rig.vcpu.gpr[REG_RAX] = val;
		rig.vcpu.gpr[REG_RDX] = val >> 32;
	}
	expect_action(exit_msr(&rig.vcpu, write), NEXT | FAULT);
}

static void do_pio(bool in)
{
	struct pio_exit x = { .port = rig_port(), .size = (uint8_t)(1u << rig_take(1) % 3), .in = in };

	if (!in)
		rig.vcpu.gpr[REG_RAX] = rig_number();
	expect_action(exit_pio(&rig.vcpu, &x), NEXT);
}

static void do_string_io(void)
{
	struct pio_exit x = { .port = rig_port(), .size = (uint8_t)(1u << rig_take(1) % 3), .string = true };

	x.in = rig_take(1) & 1;
	rig.vcpu.gpr[REG_RDX] = x.port;
	set_code();
	expect_action(exit_pio(&rig.vcpu, &x), AGAIN | FAULT | STOP);
}

static void do_gpa(void)
{
	struct gpa_exit x = { .gpa = gpa(rig_mmio()), .write = rig_take(1) & 1 };

	x.fetch = rig_take(1) == 0xff;
	set_code();
	expect_action(exit_gpa(&rig.vcpu, &x), AGAIN | FAULT | STOP);
}

/* A device's register without an instruction around it: the short way to the devices' own corners. */
static void do_mmio(void)
{
	unsigned int size = 1u << rig_take(1) % 4;
	uint64_t at = rig_mmio();

	if (rig_take(1) & 1)
		mmio_write(&rig.vcpu, gpa(at), size, size == 8 ? rig_number() : rig_number() & ((1ull << 8 * size) - 1));
	else
		(void)mmio_read(&rig.vcpu, gpa(at), size);
}

static void do_cr_write(void)
{
	static const uint8_t cr[] = { 0, 4, 8, 3 };

	expect_action(exit_cr_write(&rig.vcpu, cr[rig_take(1) & 3], rig_number()), NEXT | FAULT);
}

/* MOV to CRn, LMSW, CLTS, and reads of CR0, as a vendor that decodes them does. */
static void do_cr_instruction(void)
{
	unsigned int kind = rig_take(1) & 0x18, cr = kind & 8;
	enum exit_action a;
	struct x86_env e;
	struct insn in;
	uint64_t val;
	bool fits;

	set_code();
	rig.host.hvm->env_load(&rig.vcpu, &e);
	if (insn_length_at(&rig.vcpu, &e, &in, &rig.vcpu.fault))
		return;
	if (kind & 16) {
		a = exit_cr0_read(&rig.vcpu, &e, &in, &fits);
		expect_action(a, NEXT | AGAIN | FAULT | STOP);
		return;
	}
	a = exit_cr_value(&rig.vcpu, &e, &in, cr, &val, &fits);
	expect_action(a, NEXT | AGAIN | FAULT | STOP);
	if (fits && a == EXIT_NEXT)
		expect_action(exit_cr_write(&rig.vcpu, cr, val), NEXT | FAULT);
}

static void do_xsetbv(void)
{
	rig.vcpu.gpr[REG_RCX] = rig_take(1) & 1;
	rig.vcpu.gpr[REG_RAX] = rig_number();
	rig.vcpu.gpr[REG_RDX] = rig_take(1) & 1;
	expect_action(exit_xsetbv(&rig.vcpu), NEXT | FAULT);
}

static void do_register(void)
{
	unsigned int r = rig_take(1) & 15;

	rig.vcpu.gpr[r] = rig_number();
	if (r & 1)                              /* often within the pages above */
		rig.vcpu.gpr[r] = 0x10000 + (rig.vcpu.gpr[r] & 0xffff);
}

static void do_memory(void)
{
	uint64_t at = rig_take(2) * 2;

	put(at < RIG_RAM - 8 ? at : 0, rig_number(), 8);
}

static void step(void)
{
	switch (rig_take(1) % 20) {
	case 0:  do_cpuid(); break;
	case 1:  do_msr(false); break;
	case 2:  do_msr(true); break;
	case 3:  do_pio(true); break;
	case 4:
	case 5:  do_pio(false); break;
	case 6:  do_string_io(); break;
	case 7:
	case 8:  do_gpa(); break;
	case 9:  do_mmio(); break;
	case 10: do_cr_write(); break;
	case 11: do_cr_instruction(); break;
	case 12: do_xsetbv(); break;
	case 13: expect_action(exit_hypercall(&rig.vcpu), NEXT); break;
	case 14: rig_raise_interrupt(); break;
	case 15: rig_pass_time(); break;
	case 16: rig_take_interrupt(); break;
	case 17: do_register(); break;
	case 18: do_memory(); break;
	default: set_mode((unsigned int)rig_take(1) % 5); break;
	}
}

/* ---- what must hold ---- */

static void check_registers(void)
{
	uint64_t cr0 = seam.reg[HVM_CR0], cr4 = seam.reg[HVM_CR4], efer = seam.reg[HVM_EFER];

	rig_expect(!(cr0 >> 32) && (cr0 & CR0_ET) && (!(cr0 & CR0_PG) || (cr0 & CR0_PE)));
	rig_expect(!(cr0 & CR0_NW) || (cr0 & CR0_CD));
	rig_expect(!(cr4 & ~policy_cr4()) && !(efer & ~policy_efer()));
	rig_expect(!(efer & EFER_LMA) == !((efer & EFER_LME) && (cr0 & CR0_PG)));
	rig_expect(!(efer & EFER_LMA) || (cr4 & CR4_PAE));
	rig_expect(seam.reg[HVM_TSC_OFFSET] == rig.vm.clock.tsc_offset + rig.vcpu.tsc_adjust);
}

static void restart_if_stopped(void)
{
	if (rig.vm.stop.kind == STOP_NONE)
		return;
	rig_restart_if_stopped();
	rig.vcpu.tsc_offset = seam.reg[HVM_TSC_OFFSET] = rig.vm.clock.tsc_offset;
	rig.vcpu.xcr0 = 1;
}

static void play(void)
{
	set_mode((unsigned int)rig_take(1) % 5);
	msr_reset(&rig.vcpu);
	rig.vcpu.tsc_offset = seam.reg[HVM_TSC_OFFSET] = rig.vm.clock.tsc_offset;
	for (unsigned int i = 0; rig.in_left && i < STEPS_MAX; i++) {
		step();
		rig_check();
		check_registers();
		restart_if_stopped();
	}
	vm_report(&rig.vm);
	vm_report_exits(&rig.vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	seam_reset();
	rig_reset(seam.host.hvm, data, size);
	rig_run(play);
	return 0;
}
