/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out again. Between the entry and the last save nothing but moves. A VM exit loads RSP, RIP, the
 * segments, control registers and MSRs from the VMCS's host-state area and clears RFLAGS, IF with it (SDM 3C "Loading
 * Host State"); the other general registers, CR2, DR0-DR3 and DR6 are still the guest's.
 */
#include <arch/x86/vmx/offsets.h>

	.text

/*
 * bool vmx_enter(uint64_t *gpr, uint64_t *host_rsp, bool launched). *host_rsp is what the VMCS holds as the host's RSP:
 * callers come from one place in the stack, so that it hardly ever needs to be written.
 */
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	cmp	%rsp, (%rsi)
	je	1f
	mov	%rsp, (%rsi)
	mov	$FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	3f
1:	test	%dl, %dl		/* ZF stays as it is up to the JZ: MOV changes no flag */
	mov	GPR_RAX(%rdi), %rax
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
	jz	2f
	vmresume
	jmp	3f
2:	vmlaunch
3:	xor	%eax, %eax		/* here only if that failed: the registers are as gpr[] has them */
	pop	%rdi
	jmp	4f

	.globl vmx_exit_here
vmx_exit_here:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR_RAX(%rdi)
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
	pop	GPR_RDI(%rdi)
	pop	%rdi
	mov	$1, %eax
	/* No guest value survives in a register that C has not been given: less for speculation to play with. */
4:	xor	%ecx, %ecx
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
	.size vmx_enter, . - vmx_enter

/* void vmx_host_window(void): pending host interrupts are taken behind the NOP, which STI still keeps them out of. */
	.globl vmx_host_window
	.type vmx_host_window, @function
vmx_host_window:
	sti
	nop
	cli
	ret
	.size vmx_host_window, . - vmx_host_window

/* void vmx_host_idle(void) */
	.globl vmx_host_idle
	.type vmx_host_idle, @function
vmx_host_idle:
	call	cpu_idle
	cli
	ret
	.size vmx_host_idle, . - vmx_host_idle

/*
 * void vmx_host_nmi(void): the exit has consumed the NMI and blocks further ones up to an IRET (SDM 3C "Loading Host
 * State"); the handler's is one.
 */
	.globl vmx_host_nmi
	.type vmx_host_nmi, @function
vmx_host_nmi:
	int	$2
	ret
	.size vmx_host_nmi, . - vmx_host_nmi

	.section .note.GNU-stack, "", @progbits
