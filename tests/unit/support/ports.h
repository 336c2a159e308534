/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine behind the port instructions and the TSC of arch/x86/cpu/asm.h, as a test makes it up. */
#ifndef TEST_SUPPORT_PORTS_H
#define TEST_SUPPORT_PORTS_H

#include <vouch/types.h>

struct fake_ports {
	uint32_t (*in)(uint16_t port, unsigned int size);             /* NULL: ones */
	void (*out)(uint16_t port, unsigned int size, uint32_t v);    /* NULL: nothing */
	uint64_t tsc, tsc_step;                                       /* each access and each reading takes a step */
};

extern struct fake_ports fake_ports;

#endif
