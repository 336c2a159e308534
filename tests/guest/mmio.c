/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory-mapped registers by every instruction form that drivers use. The same instruction runs on RAM and on a
 * register; memory, registers and flags must come out the same. The register is the LAPIC timer's initial count (32
 * bits that read back as written; the timer is masked); bytes and words read from addresses that nobody claims.
 */
#include "lib/guest.h"

const char test_name[] = "mmio";

#define SCRATCH (LAPIC + APIC_TMICT)
#define NOBODY 0xd1230000ull      /* in the MMIO window; plain QEMU has nothing there either */
#define UD 6u
#define PF 14u

#define ARITHMETIC 0x8d5u         /* OF SF ZF AF PF CF */
#define NO_AF 0x8c5u              /* logic leaves AF undefined */
#define CF_ONLY 0x1u              /* bit tests leave the others undefined */

struct regs {
	u64 a, c, d, si, di, r9, flags;
};

typedef void (*form_fn)(void *p, struct regs *r);

#define FORM(name, insn) \
	static void name(void *p, struct regs *r) \
	{ \
		register u64 r9 asm("r9") = r->r9; \
		r->di = r->si = (u64)p; \
		asm volatile("push %[f]; popfq; " insn "; pushfq; pop %[f]; cld" \
			     : "+a"(r->a), "+c"(r->c), "+d"(r->d), "+S"(r->si), "+D"(r->di), "+r"(r9), [f] "+b"(r->flags) \
			     :: "memory", "cc"); \
		r->r9 = r9; \
	}

FORM(store, "movl %%eax, (%%rdi)")
FORM(store_r9, "movl %%r9d, (%%rdi)")
FORM(store_imm, "movl $0x76543210, (%%rdi)")
FORM(load, "movl (%%rdi), %%eax")
FORM(load_r9, "movl (%%rdi), %%r9d")
FORM(load_disp8, "subq $0x40, %%rdi; movl 0x40(%%rdi), %%ecx; addq $0x40, %%rdi")
FORM(load_disp32, "addq $0x4000, %%rdi; movl -0x4000(%%rdi), %%ecx; subq $0x4000, %%rdi")
FORM(load_sib, "movl $4, %%ecx; subq $0x14, %%rdi; movl 4(%%rdi, %%rcx, 4), %%edx; addq $0x14, %%rdi")
FORM(load_addr32, "movl (%%edi), %%edx")
FORM(load_movsxd, "movslq (%%rdi), %%rax")
FORM(xchg, "xchgl %%eax, (%%rdi)")
FORM(xchg_r9, "xchgl %%r9d, (%%rdi)")
FORM(add_m, "addl %%eax, (%%rdi)")
FORM(add_r, "addl (%%rdi), %%eax")
FORM(add_i8, "addl $-5, (%%rdi)")
FORM(add_i32, "addl $0x12345678, (%%rdi)")
FORM(adc_m, "adcl %%eax, (%%rdi)")
FORM(sbb_m, "sbbl %%eax, (%%rdi)")
FORM(sub_m, "subl %%ecx, (%%rdi)")
FORM(sub_r, "subl (%%rdi), %%ecx")
FORM(cmp_m, "cmpl %%eax, (%%rdi)")
FORM(cmp_r, "cmpl (%%rdi), %%eax")
FORM(cmp_i8, "cmpl $3, (%%rdi)")
FORM(or_m, "orl %%eax, (%%rdi)")
FORM(or_lock, "lock orl $0x80, (%%rdi)")
FORM(and_m, "andl %%eax, (%%rdi)")
FORM(and_r, "andl (%%rdi), %%edx")
FORM(and_i32, "andl $0xff00ff, (%%rdi)")
FORM(xor_m, "xorl %%edx, (%%rdi)")
FORM(xor_lock, "lock xorl %%edx, (%%rdi)")
FORM(test_m, "testl %%eax, (%%rdi)")
FORM(test_i32, "testl $0x80000001, (%%rdi)")
FORM(inc_m, "incl (%%rdi)")
FORM(dec_m, "decl (%%rdi)")
FORM(not_m, "notl (%%rdi)")
FORM(neg_m, "negl (%%rdi)")
FORM(bt_i, "btl $7, (%%rdi)")
FORM(bts_i, "btsl $31, (%%rdi)")
FORM(btr_i, "btrl $4, (%%rdi)")
FORM(btc_i, "lock btcl $9, (%%rdi)")
/* A register's bit number reaches beyond the operand that the instruction names: here it is the one at RDI again. */
FORM(bts_r, "movl $37, %%ecx; btsl %%ecx, -4(%%rdi)")
FORM(btr_r, "movl $-31, %%ecx; btrl %%ecx, 4(%%rdi)")
FORM(movnti, "movnti %%eax, (%%rdi)")
FORM(cmpxchg_no, "lock cmpxchgl %%edx, (%%rdi)")
FORM(cmpxchg_yes, "movl (%%rdi), %%eax; lock cmpxchgl %%edx, (%%rdi)")
FORM(xadd_m, "lock xaddl %%ecx, (%%rdi)")
FORM(stos, "stosl")
FORM(rep_stos, "movl $1, %%ecx; rep stosl")
FORM(lods, "lodsl")
FORM(scas, "scasl")
FORM(fs_load, "movl %%fs:(%%rdi), %%eax")

struct form {
	const char *name;
	form_fn fn;
	u64 flags;                /* those that must agree */
};

#define ROW(fn, flags) { #fn, fn, flags }
static const struct form forms[] = {
	ROW(store, ARITHMETIC), ROW(store_r9, ARITHMETIC), ROW(store_imm, ARITHMETIC), ROW(load, ARITHMETIC),
	ROW(load_r9, ARITHMETIC), ROW(load_disp8, 0), ROW(load_disp32, 0), ROW(load_sib, 0), ROW(load_addr32, ARITHMETIC),
	ROW(load_movsxd, ARITHMETIC), ROW(xchg, ARITHMETIC), ROW(xchg_r9, ARITHMETIC), ROW(add_m, ARITHMETIC),
	ROW(add_r, ARITHMETIC), ROW(add_i8, ARITHMETIC), ROW(add_i32, ARITHMETIC), ROW(adc_m, ARITHMETIC),
	ROW(sbb_m, ARITHMETIC), ROW(sub_m, ARITHMETIC), ROW(sub_r, ARITHMETIC), ROW(cmp_m, ARITHMETIC),
	ROW(cmp_r, ARITHMETIC), ROW(cmp_i8, ARITHMETIC), ROW(or_m, NO_AF), ROW(or_lock, NO_AF), ROW(and_m, NO_AF),
	ROW(and_r, NO_AF), ROW(and_i32, NO_AF), ROW(xor_m, NO_AF), ROW(xor_lock, NO_AF), ROW(test_m, NO_AF),
	ROW(test_i32, NO_AF), ROW(inc_m, ARITHMETIC), ROW(dec_m, ARITHMETIC), ROW(not_m, ARITHMETIC),
	ROW(neg_m, ARITHMETIC), ROW(bt_i, CF_ONLY), ROW(bts_i, CF_ONLY), ROW(btr_i, CF_ONLY), ROW(btc_i, CF_ONLY),
	ROW(bts_r, CF_ONLY), ROW(btr_r, CF_ONLY), ROW(movnti, ARITHMETIC), ROW(cmpxchg_no, ARITHMETIC),
	ROW(cmpxchg_yes, ARITHMETIC), ROW(xadd_m, ARITHMETIC), ROW(stos, ARITHMETIC),
	ROW(rep_stos, ARITHMETIC), ROW(lods, ARITHMETIC), ROW(scas, ARITHMETIC), ROW(fs_load, ARITHMETIC),
};

static u8 nobody;                 /* what NOBODY reads as: ones in Vouch */
static u32 ram[4096] __attribute__((aligned(4096)));

static bool same_regs(struct regs x, struct regs y, u64 px, u64 py, u64 mask)
{
	return x.a == y.a && x.c == y.c && x.d == y.d && x.r9 == y.r9 && x.di - px == y.di - py && x.si - px == y.si - py &&
	       ((x.flags ^ y.flags) & mask) == 0;
}

static void check_form(const struct form *f)
{
	static const u32 values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678, 3 };
	unsigned int i, carry;
	bool ok = true;

	for (i = 0; i < ARRAY_SIZE(values) && ok; i++)
		for (carry = 0; carry < 2 && ok; carry++) {
			struct regs x = { .a = 0xa5a5a5a5deadbeefull, .c = 0x1111111180000000ull, .d = 0x2222222200000003ull,
					  .r9 = 0x9999999987654321ull, .flags = 2 | carry };
			struct regs y = x;
			volatile u32 *mmio = at(SCRATCH);

			ram[64] = values[i];
			*mmio = values[i];
			f->fn(&ram[64], &x);
			f->fn((void *)mmio, &y);
			ok = same_regs(x, y, (u64)&ram[64], SCRATCH, f->flags) && *mmio == ram[64];
			if (!ok)
				print("%s of %x: memory %x and %x, rax %lx %lx, rcx %lx %lx, flags %lx %lx\n", f->name,
				      values[i], ram[64], *mmio, x.a, y.a, x.c, y.c, x.flags, y.flags);
		}
	report(ok, "form %s", f->name);
}

/* Reads of bytes, words and quadwords: from addresses of nobody, and from RAM full of what they read as. */
FORM(byte_al, "movb (%%rdi), %%al")
FORM(byte_ah, "movb (%%rdi), %%ah")
FORM(byte_r9, "movb (%%rdi), %%r9b")
FORM(word_ax, "movw (%%rdi), %%ax")
FORM(quad, "movq (%%rdi), %%rax")
FORM(zx_bl, "movzbl (%%rdi), %%eax")
FORM(zx_bw, "movzbw (%%rdi), %%ax")
FORM(zx_wl, "movzwl (%%rdi), %%eax")
FORM(zx_wq, "movzwq (%%rdi), %%r9")
FORM(sx_bl, "movsbl (%%rdi), %%eax")
FORM(sx_bq, "movsbq (%%rdi), %%rdx")
FORM(sx_wl, "movswl (%%rdi), %%eax")
FORM(sx_wq, "movswq (%%rdi), %%rax")
FORM(unaligned, "movl 3(%%rdi), %%eax")
FORM(across_pages, "movl 4094(%%rdi), %%eax")
FORM(quad_across, "movq 4093(%%rdi), %%rax")
FORM(and_b, "andb (%%rdi), %%al")
FORM(test_b, "testb $0x10, (%%rdi)")
FORM(cmp_w, "cmpw $-1, (%%rdi)")
FORM(cmp_q, "cmpq $-1, (%%rdi)")
FORM(lodsb, "lodsb")
FORM(rep_lodsw, "movl $5, %%ecx; rep lodsw")
FORM(scasb_while, "movl $9000, %%ecx; movb $0xff, %%al; repe scasb")
FORM(scasb_until, "movl $9000, %%ecx; movb $0xff, %%al; repne scasb")
FORM(lodsq_down, "addq $64, %%rsi; movl $3, %%ecx; std; rep lodsq")

static const struct form reads[] = {
	ROW(byte_al, ARITHMETIC), ROW(byte_ah, ARITHMETIC), ROW(byte_r9, ARITHMETIC), ROW(word_ax, ARITHMETIC),
	ROW(quad, ARITHMETIC), ROW(zx_bl, ARITHMETIC), ROW(zx_bw, ARITHMETIC), ROW(zx_wl, ARITHMETIC), ROW(zx_wq, ARITHMETIC),
	ROW(sx_bl, ARITHMETIC), ROW(sx_bq, ARITHMETIC), ROW(sx_wl, ARITHMETIC), ROW(sx_wq, ARITHMETIC),
	ROW(unaligned, ARITHMETIC), ROW(across_pages, ARITHMETIC), ROW(quad_across, ARITHMETIC), ROW(and_b, NO_AF),
	ROW(test_b, NO_AF), ROW(cmp_w, ARITHMETIC), ROW(cmp_q, ARITHMETIC), ROW(lodsb, ARITHMETIC),
	ROW(rep_lodsw, ARITHMETIC), ROW(scasb_while, ARITHMETIC), ROW(scasb_until, ARITHMETIC), ROW(lodsq_down, 0),
};

static void check_read(const struct form *f)
{
	struct regs x = { .a = 0xa5a5a5a5deadbeefull, .c = 0x1111111180000000ull, .d = 0x2222222200000003ull,
			  .r9 = 0x9999999987654321ull, .flags = 2 };
	struct regs y = x;

	memset(ram, nobody, sizeof(ram));
	f->fn(ram, &x);
	f->fn(at(NOBODY), &y);
	report(same_regs(x, y, (u64)ram, NOBODY, f->flags), "read %s of nobody's memory (rax %lx %lx)", f->name, x.a, y.a);
}

static bool all_nobody(const void *p, u64 n)
{
	const u8 *b = p;

	while (n--)
		if (*b++ != nobody)
			return false;
	return true;
}

static void movs(void *to, const void *from, u64 n)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

static void movs_dwords(void *to, const void *from, u64 n)
{
	asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

static void stos_qwords(void *to, u64 v, u64 n)
{
	asm volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(v) : "memory");
}

static void check_strings(void)
{
	volatile u32 *mmio = at(SCRATCH);

	memset(ram, 0x5a, sizeof(ram));
	movs((u8 *)ram + 5, at(NOBODY + 0xf00), 1000);
	report(all_nobody((u8 *)ram + 5, 1000) && ((u8 *)ram)[4] == 0x5a && ((u8 *)ram)[1005] == 0x5a,
		     "REP MOVSB of 1000 bytes from nobody, across pages");
	movs(at(NOBODY), ram, 9000);
	stos_qwords(at(NOBODY + 0x800), 0, 1000);
	report(*(volatile u8 *)at(NOBODY + 0x800) == nobody, "REP MOVSB and STOSQ to nobody vanish");
	ram[0] = 0xcafe1234;
	movs_dwords((void *)mmio, ram, 1);
	report(*mmio == 0xcafe1234, "MOVSL from RAM to a register");
	movs_dwords(&ram[1], (void *)mmio, 1);
	report(ram[1] == 0xcafe1234, "MOVSL from a register to RAM");
	lapic_write(APIC_TPR, 0x30);
	movs_dwords((void *)mmio, at(LAPIC + APIC_TPR), 1);
	report(*mmio == 0x30, "MOVSL from register to register");
	lapic_write(APIC_TPR, 0);
}

/* RAM is seen under two addresses here, of which the compiler knows one. */
static void store32(void *p, u32 v)
{
	asm volatile("movl %1, (%0)" :: "r"(p), "r"(v) : "memory");
}

/* Two pages side by side, one of RAM, one of nobody. */
static void check_mixed_pages(void)
{
	u8 *va = at(TEST_VA);
	u32 got;

	map_page(TEST_VA, (u64)ram, PTE_P | PTE_W);
	map_page(TEST_VA + 0x1000, NOBODY, PTE_P | PTE_W | PTE_PCD);
	map_page(TEST_VA + 0x2000, (u64)ram + 0x1000, PTE_P | PTE_W);
	memset(ram, 0x11, sizeof(ram));
	got = *(volatile u32 *)(va + 0xffe);
	report(got == (0x1111u | (nobody * 0x01010000u)), "a read from RAM into nobody's page (%x)", got);
	got = *(volatile u32 *)(va + 0x1ffe);
	report(got == (0x11110000u | nobody * 0x101u), "a read from nobody's page into RAM (%x)", got);
	store32(va + 0xffe, 0xabcd2233);
	report(((u8 *)ram)[0xffe] == 0x33 && ((u8 *)ram)[0xfff] == 0x22, "a write from RAM into nobody's page");
	store32(va + 0x1ffe, 0x4455abcd);
	report(((u8 *)ram)[0x1000] == 0x55 && ((u8 *)ram)[0x1001] == 0x44, "a write from nobody's page into RAM (%x)", ram[0x400]);
	memset(ram, 0x5a, sizeof(ram));
	movs((u8 *)ram + 0x2000, va + 0xff0, 0x1020);
	report(((u8 *)ram)[0x200f] == 0x5a && all_nobody((u8 *)ram + 0x2010, 0x1000) && ((u8 *)ram)[0x3010] == 0x5a,
	       "REP MOVSB over RAM, nobody, RAM");
	memset((u8 *)ram + 0x2000, 0x77, 0x1800);
	movs(va + 0xff0, (u8 *)ram + 0x2000, 0x1020);
	report(((u8 *)ram)[0xff0] == 0x77 && ((u8 *)ram)[0xfff] == 0x77 && ((u8 *)ram)[0x100f] == 0x77 &&
	       ((u8 *)ram)[0x1010] == 0x5a, "and in the other direction");
}

static void load_at(void *p)
{
	asm volatile("movl (%0), %%eax" :: "r"(p) : "eax", "memory");
}

static void jump_to(void *p)
{
	((void (*)(void))p)();
}

static void flush_at(void *p)
{
	asm volatile("clflush (%0)" :: "r"(p) : "memory");
}

static void maskmov_at(void *p)
{
	asm volatile("pcmpeqd %%mm0, %%mm0; maskmovq %%mm0, %%mm0; emms" :: "D"(p) : "memory");
}

static void load_quad_at(void *p)
{
	asm volatile("movq (%0), %%rax" :: "r"(p) : "rax", "memory");
}

static void store_at(void *p)
{
	asm volatile("movl $0, (%0)" :: "r"(p) : "memory");
}

static void ins_stos(void *p)
{
	u64 n = 64;

	asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
}

static void check_faults(void)
{
	u8 *va = at(TEST_VA + 0x4000);
	u64 *pte;
	struct fault f;

	map_page((u64)va, NOBODY, PTE_P | PTE_PCD);
	f = guarded(store_at, va);
	report(f.vector == PF && f.error == 3 && f.cr2 == (u64)va, "a store through a read-only mapping of a device is #PF");
	map_page((u64)va, NOBODY, PTE_P | PTE_W | PTE_PCD);
	map_page((u64)va + 0x1000, 0, 0);
	f = guarded(load_quad_at, va + 0xffc);
	report(f.vector == PF && f.error == 0 && f.cr2 == (u64)va + 0x1000, "a load from a device into a missing page is #PF there");
	f = guarded(ins_stos, va + 0xff0);
	report(f.vector == PF && f.error == 2 && f.cr2 == (u64)va + 0x1000, "REP STOSB over it too");
	f = guarded_user(load_at, at(LAPIC + APIC_ID));
	report(f.vector == PF && f.error == 5, "no access to a supervisor page at CPL 3");
	paging_user(true);
	f = guarded_user(load_at, at(LAPIC + APIC_ID));
	report(f.vector == USER_DONE, "a register read at CPL 3");
	report_fault(guarded_user(jump_to, at(NOBODY)), UD, "code where no memory is, at CPL 3");
	report_fault(guarded_user(flush_at, at(LAPIC)), USER_DONE, "CLFLUSH of a device at CPL 3");
	report_fault(guarded_user(maskmov_at, at(NOBODY)), UD, "MASKMOVQ to a device is not emulated at CPL 3");
	paging_user(false);
	pte = map_page((u64)va, NOBODY, PTE_P | PTE_W | PTE_PCD);
	load_at(va);
	report((*pte & (PTE_A | PTE_D)) == PTE_A, "a load sets the A bit alone");
	store_at(va);
	report((*pte & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "a store sets A and D");
}

/* The accessing instruction itself lies across two pages that are not neighbours in memory. */
static void check_split_instruction(void)
{
	static const u8 code[] = { 0x8b, 0x87, 0x00, 0x00, 0x00, 0x00, 0xc3 };  /* mov 0(%rdi), %eax; ret */
	static u8 pages[3][4096] __attribute__((aligned(4096)));
	unsigned int before;
	bool ok = true;

	map_page(TEST_VA + 0x8000, (u64)pages[2], PTE_P | PTE_W);
	map_page(TEST_VA + 0x9000, (u64)pages[0], PTE_P | PTE_W);
	*(volatile u32 *)at(SCRATCH) = 0x600dcafe;
	for (before = 1; before < sizeof(code); before++) {
		u8 *to = at(TEST_VA + 0x9000 - before);
		u64 got;

		memcpy(to, code, sizeof(code));
		asm volatile("call *%1" : "=a"(got) : "r"(to), "D"(SCRATCH) : "memory");
		ok = ok && got == 0x600dcafe;
	}
	report(ok, "an instruction that lies across two pages");
}

static void check_absolute(void)
{
	u32 got;

	asm volatile("movabsl %%eax, 0xfee00380" :: "a"(0x13572468));
	asm volatile("movabsl 0xfee00380, %%eax" : "=a"(got));
	report(got == 0x13572468, "MOV with a 64-bit absolute address, both ways");
	asm volatile("movl %%eax, 0xfffffffffee00380(%1)" :: "a"(0x24681357), "r"(0x100000000ull));
	report(*(volatile u32 *)at(SCRATCH) == 0x24681357, "a negative displacement");
}

static void check_ioapic(void)
{
	report((ioapic_read(1) & 0xff) >= 0x10 && (ioapic_read(1) >> 16 & 0xff) >= 23, "IOAPIC version register %x", ioapic_read(1));
	ioapic_write(0x11, 0x5a000000);
	report(ioapic_read(0x11) == 0x5a000000, "an IOAPIC redirection entry keeps its destination");
	ioapic_write(0x10, 0x10055);
	report(ioapic_read(0x10) == 0x10055, "and its low half");
	ioapic_write(0x10, 0xffffffff);
	report((ioapic_read(0x10) & 0x5000) == 0, "status bits are read-only (%x)", ioapic_read(0x10));
	ioapic_write(0x10, 0x10000);
	ioapic_write(0x11, 0);
	ioapic_write(0x1, 0);
	report((ioapic_read(1) >> 16 & 0xff) >= 23, "the version is read-only");
	ioapic_read(0xf0);
	report(true, "an index without register does no harm");
}

static void check_lapic(void)
{
	static const u32 kept[][2] = { { APIC_TPR, 0xff }, { APIC_LDR, 0xff000000 }, { APIC_ICR2, 0xff000000 },
				       { APIC_TMICT, 0xffffffff }, { APIC_TDCR, 0xb } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++) {
		u32 old = lapic_read(kept[i][0]), now;

		lapic_write(kept[i][0], 0x5a5a5a5a & kept[i][1]);
		now = lapic_read(kept[i][0]);
		lapic_write(kept[i][0], old);
		report(now == (0x5a5a5a5a & kept[i][1]), "LAPIC register %x keeps its bits (%x)", kept[i][0], now);
	}
	report((lapic_read(APIC_VERSION) & 0xf0) == 0x10, "LAPIC version %x", lapic_read(APIC_VERSION));
	lapic_write(APIC_VERSION, 0);
	report((lapic_read(APIC_VERSION) & 0xf0) == 0x10, "the version is read-only");
	lapic_write(APIC_TMICT, 0);
}

/*
 * SDM 3A "The Local APIC Block Diagram": registers are reached by aligned doublewords; anything else is undefined. What
 * comes back may then be the register, or nothing, but no other memory; and the LAPIC goes on.
 */
static u64 narrow_read(u64 where, unsigned int size)
{
	u64 v = 0;

	switch (size) {
	case 1: asm volatile("movb (%1), %%al" : "+a"(v) : "r"(where)); break;
	case 2: asm volatile("movw (%1), %%ax" : "+a"(v) : "r"(where)); break;
	case 4: asm volatile("movl (%1), %%eax" : "=a"(v) : "r"(where)); break;
	default: asm volatile("movq (%1), %0" : "=a"(v) : "r"(where)); break;
	}
	return v;
}

static void narrow_write(u64 where, unsigned int size, u64 v)
{
	switch (size) {
	case 1: asm volatile("movb %b0, (%1)" :: "q"(v), "r"(where) : "memory"); break;
	case 2: asm volatile("movw %w0, (%1)" :: "r"(v), "r"(where) : "memory"); break;
	case 4: asm volatile("movl %k0, (%1)" :: "r"(v), "r"(where) : "memory"); break;
	default: asm volatile("movq %0, (%1)" :: "r"(v), "r"(where) : "memory"); break;
	}
}

static bool is_aligned_dword(unsigned int offset, unsigned int size)
{
	return size == 4 && offset == 0;
}

static bool is_byte_of(u32 value, u8 byte)
{
	return (u8)value == byte || (u8)(value >> 8) == byte || (u8)(value >> 16) == byte || value >> 24 == byte;
}

static void check_narrow_reads(u32 reg)
{
	u32 value = lapic_read(reg);
	unsigned int size, offset, i;
	bool own = true, exact = true;

	for (size = 1; size <= 8; size *= 2)
		for (offset = 0; offset < 16; offset++) {
			u64 got = narrow_read(LAPIC + reg + offset, size);

			for (i = 0; i < size; i++) {
				u8 byte = (u8)(got >> (8 * i)), there = offset + i < 4 ? (u8)(value >> (8 * (offset + i))) : 0;

				/* What lies beyond the sixteen bytes is the next register's business. */
				own = own && (offset + i >= 16 || is_byte_of(value, byte) || !byte || byte == 0xff);
				exact = exact && (offset + size > 4 || byte == there);
			}
		}
	report(own, "LAPIC register %x in all widths: itself or nothing", reg);
	report_vouch(exact, "within its four bytes, itself");
}

/* A CPU that virtualizes the local APIC takes some of them: then for the bytes that they are. */
static u32 in_part(u32 old, unsigned int offset, unsigned int size)
{
	for (unsigned int i = offset; i < offset + size && i < 4; i++)
		old = (old & ~(0xffu << 8 * i)) | 0xa3u << 8 * i;
	return old;
}

static void check_narrow_writes(u32 reg, u32 mask)
{
	u32 old = 0x5a5a5a5a & mask, now;
	unsigned int size, offset;
	bool kept = true, works = true;

	for (size = 1; size <= 8; size *= 2)
		for (offset = 0; offset < 16; offset++) {
			if (is_aligned_dword(offset, size))
				continue;
			lapic_write(reg, old);
			narrow_write(LAPIC + reg + offset, size, 0xa3a3a3a3a3a3a3a3ull);
			now = lapic_read(reg);
			kept = kept && (now == old || (offset + size <= 4 && now == (in_part(old, offset, size) & mask)) ||
					(offset == 0 && size == 8));
			lapic_write(reg, 0x33333333 & mask);
			works = works && lapic_read(reg) == (0x33333333 & mask);
		}
	lapic_write(reg, 0);
	report(works, "LAPIC register %x works after writes in all widths", reg);
	report_vouch(kept, "which it refuses or takes as they are, but for the doubleword");
}

static void check_lapic_widths(void)
{
	static const u32 read[] = { APIC_ID, APIC_VERSION, APIC_TPR, APIC_PPR, APIC_LDR, APIC_DFR, APIC_SVR, APIC_ISR, APIC_ICR,
				    APIC_LVTT, APIC_TMICT, APIC_TDCR };
	u32 svr = lapic_read(APIC_SVR), version = lapic_read(APIC_VERSION);
	unsigned int i;

	lapic_write(APIC_TMICT, 0x12345678);
	for (i = 0; i < ARRAY_SIZE(read); i++)
		check_narrow_reads(read[i]);
	check_narrow_writes(APIC_TPR, 0xff);
	check_narrow_writes(APIC_LDR, 0xff000000);
	check_narrow_writes(APIC_TMICT, 0xffffffff);
	movs(ram, at(LAPIC), 4096);
	report(lapic_read(APIC_VERSION) == version && lapic_read(APIC_SVR) == svr, "REP MOVSB of the whole LAPIC does it no harm");
	if (expect_vouch) {
		movs(at(LAPIC), ram, 4096);
		stos_qwords(at(LAPIC + 0x104), ~0ull, 100);
		report(lapic_read(APIC_VERSION) == version && lapic_read(APIC_SVR) == svr && !lapic_read(APIC_ISR),
		       "nor do bytes and quadwords written all over it");
	}
	lapic_write(APIC_ESR, 0);
	lapic_on();
}

void test_main(void)
{
	unsigned int i;

	lapic_on();
	wrmsr(0xc0000100, 0);
	nobody = *(volatile u8 *)at(NOBODY);
	report_vouch(nobody == 0xff, "addresses of nobody read as ones");
	check_lapic();
	check_lapic_widths();
	check_ioapic();
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		check_form(&forms[i]);
	for (i = 0; i < ARRAY_SIZE(reads); i++)
		check_read(&reads[i]);
	check_absolute();
	check_strings();
	check_mixed_pages();
	check_faults();
	check_split_instruction();
}
