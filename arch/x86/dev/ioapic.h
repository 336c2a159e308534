/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An 82093AA-compatible I/O APIC with 24 pins, version 0x11 (no EOI register: guests reset Remote IRR by switching a
 * pin to edge and back, or let the local APIC's EOI do it).
 *
 * struct ioapic holds what Xen's hvm_hw_vioapic record holds (select, ID, redirection entries in Xen's bit order, which
 * is the chip's; its pins 24-47 stay masked); lines, the levels at the inputs, belong to the devices and to Xen's
 * PCI_IRQ and ISA_IRQ records. Callers hold the VM.
 */
#ifndef X86_DEV_IOAPIC_H
#define X86_DEV_IOAPIC_H

#include <vouch/bus.h>
#include <vouch/types.h>

#include "arch/x86/dev/apic_msg.h"

#define IOAPIC_PINS    24u
#define IOAPIC_LEN     0x1000u    /* its range on the bus, at IOAPIC_DEFAULT_BASE; register it with sizes 1|2|4 */
#define IOAPIC_VERSION 0x11u

/* Redirection entry. */
#define IOAPIC_RTE_MODE_SHIFT 8
#define IOAPIC_RTE_LOGICAL    (1ull << 11)
#define IOAPIC_RTE_REMOTE_IRR (1ull << 14)  /* read-only */
#define IOAPIC_RTE_LEVEL      (1ull << 15)
#define IOAPIC_RTE_MASK       (1ull << 16)
#define IOAPIC_RTE_DEST_SHIFT 56

struct ioapic {
	uint8_t select;               /* IOREGSEL */
	uint8_t id;                   /* ID register, 4 bits */
	uint64_t rte[IOAPIC_PINS];

	uint32_t lines;               /* levels at the pins */

	uint8_t reset_id;             /* the ID that the MADT names */
	bool (*send)(void *ctx, const struct apic_msg *m);
	void *ctx;
	uint64_t refused;             /* entries of a reserved delivery mode that were due; for whoever debugs a guest */
};

extern const struct vdev_ops ioapic_ops;   /* dev is the struct ioapic */

/*
 * send delivers a message, false: no local APIC takes it; it may be called from every function below and must not call back
 * into the IOAPIC.
 */
void ioapic_create(struct ioapic *io, uint8_t id, bool (*send)(void *ctx, const struct apic_msg *m), void *ctx);

/* All pins masked. Lines keep their levels; ID as the MADT says, as firmware leaves it. */
void ioapic_reset(struct ioapic *io);

/*
 * Sets whether the device on a pin asserts its interrupt; fits struct irq_line. Pins that do not exist are ignored.
 * level says asserted or not, never volts: each board wires a device with the polarity its ACPI tables name, so the
 * entry's polarity bit is kept for the guest to read and has no other effect.
 */
void ioapic_set(void *ioapic, unsigned int pin, bool level);

/* A local APIC ended a level-triggered interrupt of this vector. What is still asserted is sent again. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);

/* A local APIC takes interrupts that did not: what is asserted and was accepted by none is sent again. */
void ioapic_retry(struct ioapic *io);

#endif
