/* SPDX-License-Identifier: BSD-2-Clause */
/* GDT, TSS and IDT of the test kernels, and what happens on a trap: a handler, a caught fault, or the end. */
#include "guest.h"

#define IST_DF 1
#define IST_NMI 2

struct extable { u64 at, resume; };

struct gate idt[256] __attribute__((aligned(16)));
struct tss tss __attribute__((aligned(16)));
struct fault last = { .vector = NO_FAULT };
static trap_handler handlers[256];
static u8 stacks[3][8192] __attribute__((aligned(16)));
static u8 user_stack[8192] __attribute__((aligned(16)));
static struct fault *guard;
static u64 guard_state[8];

extern const struct extable extable_start[], extable_end[];
__attribute__((noreturn)) void user_enter(void (*fn)(void *), void *arg, void *stack);
void trap(struct frame *f);

void gate_set(unsigned int vector, unsigned int type, unsigned int dpl, unsigned int ist)
{
	u64 to = (u64)(isr_table + vector * 16);

	idt[vector] = (struct gate){ .low = (u16)to, .sel = SEL_CODE64, .ist = (u8)ist,
				     .type = (u8)(0x80 | dpl << 5 | type), .mid = (u16)(to >> 16),
				     .high = (u32)(to >> 32) };
}

void idt_load(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) p = { sizeof(idt) - 1, (u64)idt };

	asm volatile("lidt %0" :: "m"(p));
}

void gdt_load(void)
{
	struct { u16 limit; u64 base; } __attribute__((packed)) p = { SEL_SPARE + GDT_SPARE * 8 - 1, (u64)gdt };
	u64 base = (u64)&tss;

	gdt[SEL_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	asm volatile("lgdt %0\n\tlldt %w3\n\tltr %w1\n\tmov %2, %%ds\n\tmov %2, %%es\n\tmov %2, %%ss"
		     :: "m"(p), "r"(SEL_TSS), "r"(SEL_DATA), "r"(0) : "memory");
}

void trap_init(void)
{
	unsigned int v;

	tss.rsp[0] = (u64)(stacks[0] + sizeof(stacks[0]));
	tss.ist[IST_DF - 1] = (u64)(stacks[1] + sizeof(stacks[1]));
	tss.ist[IST_NMI - 1] = (u64)(stacks[2] + sizeof(stacks[2]));
	tss.iomap = sizeof(tss);
	for (v = 0; v < 256; v++)
		gate_set(v, 14, 0, 0);
	gate_set(3, 14, 3, 0);
	gate_set(4, 14, 3, 0);
	gate_set(2, 14, 0, IST_NMI);
	gate_set(8, 14, 0, IST_DF);
	gate_set(USER_DONE, 14, 3, 0);
	gdt_load();
	idt_load();
}

void trap_set(unsigned int vector, trap_handler h)
{
	handlers[vector] = h;
}

void interrupt_set(unsigned int vector, trap_handler h)
{
	handlers[vector] = h;
}

static struct fault fault_of(const struct frame *f)
{
	return (struct fault){ .vector = (u32)f->vector, .error = (u32)f->error, .cr2 = read_cr2(), .rip = f->rip,
			       .rflags = f->rflags, .cs = f->cs, .rsp = f->rsp, .rcx = f->rcx, .rsi = f->rsi, .rdi = f->rdi };
}

static const struct extable *expected_at(u64 rip)
{
	const struct extable *e;

	for (e = extable_start; e < extable_end; e++)
		if (rip == e->at || rip == e->resume)
			return e;
	return NULL;
}

bool trap_expected(struct frame *f)
{
	const struct extable *e = (f->cs & 3) ? NULL : expected_at(f->rip);

	if (!e)
		return false;
	last = fault_of(f);
	last.behind = f->rip == e->resume;
	f->rip = e->resume;
	return true;
}

void trap(struct frame *f)
{
	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	if (trap_expected(f))
		return;
	if (guard) {
		*guard = fault_of(f);
		guard = NULL;
		guarded_resume(guard_state);
	}
	print("\nFAIL: unexpected trap: vector %lu error %lx cr2 %lx\n", f->vector, f->error, read_cr2());
	print("rip %lx cs %lx rflags %lx rsp %lx ss %lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
	print("rax %lx rcx %lx rdx %lx rbx %lx rsi %lx rdi %lx\n", f->rax, f->rcx, f->rdx, f->rbx, f->rsi, f->rdi);
	failed++;
	finish();
}

struct fault guarded(void (*fn)(void *), void *arg)
{
	struct fault f = { .vector = NO_FAULT };

	guard = &f;
	guarded_call(fn, arg, guard_state);
	guard = NULL;
	return f;
}

struct user_job {
	void (*fn)(void *);
	void *arg;
};

static void enter_user(void *p)
{
	struct user_job *j = p;

	user_enter(j->fn, j->arg, user_stack + sizeof(user_stack));
}

struct fault guarded_user(void (*fn)(void *), void *arg)
{
	struct user_job j = { fn, arg };

	return guarded(enter_user, &j);
}

void report_fault(struct fault f, unsigned int vector, const char *text)
{
	if (f.vector == vector)
		report(true, "%s", text);
	else
		report(false, "%s: got vector %u error %x cr2 %lx rip %lx", text, f.vector, f.error, f.cr2, f.rip);
}
