/* SPDX-License-Identifier: BSD-2-Clause */
/* Every range that a guest's devices claim, in one const table. The plan's bits say which rows are used. */
#include "machine.h"

#include <vouch/x86.h>

#include "layout.h"

#define DEV(member) offsetof(struct machine, member)

/* device, name, mmio, base, len, access sizes, where, operations */
const struct machine_row machine_table[] = {
	{ PLAN_PIC, "PIC", false, PIC_MASTER_PORT, PIC_PORTS, 1, DEV(pic), &pic_master_ops },
	{ PLAN_PIC, "PIC", false, PIC_SLAVE_PORT, PIC_PORTS, 1, DEV(pic), &pic_slave_ops },
	{ PLAN_PIC, "PIC", false, PIC_ELCR_PORT, PIC_PORTS, 1, DEV(pic), &pic_elcr_ops },
	{ PLAN_PIT, "PIT", false, LAYOUT_PIT_PORT, PIT_PORTS, 1, DEV(pit), &pit_ops },
	{ PLAN_PIT, "port 0x61", false, LAYOUT_PORT61, 1, 1, DEV(pit), &pit_port61_ops },
	{ PLAN_KEYBOARD, "i8042", false, LAYOUT_KBD_DATA, 1, 1, DEV(i8042), &i8042_data_ops },
	{ PLAN_KEYBOARD, "i8042", false, LAYOUT_KBD_COMMAND, 1, 1, DEV(i8042), &i8042_command_ops },
	{ PLAN_COM1, "COM1", false, LAYOUT_COM1_PORT, UART_PORTS, 1, DEV(com1), &uart_ops },
	{ PLAN_COM2, "COM2", false, LAYOUT_COM2_PORT, UART_PORTS, 1, DEV(com2), &uart_ops },
	{ PLAN_DEBUG_PORT, "debug port", false, LAYOUT_DEBUG_E9, 1, 1, DEV(debugport), &debugport_e9_ops },
	{ PLAN_DEBUG_PORT, "debug port", false, LAYOUT_DEBUG_BIOS, DEBUGPORT_BIOS_PORTS, 1, DEV(debugport),
	  &debugport_bios_ops },
	{ PLAN_RTC, "RTC", false, LAYOUT_RTC_PORT, RTC_PORTS, 1, DEV(rtc), &rtc_ops },
	{ PLAN_PM, "PM", false, LAYOUT_PM_BASE, PM_LEN, 1 | 2 | 4, DEV(pm), &pm_ops },
	{ PLAN_RESET, "port 0x92", false, LAYOUT_PORT92, 1, 1, DEV(reset), &reset_port92_ops },
	{ PLAN_PCI_CONFIG, "PCI configuration", false, LAYOUT_PCI_CONFIG, PCICONFIG_PORTS, 1 | 2 | 4, DEV(pciconfig),
	  &pciconfig_ops },
	{ PLAN_IOAPIC, "IOAPIC", true, IOAPIC_DEFAULT_BASE, IOAPIC_LEN, 1 | 2 | 4, DEV(ioapic), &ioapic_ops },
};

const unsigned int machine_table_rows = ARRAY_SIZE(machine_table);
