/* SPDX-License-Identifier: BSD-2-Clause */
/* What random.c cannot say in C: all registers at once, and the way into code of any mode. */

/* void random_enter(struct frame *f): the registers, then the mode, RIP and stack that it names. Comes back by a trap. */
	.text
	.code64
	.globl random_enter
random_enter:
	movq %rdi, %rsp
	popq %rax
	popq %rcx
	popq %rdx
	popq %rbx
	popq %rbp
	popq %rsi
	popq %rdi
	popq %r8
	popq %r9
	popq %r10
	popq %r11
	popq %r12
	popq %r13
	popq %r14
	popq %r15
	addq $16, %rsp
	iretq
	.section .note.GNU-stack, "", @progbits
