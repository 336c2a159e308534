/* SPDX-License-Identifier: BSD-2-Clause */
/* The microcode revisions from which on a CPU's TSC deadline timer is right. Loads none. */
#include "deadline.h"

#include <vouch/log.h>
#include <vouch/x86.h>

#include "asm.h"

#define ONE_ECX_DEADLINE   (1u << 24)
#define ONE_ECX_HYPERVISOR (1u << 31)

#define MODEL    0x0fff0ff0u          /* of a signature; and with its stepping: */
#define STEPPING 0x0fff0fffu

/*
 * Once TSC_ADJUST was written, by firmware or by smp.c, the timer of these may misbehave. The list is the one that Linux goes by;
 * CPUs before these and later steppings are right with any microcode.
 */
static const struct {
	uint32_t signature, mask, microcode;
} needs[] = {
	{ 0x306f2, STEPPING, 0x3a },       { 0x306f4, STEPPING, 0x0f },         /* Haswell EP, EX */
	{ 0x306c0, MODEL, 0x22 },          { 0x40650, MODEL, 0x20 },            /* Haswell */
	{ 0x40660, MODEL, 0x17 },          { 0x306d0, MODEL, 0x25 },            /* Haswell with eDRAM; Broadwell */
	{ 0x40670, MODEL, 0x17 },          { 0x406f0, MODEL, 0x0b000020 },      /* Broadwell with eDRAM, EP */
	{ 0x50662, STEPPING, 0x11 },       { 0x50663, STEPPING, 0x0700000e },   /* Broadwell D */
	{ 0x50664, STEPPING, 0x0f00000c }, { 0x50665, STEPPING, 0x0e000003 },
	{ 0x50653, STEPPING, 0x01000136 }, { 0x50654, STEPPING, 0x02000014 },   /* Skylake SP */
	{ 0x406e0, MODEL, 0xb2 },          { 0x506e0, MODEL, 0xb2 },            /* Skylake */
	{ 0x806e0, MODEL, 0x52 },          { 0x906e0, MODEL, 0x52 },            /* Kaby Lake */
};

/*
 * A revision of 0 is what an emulated CPU has, or one without any update; these CPUs' firmware always brings one. A hypervisor
 * shows whatever revision it likes, and a timer that it makes itself.
 */
uint32_t deadline_needs(const struct deadline_facts *f)
{
	if (!f->there || !f->intel || f->hypervisor || !f->microcode)
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++)
		if ((f->signature & needs[i].mask) == needs[i].signature)
			return f->microcode < needs[i].microcode ? needs[i].microcode : 0;
	return 0;
}

static struct deadline_facts facts_read(void)
{
	struct cpuid_regs one = cpuid_leaf(1, 0);
	struct deadline_facts f = { .there = one.ecx & ONE_ECX_DEADLINE, .intel = cpuid_is_intel(),
				    .hypervisor = one.ecx & ONE_ECX_HYPERVISOR, .signature = one.eax };
	uint64_t revision;

	if (!f.intel || f.hypervisor || !msr_write_safe(MSR_UCODE_REV, 0))
		return f;
	/* CPUID leaf 1 puts it there: SDM 3A "Determining the Signature" (9.11.7.1). */
	(void)cpuid_leaf(1, 0);
	if (msr_read_safe(MSR_UCODE_REV, &revision))
		f.microcode = (uint32_t)(revision >> 32);
	return f;
}

bool deadline_usable(void)
{
	struct deadline_facts f = facts_read();
	uint32_t need = deadline_needs(&f);

	if (need)
		log_warn("CPU erratum: no TSC deadline timer, which would need microcode %#x; this is %#x", need, f.microcode);
	return f.there && !need;
}
