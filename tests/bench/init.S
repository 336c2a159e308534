/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The /init of the boot that is measured: prints "INIT-TSC " and the time-stamp counter in hexadecimal, then switches
 * the machine off. Linked at an address of its own, so that its first instruction can be recognised from outside.
 */
#define SYS_WRITE  1
#define SYS_REBOOT 169

	.text
	.globl _start
_start:
	rdtsc
	shlq $32, %rdx
	orq %rax, %rdx
	leaq digits(%rip), %rdi
	movl $16, %ecx
1:	rolq $4, %rdx
	movl %edx, %eax
	andl $15, %eax
	cmpl $10, %eax
	jb 2f
	addl $('a' - '0' - 10), %eax
2:	addl $'0', %eax
	movb %al, (%rdi)
	incq %rdi
	decl %ecx
	jnz 1b
	movl $SYS_WRITE, %eax
	movl $1, %edi
	leaq text(%rip), %rsi
	movl $(text_end - text), %edx
	syscall
	movl $SYS_REBOOT, %eax
	movl $0xfee1dead, %edi
	movl $0x28121969, %esi
	movl $0x4321fedc, %edx                  /* LINUX_REBOOT_CMD_POWER_OFF */
	syscall
3:	jmp 3b

	.data
text:	.ascii "INIT-TSC "
digits:	.ascii "................\n"
text_end:
	.section .note.GNU-stack, "", @progbits
