/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM's exits on their way to the neutral handlers: where the next instruction and the operands come from, with the
 * CPU's help and without it, and what exits only while one instruction is stepped over. The handlers are stand-ins.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/pcpu.h>
#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/emulate.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/svm/svm.h"
#include "tests/unit/support/cpu_area.h"

static struct vm vm;
static struct vcpu v;
static struct vcpu_hw hw;
static struct vmcb vmcb;
static struct svm_cpu cpu;

/* What the stand-ins were told, and what the instruction at RIP shall be. */
static struct {
	unsigned int decoded, learnt, cpuid, msr, windows, cr, spins;
	uint64_t cr_val;
	struct insn insn;
	uint8_t insn_len;
} seen;

void vcpu_spins(struct vcpu *x) { (void)x; seen.spins++; }
void svm_host_window(void) { seen.windows++; }
enum exit_action exit_cpuid(struct vcpu *x) { (void)x; seen.cpuid++; return EXIT_NEXT; }
enum exit_action exit_msr(struct vcpu *x, bool write) { (void)x; (void)write; seen.msr++; return EXIT_NEXT; }
enum exit_action exit_pio(struct vcpu *x, const struct pio_exit *p) { (void)x; (void)p; return EXIT_NEXT; }
enum exit_action exit_xsetbv(struct vcpu *x) { (void)x; return EXIT_NEXT; }
enum exit_action exit_hypercall(struct vcpu *x) { (void)x; return EXIT_NEXT; }

enum exit_action exit_gpa(struct vcpu *x, const struct gpa_exit *g)
{
	(void)g;
	seen.insn_len = x->insn.len;
	return EXIT_AGAIN;
}

enum exit_action exit_cr_write(struct vcpu *x, unsigned int cr, uint64_t val)
{
	(void)x;
	seen.cr = cr;
	seen.cr_val = val;
	return EXIT_NEXT;
}

enum exit_action exit_cr_value(struct vcpu *x, struct x86_env *e, const struct insn *in, unsigned int cr, uint64_t *val,
			       bool *fits)
{
	(void)x; (void)e; (void)cr;
	*fits = in->op == INSN_CLTS;
	*val = 0xc175;
	return EXIT_NEXT;
}

enum exit_action exit_cr0_read(struct vcpu *x, struct x86_env *e, const struct insn *in, bool *fits)
{
	(void)e;
	*fits = in->op == INSN_MOV_FROM_CR || in->op == INSN_SMSW;
	if (*fits)
		x->gpr[REG_RBX] = 0xcd;
	return in->op == INSN_SMSW ? vcpu_gp0(x) : EXIT_NEXT;
}

int insn_length_at(struct vcpu *x, const struct x86_env *e, struct insn *out, struct x86_fault *f)
{
	(void)x; (void)e; (void)f;
	seen.decoded++;
	*out = seen.insn;
	return 0;
}

void fast_learn_code(struct vcpu *x, const struct x86_env *e) { (void)x; (void)e; seen.learnt++; }

void env_advance(struct x86_env *e, unsigned int len) { e->rip += len; }

void svm_env_load(const struct vcpu *x, struct x86_env *e)
{
	(void)x;
	memset(e, 0, sizeof(*e));
	e->rip = vmcb.rip;
}

static void fresh(bool nrip, bool decode)
{
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	memset(&vmcb, 0, sizeof(vmcb));
	memset(&seen, 0, sizeof(seen));
	cpu.has = (struct svm_features){ .nrip_save = nrip, .decode_assists = decode };
	this_cpu()->hvm = &cpu;
	v.vm = &vm;
	v.hw = &hw;
	hw.vmcb = &vmcb;
	vmcb.rip = 0x1000;
	vmcb.next_rip = 0x100f;                 /* so that one sees who said where to go on */
	vmcb.cr0 = CR0_PE | CR0_PG;
	vmcb.efer = EFER_LME | EFER_LMA;
	vmcb.cs.attr = SEG_ATTR_L;
}

static void exits(uint64_t code)
{
	vmcb.exit_code = code;
	svm_handle_exit(&v);
}

static void the_next_rip_is_the_cpus_or_the_decoders(void **ctx)
{
	(void)ctx;
	fresh(true, false);
	exits(SVM_EXIT_CPUID);
	assert_int_equal(vmcb.rip, 0x100f);
	assert_int_equal(seen.decoded, 0);
	fresh(false, false);
	seen.insn = (struct insn){ .op = INSN_CPUID, .len = 2 };
	exits(SVM_EXIT_CPUID);
	assert_int_equal(vmcb.rip, 0x1002);
	assert_int_equal(seen.decoded, 1);
	assert_int_equal(seen.cpuid, 1);
	/* Another instruction than the exit's: nothing is done, the guest goes on there. */
	fresh(false, false);
	seen.insn = (struct insn){ .op = INSN_RDMSR, .len = 2 };
	exits(SVM_EXIT_CPUID);
	assert_int_equal(vmcb.rip, 0x1000);
	assert_int_equal(seen.cpuid, 0);
}

/* Bytes that are not what exited: in the kernel's code not for ever, a program may go on with that. */
static void other_bytes_end_a_kernel_not_a_program(void **ctx)
{
	(void)ctx;
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		fresh(false, false);
		vmcb.cpl = (uint8_t)cpl;
		seen.insn = (struct insn){ .op = INSN_RDMSR, .len = 2 };
		for (unsigned int i = 0; i < 999; i++)
			exits(SVM_EXIT_CPUID);
		assert_false(vm_stopped(&vm));
		for (unsigned int i = 0; i < 5000 && !vm_stopped(&vm); i++)
			exits(SVM_EXIT_CPUID);
		assert_int_equal(vm.stop.kind, cpl ? STOP_NONE : STOP_UNHANDLED);
		assert_int_equal(seen.cpuid, 0);
	}
}

static void a_move_to_cr_is_taken_from_the_cpus_words(void **ctx)
{
	static const struct { uint32_t code; unsigned int cr; } rows[] = {
		{ SVM_EXIT_CR0_WRITE, 0 }, { SVM_EXIT_CR0_SEL, 0 }, { SVM_EXIT_CR4_WRITE, 4 }, { SVM_EXIT_CR8_WRITE, 8 },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned int reg = 0; reg < REG_COUNT; reg++) {
			fresh(true, true);
			v.gpr[reg] = 0x123400000000ull + reg;
			vmcb.info1 = SVM_CR_MOV | reg;
			exits(rows[i].code);
			assert_int_equal(seen.cr, rows[i].cr);
			assert_int_equal(seen.cr_val, 0x123400000000ull + reg);
			assert_int_equal(vmcb.rip, 0x100f);
			assert_int_equal(seen.decoded, 0);
		}
	}
	/* Outside of 64-bit code a register has 32 bits. */
	fresh(true, true);
	vmcb.cs.attr = SEG_ATTR_DB;
	v.gpr[REG_RBX] = 0xffff00000011ull;
	vmcb.info1 = SVM_CR_MOV | REG_RBX;
	exits(SVM_EXIT_CR0_WRITE);
	assert_int_equal(seen.cr_val, 0x11);
}

static void without_such_words_it_is_decoded(void **ctx)
{
	static const struct { bool nrip, decode; uint64_t info1; } rows[] = {
		{ true, true, 0 },                      /* LMSW or CLTS */
		{ true, true, 3 }, { true, false, SVM_CR_MOV | 3 }, { false, true, SVM_CR_MOV | 3 }, { false, false, 0 },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh(rows[i].nrip, rows[i].decode);
		vmcb.info1 = rows[i].info1;
		seen.insn = (struct insn){ .op = INSN_CLTS, .len = 2 };
		exits(i & 1 ? SVM_EXIT_CR0_SEL : SVM_EXIT_CR0_WRITE);
		assert_int_equal(seen.decoded, 1);
		assert_int_equal(seen.cr_val, 0xc175);
		assert_int_equal(vmcb.rip, 0x1002);
	}
}

/* Whatever the CPU says of it: exit 0 is CR0_READ. */
static void a_read_of_cr0_is_decoded(void **ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < 4; i++) {
		fresh(i & 1, i & 2);
		vmcb.info1 = SVM_CR_MOV | REG_RCX;
		seen.insn = (struct insn){ .op = INSN_MOV_FROM_CR, .len = 3 };
		exits(SVM_EXIT_CR0_READ);
		assert_int_equal(vm.stop.kind, STOP_NONE);
		assert_int_equal(v.gpr[REG_RBX], 0xcd);
		assert_int_equal(vmcb.rip, 0x1003);
		seen.insn = (struct insn){ .op = INSN_SMSW, .len = 3 };         /* the stand-in's faults */
		exits(SVM_EXIT_CR0_READ);
		assert_int_equal(vmcb.rip, 0x1003);
		assert_true(hw.event.valid && hw.event.vector == EXC_GP);
		hw.event.valid = false;
		seen.insn = (struct insn){ .op = INSN_CPUID, .len = 2 };        /* the guest rewrote it: again */
		exits(SVM_EXIT_CR0_READ);
		assert_int_equal(vmcb.rip, 0x1003);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

static void bytes_come_with_nested_faults_only(void **ctx)
{
	(void)ctx;
	fresh(true, true);
	vmcb.insn_len = 15;
	memset(vmcb.insn_bytes, 0x90, sizeof(vmcb.insn_bytes));
	exits(SVM_EXIT_NPF);
	assert_int_equal(seen.insn_len, 15);
	assert_memory_equal(v.insn.bytes, vmcb.insn_bytes, 15);
	exits(SVM_EXIT_CPUID);                  /* that field is old now */
	assert_int_equal(v.insn.len, 0);
	exits(SVM_EXIT_NPF);
	vmcb.insn_len = 16;                     /* no such length */
	exits(SVM_EXIT_NPF);
	assert_int_equal(seen.insn_len, 0);
	fresh(true, false);
	vmcb.insn_len = 15;
	exits(SVM_EXIT_NPF);
	assert_int_equal(seen.insn_len, 0);
}

/* An event whose stack or gate is no plain memory would be delivered in vain for ever. */
static void what_cannot_be_delivered_ends_the_guest(void **ctx)
{
	(void)ctx;
	fresh(true, false);
	vmcb.exit_int_info = EXC_PF;            /* not valid: left over */
	exits(SVM_EXIT_NPF);
	assert_int_equal(vm.stop.kind, STOP_NONE);
	vmcb.exit_int_info = SVM_EVENT_VALID | EXC_PF;
	vmcb.info2 = 0xfd000000;
	exits(SVM_EXIT_NPF);
	assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	assert_string_equal(vm.stop.text, "vector 14 cannot be delivered: GPA 0xfd000000 is no plain memory");
}

/* And its CPU hears that it may be waiting for another vCPU. */
static void a_pausing_guest_goes_on(void **ctx)
{
	(void)ctx;
	fresh(true, false);
	seen.spins = 0;
	exits(SVM_EXIT_PAUSE);
	assert_int_equal(seen.spins, 1);
	assert_int_equal(vmcb.rip, 0x1000);
	assert_int_equal(vm.stop.kind, STOP_NONE);
	assert_int_equal(v.exit_count[SVM_EXIT_PAUSE], 1);
}

/* An NMI's IRET exited and is about to be stepped over. */
static void begin_step(void)
{
	fresh(true, false);
	vmcb.intercept_exceptions = SVM_EXCEPTIONS;
	hw.nmi_masked = true;
	exits(SVM_EXIT_IRET);
	svm_event_prepare(&v);
	assert_true(hw.stepping);
}

static void a_fault_of_the_stepped_instruction_is_delivered(void **ctx)
{
	static const struct { uint8_t vector; bool error; } rows[] = {
		{ EXC_DE, false }, { EXC_UD, false }, { EXC_NM, false }, { EXC_TS, true }, { EXC_NP, true },
		{ EXC_SS, true }, { EXC_GP, true }, { EXC_PF, true }, { EXC_MF, false }, { EXC_AC, true },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_step();
		vmcb.info1 = 0x18;
		vmcb.info2 = 0xdead000;
		exits(SVM_EXIT_EXC_DE + rows[i].vector);
		assert_true(hw.event.valid && hw.event.vector == rows[i].vector);
		assert_int_equal(hw.event.has_error, rows[i].error);
		assert_int_equal(hw.event.error, rows[i].error ? 0x18 : 0);
		assert_int_equal(vmcb.cr2, rows[i].vector == EXC_PF ? 0xdead000 : 0);
		assert_int_equal(vm.stop.kind, STOP_NONE);
	}
}

static void a_shadow_over_what_cant_be_stepped_ends(void **ctx)
{
	static const uint32_t codes[] = { SVM_EXIT_PUSHF, SVM_EXIT_POPF, SVM_EXIT_SWINT, SVM_EXIT_IRET, SVM_EXIT_EXC_BP,
					  SVM_EXIT_EXC_OF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fresh(true, false);
		v.nmi_pending = true;
		vmcb.int_state = SVM_INTSTATE_SHADOW;
		svm_event_prepare(&v);
		assert_true(hw.stepping);
		exits(codes[i]);
		assert_int_equal(vmcb.int_state, 0);
		assert_int_equal(vmcb.rip, 0x1000);
		assert_false(hw.event.valid);
		svm_event_prepare(&v);
		assert_int_equal(SVM_EVENT_TYPE(vmcb.event_inj), SVM_EVENT_NMI);
	}
}

/* Exits that were not asked for stop the guest. */
static void the_same_exits_without_a_step_are_not_taken(void **ctx)
{
	static const uint32_t codes[] = { SVM_EXIT_PUSHF, SVM_EXIT_POPF, SVM_EXIT_SWINT, SVM_EXIT_EXC_BP,
					  SVM_EXIT_EXC_DE + EXC_GP, SVM_EXIT_EXC_DE + EXC_PF };

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fresh(true, false);
		exits(codes[i]);
		assert_int_equal(vm.stop.kind, STOP_UNHANDLED);
	}
}

static void run_all(void *failed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_rip_is_the_cpus_or_the_decoders),
		cmocka_unit_test(other_bytes_end_a_kernel_not_a_program),
		cmocka_unit_test(a_move_to_cr_is_taken_from_the_cpus_words),
		cmocka_unit_test(without_such_words_it_is_decoded),
		cmocka_unit_test(a_read_of_cr0_is_decoded),
		cmocka_unit_test(bytes_come_with_nested_faults_only),
		cmocka_unit_test(what_cannot_be_delivered_ends_the_guest),
		cmocka_unit_test(a_pausing_guest_goes_on),
		cmocka_unit_test(a_fault_of_the_stepped_instruction_is_delivered),
		cmocka_unit_test(a_shadow_over_what_cant_be_stepped_ends),
		cmocka_unit_test(the_same_exits_without_a_step_are_not_taken),
	};

	*(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int failed = 1;

	cpu_area_run(run_all, &failed, NULL);
	return failed;
}
