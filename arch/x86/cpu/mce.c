/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine-check banks of a CPU say, in lines that come out whatever locks are held. Corrects nothing. */
#include "mce.h"

#include "asm.h"
#include "core/log_port.h"

/* SDM 3B "Machine-Check Architecture", APM 2 "Machine Check Mechanism" (9): four MSRs a bank. */
#define MSR_MCG_CAP    0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MC0_STATUS 0x401u
#define MSR_MC0_ADDR   0x402u
#define MSR_MC0_MISC   0x403u

#define MCG_CAP_COUNT  0xffu
#define MCI_VALID      (1ull << 63)
#define MCI_OVERFLOW   (1ull << 62)
#define MCI_UNCORRECTED (1ull << 61)
#define MCI_MISC_VALID (1ull << 59)
#define MCI_ADDR_VALID (1ull << 58)
#define MCI_CORRUPT    (1ull << 57)

static void bank_report(unsigned int bank)
{
	uint64_t status = 0, at = 0, misc = 0;

	if (!msr_read_safe(MSR_MC0_STATUS + 4 * bank, &status) || !(status & MCI_VALID))
		return;
	if (status & MCI_ADDR_VALID)
		(void)!msr_read_safe(MSR_MC0_ADDR + 4 * bank, &at);
	if (status & MCI_MISC_VALID)
		(void)!msr_read_safe(MSR_MC0_MISC + 4 * bank, &misc);
	log_emergency("machine check bank %u: status %016lx (code %#x%s%s%s), address %#lx, misc %#lx", bank,
		      (unsigned long)status, (unsigned int)(status & 0xffff), status & MCI_UNCORRECTED ? ", uncorrected" : "",
		      status & MCI_CORRUPT ? ", context corrupt" : "", status & MCI_OVERFLOW ? ", more were lost" : "",
		      (unsigned long)at, (unsigned long)misc);
}

void mce_report(void)
{
	uint64_t cap = 0, status = 0;

	if (!msr_read_safe(MSR_MCG_CAP, &cap) || !msr_read_safe(MSR_MCG_STATUS, &status)) {
		log_emergency("machine check: this CPU has no banks that would say what");
		return;
	}
	log_emergency("machine check: status %#lx, %u banks", (unsigned long)status, (unsigned int)(cap & MCG_CAP_COUNT));
	for (unsigned int bank = 0; bank < (cap & MCG_CAP_COUNT); bank++)
		bank_report(bank);
}
