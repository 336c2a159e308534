/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of every vector: a frame of struct cpu_regs (cpu.h), then isr_entry() in C. Looks at no segment register and
 * no per-CPU base, because FS, GS and TR may be a guest's.
 */
	.text
	.balign 16
	.globl isr_stubs
isr_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	/* APM 2 "Error Codes" (8.2): these vectors push one; the others get a zero in its place. */
	.if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && \
	    vector != 17 && vector != 21 && vector != 29 && vector != 30
	pushq $0
	.endif
	pushq $vector
	jmp isr_common
	.set vector, vector + 1
	.endr

	.type isr_common, @function
isr_common:
	cld
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	call isr_entry
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq
	.size isr_common, . - isr_common

	/* STI's shadow keeps interrupts out until HLT has begun, but not NMIs: isr_entry() knows cpu_idle_hlt. */
	.globl cpu_idle
	.globl cpu_idle_hlt
	.type cpu_idle, @function
cpu_idle:
	sti
cpu_idle_hlt:
	hlt
	ret
	.size cpu_idle, . - cpu_idle

/*
 * bool msr_read_safe(uint32_t msr, uint64_t *v) and bool msr_write_safe(uint32_t msr, uint64_t v), see asm.h. The two
 * instructions whose #GP is an answer: isr_entry() knows their addresses and goes on at the other label.
 */
	.globl msr_read_safe
	.type msr_read_safe, @function
msr_read_safe:
	movl %edi, %ecx
	.globl msr_read_safe_try
msr_read_safe_try:
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, (%rsi)
	movl $1, %eax
	ret
	.size msr_read_safe, . - msr_read_safe

	.globl msr_write_safe
	.type msr_write_safe, @function
msr_write_safe:
	movl %edi, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
	.globl msr_write_safe_try
msr_write_safe_try:
	wrmsr
	movl $1, %eax
	ret
	.globl msr_safe_fault
msr_safe_fault:
	xorl %eax, %eax
	ret
	.size msr_write_safe, . - msr_write_safe

	.section .note.GNU-stack, "", @progbits
