/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine-check banks of a CPU: switched on, and what they say, in lines that come out whatever locks are held. Corrects
 * nothing.
 */
#include "mce.h"

#include "asm.h"
#include "core/log_port.h"

/* SDM 3B "Machine-Check Architecture", APM 2 "Machine Check Mechanism" (9): four MSRs a bank. */
#define MSR_MCG_CAP    0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MCG_CTL    0x17bu
#define MSR_MC0_CTL    0x400u
#define MSR_MC0_STATUS 0x401u
#define MSR_MC0_ADDR   0x402u
#define MSR_MC0_MISC   0x403u

#define MCG_CAP_COUNT  0xffu
#define MCG_CAP_CTL    (1ull << 8)
#define MCI_VALID      (1ull << 63)
#define MCI_OVERFLOW   (1ull << 62)
#define MCI_UNCORRECTED (1ull << 61)
#define MCI_MISC_VALID (1ull << 59)
#define MCI_ADDR_VALID (1ull << 58)
#define MCI_CORRUPT    (1ull << 57)

/* True: it had something to say. */
static bool bank_report(unsigned int bank)
{
	uint64_t status = 0, at = 0, misc = 0;

	if (!msr_read_safe(MSR_MC0_STATUS + 4 * bank, &status) || !(status & MCI_VALID))
		return false;
	if (status & MCI_ADDR_VALID)
		(void)!msr_read_safe(MSR_MC0_ADDR + 4 * bank, &at);
	if (status & MCI_MISC_VALID)
		(void)!msr_read_safe(MSR_MC0_MISC + 4 * bank, &misc);
	log_emergency("machine check bank %u: status %016lx (code %#x%s%s%s), address %#lx, misc %#lx", bank,
		      (unsigned long)status, (unsigned int)(status & 0xffff), status & MCI_UNCORRECTED ? ", uncorrected" : "",
		      status & MCI_CORRUPT ? ", context corrupt" : "", status & MCI_OVERFLOW ? ", more were lost" : "",
		      (unsigned long)at, (unsigned long)misc);
	return true;
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
		(void)bank_report(bank);
}

/* What it still holds is from before: the firmware's, or of what ran then. */
static void bank_enable(unsigned int bank)
{
	if (bank_report(bank))
		log_emergency("machine check bank %u: that was before this boot", bank);
	(void)!msr_write_safe(MSR_MC0_CTL + 4 * bank, ~0ull);
	(void)!msr_write_safe(MSR_MC0_STATUS + 4 * bank, 0);
}

void mce_enable(void)
{
	uint64_t cap = 0;

	if (!msr_read_safe(MSR_MCG_CAP, &cap))
		return;
	if (cap & MCG_CAP_CTL)
		(void)!msr_write_safe(MSR_MCG_CTL, ~0ull);
	for (unsigned int bank = 0; bank < (cap & MCG_CAP_COUNT); bank++)
		bank_enable(bank);
}
