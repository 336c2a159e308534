/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out again, and the exits that are answered right here: docs/fast-path.md goes through it line by line.
 * After #VMEXIT the processor has put back RAX, RSP, RIP, RFLAGS, CS, SS, DS, ES, GDTR, IDTR, CR0, CR3, CR4 and EFER; all
 * other registers, FS, GS, TR and LDTR are still the guest's (APM 2 "#VMEXIT", 15.6). No memory is reached through FS
 * or GS. Until guest registers are cleared there is no RET and no indirect branch, and no guest value is an index but
 * masked by the size of its table.
 */
#include <arch/x86/svm/offsets.h>
#include "arch/x86/cpu/spec.inc"

/* The stack from VMRUN to VMRUN: struct vcpu, the VMCB's physical address, its virtual one. */
#define FRAME_VCPU  0
#define FRAME_HPA   8
#define FRAME_VMCB  16
#define FRAME_SIZE  24

	.text

/*
 * To RDX, such that CODE_x(%rdx) is what is known of the code at RIP, which goes to RSI: fast_code_find(), test by test.
 * RAX: vCPU, RDI: VMCB. Takes RCX. Goes to the general path if nothing is known. Of RIP only the bits that the mask leaves
 * choose a slot.
 */
	.macro find_code
	mov	VMCB_RIP(%rdi), %rsi
	mov	%esi, %edx
	and	$FAST_CODES - 1, %edx
	shl	$7, %edx
	add	%rax, %rdx
	cmp	%rsi, CODE_RIP(%rdx)
	jne	.Lgeneral
	mov	VMCB_CR3(%rdi), %rcx
	cmp	%rcx, CODE_CR3(%rdx)
	jne	.Lgeneral
	movzwl	VMCB_CS_ATTR(%rdi), %ecx
	cmp	%cx, CODE_CS(%rdx)
	jne	.Lgeneral
	.irp	i, 0, 8, 16, 24
	mov	CODE_PTE + \i(%rdx), %rcx
	mov	(%rcx), %rcx
	cmp	%rcx, CODE_ENTRY + \i(%rdx)
	jne	.Lgeneral
	.endr
	.endm

/*
 * To RSI, where the instruction behind the exit ends: as the CPU says, or if its first bytes are still \opcode, and \third
 * if it has three. Else as find_code, and takes RDX too.
 */
	.macro next_rip opcode, third
	mov	VMCB_NEXT_RIP(%rdi), %rsi
	cmpb	$0, VCPU_TELLS_NEXT(%rax)
	jne	71f
	find_code
	mov	CODE_BYTES(%rdx), %rcx
	cmpw	$\opcode, (%rcx)
	jne	.Lgeneral
	.ifnb	\third
	cmpb	$\third, 2(%rcx)
	jne	.Lgeneral
	inc	%rsi
	.endif
	add	$2, %rsi
71:
	.endm

/* \function(vCPU, VMCB, what is in RSI) of fast.c, and in again if it says so. */
	.macro call_c function
	mov	%rsi, %rdx
	mov	%rdi, %rsi
	mov	%rax, %rdi
	call	\function
	mov	FRAME_VCPU(%rsp), %rdi
	cmp	$FAST_NEXT, %eax
	je	.Lload_all
	jmp	.Lleave
	.endm

/* The instruction is done: RIP is \next, the exit is counted. */
	.macro step_over kind, next=%rsi, vcpu=%rax, vmcb=%rdi
	mov	\next, VMCB_RIP(\vmcb)
	movb	$0, VMCB_TLB_CONTROL(\vmcb)	/* what was to be flushed was at the entry before */
	incq	EXIT_COUNT + 8 * \kind(\vcpu)
	.endm

/*
 * enum fast_answer svm_enter(struct vcpu *v, uint64_t vmcb_hpa, struct vmcb *c): GIF is 0 here and after; RFLAGS.IF is 1, as
 * V_INTR_MASKING wants. The guest runs, exits that can be answered here included, until one cannot:
 * FAST_NO; or until one was, but with consequences for the next entry: FAST_LOOK.
 */
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	push	%rsi
	push	%rdi
.Lload_all:
	mov	GPR_RBP(%rdi), %rbp
	mov	GPR_R8(%rdi), %r8
	mov	GPR_R9(%rdi), %r9
	mov	GPR_R10(%rdi), %r10
	mov	GPR_R11(%rdi), %r11
	mov	GPR_R12(%rdi), %r12
	mov	GPR_R13(%rdi), %r13
	mov	GPR_R14(%rdi), %r14
	mov	GPR_R15(%rdi), %r15
	mov	GPR_RBX(%rdi), %rbx
	mov	GPR_RCX(%rdi), %rcx
	mov	GPR_RDX(%rdi), %rdx
	mov	GPR_RSI(%rdi), %rsi
	mov	GPR_RDI(%rdi), %rdi
.Lenter:
	mov	FRAME_HPA(%rsp), %rax
	spec_verw			/* of the flags VMRUN loads the guest's */
	vmrun	%rax
	mov	FRAME_VCPU(%rsp), %rax		/* RAX is the host's again, and free */
	mov	%rcx, GPR_RCX(%rax)
	mov	%rdx, GPR_RDX(%rax)
	mov	%rbx, GPR_RBX(%rax)
	mov	%rsi, GPR_RSI(%rax)
	mov	%rdi, GPR_RDI(%rax)
	mov	FRAME_VMCB(%rsp), %rdi
	/* Whatever was on its way into the guest, and whoever steps through it, is the general path's. */
	mov	VMCB_EXIT_INT_INFO(%rdi), %esi
	or	VMCB_EVENT_INJ(%rdi), %esi
	js	.Lgeneral
	testl	$RFLAGS_TF_RF, VMCB_RFLAGS(%rdi)
	jnz	.Lgeneral
	/* The end of a shadow lets in what waits: better injected than left to V_IRQ, of which Bochs takes no notice here. */
	testb	$INT_SHADOW, VMCB_INT_STATE(%rdi)
	jnz	.Lgeneral
	mov	VMCB_EXIT_CODE(%rdi), %esi
	cmp	$EXIT_MSR, %esi
	je	.Lmsr
	cmp	$EXIT_CPUID, %esi
	je	.Lcpuid
	cmp	$EXIT_IOIO, %esi
	je	.Lioio
	cmp	$EXIT_NPF, %esi
	je	.Lnpf
	cmp	$EXIT_VMMCALL, %esi
	jne	.Lgeneral

	/* A hypercall: numbers from HYPERCALLS on are nobody's. */
	cmpl	$HYPERCALLS, VMCB_RAX(%rdi)
	jb	.Lgeneral
	next_rip 0x010f, 0xd9
	step_over EXIT_VMMCALL
	movq	$HYPERCALL_UNKNOWN, VMCB_RAX(%rdi)
	mov	GPR_RCX(%rax), %rcx
	mov	GPR_RDX(%rax), %rdx
	mov	GPR_RSI(%rax), %rsi
	mov	GPR_RDI(%rax), %rdi
	jmp	.Lenter

	/* RAX, RBX, RCX and RDX are all results: only RSI and RDI are to be put back. */
.Lcpuid:
	mov	VMCB_RAX(%rdi), %esi
	mov	%rcx, %rdx
	shl	$32, %rdx
	or	%rsi, %rdx			/* the key */
	mov	%esi, %ebx
	shr	$27, %ebx
	add	%esi, %ebx
	add	%ecx, %ebx
	and	$FAST_CPUIDS - 1, %ebx
	shl	$5, %ebx
	add	%rax, %rbx
	cmp	%rdx, CPUID_KEY(%rbx)
	jne	.Lgeneral
	next_rip 0xa20f
	step_over EXIT_CPUID
	mov	CPUID_EAX(%rbx), %esi
	mov	%rsi, VMCB_RAX(%rdi)
	mov	CPUID_ECX(%rbx), %ecx
	mov	CPUID_EDX(%rbx), %edx
	mov	CPUID_EBX(%rbx), %ebx
	mov	GPR_RSI(%rax), %rsi
	mov	GPR_RDI(%rax), %rdi
	jmp	.Lenter

.Lmsr:
	cmpl	$0, VMCB_INFO1(%rdi)
	jne	.Lwrmsr
	mov	%ecx, %ecx
	mov	%ecx, %ebx
	shr	$4, %ebx
	add	%ecx, %ebx
	and	$FAST_MSRS - 1, %ebx
	shl	$4, %ebx
	add	%rax, %rbx
	cmp	%rcx, MSR_NUMBER(%rbx)
	jne	.Lgeneral
	next_rip 0x320f
	step_over EXIT_MSR
	mov	MSR_VALUE(%rbx), %esi
	mov	%rsi, VMCB_RAX(%rdi)
	mov	MSR_VALUE + 4(%rbx), %edx
	mov	GPR_RBX(%rax), %rbx
	mov	GPR_RCX(%rax), %rcx
	mov	GPR_RSI(%rax), %rsi
	mov	GPR_RDI(%rax), %rdi
	jmp	.Lenter

/* All of the guest's registers that are not yet saved, and then no value of the guest's in any of them. */
	.macro save_rest
	mov	%rbp, GPR_RBP(%rax)
	mov	%r8, GPR_R8(%rax)
	mov	%r9, GPR_R9(%rax)
	mov	%r10, GPR_R10(%rax)
	mov	%r11, GPR_R11(%rax)
	mov	%r12, GPR_R12(%rax)
	mov	%r13, GPR_R13(%rax)
	mov	%r14, GPR_R14(%rax)
	mov	%r15, GPR_R15(%rax)
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	.endm

	/* The rest is answered in C, without leaving. WRMSR: fast_msr_write(v, msr, val), RBX: the RIP behind it. */
.Lwrmsr:
	next_rip 0x300f
	save_rest
	mov	%rsi, %rbx
	mov	VMCB_RAX(%rdi), %ecx
	mov	GPR_RDX(%rax), %edx
	shl	$32, %rdx
	or	%rcx, %rdx
	mov	GPR_RCX(%rax), %esi
	mov	%rax, %rdi
	call	fast_msr_write
	test	%eax, %eax
	jz	.Lleave
	mov	FRAME_VCPU(%rsp), %rdi
	mov	FRAME_VMCB(%rsp), %rsi
	step_over EXIT_MSR, %rbx, %rdi, %rsi
	cmp	$FAST_NEXT, %eax
	je	.Lload_all
	jmp	.Lleave
.Lioio:
	save_rest
	call_c	svm_fast_in
.Lnpf:
	find_code
	lea	CODE_RIP(%rdx), %rsi
	save_rest
	call_c	svm_fast_mmio

.Lgeneral:
	save_rest
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%eax, %eax			/* FAST_NO */
.Lleave:
	spec_stuff_rsb			/* the first RET beyond our own CALLs is near */
	spec_clear_history
	add	$FRAME_SIZE, %rsp
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
