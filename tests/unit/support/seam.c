/* SPDX-License-Identifier: BSD-2-Clause */
/* A vendor part that is only an array of registers. */
#include "tests/unit/support/seam.h"

#include <stdio.h>
#include <string.h>

struct seam seam;

static void env_load(const struct vcpu *v, struct x86_env *e)
{
	(void)v;
	*e = seam.env;
	e->cr0 = seam.reg[HVM_CR0];
	e->cr3 = seam.reg[HVM_CR3];
	e->cr4 = seam.reg[HVM_CR4];
	e->efer = seam.reg[HVM_EFER];
	e->rip = seam.reg[HVM_RIP];
	e->rflags = seam.reg[HVM_RFLAGS];
}

static void env_store(struct vcpu *v, const struct x86_env *e)
{
	(void)v;
	seam.reg[HVM_RIP] = e->rip;
	seam.reg[HVM_RFLAGS] = e->rflags;
}

static uint64_t reg_get(const struct vcpu *v, enum hvm_reg r)
{
	(void)v;
	return seam.reg[r];
}

static void reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	(void)v;
	seam.reg[r] = val;
}

static void dump(const struct vcpu *v)
{
	(void)v;
}

static void exit_text(const struct exit_record *r, bool brief, char *dst, size_t size)
{
	snprintf(dst, size, "exit %lu%s", r->code, brief ? "" : " in words");
}

static void kind_text(unsigned int kind, char *dst, size_t size)
{
	snprintf(dst, size, "kind %u", kind);
}

static const struct hvm_ops seam_ops = {
	.name = "seam",
	.vcpu_dump = dump,
	.exit_text = exit_text,
	.kind_text = kind_text,
	.env_load = env_load,
	.env_store = env_store,
	.reg_get = reg_get,
	.reg_set = reg_set,
};

void seam_reset(void)
{
	memset(&seam, 0, sizeof(seam));
	seam.host.hvm = &seam_ops;
	seam.vm.host = &seam.host;
	seam.vcpu.vm = &seam.vm;
	seam.reg[HVM_CR0] = CR0_PE | CR0_PG | CR0_ET;
	seam.reg[HVM_CR4] = CR4_PAE;
	seam.reg[HVM_EFER] = EFER_LME | EFER_LMA;
	seam.reg[HVM_PAT] = 0x0007040600070406ull;
	seam.env.seg[SEG_CS].attr = 0xa9b;
}
