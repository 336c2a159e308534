/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaves long mode for the mode that PARAM_* describe, runs a piece of code there that takes exits of all kinds, and
 * comes back. What runs in 16-bit modes is copied to LOW_BASE first (modes.c). Results and parameters lie below 64 K, so
 * that every mode can reach them.
 */
#include "lib/selectors.h"
#include "modes.h"

#define LOW(label) ((label) - low_start + LOW_BASE)
#define SCRATCH_PORT 0x3ff
#define MSR_EFER 0xc0000080

/* void mode_run(void): parameters and results as modes.h says. */
	.text
	.code64
	.globl mode_run
mode_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, PARAM_SAVED_RSP
	movq %cr0, %rax
	movl %eax, PARAM_SAVED_CR0
	movq %cr3, %rax
	movl %eax, PARAM_SAVED_CR3
	movq %cr4, %rax
	movl %eax, PARAM_SAVED_CR4
	pushq $SEL_CODE32
	pushq $1f
	lretq
	.code32
1:	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %ss
	movl $stack_top - 8192, %esp
	cmpl $KIND_COMPAT, PARAM_KIND
	je run32

	movl PARAM_SAVED_CR0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~0x100, %eax
	wrmsr
	movl PARAM_CR4, %eax
	movl %eax, %cr4
	movl PARAM_CR3, %eax
	movl %eax, %cr3
	movl PARAM_CR0, %eax
	movl %eax, %cr0
	jmp 2f
2:	lidt PARAM_IDT
	cmpl $KIND_16, PARAM_KIND
	je go16
	cmpl $KIND_REAL, PARAM_KIND
	je go16

run32:	movl PARAM_RESULTS, %esi
	movl PARAM_LAPIC, %edi
	call *PARAM_CODE
back32:
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_top - 8192, %esp
	cmpl $KIND_COMPAT, PARAM_KIND
	je 3f
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl PARAM_SAVED_CR4, %eax
	movl %eax, %cr4
	movl PARAM_SAVED_CR3, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl PARAM_SAVED_CR0, %eax
	movl %eax, %cr0
3:	ljmp $SEL_CODE64, $4f
	.code64
4:	movq PARAM_SAVED_RSP, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.code32
go16:	ljmp $SEL_CODE16, $LOW(enter16)

/*
 * The 32-bit piece: position-independent, ESI = results, EDI = LAPIC as the mode maps them. It runs in compatibility
 * mode too. Exceptions and interrupts count in RESULT_*.
 */
	.globl code32_start, code32_end
code32_start:
	pushl %ebp
	xorl %eax, %eax
	cpuid
	movl %ebx, R_CPUID(%esi)
	movl $SCRATCH_PORT, %edx
	movb $0x5a, %al
	outb %al, %dx
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, R_IN(%esi)
	movl 0x30(%edi), %eax
	movl %eax, R_MMIO_READ(%esi)
	movl $0x01234567, 0x380(%edi)
	orl $8, 0x380(%edi)
	movl $0x4e0, %ecx
	movl -0x160(%edi, %ecx), %eax
	movl %eax, R_MMIO_WRITE(%esi)
	pushl %edi
	leal R_INS(%esi), %edi
	movl $4, %ecx
	cld
	rep insb
	popl %edi
	pushl %esi
	leal R_OUTS(%esi), %esi
	movl $3, %ecx
	rep outsb
	popl %esi
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, R_OUTS_SEEN(%esi)
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, R_EFER(%esi)
	movl %cr0, %eax
	movl %eax, R_CR0(%esi)
	movl %cs, %eax
	movl %eax, R_CS(%esi)
	movl $0x1234, %ecx
	ud2
	movl $0x40000 | IPI_VECTOR, 0x300(%edi)
	sti
	nop
	nop
	cli
	movl $0x40000 | IPI_VECTOR, 0x300(%edi)
	sti
	hlt
	cli
	/* 16-bit addresses and operands in a 32-bit segment. */
	movl $0xfee0, %eax
	movw 0x32(%edi), %ax
	movl %eax, R_WORD(%esi)
	pushl %ebx
	pushl %edi
	movl $RESULTS, %ebx
	movl $R_WORD2, %edi
	movw $0x7788, %ax
	addr16 movw %ax, (%bx, %di)
	popl %edi
	popl %ebx
	movl $0xd00dfeed, R_DONE(%esi)
	popl %ebp
	ret
code32_end:

/* Handlers of the 32-bit IDT, entered in any 32- or 16-bit protected mode; ours is a flat code segment. */
	.globl isr32_ud, isr32_ipi
isr32_ud:
	incl RESULTS + R_UD
	addl $2, (%esp)
	iret
isr32_ipi:
	pushl %eax
	pushl %ds
	movl $SEL_DATA, %eax
	movl %eax, %ds
	incl RESULTS + R_IPI
	movl $0, 0xfee000b0
	popl %ds
	popl %eax
	iret

/* ------------------------------------------------------------------ below 64 K: 16-bit protected and real mode */
	.globl low_start, low_end
	.balign 16
low_start:
	.code16
enter16:
	movw $SEL_DATA16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $LOW_STACK, %esp
	cmpl $KIND_REAL, PARAM_KIND
	je enter_real
	call code16
leave16:
	ljmpl $SEL_CODE32, $back32

enter_real:
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $0, $LOW(1f)
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	lidtl PARAM_IDT
	call code16
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	jmp leave16

/* The same exits with 16-bit code; FS is flat, so that addr32 reaches the LAPIC. */
code16:
	pushl %ebp
	movl $RESULTS, %esi
	movl $0xfee00000, %edi
	xorl %eax, %eax
	cpuid
	movl %ebx, R_CPUID(%esi)
	movw $SCRATCH_PORT, %dx
	movb $0x5a, %al
	outb %al, %dx
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, R_IN(%esi)
	movl %fs:0x30(%edi), %eax
	movl %eax, R_MMIO_READ(%esi)
	movl $0x01234567, %fs:0x380(%edi)
	orl $8, %fs:0x380(%edi)
	movl %fs:0x380(%edi), %eax
	movl %eax, R_MMIO_WRITE(%esi)
	pushl %edi
	/* DI wraps at 64 K with 16-bit addresses; the upper half of ECX does not count. */
	movw $RESULTS + R_INS, %di
	movl $0x10004, %ecx
	cld
	rep insb
	popl %edi
	pushl %esi
	movw $RESULTS + R_OUTS, %si
	movw $3, %cx
	rep outsb
	popl %esi
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, R_OUTS_SEEN(%esi)
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, R_EFER(%esi)
	movl %cr0, %eax
	movl %eax, R_CR0(%esi)
	xorl %eax, %eax
	movw %cs, %ax
	movl %eax, R_CS(%esi)
	ud2
	movl $0x40000 | IPI_VECTOR, %fs:0x300(%edi)
	sti
	nop
	nop
	cli
	movl $0x40000 | IPI_VECTOR, %fs:0x300(%edi)
	sti
	hlt
	cli
	movl $0xfee0, %eax
	movw %fs:0x32(%edi), %ax
	movl %eax, R_WORD(%esi)
	/* The ROM hole from real mode: 16-bit addressing forms on memory of nobody. */
	cmpl $KIND_REAL, PARAM_KIND
	jne 2f
	movw $0xa000, %ax
	movw %ax, %es
	movw $0x1000, %bx
	movw $0x234, %di
	movb %es:(%bx, %di), %al
	movb %al, R_HOLE(%esi)
	movw %es:-2(%bx, %di), %ax
	movw %ax, R_HOLE + 2(%esi)
	movb $0, %es:5(%bx)
	xorw %ax, %ax
	movw %ax, %es
2:	movw $RESULTS, %bx
	movw $R_WORD2, %di
	movw $0x7788, (%bx, %di)
	movl $0xd00dfeed, R_DONE(%esi)
	popl %ebp
	ret

	.globl real_ud, real_ipi
real_ud:
	incl RESULTS + R_UD
	pushw %bp
	movw %sp, %bp
	addw $2, 2(%bp)
	popw %bp
	iretw
real_ipi:
	incl RESULTS + R_IPI
	pushl %edi
	movl $0xfee00000, %edi
	movl $0, %fs:0xb0(%edi)
	popl %edi
	iretw
low_end:
	.section .note.GNU-stack, "", @progbits
