/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 32-bit entry of a test kernel: moves the payload to its link address if a loader put it elsewhere, maps the
 * first 4 GiB one to one, enters long mode and calls guest_start(). Then the interrupt stubs and guarded calls.
 */
#include "long_mode.h"

#define LINK_ADDRESS 0x1000000

	.section .entry, "ax"
	.code32
	.globl entry32
entry32:
	cli
	cld
	leal 0x1e8(%esi), %esp                  /* boot_params' scratch field: a stack of one word */
	call 1f
1:	popl %ebp
	subl $(1b - entry32), %ebp
	cmpl $LINK_ADDRESS, %ebp
	je 2f
	movl %esi, %ebx
	movl %ebp, %esi
	movl $LINK_ADDRESS, %edi
	movl $payload_end, %ecx
	subl $LINK_ADDRESS, %ecx
	shrl $2, %ecx
	rep movsl
	movl %ebx, %esi
	movl $2f, %eax
	jmp *%eax
2:
	movl $bss_start, %edi
	movl $bss_end, %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $stack_top, %esp
	movl %esi, boot_params_gpa
	movl %ebp, boot_load_address

	lgdt gdt_pointer32
	load_data_segments

	/* Identity map of 4 GiB in 2 MiB pages; the upper levels allow user access, the leaves decide. */
	movl $(page_pdpt + 7), page_pml4
	movl $page_pdpt, %edi
	movl $(page_pd + 7), %eax
	movl $4, %ecx
3:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 3b
	movl $page_pd, %edi
	movl $0x83, %eax
	movl $2048, %ecx
4:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 4b

	enter_long_mode entry64
	.code64
entry64:
	movl $stack_top, %esp
	xorl %ebp, %ebp
	call guest_start
6:	cli
	hlt
	jmp 6b

/* Interrupt stubs: 16 bytes each, vector n at isr_table + 16 n. Vectors with an error code push none of their own. */
	.text
	.balign 16
	.globl isr_table
isr_table:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	jmp isr_common
	.set vector, vector + 1
	.endr

isr_common:
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %r11
	pushq %r10
	pushq %r9
	pushq %r8
	pushq %rdi
	pushq %rsi
	pushq %rbp
	pushq %rbx
	pushq %rdx
	pushq %rcx
	pushq %rax
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap
	movq %rbx, %rdi

/* void frame_enter(const struct frame *f): goes on with all of its registers, in the mode that its CS names. */
	.globl frame_enter
frame_enter:
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

/*
 * bool guarded_call(void (*fn)(void *), void *arg, uint64_t state[8]): false when fn returned, true when a trap ended
 * it through guarded_resume(state).
 */
	.globl guarded_call
guarded_call:
	pushfq
	popq %rax
	movq %rax, 56(%rdx)
	movq %rbx, 0(%rdx)
	movq %rbp, 8(%rdx)
	movq %r12, 16(%rdx)
	movq %r13, 24(%rdx)
	movq %r14, 32(%rdx)
	movq %r15, 40(%rdx)
	movq %rsp, 48(%rdx)
	movq %rdi, %rax
	movq %rsi, %rdi
	subq $8, %rsp
	call *%rax
	addq $8, %rsp
	xorl %eax, %eax
	ret

	.globl guarded_resume
guarded_resume:
	movl $SEL_DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movq 0(%rdi), %rbx
	movq 8(%rdi), %rbp
	movq 16(%rdi), %r12
	movq 24(%rdi), %r13
	movq 32(%rdi), %r14
	movq 40(%rdi), %r15
	movq 48(%rdi), %rsp
	pushq 56(%rdi)
	popfq
	movl $1, %eax
	ret

/* void user_enter(void (*fn)(void *), void *arg, void *stack): runs fn(arg) at CPL 3; its return is `int $0x80`. */
	.globl user_enter
user_enter:
	leaq -16(%rdx), %rdx
	andq $-16, %rdx
	leaq user_return(%rip), %rax
	subq $8, %rdx
	movq %rax, (%rdx)
	pushq $(SEL_USER_DATA | 3)
	pushq %rdx
	pushq $2
	pushq $(SEL_USER_CODE64 | 3)
	pushq %rdi
	movq %rsi, %rdi
	iretq
user_return:
	int $0x80
	ud2

	.data
	.balign 16
	.globl gdt
gdt:
	.quad 0
	.quad 0x00af9b000000ffff                /* SEL_CODE64 */
	.quad 0x00cf9b000000ffff                /* SEL_CODE32 */
	.quad 0x00cf93000000ffff                /* SEL_DATA */
	.quad 0x00009b000000ffff                /* SEL_CODE16 */
	.quad 0x000093000000ffff                /* SEL_DATA16 */
	.quad 0x00cffb000000ffff                /* SEL_USER_CODE32 */
	.quad 0x00cff3000000ffff                /* SEL_USER_DATA: CODE32, DATA, CODE64 in SYSRET's order */
	.quad 0x00affb000000ffff                /* SEL_USER_CODE64 */
	.quad 0, 0                              /* SEL_TSS */
	.fill GDT_SPARE, 8, 0                   /* SEL_SPARE */
gdt_end:
	.word 0
	.globl gdt_pointer32
gdt_pointer32:
	.word gdt_end - gdt - 1
	.long gdt
	.long 0

	.bss
	.balign 4096
	.globl page_pml4, page_pdpt, page_pd
page_pml4: .skip 4096
page_pdpt: .skip 4096
page_pd:   .skip 4 * 4096
	.skip 16384
	.globl stack_top
stack_top:
	.globl boot_params_gpa, boot_load_address
boot_params_gpa:   .skip 8
boot_load_address: .skip 8
	.section .note.GNU-stack, "", @progbits
