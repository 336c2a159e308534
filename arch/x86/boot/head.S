/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions: multiboot2 header, 32-bit entry, long mode, jump to the linked (high) address. Everything
 * before that jump is position independent: GRUB may put the image at any 2 MiB boundary below 4 GiB, and EBP holds
 * where. The tables built here map 4 GiB read-write-execute; arch/x86/mm/paging.c replaces them.
 */
#include "start.h"

#include "arch/x86/cpu/long_mode.inc"

#define MB2_MAGIC	0xe85250d6
#define MB2_LOADED	0x36d76289
#define CODE32		0x08
#define CODE64		0x10
#define DATA		0x18

	.section .boot, "ax", @progbits
	.code32

/* Multiboot2 specification "OS image format": in the first 32 KiB of the file, 8-byte aligned, tags too. */
	.balign 8
mb2_header:
	.long MB2_MAGIC, 0, mb2_header_end - mb2_header, -(MB2_MAGIC + 0 + (mb2_header_end - mb2_header))
	/* Information we need: command line, modules, memory map, load base. ACPI tags come unasked. */
	.balign 8
	.short 1, 0
	.long 24, 1, 3, 6, 21
	/* Modules on page boundaries. */
	.balign 8
	.short 6, 0
	.long 8
	/* Framebuffer: any, and none will do. */
	.balign 8
	.short 5, 1
	.long 20, 0, 0, 0
	/* Relocatable: lowest place from 1 MiB up, below 4 GiB, 2 MiB aligned. */
	.balign 8
	.globl mb2_relocatable
mb2_relocatable:
	.short 10, 0
	.long 24, 0x100000, 0xffffffff, 0x200000, 1
	.balign 8
	.short 0, 0
	.long 8
mb2_header_end:

	.balign 16
	.globl boot_entry
	.type boot_entry, @function
boot_entry:
	cli
	cld
	/*
	 * A loader that leaves UEFI's boot services running enters in 64-bit mode. The next four instructions are valid
	 * in both: 41h is INC ECX in one, and in the other a prefix that CLC ignores.
	 */
	xorl %ecx, %ecx
	.byte 0x41
	clc
	testl %ecx, %ecx
	jz boot_from_64
boot_in_32:
	cmpl $MB2_LOADED, %eax
	jne boot_stop

	/* There is no stack yet: the reserved word at offset 4 of the boot information serves for one return address. */
	leal 8(%ebx), %esp
	call 1f
1:	popl %ebp
	subl $(1b - mb2_header), %ebp
	movl %eax, %edi
	movl %ebx, %esi
	leal boot_stack_offset(%ebp), %esp

	NEED_LONG_MODE boot_no_long_mode

	/*
	 * Tables, in this order: PML4, PDPT for the low and the direct map, PDPT for the image, its PD, four PDs for
	 * 4 GiB. GRUB zeroed them with the rest of the bss.
	 */
	leal boot_tables_offset(%ebp), %ebx
	leal 0x1003(%ebx), %eax
	movl %eax, (%ebx)			/* identity */
	movl %eax, 256*8(%ebx)			/* DIRECT_MAP_BASE */
	addl $0x1000, %eax
	movl %eax, 511*8(%ebx)			/* the image's top 2 GiB */
	addl $0x1000, %eax
	movl %eax, 0x2000+510*8(%ebx)
	xorl %ecx, %ecx
1:	addl $0x1000, %eax
	movl %eax, 0x1000(%ebx,%ecx,8)
	incl %ecx
	cmpl $4, %ecx
	jb 1b

	movl $0x83, %eax			/* present, writable, 2 MiB */
	xorl %ecx, %ecx
1:	movl %eax, 0x4000(%ebx,%ecx,8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 1b

	/* The image is linked 2 MiB above the start of its window, hence from entry 1. */
	leal 0x83(%ebp), %eax
	movl $1, %ecx
1:	movl %eax, 0x3000(%ebx,%ecx,8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $boot_image_2m, %ecx
	jbe 1b

	/* APM 2 "Activating Long Mode" (14.6): PAE, CR3, EFER.LME, then paging. */
	movl $(1 << 5), %eax
	movl %eax, %cr4
	movl %ebx, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $(1 << 8 | 1 << 11), %eax		/* LME, NXE */
	wrmsr
	movl $0x80010033, %eax			/* PG WP NE ET MP PE */
	movl %eax, %cr0

	leal boot_gdt_offset(%ebp), %eax
	pushl $0				/* the base's upper half is not read in 32-bit mode */
	pushl %eax
	pushw $(boot_gdt_end - boot_gdt - 1)
	lgdt (%esp)
	leal boot_long_offset(%ebp), %eax
	pushl $CODE64
	pushl %eax
	lret

/* On COM1 and on a text screen: no code of ours that could do better runs on such a CPU. */
boot_no_long_mode:
	leal boot_message_offset(%ebp), %esi
	movl $0x3f8, %edx
	movl $0xb8000, %edi
	movb $0x0f, %ah				/* white on black */
1:	lodsb
	testb %al, %al
	jz boot_stop
	stosw
	outb %al, %dx
	movl $20000, %ecx			/* longer than a character at 9600 baud on what is this old */
2:	inb $0x80, %al
	loop 2b
	jmp 1b
boot_stop:
	hlt
	jmp boot_stop

	.code64
/* Down to where a multiboot2 loader should have begun; boot_start() then finds the tag of boot services and refuses. */
boot_from_64:
	leaq boot_stack_64(%rip), %rsp
	leaq boot_gdt(%rip), %rcx
	pushq %rcx
	pushw $(boot_gdt_end - boot_gdt - 1)
	lgdt (%rsp)
	leaq boot_leave_64(%rip), %rcx
	pushq $CODE32
	pushq %rcx
	lretq
	.code32
boot_leave_64:
	movl $DATA, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	movl %eax, %edi
	movl %cr0, %ecx
	andl $0x7fffffff, %ecx			/* paging off ends long mode: APM 2 "Leaving Long Mode" (14.7) */
	movl %ecx, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $~(1 << 8), %eax			/* LME */
	wrmsr
	movl %edi, %eax
	jmp boot_in_32

	.code64
	.globl boot_long
boot_long:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movabsq $1f, %rax
	jmp *%rax
1:	movq $boot_area_end, %rsp
	movl %edi, %edi				/* upper halves are undefined after the mode switch */
	movl %esi, %esi
	movl %ebp, %edx
	xorl %ebp, %ebp				/* ends backtraces */
	call boot_start
	ud2

	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
boot_gdt_end:
	.balign 8
	.skip 64
boot_stack_64:
	.globl boot_message
boot_message:
	.asciz "vouch: error: this processor has no long mode or no NX: a 64-bit x86 processor is needed\r\n"

/* The boot CPU's own memory: all of Vouch's writable data that has names. The loader zeroes it. */
	.section .boot.bss, "aw", @nobits
	.balign 0x10000
	.globl boot_area
boot_area:				/* struct pcpu, guard pages, stacks: cpu.h */
	.skip 0x10000
	.globl boot_tables
boot_tables:
	.skip 8 * 0x1000
	.globl boot_arch
boot_arch:
	.skip BOOT_ARCH_SIZE
	.globl boot_host
boot_host:
	.skip BOOT_HOST_SIZE

	.section .note.GNU-stack, "", @progbits
