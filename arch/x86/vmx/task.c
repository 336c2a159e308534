/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches of 16-bit and 32-bit protected mode, which VT-x leaves to the hypervisor: SDM 3A "Task
 * Switching". Up to the point where the new task counts, a fault is the old task's and nothing has happened; a new task
 * whose segments cannot be loaded ends the guest. Debug exceptions on the tables' accesses are not raised.
 */
#include "arch/x86/vmx/vmx.h"

#include <errno.h>
#include <string.h>

#include <vouch/gpa.h>
#include <vouch/vm.h>

#define BY_IRET 1u
#define BY_JMP  2u
#define BY_GATE 3u                      /* in the IDT; 0: CALL */

#define TYPE_LDT   2u
#define TYPE_BUSY  2u                   /* the bit that makes an available TSS a busy one */
#define TYPE_TSS32 8u                   /* the bit that makes a 16-bit TSS a 32-bit one */

#define RFLAGS_NT      (1ull << 14)
#define RFLAGS_DEFINED 0x3f7fd5ull
#define DR6_BT         (1ull << 15)
#define DR7_LOCAL      0x155ull         /* L0 to L3, LE */

#define RPL(sel) ((sel) & 3u)
#define TI       4u

/* SDM 3A figures "32-Bit Task-State Segment (TSS)" and "16-Bit TSS Format". */
struct tss32 {
	uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], seg[6], ldt;
	uint16_t trap, iomap;
} __attribute__((packed));
struct tss16 {
	uint16_t link, stacks[6], ip, flags, gpr[8], seg[4], ldt;
} __attribute__((packed));
_Static_assert(sizeof(struct tss32) == 104 && sizeof(struct tss16) == 44, "as the manual has them");

union tss {
	struct tss32 s32;
	struct tss16 s16;
};

struct descriptor {
	uint64_t base, at;            /* at: its own linear address */
	uint32_t limit, access;       /* access rights as the VMCS has them */
};

struct task_switch {
	struct vcpu *v;
	struct x86_env e;             /* of the task that counts, at CPL 0: tables and TSS are the system's */
	unsigned int by;
	uint16_t from, to;            /* selectors */
	enum exit_action action;      /* set by whoever returns false */
};

static bool fail(struct task_switch *t, enum exit_action action)
{
	t->action = action;
	return false;
}

static bool raise(struct task_switch *t, uint8_t vector, uint32_t selector)
{
	return fail(t, vcpu_fault(t->v, vector, true, selector & ~3u));
}

static bool impossible(struct task_switch *t, const char *what, uint32_t value)
{
	vm_stop(t->v->vm, STOP_UNHANDLED, "task switch to TSS 0x%x: %s 0x%x cannot be used", t->to, what, value);
	return fail(t, EXIT_STOP);
}

/* err of gva_read() or gva_write(), whose fault is already in v->fault. */
static bool accessed(struct task_switch *t, int err, uint64_t linear)
{
	switch (err) {
	case 0:       return true;
	case -EFAULT: return fail(t, EXIT_FAULT);
	case -EAGAIN: return fail(t, EXIT_AGAIN);
	default:      return impossible(t, "memory at", (uint32_t)linear);
	}
}

static bool get(struct task_switch *t, uint64_t linear, void *buf, size_t len)
{
	return accessed(t, gva_read(t->v, &t->e, linear, buf, len, GVA_IMPLICIT_SUPERVISOR, &t->v->fault), linear);
}

static bool put(struct task_switch *t, uint64_t linear, const void *buf, size_t len)
{
	return accessed(t, gva_write(t->v, &t->e, linear, buf, len, &t->v->fault), linear);
}

/* False with EXIT_NEXT: the selector leads beyond its table, which is for the caller to judge. */
static bool find(struct task_switch *t, uint16_t sel, struct descriptor *d)
{
	bool local = sel & TI;
	uint64_t table = vmcs_read(local ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE);
	uint64_t limit = vmcs_read(local ? VMCS_GUEST_LDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
	uint32_t raw[2];

	if (local && (vmcs_read(VMCS_GUEST_LDTR_ACCESS) & ACCESS_UNUSABLE))
		return fail(t, EXIT_NEXT);
	if ((sel | 7u) > limit)
		return fail(t, EXIT_NEXT);
	d->at = (uint32_t)(table + (sel & ~7u));
	if (!get(t, d->at, raw, sizeof(raw)))
		return false;
	d->base = raw[0] >> 16 | (raw[1] & 0xff) << 16 | (raw[1] & 0xff000000u);
	d->limit = (raw[0] & 0xffff) | (raw[1] & 0xf0000);
	if (raw[1] & 1u << 23)
		d->limit = d->limit << 12 | 0xfff;
	d->access = raw[1] >> 8 & 0xf0ff;
	return true;
}

/* Sets bits of the descriptor's type in memory, or clears them. */
static bool mark(struct task_switch *t, const struct descriptor *d, uint8_t set, uint8_t clear)
{
	uint8_t type = (uint8_t)((d->access | set) & ~(uint32_t)clear);

	return put(t, d->at + 5, &type, 1);
}

/* The descriptor of the TSS to switch to. Most of this the CPU has checked before the exit. */
static bool find_tss(struct task_switch *t, struct descriptor *d)
{
	uint8_t bad = t->by == BY_IRET ? EXC_TS : EXC_GP;
	uint32_t type;

	t->action = EXIT_NEXT;
	if ((t->to & TI) || !find(t, t->to, d))
		return t->action == EXIT_NEXT ? raise(t, bad, t->to) : false;
	type = d->access & (SEG_ATTR_TYPE | SEG_ATTR_S);
	if ((type & ~TYPE_TSS32) != (t->by == BY_IRET ? 1u | TYPE_BUSY : 1u))
		return raise(t, bad, t->to);
	if (!(d->access & SEG_ATTR_P))
		return raise(t, EXC_NP, t->to);
	if (d->limit < (type & TYPE_TSS32 ? sizeof(struct tss32) - 1 : sizeof(struct tss16) - 1))
		return raise(t, EXC_TS, t->to);
	return true;
}

/* Where the old task goes on: behind the instruction, if it was one. */
static uint32_t resume_at(const struct task_switch *t)
{
	const struct vmx_event *e = &t->v->hw->event;
	bool insn = t->by != BY_GATE || e->type == INTR_SOFT_INT || e->type == INTR_PRIV_SW_EXC || e->type == INTR_SW_EXC;

	return (uint32_t)(t->e.rip + (insn ? vmcs_read(VMCS_EXIT_INSN_LEN) : 0));
}

static void fill16(const struct task_switch *t, struct tss16 *s, uint32_t eip, uint32_t flags)
{
	s->ip = (uint16_t)eip;
	s->flags = (uint16_t)flags;
	for (unsigned int i = 0; i < 8; i++)
		s->gpr[i] = (uint16_t)t->v->gpr[i];
	for (unsigned int i = 0; i < 4; i++)
		s->seg[i] = t->e.seg[i].sel;
}

static void fill32(const struct task_switch *t, struct tss32 *s, uint32_t eip, uint32_t flags)
{
	s->eip = eip;
	s->eflags = flags;
	for (unsigned int i = 0; i < 8; i++)
		s->gpr[i] = (uint32_t)t->v->gpr[i];
	for (unsigned int i = 0; i < 6; i++)
		s->seg[i] = (s->seg[i] & 0xffff0000u) | t->e.seg[i].sel;
}

/* Only what the CPU writes of it: the rest of a TSS may be read-only or in use by somebody else. */
static bool save_old(struct task_switch *t)
{
	bool wide = vmcs_read(VMCS_GUEST_TR_ACCESS) & TYPE_TSS32;
	size_t first = wide ? offsetof(struct tss32, eip) : offsetof(struct tss16, ip);
	size_t end = wide ? offsetof(struct tss32, ldt) : offsetof(struct tss16, ldt);
	uint64_t base = vmcs_read(VMCS_GUEST_TR_BASE);
	uint32_t flags = (uint32_t)t->e.rflags;
	union tss tss;

	if (vmcs_read(VMCS_GUEST_TR_LIMIT) < end - 1)
		return raise(t, EXC_TS, t->from);
	if (!get(t, (uint32_t)(base + first), (uint8_t *)&tss + first, end - first))
		return false;
	if (t->by == BY_IRET)
		flags &= ~(uint32_t)RFLAGS_NT;
	if (wide)
		fill32(t, &tss.s32, resume_at(t), flags);
	else
		fill16(t, &tss.s16, resume_at(t), flags);
	return put(t, (uint32_t)(base + first), (uint8_t *)&tss + first, end - first);
}

/* Busy bits and the link: SDM 3A table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field". */
static bool mark_tasks(struct task_switch *t, const struct descriptor *new_tss)
{
	struct descriptor old;

	if (t->by == BY_JMP || t->by == BY_IRET) {
		if (!find(t, t->from, &old))
			return t->action == EXIT_NEXT ? impossible(t, "the old task's TSS", t->from) : false;
		if (!mark(t, &old, 0, TYPE_BUSY))
			return false;
	} else if (!put(t, new_tss->base, &t->from, sizeof(t->from))) {
		return false;
	}
	return t->by == BY_IRET || mark(t, new_tss, TYPE_BUSY, 0);
}

static void set_segment(unsigned int seg, uint16_t sel, const struct descriptor *d)
{
	vmcs_write((enum vmcs_field)(VMCS_GUEST_ES + 2 * seg), sel);
	vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_BASE + 2 * seg), d->base);
	vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_LIMIT + 2 * seg), d->limit);
	vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_ACCESS + 2 * seg), d->access);
}

/* LDTR and TR stand behind GS in each group of fields. */
#define SEG_LDTR SEG_COUNT
#define SEG_TR   (SEG_COUNT + 1)

static const struct descriptor unusable = { .access = ACCESS_UNUSABLE };

static bool load_ldt(struct task_switch *t, uint16_t sel)
{
	struct descriptor d;

	if (!(sel & ~3u)) {
		set_segment(SEG_LDTR, sel, &unusable);
		return true;
	}
	t->action = EXIT_NEXT;
	if ((sel & TI) || !find(t, sel, &d))
		return impossible(t, "LDT", sel);
	if ((d.access & (SEG_ATTR_TYPE | SEG_ATTR_S | SEG_ATTR_P)) != (TYPE_LDT | SEG_ATTR_P))
		return impossible(t, "LDT", sel);
	set_segment(SEG_LDTR, sel, &d);
	return true;
}

/* SDM 3A table "Exception Conditions Checked During a Task Switch". */
static bool segment_ok(unsigned int seg, uint16_t sel, uint32_t access, unsigned int cpl)
{
	unsigned int dpl = SEG_ATTR_DPL(access), rpl = RPL(sel);
	bool code = access & SEG_ATTR_CODE, conforming = code && (access & SEG_ATTR_DOWN);

	if (!(access & SEG_ATTR_S) || !(access & SEG_ATTR_P))
		return false;
	switch (seg) {
	case SEG_CS: return code && (conforming ? dpl <= rpl : dpl == rpl);
	case SEG_SS: return !code && (access & SEG_ATTR_RW) && dpl == cpl && rpl == cpl;
	default:     return (!code || (access & SEG_ATTR_RW)) && (conforming || (dpl >= cpl && dpl >= rpl));
	}
}

static bool load_segment(struct task_switch *t, unsigned int seg, uint16_t sel, unsigned int cpl)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	struct descriptor d;

	if (!(sel & ~3u) && seg != SEG_CS && seg != SEG_SS) {
		set_segment(seg, sel, &unusable);
		return true;
	}
	if (!(sel & ~3u) || !find(t, sel, &d) || !segment_ok(seg, sel, d.access, cpl))
		return impossible(t, names[seg], sel);
	if (!(d.access & 1) && !mark(t, &d, 1, 0))
		return impossible(t, names[seg], sel);
	d.access |= 1;
	set_segment(seg, sel, &d);
	return true;
}

static bool load_segments(struct task_switch *t, const uint16_t sel[SEG_COUNT], uint64_t flags)
{
	static const uint8_t order[] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		unsigned int seg = order[i];

		if (flags & RFLAGS_VM)
			set_segment(seg, sel[seg],
				    &(struct descriptor){ .base = (uint64_t)sel[seg] << 4, .limit = 0xffff, .access = 0xf3 });
		else if (!load_segment(t, seg, sel[seg], RPL(sel[SEG_CS])))
			return false;
	}
	return true;
}

/* From here on the new task counts. */
static bool load_new(struct task_switch *t, const union tss *tss, const struct descriptor *d)
{
	bool wide = d->access & TYPE_TSS32;
	struct descriptor tr = *d;
	uint64_t flags = wide ? tss->s32.eflags : tss->s16.flags;
	uint16_t sel[SEG_COUNT] = { 0 };

	tr.access |= TYPE_BUSY;
	set_segment(SEG_TR, t->to, &tr);
	flags = (flags & RFLAGS_DEFINED) | RFLAGS_FIXED | (t->by == BY_GATE || t->by == 0 ? RFLAGS_NT : 0);
	vmcs_write(VMCS_GUEST_RFLAGS, flags);
	vmcs_write(VMCS_GUEST_RIP, wide ? tss->s32.eip : tss->s16.ip);
	vmcs_write(VMCS_GUEST_CR0, vmcs_read(VMCS_GUEST_CR0) | CR0_TS);
	vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_LOCAL);
	if (wide && (t->e.cr0 & CR0_PG))
		vmx_reg_set(t->v, HVM_CR3, tss->s32.cr3);
	for (unsigned int i = 0; i < 8; i++)
		t->v->gpr[i] = wide ? tss->s32.gpr[i] : tss->s16.gpr[i];
	for (unsigned int i = 0; i < (wide ? 6u : 4u); i++)
		sel[i] = (uint16_t)(wide ? tss->s32.seg[i] : tss->s16.seg[i]);
	vmx_env_load(t->v, &t->e);
	t->e.cpl = 0;
	return load_ldt(t, (uint16_t)(wide ? tss->s32.ldt : tss->s16.ldt)) && load_segments(t, sel, flags);
}

/* An exception's error code, onto the new task's stack. */
static bool push_error(struct task_switch *t, uint32_t error, bool wide)
{
	unsigned int size = wide ? 4 : 2;
	uint64_t mask, rsp;

	vmx_env_load(t->v, &t->e);
	mask = t->e.seg[SEG_SS].attr & SEG_ATTR_DB ? UINT32_MAX : UINT16_MAX;
	rsp = (t->v->gpr[REG_RSP] - size) & mask;
	if (gva_write(t->v, &t->e, (uint32_t)(t->e.seg[SEG_SS].base + rsp), &error, size, &t->v->fault))
		return impossible(t, "stack at", (uint32_t)rsp);
	t->v->gpr[REG_RSP] = (t->v->gpr[REG_RSP] & ~mask) | rsp;
	return true;
}

/* What else ends with the old task, or begins with the new one. */
static void finish(struct task_switch *t, bool nmi, bool trap)
{
	uint64_t block = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCK_NMI;

	if (t->by == BY_IRET)
		block = 0;
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, block | (nmi ? BLOCK_NMI : 0));
	vmcs_write(VMCS_GUEST_PENDING_DBG, 0);
	if (!trap)
		return;
	vmx_dr6_set(t->v, vmx_dr6(t->v) | DR6_BT);
	t->v->hw->event = (struct vmx_event){ .valid = true, .type = INTR_HW_EXC, .vector = EXC_DB };
}

enum exit_action vmx_task_switch(struct vcpu *v, uint64_t qualification)
{
	struct task_switch t = { .v = v, .by = (unsigned int)(qualification >> 30) & 3, .to = (uint16_t)qualification,
				 .from = (uint16_t)vmcs_read(VMCS_GUEST_TR) };
	const struct vmx_event event = v->hw->event;
	struct descriptor d;
	union tss tss;
	bool wide;

	vmx_env_load(v, &t.e);
	t.e.cpl = 0;
	if (!find_tss(&t, &d))
		return t.action;
	wide = d.access & TYPE_TSS32;
	if (!get(&t, d.base, &tss, wide ? sizeof(tss.s32) : sizeof(tss.s16)) || !save_old(&t) || !mark_tasks(&t, &d))
		return t.action;
	v->hw->event.valid = false;             /* delivered: by this switch */
	if (!load_new(&t, &tss, &d) || (event.valid && event.has_error && !push_error(&t, event.error, wide)))
		return t.action;
	finish(&t, event.valid && event.type == INTR_NMI, wide && (tss.s32.trap & 1));
	return EXIT_AGAIN;
}
