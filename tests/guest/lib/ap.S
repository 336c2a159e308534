/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a test's other CPUs begin: in real mode, on the page at 8000h, to which the test has copied ap_code. They go on in its
 * ap_main(), each on the stack that ap_stack had when it came there; tests with one CPU have neither.
 */
#include "long_mode.h"

	.weak ap_main, ap_stack

#define AP_PAGE 0x8000
#define AT(x) (AP_PAGE + (x) - ap_code)

	.text
	.balign 16
	.globl ap_code, ap_code_end, ap_found
	.code16
ap_code:
	/* DS is 0 after INIT, so nothing has to be loaded before all has been written down. */
	movl %eax, AT(ap_found)
	movl %edx, AT(ap_found) + 4
	movl %cr0, %eax
	movl %eax, AT(ap_found) + 8
	movw %cs, AT(ap_found) + 12
	movw %ds, AT(ap_found) + 14
	movw %ss, AT(ap_found) + 16
	movl %cr4, %eax
	movl %eax, AT(ap_found) + 20
	movl %cr3, %eax
	movl %eax, AT(ap_found) + 24
	lgdtl AT(1f)
	movl $0x11, %eax                        /* ET PE */
	movl %eax, %cr0
	ljmpl $SEL_CODE32, $AT(2f)
	.balign 4
1:	.word SEL_SPARE + GDT_SPARE * 8 - 1
	.long gdt
	.balign 4
ap_found:
	.fill 8, 4, 0
	.code32
2:	load_data_segments
	enter_long_mode ap_long
ap_code_end:

	.code64
ap_long:
	movq ap_stack, %rsp
	xorl %ebp, %ebp
	call ap_main
1:	cli
	hlt
	jmp 1b
