/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways this machine ends. */
#include <vouch/platform.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/mm/paging.h"
#include "asm.h"
#include "pci.h"
#include "tsc.h"

/* ACPI "PM1 Control Registers": SCI_EN, SLP_TYP, SLP_EN. */
#define PM1_SCI_EN      (1u << 0)
#define PM1_SLP_TYP(t)  ((uint16_t)((t) << 10))
#define PM1_SLP_MASK    (7u << 10)
#define PM1_SLP_EN      (1u << 13)

#define ACPI_ENABLE_MS 1000u

static void acpi_mode_enter(const struct platform *p)
{
	unsigned int ms;

	if (!p->smi_cmd || !p->acpi_enable || port_in16(p->pm1a_cnt) & PM1_SCI_EN)
		return;
	port_out8((uint16_t)p->smi_cmd, p->acpi_enable);
	for (ms = 0; ms < ACPI_ENABLE_MS && !(port_in16(p->pm1a_cnt) & PM1_SCI_EN); ms++)
		host_delay_us(1000);
}

static void sleep_write(uint16_t port, uint8_t type)
{
	uint16_t v = (uint16_t)((port_in16(port) & ~(PM1_SLP_MASK | PM1_SLP_EN)) | PM1_SLP_TYP(type));

	/* The type first, then the type with the enable bit, as the specification's sequence goes. */
	port_out16(port, v);
	port_out16(port, (uint16_t)(v | PM1_SLP_EN));
}

bool host_poweroff(void)
{
	const struct platform *p = &this_cpu()->host->platform;

	if (!p->has_s5)
		return false;
	acpi_mode_enter(p);
	sleep_write(p->pm1a_cnt, p->s5_a);
	if (p->pm1b_cnt)
		sleep_write(p->pm1b_cnt, p->s5_b);
	host_delay_us(2000000);
	return false;
}

static void reset_by_acpi(const struct platform *p)
{
	volatile uint8_t *reg;

	if (!p->has_reset)
		return;
	switch (p->reset_space) {
	case 0:
		reg = mmio_map(hpa(p->reset_addr), 1);
		if (reg)
			*reg = p->reset_val;
		break;
	case 1:
		port_out8((uint16_t)p->reset_addr, p->reset_val);
		break;
	case 2:	/* PCI configuration space: device in bits 47:32, function in 31:16, register in 15:0; bus 0 */
		pci_write8(pci_address(0, p->reset_addr >> 32 & 31, p->reset_addr >> 16 & 7),
			   (uint8_t)p->reset_addr, p->reset_val);
		break;
	default:
		break;
	}
	host_delay_us(100000);
}

void host_reboot(void)
{
	const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) nothing = { 0, 0 };

	__asm__ volatile("cli" : : : "memory");
	reset_by_acpi(&this_cpu()->host->platform);
	/* The chipset's reset register: a full reset. */
	port_out8(0xcf9, 0x02);
	port_out8(0xcf9, 0x06);
	host_delay_us(100000);
	/* The keyboard controller's reset line. */
	port_out8(0x64, 0xfe);
	host_delay_us(100000);
	/* A triple fault. */
	__asm__ volatile("lidt %0; int3" : : "m"(nothing));
	host_halt();
}

void host_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
