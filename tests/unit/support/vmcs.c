/* SPDX-License-Identifier: BSD-2-Clause */
/* See vmcs.h. */
#include "tests/unit/support/vmcs.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/vmx/vmx.h"

struct fake_vmcs fake_vmcs;

static uint64_t *slot(enum vmcs_field f)
{
	unsigned int group = ((unsigned int)f >> 11 & 12) | ((unsigned int)f >> 10 & 3), index = (unsigned int)f >> 1 & 0x3f;

	if ((unsigned int)f & ~0x6c7eu)
		abort();
	return &fake_vmcs.field[group][index];
}

/* Bits 14:13 of an encoding are the width, 11:10 the group. */
static uint64_t width_mask(enum vmcs_field f)
{
	static const uint64_t masks[4] = { UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX };

	return masks[(unsigned int)f >> 13 & 3];
}

static bool is_read_only(enum vmcs_field f)
{
	return ((unsigned int)f >> 10 & 3) == 1;
}

uint64_t fake_vmcs_get(enum vmcs_field f)
{
	return *slot(f);
}

void fake_vmcs_set(enum vmcs_field f, uint64_t val)
{
	*slot(f) = val & width_mask(f);
}

uint64_t vmcs_read(enum vmcs_field f)
{
	fake_vmcs.reads++;
	return fake_vmcs_get(f);
}

bool vmcs_try_read(uint32_t field, uint64_t *val)
{
	*val = vmcs_read((enum vmcs_field)field);
	return true;
}

void vmcs_write(enum vmcs_field f, uint64_t val)
{
	if (is_read_only(f))
		abort();
	fake_vmcs.writes++;
	fake_vmcs_set(f, val);
}

void vmx_make_current(const struct vcpu *v)
{
	fake_vmcs.current = v;
}

static void set_segments(void)
{
	for (unsigned int i = 0; i < SEG_COUNT; i++) {
		fake_vmcs_set((enum vmcs_field)(VMCS_GUEST_ES + 2 * i), 0x10);
		fake_vmcs_set((enum vmcs_field)(VMCS_GUEST_ES_LIMIT + 2 * i), 0xffffffff);
		fake_vmcs_set((enum vmcs_field)(VMCS_GUEST_ES_ACCESS + 2 * i), 0xc093);
	}
	fake_vmcs_set(VMCS_GUEST_CS, 8);
	fake_vmcs_set(VMCS_GUEST_CS_ACCESS, 0xa09b);
	fake_vmcs_set(VMCS_GUEST_LDTR_ACCESS, 0x82);
	fake_vmcs_set(VMCS_GUEST_LDTR_LIMIT, 0xffff);
	fake_vmcs_set(VMCS_GUEST_TR_ACCESS, 0x8b);
	fake_vmcs_set(VMCS_GUEST_TR_LIMIT, 0xffff);
}

void fake_vmcs_reset(void)
{
	memset(&fake_vmcs, 0, sizeof(fake_vmcs));
	set_segments();
	fake_vmcs_set(VMCS_CR0_MASK, ~VMX_CR0_GUEST);
	fake_vmcs_set(VMCS_CR0_SHADOW, CR0_PE | CR0_PG | CR0_ET);
	fake_vmcs_set(VMCS_GUEST_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
	fake_vmcs_set(VMCS_CR4_MASK, ~(CR4_PAE | CR4_PSE | CR4_PGE));
	fake_vmcs_set(VMCS_CR4_SHADOW, CR4_PAE);
	fake_vmcs_set(VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE | CR4_MCE);
	fake_vmcs_set(VMCS_GUEST_CR3, 0x1000);
	fake_vmcs_set(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
	fake_vmcs_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	fake_vmcs_set(VMCS_GUEST_RIP, 0x8000);
	fake_vmcs_set(VMCS_GUEST_DR7, 0x400);
	fake_vmcs_set(VMCS_GUEST_PAT, 0x0007040600070406ull);
	fake_vmcs_set(VMCS_LINK_POINTER, UINT64_MAX);
	fake_vmcs_set(VMCS_ENTRY_CTRL, 0x11fb | ENTRY_IA32E | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	fake_vmcs_set(VMCS_CPU_CTRL, 0x04006172 | CPU_HLT | CPU_MSR_BITMAPS | CPU_SECONDARY);
}
