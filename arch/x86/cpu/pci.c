/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quiet before the first copy: a device that firmware or the boot loader left running must not write into memory that
 * Vouch has verified. Every function of every bus number is asked: no bridge has to be believed.
 */
#include "pci.h"

#include <vouch/host.h>

#include "asm.h"

#define PCI_ID      0x00u
#define PCI_COMMAND 0x04u
#define PCI_CLASS   0x08u
#define PCI_HEADER  0x0cu

#define COMMAND_MASTER 0x4u
#define CLASS_USB      0x0c03u
#define CLASS_BRIDGE   0x06u

uint32_t pci_address(unsigned int bus, unsigned int dev, unsigned int fn)
{
	return 0x80000000u | (bus & 255) << 16 | (dev & 31) << 11 | (fn & 7) << 8;
}

static uint16_t pci_select(uint32_t function, uint8_t reg)
{
	port_out32(0xcf8, function | (reg & 0xfcu));
	return (uint16_t)(0xcfc + (reg & 3u));
}

uint32_t pci_read32(uint32_t function, uint8_t reg)
{
	return port_in32(pci_select(function, reg & 0xfcu));
}

void pci_write32(uint32_t function, uint8_t reg, uint32_t v)
{
	port_out32(pci_select(function, reg & 0xfcu), v);
}

void pci_write16(uint32_t function, uint8_t reg, uint16_t v)
{
	port_out16(pci_select(function, reg & 0xfeu), v);
}

void pci_write8(uint32_t function, uint8_t reg, uint8_t v)
{
	port_out8(pci_select(function, reg), v);
}

static void usb_quiesce(struct host *h, uint32_t function)
{
	uint32_t class = pci_read32(function, PCI_CLASS);

	if (class >> 16 != CLASS_USB)
		return;
	if (usb_handoff(function, (uint8_t)(class >> 8)))
		h->platform.usb_handoffs++;
	else
		log_warn("PCI %02x:%02x.%x: the firmware keeps this USB controller", function >> 16 & 255,
			 function >> 11 & 31, function >> 8 & 7);
}

static void master_off(struct host *h, uint32_t function)
{
	uint16_t command = (uint16_t)pci_read32(function, PCI_COMMAND);

	if (!(command & COMMAND_MASTER))
		return;
	/* 16 bits: the status half above clears what is written as ones. */
	pci_write16(function, PCI_COMMAND, (uint16_t)(command & ~COMMAND_MASTER));
	/* Reading back also waits for what the function had posted. */
	if (!(pci_read32(function, PCI_COMMAND) & COMMAND_MASTER)) {
		h->platform.pci_quieted++;
		return;
	}
	/* Host and ISA bridges have the bit wired to one: a property, no sign of trouble. */
	log_line(pci_read32(function, PCI_CLASS) >> 24 == CLASS_BRIDGE ? LOG_DEBUG : LOG_WARN,
		 "PCI %02x:%02x.%x keeps bus mastering on", function >> 16 & 255, function >> 11 & 31,
		 function >> 8 & 7);
}

/* Calls visit for each function there is. */
static void pci_each(struct host *h, void (*visit)(struct host *h, uint32_t function))
{
	unsigned int slot, fn;

	for (slot = 0; slot < 256 * 32; slot++) {
		uint32_t first = pci_address(slot / 32, slot % 32, 0);
		unsigned int count;

		if ((uint16_t)pci_read32(first, PCI_ID) == 0xffff)
			continue;
		count = pci_read32(first, PCI_HEADER) & 1u << 23 ? 8 : 1;
		for (fn = 0; fn < count; fn++)
			if ((uint16_t)pci_read32(first | fn << 8, PCI_ID) != 0xffff)
				visit(h, first | fn << 8);
	}
}

static void count_one(struct host *h, uint32_t function)
{
	(void)function;
	h->platform.pci_functions++;
}

void pci_quiesce(struct host *h)
{
	pci_each(h, count_one);
	/* Hand-off first: firmware that still owns a controller may need it to master the bus to let go. */
	pci_each(h, usb_quiesce);
	pci_each(h, master_off);
}
