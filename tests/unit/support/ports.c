/* SPDX-License-Identifier: BSD-2-Clause */
/* Port instructions and RDTSC of host tests. */
#include "ports.h"

#include "arch/x86/cpu/asm.h"

struct fake_ports fake_ports;

static uint32_t in(uint16_t port, unsigned int size)
{
	fake_ports.tsc += fake_ports.tsc_step;
	return fake_ports.in ? fake_ports.in(port, size) : UINT32_MAX;
}

static void out(uint16_t port, unsigned int size, uint32_t v)
{
	fake_ports.tsc += fake_ports.tsc_step;
	if (fake_ports.out)
		fake_ports.out(port, size, v);
}

uint8_t port_in8(uint16_t port)
{
	return (uint8_t)in(port, 1);
}

uint16_t port_in16(uint16_t port)
{
	return (uint16_t)in(port, 2);
}

uint32_t port_in32(uint16_t port)
{
	return in(port, 4);
}

void port_out8(uint16_t port, uint8_t v)
{
	out(port, 1, v);
}

void port_out16(uint16_t port, uint16_t v)
{
	out(port, 2, v);
}

void port_out32(uint16_t port, uint32_t v)
{
	out(port, 4, v);
}

uint64_t tsc_read(void)
{
	fake_ports.tsc += fake_ports.tsc_step;
	return fake_ports.tsc;
}
