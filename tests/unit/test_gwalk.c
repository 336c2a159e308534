/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest page walk: every format, every refusal with its exact error code, accessed and dirty bits, races. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "arch/x86/mm/gwalk.h"
#include "tests/unit/support/guestmem.h"

#define RIGHTS (PTE_P | PTE_RW | PTE_US)

/* Tables of the test's guest, root first. */
#define T4 0x1000u
#define T3 0x2000u
#define T2 0x3000u
#define T1 0x4000u

static struct vm vm;
static struct vcpu v;
static struct x86_env e;
static struct x86_fault f;
static gpa_t out;

static void start(uint64_t cr4, uint64_t efer, uint64_t cr3)
{
	guestmem_reset(&vm, &v);
	memset(&e, 0, sizeof(e));
	e.cr0 = CR0_PE | CR0_PG;
	e.cr3 = cr3;
	e.cr4 = cr4;
	e.efer = efer;
	e.rflags = RFLAGS_FIXED;
	for (int i = 0; i < SEG_COUNT; i++)
		e.seg[i] = (struct x86_seg){ .sel = 8, .attr = 0xc93, .limit = 0xffffffff };
	e.seg[SEG_CS].attr = efer & EFER_LMA ? 0xa9b : 0xc9b;
	memset(&f, 0xee, sizeof(f));
}

/* linear 0x00c03xxx (directory entry 3, table entry 3) to GPA 0x9000. */
static void start_32(uint64_t cr4)
{
	start(cr4, 0, T2);
	guest_put(T2 + 3 * 4, T1 | RIGHTS, 4);
	guest_put(T1 + 3 * 4, 0x9000 | RIGHTS, 4);
}

/* linear 0x40603xxx (1, 3, 3) to GPA 0x9000. */
static void start_pae(uint64_t efer)
{
	start(CR4_PAE, efer, T3 + 0x20);
	guest_put(T3 + 0x20 + 1 * 8, T2 | PTE_P, 8);
	guest_put(T2 + 3 * 8, T1 | RIGHTS, 8);
	guest_put(T1 + 3 * 8, 0x9000 | RIGHTS, 8);
}

/* linear 0xffff8000'40603xxx (256, 1, 3, 3) to GPA 0x9000. */
#define LIN64 0xffff800040603000ull

static void start_long(uint64_t cr4, uint64_t efer)
{
	start(CR4_PAE | cr4, EFER_LME | EFER_LMA | efer, T4 | 0xfff); /* a PCID and its like are no address */
	guest_put(T4 + 256 * 8, T3 | RIGHTS, 8);
	guest_put(T3 + 1 * 8, T2 | RIGHTS, 8);
	guest_put(T2 + 3 * 8, T1 | RIGHTS, 8);
	guest_put(T1 + 3 * 8, 0x9000 | RIGHTS, 8);
}

static void good(uint64_t gva, unsigned int access, uint64_t want)
{
	assert_int_equal(gva_translate(&v, &e, gva, access, &out, &f), 0);
	assert_int_equal(out.v, want);
}

static void bad(uint64_t gva, unsigned int access, uint32_t error)
{
	memset(&f, 0xee, sizeof(f));
	assert_int_equal(gva_translate(&v, &e, gva, access, &out, &f), -EFAULT);
	assert_int_equal(f.vector, EXC_PF);
	assert_true(f.has_error);
	assert_int_equal(f.error, error);
	assert_int_equal(f.cr2, gva);
}

static void test_no_paging(void **state)
{
	(void)state;
	start(0, 0, T2);
	e.cr0 = 0;
	good(0x12345, GVA_WRITE, 0x12345);
	good(0x100000123ull, GVA_READ, 0x123);
	e.cr0 = CR0_PE;
	good(0xfffffff0, GVA_FETCH, 0xfffffff0);
	assert_int_equal(flatmem.cas, 0);
}

static void test_32(void **state)
{
	(void)state;
	start_32(0);
	good(0xc03123, GVA_READ, 0x9123);
	assert_int_equal(guest_get(T2 + 12, 4), T1 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T1 + 12, 4), 0x9000 | RIGHTS | PTE_A);
	good(0xc03ffc, GVA_WRITE, 0x9ffc);
	assert_int_equal(guest_get(T2 + 12, 4), T1 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T1 + 12, 4), 0x9000 | RIGHTS | PTE_A | PTE_D);
	assert_int_equal(flatmem.cas, 3);
	good(0xc03ffc, GVA_WRITE, 0x9ffc);
	assert_int_equal(flatmem.cas, 3);             /* nothing to set: no write */
	good(0x700c03000ull, GVA_READ, 0x9000);        /* linear addresses are 32 bits wide */
	bad(0xc04000, GVA_READ, 0);
	bad(0x803000, GVA_WRITE, PF_W);
	e.cpl = 3;
	bad(0x803000, GVA_WRITE, PF_W | PF_U);
	bad(0x803000, GVA_FETCH, PF_U);                /* no NX, no SMEP: fetches look like reads */
	e.cr4 = CR4_SMEP;
	bad(0x803000, GVA_FETCH, PF_U | PF_I);
	e.cr4 = 0;
	e.efer = EFER_NXE;                             /* means nothing to 32-bit entries */
	bad(0x803000, GVA_FETCH, PF_U);
	guest_put(T1 + 12, 0xfffff000 | RIGHTS, 4);
	good(0xc03123, GVA_READ, 0xfffff123);
}

static void test_32_large(void **state)
{
	(void)state;
	start_32(CR4_PSE);
	guest_put(T2 + 4 * 4, 0x00800000 | RIGHTS | PTE_PS, 4);
	good(0x1234567, GVA_WRITE, 0xa34567);
	assert_int_equal(guest_get(T2 + 16, 4), 0x00800000 | RIGHTS | PTE_PS | PTE_A | PTE_D);
	/* PSE-36: bits 20:13 are address bits 39:32, those above MAXPHYADDR reserved; bit 21 always, bit 12 is PAT. */
	guest_put(T2 + 16, 0x00800000 | 0x1ff000 | RIGHTS | PTE_PS, 4);
	good(0x1234567, GVA_READ, 0xff00a34567ull);
	vm.phys_bits = 52;
	good(0x1234567, GVA_READ, 0xff00a34567ull);
	vm.phys_bits = 36;
	bad(0x1234567, GVA_READ, PF_P | PF_RSVD);
	guest_put(T2 + 16, 0x00800000 | 0x1e000 | RIGHTS | PTE_PS, 4);
	good(0x1234567, GVA_READ, 0xf00a34567ull);
	guest_put(T2 + 16, 0x00800000 | 0x20000 | RIGHTS | PTE_PS, 4);
	bad(0x1234567, GVA_READ, PF_P | PF_RSVD);
	vm.phys_bits = 32;
	guest_put(T2 + 16, 0x00800000 | 0x2000 | RIGHTS | PTE_PS, 4);
	bad(0x1234567, GVA_WRITE, PF_P | PF_RSVD | PF_W);
	vm.phys_bits = 40;
	guest_put(T2 + 16, 0x00a00000 | RIGHTS | PTE_PS, 4);
	bad(0x1234567, GVA_READ, PF_P | PF_RSVD);
	/* Without CR4.PSE the same entry names a table. */
	e.cr4 = 0;
	guest_put(T2 + 16, T1 | RIGHTS | PTE_PS, 4);
	good(0x1003000, GVA_READ, 0x9000);
}

static void test_pae(void **state)
{
	(void)state;
	start_pae(EFER_NXE);
	good(0x40603123, GVA_WRITE, 0x9123);
	assert_int_equal(guest_get(T3 + 0x28, 8), T2 | PTE_P);          /* a PDPTE has no A bit */
	assert_int_equal(guest_get(T2 + 24, 8), T1 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T1 + 24, 8), 0x9000 | RIGHTS | PTE_A | PTE_D);
	e.cpl = 3;
	good(0x40603123, GVA_WRITE, 0x9123);                            /* ... and no rights */
	e.cpl = 0;
	bad(0x00603000, GVA_READ, 0);
	guest_put(T2 + 4 * 8, 0x8000200000ull | RIGHTS | PTE_PS, 8);
	good(0x40923456, GVA_READ, 0x8000323456ull);
	for (unsigned int bit = 13; bit <= 20; bit++) {
		guest_put(T2 + 4 * 8, 1ull << bit | RIGHTS | PTE_PS, 8);
		bad(0x40923456, GVA_READ, PF_P | PF_RSVD);
	}
	guest_put(T2 + 4 * 8, 1ull << 12 | RIGHTS | PTE_PS, 8);
	good(0x40923456, GVA_READ, 0x123456);
}

/* Those that a CPU has in registers count, whatever memory says; in other kinds of paging there are none. */
static void test_pae_held(void **state)
{
	uint64_t pdpte[4] = { 0 };

	(void)state;
	start_pae(EFER_NXE);
	e.pdpte = pdpte;
	bad(0x40603000, GVA_READ, 0);
	pdpte[1] = T2 | PTE_P;
	guest_put(T3 + 0x28, 0, 8);
	good(0x40603123, GVA_WRITE, 0x9123);
	pdpte[3] = T2 | PTE_P;
	good(0xc0603123, GVA_READ, 0x9123);
	bad(0x00603000, GVA_READ, 0);
	start_long(0, 0);
	e.pdpte = (uint64_t[4]){ 0 };
	good(LIN64, GVA_READ, 0x9000);
	start_32(0);
	e.pdpte = (uint64_t[4]){ 0 };
	good(0x00c03000, GVA_READ, 0x9000);
}

static void test_pae_reserved(void **state)
{
	static const unsigned int pdpte[] = { 1, 2, 6, 7, 8, 40, 51, 52, 62, 63 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pdpte); i++) {
		start_pae(EFER_NXE);
		guest_put(T3 + 0x28, T2 | PTE_P | 1ull << pdpte[i], 8);
		bad(0x40603000, GVA_READ, PF_P | PF_RSVD);
	}
	start_pae(EFER_NXE);
	guest_put(T3 + 0x28, T2 | PTE_P | PTE_A, 8);                    /* as QEMU leaves it */
	good(0x40603000, GVA_READ, 0x9000);
	for (unsigned int bit = 40; bit <= 62; bit++) {
		start_pae(EFER_NXE);
		guest_put(T2 + 24, T1 | RIGHTS | 1ull << bit, 8);
		bad(0x40603000, GVA_READ, PF_P | PF_RSVD);
		start_pae(EFER_NXE);
		guest_put(T1 + 24, 0x9000 | RIGHTS | 1ull << bit, 8);
		bad(0x40603000, GVA_READ, PF_P | PF_RSVD);
	}
	start_pae(0);
	guest_put(T1 + 24, 0x9000 | RIGHTS | PTE_NX, 8);
	bad(0x40603000, GVA_FETCH, PF_P | PF_RSVD);                     /* NXE off: no I bit in the code either */
	start_pae(EFER_NXE);
	guest_put(T1 + 24, 0x9000 | RIGHTS | PTE_NX, 8);
	good(0x40603000, GVA_WRITE, 0x9000);
	bad(0x40603000, GVA_FETCH, PF_P | PF_I);
}

static void test_long(void **state)
{
	(void)state;
	start_long(0, EFER_NXE);
	good(LIN64 + 0x123, GVA_WRITE, 0x9123);
	assert_int_equal(guest_get(T4 + 256 * 8, 8), T3 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T3 + 8, 8), T2 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T2 + 24, 8), T1 | RIGHTS | PTE_A);
	assert_int_equal(guest_get(T1 + 24, 8), 0x9000 | RIGHTS | PTE_A | PTE_D);
	guest_put(T3 + 2 * 8, 0x7fc0000000ull | 0x1000 | RIGHTS | PTE_PS, 8);     /* 1 GiB; bit 12 is PAT */
	good(0xffff8000b2345678ull, GVA_READ, 0x7ff2345678ull);
	guest_put(T2 + 5 * 8, 0x8000600000ull | RIGHTS | PTE_PS, 8);              /* 2 MiB */
	good(0xffff800040abcdefull, GVA_WRITE, 0x80006bcdefull);
	assert_int_equal(guest_get(T2 + 40, 8), 0x8000600000ull | RIGHTS | PTE_PS | PTE_A | PTE_D);
	guest_put(T1 + 24, 0x9000 | RIGHTS | 0x7ffull << 52 | 0xe00, 8);          /* for software; protection key */
	good(LIN64, GVA_READ, 0x9000);
	bad(0x1000, GVA_READ, 0);
}

static void test_long_reserved(void **state)
{
	static const uint32_t at[] = { T4 + 256 * 8, T3 + 8, T2 + 24, T1 + 24 };
	static const uint64_t next[] = { T3, T2, T1, 0x9000 };

	(void)state;
	for (int level = 0; level < 4; level++) {
		for (unsigned int bit = 40; bit <= 51; bit++) {
			start_long(0, EFER_NXE);
			guest_put(at[level], next[level] | RIGHTS | 1ull << bit, 8);
			bad(LIN64, GVA_READ, PF_P | PF_RSVD);
			vm.phys_bits = 52;                                /* then it is an address, beyond RAM: ones */
			if (level < 2)
				bad(LIN64, GVA_READ, PF_P | PF_RSVD);
			else if (level == 2)
				good(LIN64, GVA_READ, PTE_ADDR);
			else
				good(LIN64, GVA_READ, 0x9000 | 1ull << bit);
		}
		start_long(0, 0);
		guest_put(at[level], next[level] | RIGHTS | PTE_NX, 8);
		bad(LIN64, GVA_READ, PF_P | PF_RSVD);
		e.efer |= EFER_NXE;
		bad(LIN64, GVA_FETCH, PF_P | PF_I);
		good(LIN64, GVA_READ, 0x9000);
	}
	start_long(0, 0);
	guest_put(T4 + 256 * 8, T3 | RIGHTS | PTE_PS, 8);
	bad(LIN64, GVA_READ, PF_P | PF_RSVD);
	for (unsigned int bit = 13; bit <= 29; bit++) {
		start_long(0, 0);
		guest_put(T3 + 8, 1ull << bit | RIGHTS | PTE_PS, 8);
		bad(LIN64, GVA_READ, PF_P | PF_RSVD);
		start_long(0, 0);
		guest_put(T2 + 24, 1ull << bit | RIGHTS | PTE_PS, 8);
		if (bit <= 20)
			bad(LIN64, GVA_WRITE, PF_P | PF_RSVD | PF_W);
		else
			good(LIN64, GVA_WRITE, (1ull << bit) + 0x3000);
	}
}

/* What the manuals' tables say, written another way than the code under test: by case, user or supervisor page. */
static int64_t expected_error(bool user_page, bool writable, bool nx, unsigned int access, uint8_t cpl)
{
	bool implicit = access & GVA_IMPLICIT_SUPERVISOR, user = cpl == 3 && !implicit;
	bool write = access & GVA_WRITE, fetch = access & GVA_FETCH, fault = false;
	int64_t code = PF_P | (write ? PF_W : 0) | (user ? PF_U : 0);

	if (fetch && (e.efer & EFER_NXE || e.cr4 & CR4_SMEP))
		code |= PF_I;
	if (fetch && nx)
		fault = true;
	if (user && (!user_page || (write && !writable)))
		fault = true;
	if (!user && write && !writable && e.cr0 & CR0_WP)
		fault = true;
	if (!user && user_page && fetch && e.cr4 & CR4_SMEP)
		fault = true;
	if (!user && user_page && !fetch && e.cr4 & CR4_SMAP && (implicit || !(e.rflags & RFLAGS_AC)))
		fault = true;
	return fault ? code : -1;
}

/* Every combination of rights, controls and access, the restriction at each level in turn. */
static void test_rights(void **state)
{
	static const unsigned int access[] = { GVA_READ, GVA_WRITE, GVA_FETCH, GVA_IMPLICIT_SUPERVISOR,
					       GVA_IMPLICIT_SUPERVISOR | GVA_WRITE };
	static const uint32_t at[] = { T4 + 256 * 8, T3 + 8, T2 + 24, T1 + 24 };
	static const uint64_t next[] = { T3, T2, T1, 0x9000 };
	unsigned int faults = 0, passes = 0;

	(void)state;
	for (unsigned int c = 0; c < 4 * 8 * 32 * 5 * 3; c++) {
		unsigned int level = c & 3, a = access[c / 1024 % 5];
		bool us = c & 4, rw = c & 8, nx = c & 16;
		int64_t want;

		start_long((c & 32 ? CR4_SMEP : 0) | (c & 64 ? CR4_SMAP : 0), EFER_NXE);
		e.cr0 |= c & 128 ? CR0_WP : 0;
		e.rflags |= c & 256 ? RFLAGS_AC : 0;
		e.cpl = (uint8_t[]){ 0, 3, 1 }[c / 5120];
		guest_put(at[level], next[level] | PTE_P | (us ? PTE_US : 0) | (rw ? PTE_RW : 0) | (nx ? PTE_NX : 0),
			  8);
		want = expected_error(us, rw, nx, a, e.cpl);
		if (want < 0) {
			good(LIN64, a, 0x9000);
			passes++;
		} else {
			bad(LIN64, a, (uint32_t)want);
			assert_int_equal(flatmem.cas, 0);        /* a refused access marks nothing */
			faults++;
		}
	}
	assert_true(faults > 2000 && passes > 2000);
}

static void test_canonical(void **state)
{
	static const uint64_t wrong[] = { 0x800000000000ull, 0xffff7fffffffffffull, 0x4000000000000000ull };

	(void)state;
	start_long(0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(gva_translate(&v, &e, wrong[i], GVA_READ, &out, &f), -EFAULT);
		assert_int_equal(f.vector, EXC_GP);
		assert_true(f.has_error);
		assert_int_equal(f.error, 0);
	}
	/* Compatibility mode: linear addresses are cut, except those of descriptor tables. */
	e.seg[SEG_CS].attr = 0xc9b;
	guest_put(T4, T3 | RIGHTS, 8);
	good(0xffff800040603000ull, GVA_READ, 0x9000);
	guest_put(T4, 0, 8);
	memset(&f, 0xee, sizeof(f));
	assert_int_equal(gva_translate(&v, &e, 0xffff800040603000ull, GVA_READ, &out, &f), -EFAULT);
	assert_int_equal(f.cr2, 0x40603000);
	good(0xffff800040603000ull, GVA_IMPLICIT_SUPERVISOR, 0x9000);
}

static unsigned int flips;
static unsigned int flips_left;

static void point_elsewhere(gpa_t at)
{
	(void)at;
	if (!flips_left)
		return;
	flips_left--;
	flips++;
	guest_put(T1 + 24, (0xa000 + 0x1000 * (flips & 1)) | RIGHTS, 8);
}

static void take_away(gpa_t at)
{
	(void)at;
	guest_put(T1 + 24, 0, 8);
}

static void test_race(void **state)
{
	(void)state;
	start_long(0, 0);
	flips = 0;
	flips_left = 1;
	flatmem.before_cas = point_elsewhere;
	good(LIN64, GVA_WRITE, 0xb000);                /* the new entry's page, not the old one's */
	assert_int_equal(guest_get(T1 + 24, 8), 0xb000 | RIGHTS | PTE_A | PTE_D);
	flips_left = ~0u;
	guest_put(T1 + 24, 0x9000 | RIGHTS, 8);
	assert_int_equal(gva_translate(&v, &e, LIN64, GVA_WRITE, &out, &f), -EAGAIN);
	assert_int_equal(guest_get(T1 + 24, 8) & (PTE_A | PTE_D), 0);
	flatmem.before_cas = take_away;
	guest_put(T1 + 24, 0x9000 | RIGHTS, 8);
	bad(LIN64, GVA_READ, 0);
}

static void test_tables_not_ram(void **state)
{
	(void)state;
	start_long(0, 0);
	guest_put(T2 + 24, GUEST_MMIO | RIGHTS, 8);
	bad(LIN64, GVA_READ, PF_P | PF_RSVD);
	e.cr3 = GUEST_MMIO;
	bad(LIN64, GVA_READ, PF_P | PF_RSVD);
	assert_int_equal(guestmem.accesses, 0);        /* no device saw it */
	/* 32-bit entries of ones are present, and have no reserved bits without PSE. */
	start(0, 0, GUEST_MMIO);
	good(0x1234, GVA_READ, 0xfffff234);
	/* Tables in ROM work, and cannot be marked. */
	start_32(0);
	guest_put(T2 + 12, GUEST_ROM | RIGHTS, 4);
	guest_put(GUEST_ROM + 12, 0x9000 | RIGHTS, 4);
	good(0xc03000, GVA_WRITE, 0x9000);
	assert_int_equal(guest_get(GUEST_ROM + 12, 4), 0x9000 | RIGHTS);
}

/* Two neighbouring linear pages on two GPAs that are not neighbours. */
static void start_pair(uint64_t second)
{
	start_long(0, EFER_NXE);
	guest_put(T1 + 24, 0x9000 | RIGHTS, 8);
	guest_put(T1 + 32, second, 8);
}

static void test_copy(void **state)
{
	static uint8_t big[GVA_COPY_MAX + 1];
	uint8_t buf[16], want[16];

	(void)state;
	start_pair(0x7000 | RIGHTS);
	for (unsigned int i = 0; i < 16; i++)
		want[i] = (uint8_t)(i + 1);
	assert_int_equal(gva_write(&v, &e, LIN64 + 0xffa, want, 16, &f), 0);
	assert_memory_equal(guestmem.ram + 0x9ffa, want, 6);
	assert_memory_equal(guestmem.ram + 0x7000, want + 6, 10);
	assert_int_equal(gva_read(&v, &e, LIN64 + 0xffa, buf, 16, GVA_READ, &f), 0);
	assert_memory_equal(buf, want, 16);
	assert_int_equal(gva_read(&v, &e, LIN64, big, GVA_COPY_MAX + 1, GVA_READ, &f), -E2BIG);
	/* The second page faults: nothing of the first is copied. */
	start_pair(0x7000 | PTE_P);
	e.cr0 |= CR0_WP;
	assert_int_equal(gva_write(&v, &e, LIN64 + 0xffa, want, 16, &f), -EFAULT);
	assert_int_equal(f.error, PF_P | PF_W);
	assert_int_equal(f.cr2, LIN64 + 0x1000);
	assert_int_equal(guest_get(0x9ffa, 6), 0);
	start_pair(0);
	memset(buf, 0x55, 16);
	assert_int_equal(gva_read(&v, &e, LIN64 + 0xffa, buf, 16, GVA_READ, &f), -EFAULT);
	assert_int_equal(buf[0], 0x55);
	start_pair(GUEST_MMIO | RIGHTS);
	assert_int_equal(gva_read(&v, &e, LIN64 + 0xffa, buf, 16, GVA_READ, &f), -ENXIO);
	assert_int_equal(buf[0], 0x55);
	assert_int_equal(gva_write(&v, &e, LIN64 + 0xffa, want, 16, &f), -ENXIO);
	assert_int_equal(guest_get(0x9ffa, 6), 0);
	start_pair(GUEST_ROM | RIGHTS);
	assert_int_equal(gva_read(&v, &e, LIN64 + 0xffa, buf, 16, GVA_READ, &f), 0);
	assert_int_equal(gva_write(&v, &e, LIN64 + 0x1000, want, 16, &f), -ENXIO);
	assert_int_equal(guestmem.accesses, 0);
}

static void test_fetch_long(void **state)
{
	uint8_t buf[15];

	(void)state;
	start_pair(0x7000 | RIGHTS | PTE_NX);
	memset(guestmem.ram + 0x9000, 0x90, 0x1000);
	e.seg[SEG_CS].base = 0x12345000;               /* ignored in 64-bit mode */
	e.rip = LIN64 + 0xff1;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 15);
	assert_int_equal(buf[14], 0x90);
	e.rip = LIN64 + 0xff2;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 14);
	e.rip = LIN64 + 0xfff;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 1);
	e.rip = LIN64 + 0x1000;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -EFAULT);
	assert_int_equal(f.error, PF_P | PF_I);
	guest_put(T1 + 32, 0x7000 | RIGHTS, 8);
	guest_put(0x7000, 0xcc, 1);
	e.rip = LIN64 + 0xfff;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 15);
	assert_int_equal(buf[1], 0xcc);
	guest_put(T1 + 32, GUEST_MMIO | RIGHTS, 8);
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 1);
	e.rip = LIN64 + 0x1000;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -ENXIO);
	e.rip = 0x800000000000ull;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -EFAULT);
	assert_int_equal(f.vector, EXC_GP);
}

static void test_fetch_segmented(void **state)
{
	uint8_t buf[15];

	(void)state;
	start(0, 0, 0);
	e.cr0 = 0;
	e.seg[SEG_CS] = (struct x86_seg){ .sel = 0x100, .attr = 0x9b, .limit = 0xffff, .base = 0x1000 };
	memset(guestmem.ram + 0x10ff0, 0x41, 16);
	e.rip = 0xfff0;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 15);
	assert_int_equal(buf[0], 0x41);
	e.rip = 0xfff8;                                /* ends with the segment */
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 8);
	e.rip = 0x10000;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -EFAULT);
	assert_int_equal(f.vector, EXC_GP);
	assert_false(f.has_error);                     /* real mode pushes none */
	e.cr0 = CR0_PE;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -EFAULT);
	assert_true(f.has_error);
	/* base + offset is taken modulo 4 GiB. */
	e.seg[SEG_CS] = (struct x86_seg){ .sel = 8, .attr = 0xc9b, .limit = 0xffffffff, .base = 0xffff0000 };
	guest_put(0x2000, 0x77, 1);
	e.rip = 0x12000;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), 15);
	assert_int_equal(buf[0], 0x77);
	e.seg[SEG_CS].base = 0;                        /* the last bytes of 4 GiB: 0 follows, the limit ends it */
	e.rip = 0xfffffffc;
	assert_int_equal(gva_fetch(&v, &e, buf, &f), -ENXIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging), cmocka_unit_test(test_32), cmocka_unit_test(test_32_large),
		cmocka_unit_test(test_pae), cmocka_unit_test(test_pae_held),
		cmocka_unit_test(test_pae_reserved), cmocka_unit_test(test_long),
		cmocka_unit_test(test_long_reserved), cmocka_unit_test(test_rights), cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_race), cmocka_unit_test(test_tables_not_ram), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_fetch_long), cmocka_unit_test(test_fetch_segmented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
