/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out again. One rule: between VMRUN and the last save nothing but moves. After #VMEXIT the
 * processor has put back RAX, RSP, RIP, RFLAGS, CS, SS, DS, ES, GDTR, IDTR, CR0, CR3, CR4 and EFER; all other
 * registers, FS, GS, TR and LDTR are still the guest's (APM 2 "#VMEXIT", 15.6). No memory is reached through FS or GS.
 */
#include <arch/x86/svm/offsets.h>

	.text

/* void svm_enter(uint64_t *gpr, uint64_t vmcb_hpa): GIF is 0 here and after; RFLAGS.IF is 1, as V_INTR_MASKING wants. */
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	%rsi, %rax
	mov	GPR_RCX(%rdi), %rcx
	mov	GPR_RDX(%rdi), %rdx
	mov	GPR_RBX(%rdi), %rbx
	mov	GPR_RBP(%rdi), %rbp
	mov	GPR_RSI(%rdi), %rsi
	mov	GPR_R8(%rdi), %r8
	mov	GPR_R9(%rdi), %r9
	mov	GPR_R10(%rdi), %r10
	mov	GPR_R11(%rdi), %r11
	mov	GPR_R12(%rdi), %r12
	mov	GPR_R13(%rdi), %r13
	mov	GPR_R14(%rdi), %r14
	mov	GPR_R15(%rdi), %r15
	mov	GPR_RDI(%rdi), %rdi
	vmrun	%rax
	mov	%rdi, %rax		/* RAX is the host's again, and free */
	pop	%rdi
	mov	%rax, GPR_RDI(%rdi)
	mov	%rcx, GPR_RCX(%rdi)
	mov	%rdx, GPR_RDX(%rdi)
	mov	%rbx, GPR_RBX(%rdi)
	mov	%rbp, GPR_RBP(%rdi)
	mov	%rsi, GPR_RSI(%rdi)
	mov	%r8, GPR_R8(%rdi)
	mov	%r9, GPR_R9(%rdi)
	mov	%r10, GPR_R10(%rdi)
	mov	%r11, GPR_R11(%rdi)
	mov	%r12, GPR_R12(%rdi)
	mov	%r13, GPR_R13(%rdi)
	mov	%r14, GPR_R14(%rdi)
	mov	%r15, GPR_R15(%rdi)
	/* No guest value survives in a register that C has not been given: less for speculation to play with. */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size svm_enter, . - svm_enter

/* void svm_host_window(void): pending host interrupts and NMIs are taken between STGI and CLGI (IF is 1), nowhere else. */
	.globl svm_host_window
	.type svm_host_window, @function
svm_host_window:
	stgi
	nop
	clgi
	ret
	.size svm_host_window, . - svm_host_window

/*
 * void svm_host_idle(void): with IF at 0 STGI lets no interrupt in; cpu_idle() takes them. IF is 1 and GIF 0 on return.
 */
	.globl svm_host_idle
	.type svm_host_idle, @function
svm_host_idle:
	cli
	stgi
	call	cpu_idle
	clgi
	ret
	.size svm_host_idle, . - svm_host_idle

	.section .note.GNU-stack, "", @progbits
