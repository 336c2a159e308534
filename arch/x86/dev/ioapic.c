/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: turns edges and levels at its pins into messages. It does not know which CPUs exist.
 * Reference: Intel 82093AA datasheet.
 */
#include "ioapic.h"

#include <string.h>

#define REG_SELECT 0x00u
#define REG_DATA   0x10u

#define IND_ID      0x00u
#define IND_VERSION 0x01u
#define IND_ARB     0x02u
#define IND_RTE     0x10u

/* What a guest may write: destination; mask, trigger, polarity, destination mode, delivery mode, vector. */
#define RTE_HIGH_RW 0xff000000u
#define RTE_LOW_RW  0x0001afffu

static uint8_t rte_mode(uint64_t rte)
{
	return rte >> IOAPIC_RTE_MODE_SHIFT & 7;
}

/* Only these wait for an EOI; the other modes are edges whatever the trigger bit says. */
static bool rte_is_level(uint64_t rte)
{
	return (rte & IOAPIC_RTE_LEVEL) && (rte_mode(rte) == APIC_MODE_FIXED || rte_mode(rte) == APIC_MODE_LOWEST);
}

/* False: nobody has it. */
static bool send(struct ioapic *io, uint64_t rte)
{
	struct apic_msg m = {
		.mode = rte_mode(rte),
		.logical = rte & IOAPIC_RTE_LOGICAL,
		.level_trig = rte_is_level(rte),
		.assert_ = true,
		.vector = (uint8_t)rte,
		.dest = (uint32_t)(rte >> IOAPIC_RTE_DEST_SHIFT),
	};

	if (m.mode == APIC_MODE_RESERVED || m.mode == APIC_MODE_SIPI) {
		io->refused++;
		return false;
	}
	return io->send(io->ctx, &m);
}

/*
 * Sends a level-triggered pin that is asserted and not already on its way. 82093AA "Remote IRR": set when a local APIC has
 * accepted it. What none accepts is tried again when its entry is written, the pin is asserted anew, or a local APIC is enabled.
 */
static void service_level(struct ioapic *io, unsigned int pin)
{
	uint64_t *rte = &io->rte[pin];

	if (!rte_is_level(*rte) || (*rte & (IOAPIC_RTE_MASK | IOAPIC_RTE_REMOTE_IRR)) || !(io->lines >> pin & 1))
		return;
	if (send(io, *rte))
		*rte |= IOAPIC_RTE_REMOTE_IRR;
}

void ioapic_set(void *ioapic, unsigned int pin, bool level)
{
	struct ioapic *io = ioapic;
	bool was;

	if (pin >= IOAPIC_PINS)
		return;
	was = io->lines >> pin & 1;
	if (was == level)
		return;
	io->lines ^= 1u << pin;
	if (!level)
		return;
	/* 82093AA "Interrupt Mask": an edge at a masked pin is lost, it does not wait for the unmasking. */
	if (rte_is_level(io->rte[pin]))
		service_level(io, pin);
	else if (!(io->rte[pin] & IOAPIC_RTE_MASK))
		send(io, io->rte[pin]);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *rte = &io->rte[pin];

		if (!(*rte & IOAPIC_RTE_REMOTE_IRR) || (uint8_t)*rte != vector)
			continue;
		*rte &= ~IOAPIC_RTE_REMOTE_IRR;
		service_level(io, pin);
	}
}

void ioapic_retry(struct ioapic *io)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		service_level(io, pin);
}

static void write_rte(struct ioapic *io, unsigned int pin, bool high, uint32_t val)
{
	uint64_t *rte = &io->rte[pin];

	if (high) {
		*rte = (*rte & UINT32_MAX) | (uint64_t)(val & RTE_HIGH_RW) << 32;
	} else {
		*rte = (*rte & ~(uint64_t)RTE_LOW_RW) | (val & RTE_LOW_RW);
		/* Guests rely on it where there is no EOI register: as edge, a pin forgets that it waits for an EOI. */
		if (!rte_is_level(*rte))
			*rte &= ~IOAPIC_RTE_REMOTE_IRR;
	}
	service_level(io, pin);
}

static void write_data(struct ioapic *io, uint32_t val)
{
	unsigned int n = io->select - IND_RTE;

	if (io->select == IND_ID)
		io->id = val >> 24 & 0xf;
	else if (io->select >= IND_RTE && n < 2 * IOAPIC_PINS)
		write_rte(io, n / 2, n & 1, val);
}

static uint32_t read_data(const struct ioapic *io)
{
	unsigned int n = io->select - IND_RTE;

	if (io->select == IND_ID || io->select == IND_ARB)
		return (uint32_t)io->id << 24;
	if (io->select == IND_VERSION)
		return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
	if (io->select >= IND_RTE && n < 2 * IOAPIC_PINS)
		return (uint32_t)(io->rte[n / 2] >> (n & 1 ? 32 : 0));
	return 0;
}

/* The select register takes any size. Data is 32 bits: less reads truncated and is not written; more is not there. */
static uint64_t ioapic_read(void *dev, uint64_t off, unsigned int size)
{
	const struct ioapic *io = dev;
	uint32_t val = 0;

	if (off == REG_SELECT)
		val = io->select;
	else if (off == REG_DATA)
		val = read_data(io);
	return size >= 4 ? val : val & ((1u << 8 * size) - 1);
}

static void ioapic_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct ioapic *io = dev;

	if (off == REG_SELECT)
		io->select = (uint8_t)val;
	else if (off == REG_DATA && size >= 4)
		write_data(io, (uint32_t)val);
}

const struct vdev_ops ioapic_ops = { .read = ioapic_read, .write = ioapic_write };

void ioapic_reset(struct ioapic *io)
{
	io->select = 0;
	io->id = io->reset_id;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		io->rte[pin] = IOAPIC_RTE_MASK;
}

void ioapic_create(struct ioapic *io, uint8_t id, bool (*send_msg)(void *ctx, const struct apic_msg *m), void *ctx)
{
	memset(io, 0, sizeof(*io));
	io->reset_id = id & 0xf;
	io->send = send_msg;
	io->ctx = ctx;
	ioapic_reset(io);
}
