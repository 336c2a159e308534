/* SPDX-License-Identifier: BSD-2-Clause */
/* What firmware's set-up has changed of what CPUID says: leaves that it hides, address bits that name keys instead. */
#ifndef ARCH_X86_CPU_FIRMWARE_H
#define ARCH_X86_CPU_FIRMWARE_H

#include <vouch/types.h>

/*
 * Old set-ups limit CPUID to leaf 3, for systems that more would upset: SDM 4 "IA32_MISC_ENABLE", Limit CPUID Maxval. Takes the
 * limit off this CPU, before anything relies on CPUID. True if there was one.
 */
bool cpuid_unlimit(bool intel, uint32_t max_leaf);

/* Where memory is encrypted, the highest bits of physical addresses are no longer addresses but name the key. */
struct width_facts {
	unsigned int bits;            /* CPUID 80000008 EAX[7:0], which firmware's choice does not change; 0: no such leaf */
	/* AMD, APM 2 "Secure Memory Encryption" (7.10) */
	bool sme;                     /* CPUID 8000001F EAX[0] or [1]: SME or SEV */
	unsigned int sme_bits;        /* EBX[11:6] */
	uint64_t syscfg;
	/* Intel, SDM 4 "IA32_TME_ACTIVATE" */
	bool tme;                     /* CPUID 7 ECX[13] */
	uint64_t tme_activate;
};
struct width_facts width_facts_read(void);
/*
 * How many bits the physical addresses have that Vouch may put into its tables: host's and nested ones. *keys: how many more the
 * CPU has, for keys; never set by Vouch, whose memory is plain, or of the one key that firmware has given all memory. A
 * guest-physical address is not concerned: its width is what CPUID says.
 */
unsigned int width_of(const struct width_facts *f, unsigned int *keys);

#endif
