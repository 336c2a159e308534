/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit means, vendor-free. The vendor decodes the hardware's words into these structs and applies the answer;
 * handlers work on v->gpr[], v->fault, the VM's buses and, through the seam's cold table, on control registers.
 */
#ifndef ARCH_X86_EXIT_EXIT_H
#define ARCH_X86_EXIT_EXIT_H

#include <vouch/gpa.h>
#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "arch/x86/exit/decode.h"

/* One IN, OUT, INS or OUTS. */
struct pio_exit {
	uint16_t port;
	uint8_t size;                 /* bytes: 1, 2, 4 */
	bool in, string;
};

/* An access to a guest-physical address that the nested tables do not allow. */
struct gpa_exit {
	gpa_t gpa;
	bool write, fetch;
};

enum exit_action exit_cpuid(struct vcpu *v);
enum exit_action exit_msr(struct vcpu *v, bool write);
enum exit_action exit_pio(struct vcpu *v, const struct pio_exit *x);
enum exit_action exit_gpa(struct vcpu *v, const struct gpa_exit *x);
enum exit_action exit_cr_write(struct vcpu *v, unsigned int cr, uint64_t val);
/*
 * What MOV to CRn, LMSW or CLTS would write: EXIT_NEXT with *val, or EXIT_FAULT, EXIT_AGAIN as for any operand.
 * *fits is false if in is none of these for this cr.
 */
enum exit_action exit_cr_value(struct vcpu *v, struct x86_env *e, const struct insn *in, unsigned int cr, uint64_t *val,
			       bool *fits);
/*
 * MOV from CR0 and SMSW, of the CR0 in e: done but for the step over it. EXIT_NEXT, or EXIT_FAULT, EXIT_AGAIN as for any
 * operand. *fits is false if in is neither.
 */
enum exit_action exit_cr0_read(struct vcpu *v, struct x86_env *e, const struct insn *in, bool *fits);
/* APM 3 "LMSW": loads PE, MP, EM and TS, and cannot clear PE. */
static inline uint64_t cr0_after_lmsw(uint64_t cr0, uint64_t msw)
{
	return (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (msw & (CR0_PE | CR0_MP | CR0_EM | CR0_TS));
}
enum exit_action exit_xsetbv(struct vcpu *v);
/*
 * Numbers in EAX from HYPERCALLS on are nobody's and never will be: vendors answer them without coming here. No hypercall
 * is defined yet. KVM's interface, which guests see, answers an unknown one with -KVM_ENOSYS.
 */
#define HYPERCALLS        0x10000
#define HYPERCALL_UNKNOWN (-1000)
enum exit_action exit_hypercall(struct vcpu *v);

/*
 * Has the hardware show the guest its TSC: the VM's clock and what this vCPU wrote, whatever the TSC of the CPU it is in.
 * At the begin of each turn, as vCPU and clock may have moved, with v->tsc_delta set. Cheap where nothing has changed.
 */
void vcpu_tsc_match(struct vcpu *v);

/* Back to what the manual says of reset, or to what firmware leaves behind (MTRRs on, write-back but for 3-4 GiB). */
void msr_reset(struct vcpu *v);

static inline uint64_t vcpu_reg(const struct vcpu *v, enum hvm_reg r) { return v->vm->host->hvm->reg_get(v, r); }
void vcpu_set_reg(struct vcpu *v, enum hvm_reg r, uint64_t val);

#endif
