/* SPDX-License-Identifier: BSD-2-Clause */
/* This CPU's GDT, TSS and task register. */
#include "cpu.h"

#include <vouch/x86.h>

#include "asm.h"

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

#define DESC_CODE64 0x00af9b000000ffffull  /* accessed already: the CPU never writes it */
#define DESC_DATA   0x00cf93000000ffffull

static void tss_descriptor_set(struct pcpu_arch *a)
{
	uint64_t base = (uint64_t)(uintptr_t)&a->tss;

	/* APM 2 "TSS Descriptor" (12.2.2): type 9, available; LTR makes it busy and refuses a busy one. */
	a->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			      (base >> 24 & 0xff) << 56;
	a->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

static void ist_set(struct tss *t, unsigned int ist, uint64_t top)
{
	t->ist[2 * (ist - 1)] = (uint32_t)top;
	t->ist[2 * (ist - 1) + 1] = (uint32_t)(top >> 32);
}

static void gdt_load(const struct pcpu_arch *a)
{
	struct table_pointer gdtr = { sizeof(a->gdt) - 1, (uint64_t)(uintptr_t)a->gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss"
			 : : "m"(gdtr), "i"(SEL_CODE), "r"(SEL_DATA) : "rax", "memory");
}

void cpu_host_tr_load(void)
{
	tss_descriptor_set(this_cpu()->arch);
	__asm__ volatile("ltr %w0\n\t"
			 "lldt %w1\n\t"
			 "movl %1, %%fs\n\t"
			 "movl %1, %%gs"
			 : : "r"(SEL_TSS), "r"(0) : "memory");
	/* AMD CPUs keep the base when a null selector is loaded. */
	msr_write(MSR_FS_BASE, 0);
	msr_write(MSR_GS_BASE, 0);
}

void cpu_tables_init(struct pcpu *p)
{
	struct pcpu_arch *a = p->arch;
	uint64_t area = (uint64_t)(uintptr_t)p;
	struct table_pointer idtr = { sizeof(a->idt) - 1, (uint64_t)(uintptr_t)a->idt };

	a->gdt[SEL_CODE / 8] = DESC_CODE64;
	a->gdt[SEL_DATA / 8] = DESC_DATA;
	a->tss.iomap = sizeof(a->tss);
	ist_set(&a->tss, IST_NMI, area + AREA_NMI_TOP);
	ist_set(&a->tss, IST_MC, area + AREA_MC_TOP);
	ist_set(&a->tss, IST_DF, area + AREA_DF_TOP);
	idt_fill(a);
	gdt_load(a);
	cpu_host_tr_load();
	__asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
	cpu_ist_arm(true);
}
