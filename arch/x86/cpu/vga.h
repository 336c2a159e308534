/* SPDX-License-Identifier: BSD-2-Clause */
/* A VGA in text mode. */
#ifndef ARCH_X86_CPU_VGA_H
#define ARCH_X86_CPU_VGA_H

#include <vouch/screen.h>

/* width, height: cells; pitch: bytes of a line; two bytes a cell. */
extern const struct screen_driver vga_driver;

/* True if memory answers at s->mem; overwrites its first cell. */
bool vga_present(const struct screen_surface *s);
/* Shows the memory from its start on. */
void vga_init(void);

#endif
