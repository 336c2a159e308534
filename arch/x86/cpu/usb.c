/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB legacy hand-off: firmware that emulates a PS/2 keyboard runs USB controllers from SMM, with DMA. Each kind has
 * its own way to ask for the controller, all bounded by a second. Sources: UHCI 1.1 "Legacy Support" (5), OHCI 1.0a
 * "Emulation" (5.1.1.3.3), EHCI 1.0 "Pre-OS to OS Handoff" (5.1), xHCI 1.1 "USB Legacy Support Capability" (7.1).
 */
#include "pci.h"

#include "arch/x86/mm/paging.h"
#include "asm.h"
#include "tsc.h"

#define COMMAND_IO     0x1u
#define COMMAND_MEMORY 0x2u
#define HANDOFF_MS     1000u

#define LEGACY_FIRMWARE (1u << 16)
#define LEGACY_SYSTEM   (1u << 24)

/* The registers behind the first BAR, or NULL: not decoded, hence not in use by anyone. */
static volatile uint32_t *bar_map(uint32_t function, size_t len)
{
	uint32_t low = pci_read32(function, 0x10);
	uint64_t base = low & ~0xfu;

	if (!(pci_read32(function, 0x04) & COMMAND_MEMORY) || low & 1)
		return NULL;
	if ((low >> 1 & 3) == 2)
		base |= (uint64_t)pci_read32(function, 0x14) << 32;
	return base ? mmio_map(hpa(base), len) : NULL;
}

static bool uhci_handoff(uint32_t function)
{
	uint32_t bar = pci_read32(function, 0x20);

	/* LEGSUP: every SMI source off, every status bit cleared by a one. */
	pci_write16(function, 0xc0, 0x8f00);
	if (!(pci_read32(function, 0x04) & COMMAND_IO) || !(bar & 1) || !(bar & 0xffe0u))
		return true;
	port_out16((uint16_t)((bar & 0xffe0u) + 4), 0);	/* USBINTR */
	port_out16((uint16_t)(bar & 0xffe0u), 0);	/* USBCMD: stop */
	return true;
}

static bool ohci_handoff(uint32_t function)
{
	volatile uint32_t *regs = bar_map(function, PAGE_SIZE);
	unsigned int ms;

	if (!regs)
		return true;
	/* HcControl.InterruptRouting set: SMM has it. HcCommandStatus.OwnershipChangeRequest asks. */
	if (regs[1] & 1u << 8) {
		regs[2] = 1u << 3;
		for (ms = 0; ms < HANDOFF_MS && regs[1] & 1u << 8; ms++)
			host_delay_us(1000);
		if (regs[1] & 1u << 8)
			return false;
	}
	regs[5] = 0xffffffffu;	/* HcInterruptDisable */
	regs[1] = 0;		/* HcControl: lists off, bus in reset */
	return true;
}

static bool ehci_take(uint32_t function, uint8_t cap)
{
	unsigned int ms;

	if (pci_read32(function, cap) & LEGACY_FIRMWARE) {
		pci_write8(function, (uint8_t)(cap + 3), 1);
		for (ms = 0; ms < HANDOFF_MS && pci_read32(function, cap) & LEGACY_FIRMWARE; ms++)
			host_delay_us(1000);
	}
	if (pci_read32(function, cap) & LEGACY_FIRMWARE)
		return false;
	pci_write32(function, (uint8_t)(cap + 4), 0);	/* USBLEGCTLSTS: no SMIs */
	return true;
}

static bool ehci_handoff(uint32_t function)
{
	const volatile uint32_t *regs = bar_map(function, PAGE_SIZE);
	uint8_t cap, left;

	if (!regs)
		return true;
	cap = (uint8_t)(regs[2] >> 8);	/* HCCPARAMS.EECP */
	for (left = 48; left && cap >= 0x40 && cap <= 0xf8; left--) {
		uint32_t v = pci_read32(function, cap);

		if ((v & 0xff) == 1 && !ehci_take(function, cap))
			return false;
		cap = (uint8_t)(v >> 8);
	}
	return true;
}

static bool xhci_take(volatile uint32_t *cap)
{
	unsigned int ms;

	if (*cap & LEGACY_FIRMWARE) {
		*cap |= LEGACY_SYSTEM;
		for (ms = 0; ms < HANDOFF_MS && *cap & LEGACY_FIRMWARE; ms++)
			host_delay_us(1000);
	}
	if (*cap & LEGACY_FIRMWARE)
		return false;
	/* USBLEGCTLSTS: enables off, reserved bits kept, events cleared by ones. */
	cap[1] = (cap[1] & ~((1u << 0) | (1u << 4) | (7u << 13))) | 7u << 29;
	return true;
}

static bool xhci_handoff(uint32_t function)
{
	volatile uint32_t *regs = bar_map(function, 0x10000);
	uint32_t at, next, left;

	if (!regs)
		return true;
	at = regs[4] >> 16;	/* HCCPARAMS1.xECP, in words of four bytes */
	for (left = 256; left && at && at + 2 <= 0x10000 / 4; left--) {
		uint32_t v = regs[at];

		if ((v & 0xff) == 1 && !xhci_take(regs + at))
			return false;
		next = v >> 8 & 0xff;
		if (!next)
			break;
		at += next;
	}
	return true;
}

bool usb_handoff(uint32_t function, uint8_t prog_if)
{
	switch (prog_if) {
	case 0x00:
		return uhci_handoff(function);
	case 0x10:
		return ohci_handoff(function);
	case 0x20:
		return ehci_handoff(function);
	case 0x30:
		return xhci_handoff(function);
	default:
		return true;	/* USB4 and device-side controllers have no legacy mode */
	}
}
