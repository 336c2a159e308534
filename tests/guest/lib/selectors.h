/* SPDX-License-Identifier: BSD-2-Clause */
/* The test kernels' segment selectors, for C and assembly. */
#ifndef GUEST_SELECTORS_H
#define GUEST_SELECTORS_H

#define SEL_CODE64      0x08
#define SEL_CODE32      0x10    /* as the boot protocol wants it */
#define SEL_DATA        0x18    /* as the boot protocol wants it */
#define SEL_CODE16      0x20
#define SEL_DATA16      0x28
#define SEL_USER_CODE32 0x30
#define SEL_USER_DATA   0x38
#define SEL_USER_CODE64 0x40
#define SEL_TSS         0x48    /* two entries */
#define SEL_SPARE       0x58    /* GDT_SPARE entries for tests to fill */
#define GDT_SPARE       16

#endif
