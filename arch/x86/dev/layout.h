/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the guest's devices are: ports, pins. One place for the bus table and for the tables that tell the guest. Fixed:
 * saved guests depend on it. MMIO addresses are in include/vouch/x86.h and vm.h.
 */
#ifndef VOUCH_DEV_LAYOUT_H
#define VOUCH_DEV_LAYOUT_H

#define LAYOUT_PIT_PORT     0x40u
#define LAYOUT_KBD_DATA     0x60u
#define LAYOUT_PORT61       0x61u
#define LAYOUT_KBD_COMMAND  0x64u
#define LAYOUT_RTC_PORT     0x70u
#define LAYOUT_PORT92       0x92u
#define LAYOUT_DEBUG_E9     0xe9u
#define LAYOUT_COM2_PORT    0x2f8u
#define LAYOUT_COM1_PORT    0x3f8u
#define LAYOUT_DEBUG_BIOS   0x400u
#define LAYOUT_PM_BASE      0x600u
#define LAYOUT_PCI_CONFIG   0xcf8u
#define LAYOUT_CF9_PORT     0xcf9u

/* ISA interrupts. Each goes to the PIC pin and to the IOAPIC pin of its number, except that the PIT has GSI 2. */
#define LAYOUT_PIT_IRQ      0u
#define LAYOUT_KBD_IRQ      1u
#define LAYOUT_COM2_IRQ     3u
#define LAYOUT_COM1_IRQ     4u
#define LAYOUT_RTC_IRQ      8u
#define LAYOUT_SCI_IRQ      9u  /* level, active high */
#define LAYOUT_AUX_IRQ      12u
#define LAYOUT_PIT_GSI      2u

#define LAYOUT_IOAPIC_ID    0u

#endif
