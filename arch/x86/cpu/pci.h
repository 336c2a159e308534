/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space by mechanism 1, for what Vouch does before it trusts memory: switching devices off. */
#ifndef ARCH_X86_CPU_PCI_H
#define ARCH_X86_CPU_PCI_H

#include <vouch/types.h>

struct host;

/* Configuration address of a function, register bits zero. */
uint32_t pci_address(unsigned int bus, unsigned int dev, unsigned int fn);
uint32_t pci_read32(uint32_t function, uint8_t reg);
void pci_write32(uint32_t function, uint8_t reg, uint32_t v);
void pci_write16(uint32_t function, uint8_t reg, uint16_t v);
void pci_write8(uint32_t function, uint8_t reg, uint8_t v);

/*
 * USB controllers taken from the firmware, then bus mastering off on every function; counts in h->platform, what
 * would not obey is logged. Once at boot, before the first byte that matters is copied. Needs tsc_khz.
 */
void pci_quiesce(struct host *h);

/* Takes one USB controller (class 0c03, prog_if) from the firmware. True if it is ours, or was. */
bool usb_handoff(uint32_t function, uint8_t prog_if);

#endif
