/* SPDX-License-Identifier: BSD-2-Clause */
/* What exceptions are, and how they combine. */
#include "arch/x86/exit/fault.h"

#include <vouch/x86.h>

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum exception_class class_of(uint8_t vector)
{
	switch (vector) {
	case EXC_DE: case EXC_TS: case EXC_NP: case EXC_SS: case EXC_GP:
		return CONTRIBUTORY;
	case EXC_PF:
		return PAGE_FAULT;
	case EXC_DF:
		return DOUBLE_FAULT;
	default:
		return BENIGN;
	}
}

enum fault_outcome fault_combine(uint8_t first, uint8_t second)
{
	enum exception_class a = class_of(first), b = class_of(second);

	if (a == DOUBLE_FAULT && b != BENIGN)
		return FAULT_TRIPLE;
	if ((a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && (b == CONTRIBUTORY || b == PAGE_FAULT)))
		return FAULT_DOUBLE;
	return FAULT_SERIAL;
}

bool fault_sets_rf(uint8_t vector)
{
	switch (vector) {
	case EXC_DB: case EXC_NMI: case EXC_BP: case EXC_OF: case EXC_DF: case EXC_MC:
		return false;
	default:
		return true;
	}
}
