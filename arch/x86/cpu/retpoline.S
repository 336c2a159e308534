/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All indirect calls and jumps of C go by way of these (the compiler's option is in the Makefile), by the register that
 * has the target. Where the CPU needs it the branch is a RET behind a CALL of its own, whose prediction no guest can have
 * trained: it runs into the loop. Elsewhere the first jump is a NOP (spec.c), and the indirect one lies in the upper half of
 * a cache line: in the lower half some CPUs with IBRS_ALL take its target from where a guest has trained it (Intel,
 * "Indirect Target Selection").
 */
#include "arch/x86/cpu/spec.inc"

	.text
	.irp	reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	.globl	__x86_indirect_thunk_\reg
	.type	__x86_indirect_thunk_\reg, @function
	.balign	64, 0xcc
	.skip	32, 0xcc
__x86_indirect_thunk_\reg:
	spec_begin
	jmp	773f
	spec_end SPEC_RETPOLINE
	jmp	*%\reg
	int3
773:
	call	775f
774:
	pause
	lfence
	jmp	774b
775:
	mov	%\reg, (%rsp)
	ret
	int3
	.size	__x86_indirect_thunk_\reg, . - __x86_indirect_thunk_\reg
	.endr

	.section .note.GNU-stack, "", @progbits
