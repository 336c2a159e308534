/* SPDX-License-Identifier: BSD-2-Clause */
/* Out of long mode into the state of a struct legacy, and back at the first trap. What both mean is in legacy.h. */
#include "legacy.h"
#include "selectors.h"

#define MSR_EFER 0xc0000080

/* void legacy_enter(struct legacy *l) */
	.text
	.code64
	.globl legacy_enter
legacy_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, saved_rsp
	movl %edi, current
	movq %cr0, %rax
	movl %eax, saved_cr0
	movq %cr3, %rax
	movl %eax, saved_cr3
	movq %cr4, %rax
	movl %eax, saved_cr4
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, saved_efer
	pushq $SEL_CODE32
	pushq $1f
	lretq
	.code32
1:	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl $legacy_stack_top, %esp
	movl current, %ebx
	movl saved_cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl saved_efer, %eax
	andl $~0x900, %eax
	orl LEGACY_NXE(%ebx), %eax
	xorl %edx, %edx
	wrmsr
	movl LEGACY_CR4(%ebx), %eax
	movl %eax, %cr4
	movl LEGACY_CR3(%ebx), %eax
	movl %eax, %cr3
	movl LEGACY_CR0(%ebx), %eax
	orl $0x31, %eax                         /* NE ET PE */
	movl %eax, %cr0
	jmp 2f
2:	lidt legacy_idt_pointer
	movl $SEL_LEGACY_TSS, %eax
	ltr %ax

	/* The frame to leave by: at CPL 0 it lies on the stack of the code itself, which IRET does not switch. */
	testl $EFLAGS_VM, LEGACY_FRAME + 8(%ebx)
	jnz 3f
	testl $3, LEGACY_FRAME + 4(%ebx)
	jnz 3f
	movl LEGACY_FRAME + 12(%ebx), %esp
	movl LEGACY_FRAME + 16(%ebx), %eax
	movl %eax, %ss
	subl $12, %esp
	movl $3, %ecx
	jmp 4f
3:	subl $36, %esp
	movl $9, %ecx
4:	leal LEGACY_FRAME(%ebx), %esi
	movl %esp, %edi
	cld
	rep movsl
	movw LEGACY_REGS + 0(%ebx), %gs
	movw LEGACY_REGS + 4(%ebx), %fs
	movw LEGACY_REGS + 8(%ebx), %es
	movl LEGACY_REGS + 16(%ebx), %edi
	movl LEGACY_REGS + 20(%ebx), %esi
	movl LEGACY_REGS + 24(%ebx), %ebp
	movl LEGACY_REGS + 36(%ebx), %edx
	movl LEGACY_REGS + 40(%ebx), %ecx
	movl LEGACY_REGS + 44(%ebx), %eax
	pushl LEGACY_REGS + 12(%ebx)
	movl LEGACY_REGS + 32(%ebx), %ebx
	popl %ds
	iret

/* Stubs of the 32-bit IDT: 16 bytes each, as those of entry.S. */
	.balign 16
	.globl legacy_isr_table
legacy_isr_table:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushl $0
	.endif
	pushl $vector
	jmp legacy_trap
	.set vector, vector + 1
	.endr

	.globl legacy_sysenter
legacy_sysenter:
	pushfl
	pushl %cs
	pushl $legacy_sysenter
	pushl $0
	pushl $LEGACY_SYSENTER

/* EIP, CS and EFLAGS lie above vector and error code; above them ESP and SS, if the level has changed. */
legacy_trap:
	cld
	pushal
	pushl %ds
	pushl %es
	pushl %fs
	pushl %gs
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl current, %ebx
	movl %esp, %esi
	leal LEGACY_REGS(%ebx), %edi
	movl $14, %ecx
	rep movsl
	leal LEGACY_FRAME(%ebx), %edi
	movl $3, %ecx
	rep movsl
	testl $EFLAGS_VM, LEGACY_FRAME + 8(%ebx)
	jnz 5f
	testl $3, LEGACY_FRAME + 4(%ebx)
	jnz 6f
	movl %esi, LEGACY_FRAME + 12(%ebx)
	movl %ss, %eax
	movl %eax, LEGACY_FRAME + 16(%ebx)
	jmp 7f
5:	movl $6, %ecx
	rep movsl
	jmp 7f
6:	movsl
	movsl
7:	movl %cr2, %eax
	movl %eax, LEGACY_CR2(%ebx)

	movl $SEL_DATA, %eax
	movl %eax, %ss
	movl $legacy_stack_top, %esp
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl saved_cr4, %eax
	movl %eax, %cr4
	movl saved_cr3, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl saved_efer, %eax
	xorl %edx, %edx
	wrmsr
	movl saved_cr0, %eax
	movl %eax, %cr0
	ljmp $SEL_CODE64, $8f
	.code64
8:	movq saved_rsp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.data
	.balign 4
	.word 0
legacy_idt_pointer:
	.word 256 * 8 - 1
	.long legacy_idt

	.bss
	.balign 16
saved_rsp:  .skip 8
current:    .skip 4
saved_cr0:  .skip 4
saved_cr3:  .skip 4
saved_cr4:  .skip 4
saved_efer: .skip 4
	.balign 4096
	.skip 8192
	.globl legacy_stack_top
legacy_stack_top:
	.section .note.GNU-stack, "", @progbits
