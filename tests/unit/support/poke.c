/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU that is told to look: tests of one thread look by themselves. Counted in the vCPU that was told. */
#include "arch/x86/dev/machine.h"

#include <vouch/vcpu.h>

#include "poke.h"

const struct vcpu *poke_here;

bool vcpu_is_here(const struct vcpu *v)
{
	return v == poke_here;
}

void vcpu_poke(struct vcpu *v)
{
	v->task.switches++;
}
