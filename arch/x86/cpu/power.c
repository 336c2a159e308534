/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways this machine ends. */
#include <vouch/platform.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "arch/x86/mm/paging.h"
#include "asm.h"
#include "pci.h"
#include "smp.h"
#include "tsc.h"

/* ACPI "PM1 Control Registers": SCI_EN, SLP_TYP, SLP_EN. */
#define PM1_SCI_EN      (1u << 0)
#define PM1_SLP_TYP(t)  ((uint16_t)((t) << 10))
#define PM1_SLP_MASK    (7u << 10)
#define PM1_SLP_EN      (1u << 13)

/* ACPI "Sleep Control Register": SLP_TYP in bits 4:2, SLP_EN. */
#define SLEEP_TYP(t)    ((uint8_t)((t) << 2))
#define SLEEP_EN        (1u << 5)

/* Address spaces of ACPI's generic addresses. */
#define SPACE_MEMORY 0
#define SPACE_IO     1
#define SPACE_PCI    2

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

/* One byte to a register that ACPI names by a generic address. */
static void register_write8(uint8_t space, uint64_t at, uint8_t val)
{
	volatile uint8_t *reg;

	switch (space) {
	case SPACE_MEMORY:
		reg = mmio_map(hpa(at), 1);
		if (reg)
			*reg = val;
		break;
	case SPACE_IO:
		port_out8((uint16_t)at, val);
		break;
	case SPACE_PCI:	/* device in bits 47:32, function in 31:16, register in 15:0; bus 0 */
		pci_write8(pci_address(0, at >> 32 & 31, at >> 16 & 7), (uint8_t)at, val);
		break;
	default:
		break;
	}
}

bool host_poweroff(void)
{
	const struct platform *p = &this_cpu()->host->platform;

	if (!p->has_s5)
		return false;
	cpus_stop();
	if (p->hw_reduced) {
		register_write8(p->sleep_space, p->sleep_addr, (uint8_t)(SLEEP_TYP(p->s5_a) | SLEEP_EN));
	} else {
		acpi_mode_enter(p);
		sleep_write(p->pm1a_cnt, p->s5_a);
		if (p->pm1b_cnt)
			sleep_write(p->pm1b_cnt, p->s5_b);
	}
	host_delay_us(2000000);
	return false;
}

static void reset_by_acpi(const struct platform *p)
{
	if (!p->has_reset)
		return;
	register_write8(p->reset_space, p->reset_addr, p->reset_val);
	host_delay_us(100000);
}

void host_reboot(void)
{
	const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) nothing = { 0, 0 };

	__asm__ volatile("cli" : : : "memory");
	cpus_stop();
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
	cpus_stop();
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
