/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The /init of the boot that is measured: prints "INIT-TSC " and the time-stamp counter in hexadecimal, then switches
 * the machine off. Linked at an address of its own, so that its first instruction can be recognised from outside. Words
 * of the kernel's command line that the kernel does not know are its arguments: if the last is "sleeps" it sleeps 100 times
 * 10 ms before the end, if it is "forks" it starts 500 processes one after another and waits for each.
 */
#define SYS_NANOSLEEP 35
#define SYS_FORK   57
#define SYS_EXIT   60
#define SYS_WAIT4  61
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
	movq (%rsp), %rax                       /* argc */
	movq (%rsp, %rax, 8), %rax              /* argv[argc - 1] */
	cmpb $'s', (%rax)
	je sleeps
	cmpb $'f', (%rax)
	je forks
off:	movl $SYS_REBOOT, %eax
	movl $0xfee1dead, %edi
	movl $0x28121969, %esi
	movl $0x4321fedc, %edx                  /* LINUX_REBOOT_CMD_POWER_OFF */
	syscall
3:	jmp 3b

sleeps:	movl $100, %ebx
1:	movl $SYS_NANOSLEEP, %eax
	leaq ten_ms(%rip), %rdi
	xorl %esi, %esi
	syscall
	decl %ebx
	jnz 1b
	jmp off

forks:	movl $500, %ebx
1:	movl $SYS_FORK, %eax
	syscall
	testl %eax, %eax
	jz 2f
	movl $SYS_WAIT4, %eax
	movq $-1, %rdi
	xorl %esi, %esi
	xorl %edx, %edx
	xorl %r10d, %r10d
	syscall
	decl %ebx
	jnz 1b
	jmp off
2:	movl $SYS_EXIT, %eax
	xorl %edi, %edi
	syscall

	.data
	.balign 8
ten_ms:	.quad 0, 10000000
text:	.ascii "INIT-TSC "
digits:	.ascii "................\n"
text_end:
	.section .note.GNU-stack, "", @progbits
