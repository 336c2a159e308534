/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM entry each, from the test's own state and back to it. */
#define HOST_RSP 0x6c14

	.text

/* int vmx_try(void): the current VMCS; 0 after a VM exit, which must land at vmx_landed, 1 if VMLAUNCH itself failed. */
	.globl vmx_try, vmx_landed
vmx_try:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	$HOST_RSP, %ecx
	vmwrite	%rsp, %rcx
	vmlaunch
	mov	$1, %eax
	jmp	1f
vmx_landed:
	xor	%eax, %eax
1:	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* void svm_try(uint64_t vmcb) */
	.globl svm_try
svm_try:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, %rax
	clgi
	vmrun	%rax
	stgi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
