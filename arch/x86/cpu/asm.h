/* SPDX-License-Identifier: BSD-2-Clause */
/* Privileged and odd instructions as one-line functions. Only the hypervisor's own sources include this. */
#ifndef ARCH_X86_CPU_ASM_H
#define ARCH_X86_CPU_ASM_H

#include <vouch/types.h>

#ifdef VOUCH_HOST_TEST
/* Host tests bring a machine of their own: tests/unit/support/ports.h, xcr0.h. */
uint8_t port_in8(uint16_t port);
uint16_t port_in16(uint16_t port);
uint32_t port_in32(uint16_t port);
void port_out8(uint16_t port, uint8_t v);
void port_out16(uint16_t port, uint16_t v);
void port_out32(uint16_t port, uint32_t v);
uint64_t tsc_read(void);
void xcr0_write(uint64_t v);
uint64_t cr0_read(void);
uint64_t cr4_read(void);
#else
static inline uint8_t port_in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t port_in16(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t port_in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void port_out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %w1" : : "a"(v), "Nd"(port));
}

static inline void port_out16(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %w1" : : "a"(v), "Nd"(port));
}

static inline void port_out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %w1" : : "a"(v), "Nd"(port));
}

static inline uint64_t tsc_read(void)
{
	uint32_t lo, hi;

	/* LFENCE: the counter must not be read before what stands in front of it is done. */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void xcr0_write(uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
#endif

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void msr_write(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* False, and *v untouched, where this CPU (or the emulator it is) has no such MSR: for those no CPUID bit promises. */
bool msr_read_safe(uint32_t msr, uint64_t *v);
/* False where this CPU has no such MSR, or takes no such value. */
bool msr_write_safe(uint32_t msr, uint64_t v);

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid_read(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

/* The leaf, or zeros where this CPU has no such leaf (it would answer with another one's data). */
static inline struct cpuid_regs cpuid_leaf(uint32_t leaf, uint32_t subleaf)
{
	if (leaf > cpuid_read(leaf & 0xffff0000u, 0).eax)
		return (struct cpuid_regs){ 0 };
	return cpuid_read(leaf, subleaf);
}

static inline bool cpuid_is_intel(void)
{
	struct cpuid_regs r = cpuid_read(0, 0);

	return r.ebx == 0x756e6547u && r.edx == 0x49656e69u && r.ecx == 0x6c65746eu;    /* "GenuineIntel" */
}

#define CR_ACCESS(n)									\
	static inline uint64_t cr##n##_read(void)					\
	{										\
		uint64_t v;								\
											\
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory");		\
		return v;								\
	}										\
	static inline void cr##n##_write(uint64_t v)					\
	{										\
		__asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");		\
	}
#ifndef VOUCH_HOST_TEST
CR_ACCESS(0)
CR_ACCESS(4)
#endif
CR_ACCESS(2)
CR_ACCESS(3)
#undef CR_ACCESS

static inline uint64_t xcr0_read(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static inline void tlb_flush_page(const void *p)
{
	__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline uint64_t rflags_read(void)
{
	uint64_t v;

	__asm__ volatile("pushfq; pop %0" : "=r"(v));
	return v;
}

#endif
