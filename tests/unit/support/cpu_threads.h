/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that are CPUs: each on a stack aligned as pcpu.h wants it, so that this_cpu() tells them apart. */
#ifndef TESTS_UNIT_SUPPORT_CPU_THREADS_H
#define TESTS_UNIT_SUPPORT_CPU_THREADS_H

struct host;

/* Runs fn(arg) on n CPUs at once, ids 0 to n - 1, all in h->cpu[] from the start; returns when all have. */
void cpu_threads_run(struct host *h, unsigned int n, void (*fn)(void *arg), void *arg);

#endif
