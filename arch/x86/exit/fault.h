/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions in general: what a fault becomes that came while another exception was being delivered. Pure. */
#ifndef ARCH_X86_EXIT_FAULT_H
#define ARCH_X86_EXIT_FAULT_H

#include <vouch/types.h>

enum fault_outcome {
	FAULT_SERIAL,                 /* the second one is delivered, the first comes again by itself */
	FAULT_DOUBLE,                 /* #DF in place of both */
	FAULT_TRIPLE,                 /* the CPU shuts down */
};

/*
 * APM 2 "#DF - Double-Fault Exception (Vector 8)", SDM 3A "Interrupt 8 - Double Fault Exception (#DF)". Only for a first
 * one that the CPU raised itself: interrupts, NMIs, INT n, INT3 and INTO combine with nothing.
 */
enum fault_outcome fault_combine(uint8_t first, uint8_t second);

/*
 * SDM 3A "Exception Classifications": a fault pushes RF as 1, so that a breakpoint on its instruction does not come twice.
 * An injection pushes RF as it is: who injects a fault must set it.
 */
bool fault_sets_rf(uint8_t vector);

#endif
