/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out again, and the exits that are answered in between. Between the entry and the first look at an
 * exit nothing but moves. A VM exit loads RSP, RIP, the segments, control registers and MSRs from the VMCS's host-state
 * area and clears RFLAGS, IF with it (SDM 3C "Loading Host State"); the other general registers, CR2, DR0-DR3 and DR6
 * are still the guest's. docs/fast-path.md goes through all of it.
 */
#include <arch/x86/vmx/offsets.h>
#include "arch/x86/cpu/spec.inc"

	.text

/* Guest registers but RSP, from the vCPU at RDI. Changes no flag. */
	.macro	LOAD_GUEST
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
	.endm

/*
 * What the exit has not saved yet, and no guest value survives in a register: less for speculation to play with. EAX
 * goes to R13D. RDI is the vCPU, the guest's is on the stack.
 */
	.macro	SAVE_AND_CLEAR
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
	mov	%eax, %r13d
	mov	SAVED_RBP(%rsp), %rbp	/* for whoever looks at the stack's frames */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%esi, %esi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	.endm

/*
 * A guest that is single-stepped (TF), has RF, or is in the shadow of STI or MOV SS goes the general way. An instruction
 * that exits cannot be the delivery of an event: IDT-vectoring information need not be looked at. Changes RAX.
 */
	.macro	CHECK_PLAIN otherwise
	mov	$FIELD_RFLAGS, %eax
	vmread	%rax, %rax
	test	$RFLAGS_SLOW, %eax
	jnz	\otherwise
	mov	$FIELD_INTERRUPTIBILITY, %eax
	vmread	%rax, %rax
	test	$BLOCK_SLOW, %al
	jnz	\otherwise
	.endm

/*
 * The next RIP. If the sum of RIP's low 16 bits and the length does not carry, the sum is right in every mode, whatever
 * CS says of RIP's width. Changes RAX.
 */
	.macro	NEXT_RIP to, to16, otherwise
	mov	$FIELD_RIP, %eax
	vmread	%rax, \to
	mov	$FIELD_INSN_LEN, %eax
	vmread	%rax, %rax
	add	%ax, \to16
	jc	\otherwise
	.endm

/* The guest's time goes on: its timer is set anew, as arm_timer() does it, unless it is due. Changes RAX, RCX, RDX. */
	.macro	SET_TIMER due
	cmpb	$0, VCPU_OWN_TIMER(%rdi)
	je	1f
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	VCPU_ARMED_OWN(%rdi), %rdx
	sub	%rax, %rdx
	jbe	\due
	mov	VCPU_HW(%rdi), %rax
	mov	HW_TIMER_RATE(%rax), %ecx
	shr	%cl, %rdx
	inc	%rdx
	mov	$0xffffffff, %eax
	cmp	%rax, %rdx
	cmova	%rax, %rdx
	mov	$FIELD_TIMER, %eax
	vmwrite	%rdx, %rax
1:
	.endm

/*
 * enum vmx_entered vmx_enter(struct vcpu *v, uint64_t *host_rsp, bool launched). *host_rsp is what the VMCS holds as the
 * host's RSP: callers come from one place in the stack, so that it hardly ever needs to be written.
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
	je	.Lenter
	mov	%rsp, (%rsi)
	mov	$FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	.Lfailed
.Lenter:
	mov	%dl, %bl
	spec_flush_l1d
	test	%bl, %bl		/* ZF stays as it is up to the JZ */
	LOAD_GUEST
	jz	.Llaunch
	spec_verw
	vmresume
	jmp	.Lfailed
.Llaunch:
	spec_verw
	vmlaunch
.Lfailed:				/* here only if that failed, or the VMWRITE */
	mov	$VMX_FAILED, %eax
.Lleave:
	spec_stuff_rsb			/* the first RET beyond our own CALLs is near */
	spec_clear_history
	pop	%rdi
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

	.globl vmx_exit_here
vmx_exit_here:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, GPR_RAX(%rdi)
	mov	%rcx, GPR_RCX(%rdi)
	mov	%rdx, GPR_RDX(%rdi)
	mov	$FIELD_EXIT_REASON, %eax
	vmread	%rax, %rax
	cmp	$EXIT_WRMSR, %eax
	je	.Lby_c
	cmp	$EXIT_IO, %eax
	je	.Lby_c
	cmp	$EXIT_CPUID, %eax
	je	.Lcpuid
	cmp	$EXIT_RDMSR, %eax
	je	.Lrdmsr
	cmp	$EXIT_VMCALL, %eax
	je	.Lvmcall
	cmp	$EXIT_EPT_VIOL, %eax
	je	.Lmmio
.Lgeneral:
	SAVE_AND_CLEAR
.Lexited:
	mov	$VMX_EXITED, %eax
	jmp	.Lleave

/*
 * The first level: answered here, by a few instructions, with RAX, RCX and RDX to work with. Up to the VMWRITE of RIP
 * nothing of the guest has changed, and what turns out not to be plain starts anew on the general path. The tables are
 * those of <vouch/fast.h>: the general path has filled them, and their masks bound what a guest chose.
 */
	.macro	FAST_BEGIN
	SET_TIMER .Lgeneral
	CHECK_PLAIN .Lgeneral
	.endm

	.macro	FAST_STEP kind
	NEXT_RIP %rcx, %cx, .Lgeneral
	mov	$FIELD_RIP, %eax
	vmwrite	%rcx, %rax
	incq	VCPU_EXIT_COUNT + 8 * \kind(%rdi)
	.endm

	.macro	FAST_END
	pop	%rdi
	spec_verw
	vmresume
	jmp	.Lfailed
	.endm

.Lcpuid:
	FAST_BEGIN
	mov	GPR_RAX(%rdi), %eax
	mov	GPR_RCX(%rdi), %ecx
	mov	%eax, %edx		/* FAST_CPUID_SLOT() */
	shr	$27, %edx
	add	%eax, %edx
	add	%ecx, %edx
	and	$FAST_CPUIDS - 1, %edx
	shl	$5, %edx
	shl	$32, %rcx
	or	%rax, %rcx
	cmp	%rcx, VCPU_CPUID(%rdi, %rdx)
	jne	.Lgeneral
	lea	VCPU_CPUID(%rdi, %rdx), %rdx
	FAST_STEP EXIT_CPUID
	mov	CPUID_EAX(%rdx), %eax
	mov	CPUID_EBX(%rdx), %ebx
	mov	CPUID_ECX(%rdx), %ecx
	mov	CPUID_EDX(%rdx), %edx
	FAST_END

.Lrdmsr:
	FAST_BEGIN
	mov	GPR_RCX(%rdi), %ecx
	mov	%ecx, %edx		/* FAST_MSR_SLOT() */
	shr	$4, %edx
	add	%ecx, %edx
	and	$FAST_MSRS - 1, %edx
	shl	$4, %edx
	cmp	%rcx, VCPU_MSR(%rdi, %rdx)
	jne	.Lgeneral
	mov	VCPU_MSR + 8(%rdi, %rdx), %rdx
	FAST_STEP EXIT_RDMSR
	mov	%edx, %eax
	shr	$32, %rdx
	mov	GPR_RCX(%rdi), %rcx
	FAST_END

.Lvmcall:
	cmpl	$HYPERCALLS, GPR_RAX(%rdi)
	jb	.Lgeneral
	FAST_BEGIN
	FAST_STEP EXIT_VMCALL
	mov	$HYPERCALL_UNKNOWN, %rax
	mov	GPR_RCX(%rdi), %rcx
	mov	GPR_RDX(%rdi), %rdx
	FAST_END

/*
 * The second level: C answers, with all registers saved and cleared. enum fast_answer comes in EAX. RBX is the vCPU, R12
 * the next RIP, R13 the reason: C keeps them.
 */
.Lby_c:
	SAVE_AND_CLEAR
	CHECK_PLAIN .Lexited
	NEXT_RIP %r12, %r12w, .Lexited
	mov	%rdi, %rbx
	cmp	$EXIT_IO, %r13d
	je	.Lio
	mov	GPR_RCX(%rdi), %esi
	mov	GPR_RAX(%rdi), %eax
	mov	GPR_RDX(%rdi), %edx
	shl	$32, %rdx
	or	%rax, %rdx
	call	fast_msr_write
	jmp	.Lanswered
.Lio:
	mov	$FIELD_QUALIFICATION, %eax
	vmread	%rax, %rsi
	mov	%esi, %edx
	and	$IO_KIND, %edx
	shr	$16, %esi		/* the port */
	mov	VCPU_VM(%rdi), %rdi
	cmp	$IO_IN_8, %edx
	jne	.Lio_32
	mov	$1, %edx
	call	machine_fast_in
	test	%rax, %rax
	js	.Lexited
	mov	%al, GPR_RAX(%rbx)
	jmp	.Lnext
.Lio_32:
	cmp	$IO_IN_32, %edx
	jne	.Lexited
	mov	$4, %edx
	call	machine_fast_in
	test	%rax, %rax
	js	.Lexited
	mov	%rax, GPR_RAX(%rbx)
.Lnext:
	mov	$FAST_NEXT, %eax
.Lanswered:
	test	%eax, %eax		/* FAST_NO */
	jz	.Lexited
	mov	$FIELD_RIP, %ecx
	vmwrite	%r12, %rcx
.Lstepped:
	incq	VCPU_EXIT_COUNT(%rbx, %r13, 8)
	mov	%rbx, %rdi
	cmp	$FAST_NEXT, %eax
	jne	.Ldone
	SET_TIMER .Ldone
	LOAD_GUEST
	spec_verw
	vmresume
	jmp	.Lfailed
.Ldone:
	mov	$VMX_DONE, %eax
	jmp	.Lleave

.Lmmio:
	SAVE_AND_CLEAR
	CHECK_PLAIN .Lexited
	mov	%rdi, %rbx
	call	vmx_fast_mmio		/* writes RIP by itself */
	test	%eax, %eax
	jnz	.Lstepped
	jmp	.Lexited
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
