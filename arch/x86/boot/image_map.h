/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the linker script put things: addresses only, never read as objects. */
#ifndef ARCH_X86_BOOT_IMAGE_MAP_H
#define ARCH_X86_BOOT_IMAGE_MAP_H

extern const char image_start[], image_text_end[], image_rodata_end[], image_end[];

#endif
