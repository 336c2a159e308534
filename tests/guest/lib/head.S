/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The setup sectors of a test kernel: a boot header (Linux Documentation/arch/x86/boot.rst, protocol 2.15) and the
 * least real-mode code that brings us to the 32-bit entry when a loader runs the real-mode part, as QEMU's -kernel
 * does. Loaders that enter at the 32-bit entry (Vouch) only read the header. No BIOS service but the memory map.
 */
#define PARAMS      0x4000                      /* boot_params, behind these sectors in the setup segment */
#define E820_COUNT  (PARAMS + 0x1e8)
#define E820_TABLE  (PARAMS + 0x2d0)

	.section .setup, "awx"
	.code16
	.org 0x1f1
	.byte SETUP_SECTS                       /* setup_sects */
	.word 1                                 /* root_flags */
	.long payload_paragraphs                /* syssize */
	.word 0                                 /* ram_size */
	.word 0xffff                            /* vid_mode */
	.word 0                                 /* root_dev */
	.word 0xaa55                            /* boot_flag */
	.byte 0xeb, setup_start - header_magic  /* jump: also says where the header ends */
header_magic:
	.ascii "HdrS"
	.word 0x020f                            /* version */
	.long 0                                 /* realmode_swtch */
	.word 0x1000                            /* start_sys_seg, obsolete */
	.word version_text - 0x200              /* kernel_version */
	.byte 0                                 /* type_of_loader */
	.byte 1                                 /* loadflags: LOADED_HIGH */
	.word 0x8000                            /* setup_move_size */
code32_start:
	.long 0x100000
	.long 0, 0                              /* ramdisk_image, ramdisk_size */
	.long 0                                 /* bootsect_kludge */
	.word 0                                 /* heap_end_ptr */
	.byte 0, 0                              /* ext_loader_ver, ext_loader_type */
	.long 0                                 /* cmd_line_ptr */
	.long 0x7fffffff                        /* initrd_addr_max */
	.long 0x200000                          /* kernel_alignment */
	.byte 1                                 /* relocatable_kernel: entry.S moves itself */
	.byte 21                                /* min_alignment */
	.word 0                                 /* xloadflags: no 64-bit entry */
	.long 2047                              /* cmdline_size */
	.long 0                                 /* hardware_subarch */
	.quad 0                                 /* hardware_subarch_data */
	.long 0, 0                              /* payload_offset, payload_length */
	.quad 0                                 /* setup_data */
	.quad 0x1000000                         /* pref_address */
	.long payload_init_size                 /* init_size */
	.long 0                                 /* handover_offset */
	.long 0                                 /* kernel_info_offset */

setup_start:
	cli
	cld
	movw %ds, %ax
	movw %ax, %es
	movzwl %ax, %ebp
	shll $4, %ebp                           /* linear address of the setup segment */

	movw $PARAMS, %di
	xorl %eax, %eax
	movw $0x400, %cx
	rep stosl
	movw $0x1f1, %si
	movw $(PARAMS + 0x1f1), %di
	movw $(setup_start - setup_header), %cx
	rep movsb

	xorl %ebx, %ebx
	movw $E820_TABLE, %di
1:	movl $0xe820, %eax
	movl $0x534d4150, %edx
	movl $20, %ecx
	int $0x15
	jc 2f
	cmpl $0x534d4150, %eax
	jne 2f
	addw $20, %di
	incb E820_COUNT
	testl %ebx, %ebx
	jnz 1b
2:	cli
	inb $0x92, %al                          /* A20 */
	orb $2, %al
	andb $0xfe, %al
	outb %al, $0x92

	leal setup_gdt(%ebp), %eax
	movl %eax, setup_gdtr + 2
	lgdtl setup_gdtr
	leal setup_flat(%ebp), %eax
	movl %eax, setup_jump
	leal PARAMS(%ebp), %esi
	movl code32_start, %edi
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	jmp 3f
3:	.byte 0x66, 0xea                        /* ljmpl $0x10, $(linear address of setup_flat) */
setup_jump:
	.long 0
	.word 0x10

	.code32
setup_flat:
	movl $0x18, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	jmp *%edi

	.balign 8
setup_gdt:
	.quad 0, 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
setup_gdtr:
	.word 31
	.long 0
version_text:
	.asciz "vouch guest test"
	.set setup_header, 0x1f1
	.org (SETUP_SECTS + 1) * 512
