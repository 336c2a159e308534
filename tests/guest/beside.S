/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt handler of beside.c: the moment it was reached, and the end of the interrupt. And the wait for it, whose
 * HLT has a name so that tests/bench can count from there to the handler. QEMU forgets the shadow of STI over an exit: an
 * interrupt that comes before the HLT goes on behind it.
 */
	.text
	.skip	0x10000			/* to where no other kernel of one measurement has code */
	.globl beside_handler
beside_handler:
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, beside_woken(%rip)
	lea	beside_hlt(%rip), %rax
	cmp	%rax, (%rsp)
	jne	1f
	incq	(%rsp)
1:
	mov	$0x80b, %ecx			/* the x2APIC's EOI */
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	iretq

	.globl beside_halt, beside_hlt
beside_halt:
	sti
beside_hlt:
	hlt
	cli
	ret

	.bss
	.balign	8
	.globl beside_woken
beside_woken:
	.quad	0
	.section .note.GNU-stack, "", @progbits
