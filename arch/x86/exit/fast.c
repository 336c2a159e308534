/* SPDX-License-Identifier: BSD-2-Clause */
/* The few device registers that are worked without leaving the fast path. */
#include "arch/x86/exit/fast.h"

#include <vouch/platform.h>
#include <vouch/vm.h>

#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/machine.h"
#include "arch/x86/exit/decode.h"

/* Compares in the order of frequency. */
enum fast_answer fast_msr_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (msr == MSR_X2APIC_EOI)
		return val ? FAST_NO : lapic_fast_eoi(v->lapic, true);
	if (msr == MSR_TSC_DEADLINE) {          /* as the general path has it while the guest's TSC is the VM's clock */
		if (v->tsc_adjust)
			return FAST_NO;
		return lapic_fast_deadline(v->lapic, val, own_tsc() + v->tsc_offset, v->armed_ns);
	}
	if (msr == MSR_X2APIC_ICR)
		return lapic_fast_icr(v->lapic, true, val);
	return msr == MSR_X2APIC_SELF_IPI ? lapic_fast_self_ipi(v->lapic, val) : FAST_NO;
}

/* Is a where c's operand is, in its page at least? An access of the CPU's own, to a table, need not be. */
static bool is_operand(const struct vcpu *v, const struct fast_code *c, gpa_t a)
{
	uint64_t at = c->disp;

	if (c->base != INSN_NO_REG)
		at += v->gpr[c->base & (REG_COUNT - 1)];
	return !((at ^ a.v) & (PAGE_SIZE - 1));
}

enum fast_answer fast_mmio(struct vcpu *v, const struct fast_code *c, gpa_t a, bool write)
{
	unsigned int off = (unsigned int)(a.v & (PAGE_SIZE - 1));
	uint64_t *reg = &v->gpr[c->reg & (REG_COUNT - 1)];
	uint32_t val;

	if (a.v - off != lapic_base(v->lapic) || c->move == FAST_OTHER || write == (c->move == FAST_LOAD) ||
	    !is_operand(v, c, a) || !fast_code_same(c))
		return FAST_NO;
	if (write)
		return lapic_fast_write(v->lapic, off, c->move == FAST_STORE_IMM ? c->imm : (uint32_t)*reg);
	if (!lapic_fast_read(v->lapic, off, &val))
		return FAST_NO;
	*reg = val;
	return FAST_NEXT;
}
