/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry and exit of the bare loop, and its guest: bare.c. Registers are at 8 times their number. */
	.text

/* The four instructions of a round: XOR, CPUID, DEC, JNZ. */
	.globl bare_guest
bare_guest:
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, %r9
1:	xor	%eax, %eax
	cpuid
	dec	%r8
	jnz	1b
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, %r10
	hlt

	.macro save_host
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	.endm

	.macro load_guest
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	.endm

	/* RDI of the guest was saved elsewhere. */
	.macro save_guest
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	.endm

	.macro load_host
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.endm

/* void bare_svm_enter(u64 *regs, const void *vmcb) */
	.globl bare_svm_enter
bare_svm_enter:
	save_host
	mov	%rsi, %rax
	load_guest
	vmrun	%rax
	mov	%rdi, %rax
	pop	%rdi
	mov	%rax, 56(%rdi)
	save_guest
	load_host

/* bool bare_vmx_enter(u64 *regs, bool launched) */
	.globl bare_vmx_enter
bare_vmx_enter:
	save_host
	mov	$0x6c14, %eax			/* the host's RSP */
	vmwrite	%rsp, %rax
	test	%sil, %sil
	mov	(%rdi), %rax
	load_guest
	jz	1f
	vmresume
1:	vmlaunch
	pop	%rdi
	xor	%eax, %eax
	load_host
	.globl bare_vmx_exit
bare_vmx_exit:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, (%rdi)
	save_guest
	pop	56(%rdi)
	pop	%rdi
	mov	$1, %eax
	load_host

	.section .note.GNU-stack, "", @progbits
