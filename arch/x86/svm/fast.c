/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits that need a little of SVM in C, and nothing of the run loop: entry.S calls these between #VMEXIT and VMRUN. RAX and
 * RSP are the VMCB's here, not gpr[]'s. Only fields are written that no clean bit stands for.
 */
#include "arch/x86/svm/svm.h"

#include "arch/x86/exit/fast.h"
#include "arch/x86/svm/tpr.h"

/* The number of names.c, for the codes that come here. */
#define KIND_OF_NPF 0xa4u

static void step_over(struct vcpu *v, struct vmcb *c, uint64_t next, unsigned int kind)
{
	c->rip = next;
	c->tlb_control = SVM_TLB_NOTHING;
	v->exit_count[kind]++;
}

/* With every I/O exit comes the next RIP. A result of less than 4 bytes leaves the rest of RAX as it was. */
enum fast_answer svm_fast_in(struct vcpu *v, struct vmcb *c)
{
	unsigned int size = SVM_IOIO_SIZE(c->info1);
	int64_t val;

	if ((c->info1 & (SVM_IOIO_IN | SVM_IOIO_STRING)) != SVM_IOIO_IN)
		return FAST_NO;
	val = fast_pio_read(v, SVM_IOIO_PORT(c->info1), size);
	if (val < 0)
		return FAST_NO;
	if (size == 4)
		c->rax = (uint64_t)val;
	else if (size == 2)
		c->rax = (c->rax & ~0xffffull) | (uint64_t)val;
	else
		c->rax = (c->rax & ~0xffull) | (uint64_t)val;
	step_over(v, c, c->info2, SVM_EXIT_IOIO);
	return FAST_NEXT;
}

enum fast_answer svm_fast_mmio(struct vcpu *v, struct vmcb *c, const struct fast_code *code)
{
	enum fast_answer a;

	if (c->info1 & (PF_I | SVM_NPF_WALK))
		return FAST_NO;
	if ((c->info2 & (PAGE_SIZE - 1)) == LAPIC_TPR << 4)
		svm_tpr_collect(v);
	v->gpr[REG_RAX] = c->rax;
	a = fast_mmio(v, code, gpa(c->info2), c->info1 & PF_W);
	if (a == FAST_NO)
		return FAST_NO;
	c->rax = v->gpr[REG_RAX];
	step_over(v, c, c->rip + code->len, KIND_OF_NPF);
	return a;
}
