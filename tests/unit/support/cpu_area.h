/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU area with a stack in it, so that this_cpu() works in a host test. */
#ifndef TEST_SUPPORT_CPU_AREA_H
#define TEST_SUPPORT_CPU_AREA_H

struct host;

/* Runs fn(arg) on the stack of a fresh CPU area whose struct pcpu has host h. */
void cpu_area_run(void (*fn)(void *arg), void *arg, struct host *h);

#endif
