/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt handler of the measurements of exits.c: the moment it was reached, and the end of the interrupt. And
 * the wait for it, whose HLT has a name so that tests/bench can count from there to the handler.
 */
	.text
	.globl exits_handler
exits_handler:
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, exits_woken(%rip)
	mov	$0x80b, %ecx			/* the x2APIC's EOI */
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	iretq

	.globl exits_halt, exits_hlt
exits_halt:
	sti
exits_hlt:
	hlt
	cli
	ret

	.bss
	.balign	8
	.globl exits_woken
exits_woken:
	.quad	0
	.section .note.GNU-stack, "", @progbits
