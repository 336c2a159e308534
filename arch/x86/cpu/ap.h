/* SPDX-License-Identifier: BSD-2-Clause */
/* Where another CPU begins: the page below 1 MiB that ap.S is copied to, and what it is told there. */
#ifndef ARCH_X86_CPU_AP_H
#define ARCH_X86_CPU_AP_H

/* Offsets in the page of what smp.c writes: ap_params below. Behind the code. */
#define AP_PARAMS 0x200
#define AP_JUMP32 (AP_PARAMS + 0)
#define AP_JUMP64 (AP_PARAMS + 8)
#define AP_GDTR   (AP_PARAMS + 16)
#define AP_ID     (AP_PARAMS + 24)
#define AP_ROOT   (AP_PARAMS + 28)
#define AP_STACK  (AP_PARAMS + 32)
#define AP_ENTRY  (AP_PARAMS + 40)

#define AP_CODE32 0x08
#define AP_CODE64 0x10
#define AP_DATA   0x18

#ifndef __ASSEMBLY__
#include <vouch/types.h>

struct ap_params {
	struct { uint32_t offset; uint16_t selector, pad; } jump32, jump64;
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t pad;
	uint32_t apic_id;             /* whose turn it is: any other CPU that comes by stays there */
	uint32_t root;                /* of page tables below 4 GiB that map the page as it is, and all of Vouch */
	uint64_t stack, entry;
} __attribute__((packed));

/* ap.S: the code, with its GDT at ap_gdt; position independent. */
extern const uint8_t ap_begin[], ap_32[], ap_64[], ap_gdt[], ap_end[];
#endif

#endif
