/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetch, page walk and emulation of arbitrary bytes on an arbitrary guest state. Whatever they are: it ends, stays in
 * guest memory (the fake guest's bounds and the sanitizers watch), returns an action it may return, does a bounded
 * number of device accesses, and after a fault says which.
 *
 * Input: one byte of mode and entry, three of control bits, three page-table entries, registers, then code; what is
 * missing is zero.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/exit/emulate.h"
#include "arch/x86/mm/gwalk.h"
#include "tests/unit/support/guestmem.h"

#define GPA_CODE 0x8000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm vm;
static struct vcpu v;

static void check(bool x)
{
	if (!x)
		abort();
}

struct input {
	const uint8_t *p;
	size_t left;
};

static uint64_t take(struct input *in, size_t n)
{
	uint64_t val = 0;
	size_t have = n < in->left ? n : in->left;

	memcpy(&val, in->p, have);
	in->p += have;
	in->left -= have;
	return val;
}

/* Low linear addresses: page 8 is code, 16 RAM, 17 MMIO, 18-20 the input's choice. */
static void tables(struct input *in, bool wide)
{
	unsigned int n = wide ? 8 : 4;

	guest_put(0x1000, 0x2000 | PTE_P | PTE_RW | PTE_US, 8);
	guest_put(0x2000, 0x3000 | PTE_P | PTE_RW | PTE_US, 8);
	guest_put(0x3000, 0x4000 | PTE_P | PTE_RW | PTE_US, 8);
	guest_put(0x6020, 0x3000 | PTE_P, 8);                   /* a PDPT for PAE; 32-bit tables start at 7000 */
	guest_put(0x7000, 0x4000 | PTE_P | PTE_RW | PTE_US, 4);
	guest_put(0x4000 + 8 * n, GPA_CODE | PTE_P | PTE_US, n);
	guest_put(0x4000 + 16 * n, 0x9000 | PTE_P | PTE_RW | PTE_US, n);
	guest_put(0x4000 + 17 * n, GUEST_MMIO | PTE_P | PTE_RW | PTE_US, n);
	for (unsigned int i = 18; i < 21; i++)
		guest_put(0x4000 + i * n, take(in, 8), n);
}

static void environment(struct x86_env *e, struct input *in, unsigned int kind)
{
	uint64_t bits = take(in, 3);

	memset(e, 0, sizeof(*e));
	for (int i = 0; i < SEG_COUNT; i++)
		e->seg[i] = (struct x86_seg){ .attr = 0xc93, .limit = 0xffffffff };
	e->seg[SEG_CS].attr = (uint16_t)(kind == 4 ? 0xa9b : bits & 1 ? 0xc9b : 0x9b);
	e->seg[SEG_DS].attr = (uint16_t)(0xc91 | (bits >> 1 & 6));
	if (bits & 16)
		e->seg[SEG_DS].limit = 0x12fff;
	e->seg[SEG_FS].base = bits & 32 ? 0x800000000000ull : 0x10000;
	e->cr0 = kind == 0 ? 0 : kind == 1 ? CR0_PE : CR0_PE | CR0_PG;
	e->cr0 |= bits & 64 ? CR0_WP : 0;
	e->cr4 = (kind >= 3 ? CR4_PAE : 0) | (bits & 128 ? CR4_SMAP | CR4_SMEP : 0) | CR4_PSE;
	e->efer = (kind == 4 ? EFER_LME | EFER_LMA : 0) | (bits & 256 ? EFER_NXE : 0);
	e->cr3 = kind == 4 ? 0x1000 : kind == 3 ? 0x6020 : 0x7000;
	e->cpl = kind && bits & 512 ? 3 : 0;
	e->rflags = RFLAGS_FIXED | (bits >> 4 & (RFLAGS_DF | RFLAGS_CF)) | (bits & 1024 ? RFLAGS_AC : 0);
	e->rip = GPA_CODE + (bits & 2048 ? 0xff8 : 0);
	tables(in, kind >= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct x86_env e;
	enum exit_action a;
	uint64_t first = take(&in, 1);

	guestmem_reset(&vm, &v);
	environment(&e, &in, (unsigned int)(first % 5));
	for (int i = 0; i < REG_COUNT; i++) {
		uint64_t r = take(&in, 3);

		v.gpr[i] = r >> 23 ? (uint64_t)((int64_t)(r << 40) >> 40) : r;
	}
	if (in.left > 32)
		in.left = 32;
	memcpy(guestmem.ram + e.rip, in.p, in.left < GUEST_RAM - e.rip ? in.left : 8);
	memset(&v.fault, 0xff, sizeof(v.fault));

	switch (first / 5 % 3) {
	case 0:  a = emulate_mmio(&v, &e); break;
	case 1:  a = emulate_string_io(&v, &e, (uint16_t)v.gpr[REG_RDX], 1u << (first & 1), true); break;
	default: a = emulate_string_io(&v, &e, (uint16_t)v.gpr[REG_RDX], 1u << (first & 1), false); break;
	}
	check(a == EXIT_AGAIN || a == EXIT_FAULT || a == EXIT_STOP);
	check(a != EXIT_FAULT || v.fault.vector < 32);
	check((a == EXIT_STOP) == (vm.stop.kind != STOP_NONE));
	check(guestmem.accesses <= EMULATE_CHUNK * 16);
	return 0;
}
