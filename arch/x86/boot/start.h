/* SPDX-License-Identifier: BSD-2-Clause */
/* What head.S calls and needs. */
#ifndef ARCH_X86_BOOT_START_H
#define ARCH_X86_BOOT_START_H

#include <vouch/pcpu.h>
#include <vouch/types.h>

extern uint8_t boot_area[CPU_AREA_SIZE];
extern uint64_t boot_tables[8][512];

/* On the boot CPU's stack, in long mode, with the boot tables. */
__noreturn void boot_start(uint32_t magic, uint32_t info, uint64_t load_base);

#endif
