/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions of every CPU but the first: a STARTUP interrupt makes it execute, in real mode, a copy of this
 * at the start of a page (SDM 3A "MP Initialization Protocol Algorithm", APM 2 "Multiple-Processor Initialization"). The
 * page is never writable where it is executable: all words that change are written before, by another CPU.
 */
#include "ap.h"

#include "arch/x86/cpu/long_mode.inc"

	.section .rodata.ap, "a", @progbits
	.balign 16
	.code16
	.globl ap_begin
ap_begin:
	cli
	cld
	xorl %ebx, %ebx
	movw %cs, %bx
	movw %bx, %ds
	shll $4, %ebx				/* where the page is */
	lgdtl AP_GDTR
	movl $0x11, %eax			/* ET PE */
	movl %eax, %cr0
	ljmpl *AP_JUMP32

	.code32
	.globl ap_32
ap_32:
	movl $AP_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss

	/* Only the CPU whose turn it is may take the stack. IA32_APIC_BASE says where the ID is: bit 10 is x2APIC. */
	movl $0x1b, %ecx
	rdmsr
	testl $(1 << 10), %eax
	jnz 1f
	andl $0xfffff000, %eax
	movl 0x20(%eax), %eax
	shrl $24, %eax
	jmp 2f
1:	movl $0x802, %ecx
	rdmsr
2:	cmpl %eax, AP_ID(%ebx)
	jne ap_stay

	/* A CPU without long mode or NX would raise a fault that nobody takes, which resets the machine. */
	movl %ebx, %esi
	NEED_LONG_MODE ap_stay
	movl %esi, %ebx

	movl $(1 << 5), %eax			/* PAE */
	movl %eax, %cr4
	movl AP_ROOT(%ebx), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	xorl %edx, %edx
	movl $(1 << 8 | 1 << 11), %eax		/* LME, NXE */
	wrmsr
	movl $0x80010033, %eax			/* PG WP NE ET MP PE; CD and NW go */
	movl %eax, %cr0
	ljmpl *AP_JUMP64(%ebx)

ap_stay:
	cli
	hlt
	jmp ap_stay

	.code64
	.globl ap_64
ap_64:
	movl %ebx, %ebx				/* upper halves are undefined after the mode switch */
	movq AP_STACK(%rbx), %rsp
	movq AP_ENTRY(%rbx), %rax
	xorl %ecx, %ecx
	movl %ecx, %fs
	movl %ecx, %gs
	xorl %ebp, %ebp				/* ends backtraces */
	call *%rax
	ud2

	.balign 8
	.globl ap_gdt
ap_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
	.globl ap_end
ap_end:
	.section .note.GNU-stack, "", @progbits
