/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in a linear framebuffer. */
#ifndef ARCH_X86_CPU_FRAMEBUFFER_H
#define ARCH_X86_CPU_FRAMEBUFFER_H

#include <vouch/boot_info.h>
#include <vouch/screen.h>

extern const struct screen_driver framebuffer_driver;

/* Fills s from the loader's description (BOOT_SCREEN_RGB), all but mem; how many cells fit goes to *cols and *rows. */
void framebuffer_plan(struct screen_surface *s, const struct boot_screen *b, unsigned int *cols, unsigned int *rows);
/* Paints all of it, margins too. */
void framebuffer_clear(const struct screen_surface *s);

#endif
