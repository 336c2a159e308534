/* SPDX-License-Identifier: BSD-2-Clause */
/* What the other CPU of kick.c does: it is interrupted, in a loop that does nothing that exits, or in HLT. */
	.text
	.globl kick_handler
kick_handler:
	push	%rax
	push	%rcx
	push	%rdx
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, kick_taken(%rip)
	mov	$0x80b, %ecx			/* the x2APIC's EOI */
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

	.globl kick_run
kick_run:
	sti
1:	cmpq	$0, kick_yields(%rip)
	je	2f
	pause
2:	cmpq	$0, kick_leave(%rip)
	je	1b
	cli
	ret

	.globl kick_halt
kick_halt:
	sti
	hlt
	cli
	cmpq	$0, kick_leave(%rip)
	je	kick_halt
	ret

	.bss
	.balign	8
	.globl kick_taken, kick_leave, kick_yields
kick_taken:
	.quad	0
kick_leave:
	.quad	0
kick_yields:
	.quad	0
	.section .note.GNU-stack, "", @progbits
