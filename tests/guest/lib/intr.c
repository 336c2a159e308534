/* SPDX-License-Identifier: BSD-2-Clause */
/* The PC's interrupt chips as a driver sees them. */
#include "guest.h"

u32 lapic_read(u32 reg)
{
	return *(volatile u32 *)(LAPIC + reg);
}

void lapic_write(u32 reg, u32 val)
{
	*(volatile u32 *)(LAPIC + reg) = val;
}

void lapic_on(void)
{
	lapic_write(APIC_SVR, 0x1ff);
	lapic_write(APIC_LVTT, 0x10000);
	lapic_write(APIC_LVT0, 0x10000);
	lapic_write(APIC_LVT1, 0x10000);
	lapic_write(APIC_LVTERR, 0x10000);
	lapic_write(APIC_TPR, 0);
}

void lapic_eoi(void)
{
	lapic_write(APIC_EOI, 0);
}

bool lapic_bit(u32 base, unsigned int vector)
{
	return lapic_read(base + (vector >> 5) * 16) >> (vector & 31) & 1;
}

void lapic_self(unsigned int vector)
{
	lapic_write(APIC_ICR, 0x40000 | vector);
}

u32 ioapic_read(u32 reg)
{
	*(volatile u32 *)IOAPIC = reg;
	return *(volatile u32 *)(IOAPIC + 0x10);
}

void ioapic_write(u32 reg, u32 val)
{
	*(volatile u32 *)IOAPIC = reg;
	*(volatile u32 *)(IOAPIC + 0x10) = val;
}

void ioapic_route(unsigned int pin, u32 low)
{
	ioapic_write(0x10 + pin * 2, 0x10000);
	ioapic_write(0x11 + pin * 2, 0);
	ioapic_write(0x10 + pin * 2, low);
}

void pic_init(u8 base, u16 mask)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, base);
	outb(0xa1, (u8)(base + 8));
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, (u8)mask);
	outb(0xa1, (u8)(mask >> 8));
}

void pic_eoi(unsigned int irq)
{
	if (irq >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

void pit_mode(unsigned int channel, unsigned int mode, u16 count)
{
	outb(0x43, (u8)(channel << 6 | 0x30 | mode << 1));
	outb((u16)(0x40 + channel), (u8)count);
	outb((u16)(0x40 + channel), (u8)(count >> 8));
}

u16 pit_read(unsigned int channel)
{
	u8 low;

	outb(0x43, (u8)(channel << 6));
	low = inb((u16)(0x40 + channel));
	return (u16)(low | inb((u16)(0x40 + channel)) << 8);
}
