/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into long mode, for assembly: the data segments, then paging by the library's tables. 32-bit code, at any address. */
#ifndef GUEST_LONG_MODE_H
#define GUEST_LONG_MODE_H

#include "selectors.h"

	.macro load_data_segments
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	.endm

/* Goes on at \to in 64-bit mode. EAX, ECX and EDX are lost. */
	.macro enter_long_mode to
	movl %cr4, %eax
	orl $0x20, %eax                         /* PAE */
	movl %eax, %cr4
	movl $page_pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax                        /* EFER.LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80010021, %eax                   /* PG WP NE PE */
	movl %eax, %cr0
	ljmpl $SEL_CODE64, $\to
	.endm

#endif
