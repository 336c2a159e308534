/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's start: as the loader left the boot CPU, or by INIT and SIPI. Between two runs, on the CPU that is to run it. */
#include "core/vcpu_init.h"

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/vm.h>

#include "arch/x86/cpu/fpu.h"
#include "arch/x86/dev/lapic.h"
#include "arch/x86/dev/post.h"
#include "arch/x86/exit/exit.h"
#include "arch/x86/exit/fast.h"
#include "arch/x86/exit/policy.h"

#define ATTR_CODE (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_RW | 1u)
#define ATTR_DATA (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_RW | 1u)

/*
 * SDM 3A "Processor State After Reset" (9.1.1), column INIT, but for what no system relies on: MSRs that only the CPU holds
 * (SYSENTER, STAR and so on) are 0. The FPU, XCR0, MTRRs, PAT and the TSC stay. With a SIPI's vector CS:IP is its page.
 */
static void reset_core(struct vcpu *v, uint8_t vector)
{
	struct vcpu_start s = { .cr0 = CR0_CD | CR0_NW | CR0_ET, .gdt = { .limit = 0xffff }, .idt = { .limit = 0xffff } };
	const struct hvm_ops *hvm = v->vm->host->hvm;
	uint64_t pat = hvm->reg_get(v, HVM_PAT);

	for (unsigned int i = 0; i < SEG_COUNT; i++)
		s.seg[i] = (struct x86_seg){ .attr = ATTR_DATA, .limit = 0xffff };
	s.seg[SEG_CS] = (struct x86_seg){ .sel = (uint16_t)(vector << 8), .attr = ATTR_CODE, .limit = 0xffff,
					  .base = (uint64_t)vector << 12 };
	hvm->vcpu_reset(v, &s);
	hvm->reg_set(v, HVM_PAT, pat);
	v->gpr[REG_RDX] = policy_cpuid(1, 0, 0, v->id).eax;
	v->halted = v->nmi_pending = false;
	fast_reset(v);
}

void vcpu_prepare(struct vcpu *v, const struct vcpu_start *start)
{
	v->vm->host->hvm->vcpu_reset(v, start);
	msr_reset(v);
	fast_reset(v);
	fpu_state_init(v->fpu);
	v->fpu_cpu = UINT32_MAX;
	v->xcr0 = 1;
	if (v->id == 0) {
		lapic_virtual_wire(v->lapic);
		return;
	}
	reset_core(v, 0);
	v->waits = true;
}

static void set_waits(struct vcpu *v, bool waits)
{
	__atomic_store_n(&v->waits, waits, __ATOMIC_SEQ_CST);
}

void vcpu_take_signals(struct vcpu *v)
{
	struct vcpu_posted got;
	bool waits = v->waits;

	if (!__atomic_load_n(&v->posted.pending, __ATOMIC_ACQUIRE))
		return;
	if (!waits && !(__atomic_load_n(&v->posted.signals, __ATOMIC_ACQUIRE) & POST_INIT))
		return;
	/* Not even for a moment may it look as if nothing could wake it: vcpu_halted_for_good(). */
	set_waits(v, false);
	__atomic_store_n(&v->stuck, false, __ATOMIC_SEQ_CST);
	post_take(&v->posted, &got);
	if ((got.signals & POST_INIT) && v->id == 0) {
		vm_stop(v->vm, STOP_RESET, "INIT sent to its boot CPU");
		return;
	}
	if (got.signals & POST_INIT) {
		lapic_init_signal(v->lapic);
		reset_core(v, 0);
		waits = true;
	}
	if (waits && (got.signals & POST_SIPI)) {
		reset_core(v, POST_SIPI_VECTOR(got.signals));
		waits = false;
	}
	set_waits(v, waits);
}
