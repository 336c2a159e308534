/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole guest for fuzz targets: real devices, buses and clock on a host TSC that only the input moves, a small flat
 * memory, a vendor part of registers. And the input itself as a stream of numbers. One guest a process.
 */
#ifndef TESTS_FUZZ_RIG_H
#define TESTS_FUZZ_RIG_H

#include <vouch/host.h>
#include <vouch/vcpu.h>
#include <vouch/vm.h>

#include "arch/x86/dev/machine.h"

#define RIG_RAM 0x20000u                /* from GPA 0; the last page is ROM */
#define RIG_ROM (RIG_RAM - 0x1000u)

struct rig {
	struct host host;
	struct vm vm;
	struct vcpu vcpu;
	struct lapic lapic __attribute__((aligned(LAPIC_MMIO_SIZE)));
	struct machine machine;
	uint8_t ram[RIG_RAM];
	const uint8_t *in;            /* what is left of the input */
	size_t in_left;
	uint8_t typed[64];            /* console input on its way */
	size_t typed_len;
	unsigned int timers;          /* registered by the devices */
	struct vtimer *timer[VTIMERS_MAX];
	unsigned int port_ranges, mmio_ranges;
};

extern struct rig rig;

/* Fresh; devices of the plan as the input says. The vCPU's registers are the caller's (hvm_ops). */
void rig_reset(const struct hvm_ops *ops, const uint8_t *data, size_t size);
/* Runs fn with this_cpu() working. */
void rig_run(void (*fn)(void));

/* The next n bytes of input, little-endian, at most 8; zeros behind its end. */
uint64_t rig_take(size_t n);
/* A number with a byte of choice in front: small, a power of two or so, all ones, or eight bytes as they come. */
uint64_t rig_number(void);

/* One of those that mean something, or any. */
uint32_t rig_msr(void);
uint16_t rig_port(void);
uint64_t rig_mmio(void);

/* Time passes and the run loop's service runs; console input may come. */
void rig_pass_time(void);
/* One comes in: a vector at the local APIC, or a line at a PIC that is set up as PC software does it. */
void rig_raise_interrupt(void);
/* Takes an interrupt if there is one. */
void rig_take_interrupt(void);

/* What must hold after every step; aborts if it does not. */
void rig_check(void);
void rig_expect(bool x);
/* A stopped guest starts again, as after its reset. */
void rig_restart_if_stopped(void);

#endif
