/* SPDX-License-Identifier: BSD-2-Clause */
/* The other CPUs of this machine: starting them once, and stopping all of them for good. */
#ifndef ARCH_X86_CPU_SMP_H
#define ARCH_X86_CPU_SMP_H

#include <vouch/types.h>

struct host;

/*
 * Starts every CPU that the MADT lists, at most options.cpus of them. Each ends in cpu_run_loop(). One that does not
 * answer, or is not like the boot CPU, is left out with a warning. On the boot CPU, before guests; needs hvm.
 */
void cpus_start(struct host *h);

/*
 * Makes all other CPUs halt for good, by NMI; waits a bounded time and names those that do not. If another CPU is at that
 * already, this one halts. Takes no lock; the second call does nothing.
 */
void cpus_stop(void);
/* In each NMI: halts here if another CPU wants that. */
void cpus_stop_here(void);

#endif
