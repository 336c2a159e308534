/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds a guest's PC from its plan and wires it. Knows what is connected to what, and nothing of how a device works;
 * addresses are in table.c.
 */
#include "machine.h"

#include <errno.h>
#include <string.h>

#include <vouch/assert.h>
#include <vouch/log.h>
#include <vouch/vcpu.h>

#include "acpi.h"
#include "layout.h"
#include "post.h"

static bool has(const struct machine *m, enum plan_device d)
{
	return m->vm->plan.devices >> d & 1;
}

/* ---- interrupt wires ---- */

/* An ISA device's line: to whichever of the two controllers exist. */
static void isa_set(void *ctx, unsigned int pin, bool level)
{
	struct machine *m = ctx;

	if (has(m, PLAN_PIC))
		pic_set(&m->pic, pin, level);
	if (has(m, PLAN_IOAPIC))
		ioapic_set(&m->ioapic, pin == LAYOUT_PIT_IRQ ? LAYOUT_PIT_GSI : pin, level);
}

static struct irq_line isa_line(struct machine *m, unsigned int irq)
{
	return (struct irq_line){ .set = isa_set, .ctx = m, .pin = irq };
}

/* The RTC's line is also an ACPI event (ACPI "PM1 Status Registers", 4.8.3.1.1: RTC_STS). */
static void rtc_set(void *ctx, unsigned int pin, bool level)
{
	struct machine *m = ctx;

	isa_set(m, pin, level);
	/* The event is the edge: a line that stays up does not undo what the guest cleared. */
	if (level && !m->rtc_line && has(m, PLAN_PM))
		pm_rtc_alarm(&m->pm);
	m->rtc_line = level;
}

/*
 * To LINT0 of every local APIC. Where there are several, those that have it masked do not hear of it: when one unmasks it as a
 * level, the next edge counts. ExtINT is not concerned, for which the PIC itself is asked.
 */
static void pic_output(void *ctx, bool level)
{
	struct machine *m = ctx;

	/* The output before their LVTs, as in write_lvt(): whoever unmasks LINT0 just now is told, or sees it by itself. */
	if (m->cpus > 1)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < m->cpus; i++) {
		struct vcpu *v = m->vcpu[i];

		/*
		 * Not posted to the vCPU of this very CPU: an acknowledge is the last thing before it enters the guest, and what was
		 * posted then would keep others from telling it of theirs.
		 */
		if (m->cpus == 1 || vcpu_is_here(v))
			lapic_lint(v->lapic, 0, level);
		else if (lapic_hears_lint0(v->lapic) && post_signal(&v->posted, POST_LINT0 | (level ? POST_ROSE : 0)))
			vcpu_poke(v);
	}
}

/* True if the message is for l; from is NULL for the IOAPIC's. */
static bool is_for(const struct apic_msg *msg, const struct lapic *l, const struct lapic *from)
{
	/* SDM 3A "Physical Destination Mode": in x2APIC mode 0xff is one CPU's ID, and here no CPU's; an IOAPIC's broadcast. */
	if (from && lapic_x2apic_enabled(from) && !msg->logical && !msg->shorthand && msg->dest == 0xff)
		return false;
	switch (msg->shorthand) {
	case APIC_DEST_SELF:   return l == from;
	case APIC_DEST_ALL:    return true;
	case APIC_DEST_OTHERS: return l != from;
	default:               return lapic_matches(l, msg->dest, msg->logical);
	}
}

/* At once where nobody else can be at the local APIC; else v's own CPU does it. */
static void deliver(struct machine *m, struct vcpu *v, const struct apic_msg *msg, const struct lapic *from)
{
	if (m->cpus == 1 || v->lapic == from)
		lapic_deliver(v->lapic, msg);
	else if (post_message(&v->posted, msg))
		vcpu_poke(v);
}

/*
 * Lowest priority goes to the one receiver that is least busy, the first of equals. Other CPUs' registers are read as they are
 * at this moment, as on a real bus.
 */
static bool deliver_lowest(struct machine *m, const struct apic_msg *msg, const struct lapic *from)
{
	struct vcpu *best = NULL;

	for (unsigned int i = 0; i < m->cpus; i++) {
		const struct lapic *l = m->vcpu[i]->lapic;

		if (is_for(msg, l, from) && lapic_delivers(l) && (!best || lapic_ppr(l) < lapic_ppr(best->lapic)))
			best = m->vcpu[i];
	}
	if (best)
		deliver(m, best, msg, from);
	return best;
}

/* INIT and SIPI concern the CPU, so its own local APIC has no part in it, and the sender is one like the others. */
static void deliver_signal(struct machine *m, const struct apic_msg *msg, const struct lapic *from)
{
	for (unsigned int i = 0; i < m->cpus; i++)
		if (is_for(msg, m->vcpu[i]->lapic, from) && post_message(&m->vcpu[i]->posted, msg))
			vcpu_poke(m->vcpu[i]);
}

static void ignore(struct machine *m)
{
	__atomic_fetch_add(&m->ignored_ipis, 1, __ATOMIC_RELAXED);
}

/* The only CPU may send itself an INIT by its ID: SDM 3A "Interrupt Command Register (ICR)". It never waits for a SIPI. */
static void signal_alone(struct machine *m, const struct apic_msg *msg, const struct lapic *from)
{
	if (msg->mode == APIC_MODE_INIT && is_for(msg, m->vcpu[0]->lapic, from))
		vm_stop(m->vm, STOP_RESET, "INIT sent to its boot CPU");
	else
		ignore(m);
}

/* To each that it is for. False: no local APIC takes it, as far as those of other CPUs can be seen at this moment. */
static bool deliver_all(struct machine *m, const struct apic_msg *msg, const struct lapic *from)
{
	bool taken = false;

	for (unsigned int i = 0; i < m->cpus; i++) {
		if (!is_for(msg, m->vcpu[i]->lapic, from))
			continue;
		taken |= lapic_delivers(m->vcpu[i]->lapic);
		deliver(m, m->vcpu[i], msg, from);
	}
	return taken;
}

/* False: no local APIC takes it, which matters to what waits for an EOI. */
static bool apic_route(struct machine *m, const struct apic_msg *msg, const struct lapic *from)
{
	switch (msg->mode) {
	case APIC_MODE_SMI:
		ignore(m);
		return false;
	case APIC_MODE_INIT:
	case APIC_MODE_SIPI:
		if (m->cpus > 1)
			deliver_signal(m, msg, from);
		else
			signal_alone(m, msg, from);
		return false;
	case APIC_MODE_LOWEST:
		return deliver_lowest(m, msg, from);
	default:
		return deliver_all(m, msg, from);
	}
}

static void lapic_ipi(void *ctx, struct lapic *from, const struct apic_msg *msg)
{
	apic_route(ctx, msg, from);
}

static bool ioapic_message(void *ctx, const struct apic_msg *msg)
{
	return apic_route(ctx, msg, NULL);
}

static void lapic_eoi(void *ctx, uint8_t vector)
{
	struct machine *m = ctx;

	if (!has(m, PLAN_IOAPIC))
		return;
	vm_lock(m->vm);
	ioapic_eoi(&m->ioapic, vector);
	vm_unlock(m->vm);
}

static void lapic_on(void *ctx, struct lapic *l)
{
	struct machine *m = ctx;

	(void)l;
	if (!has(m, PLAN_IOAPIC))
		return;
	vm_lock(m->vm);
	ioapic_retry(&m->ioapic);
	vm_unlock(m->vm);
}

static void lapic_nmi(void *ctx, struct lapic *l)
{
	struct machine *m = ctx;

	m->vcpu[l->id]->nmi_pending = true;
}

/* ---- what devices reach outside ---- */

static void debug_line(void *ctx, const uint8_t *bytes, size_t n)
{
	struct machine *m = ctx;
	char text[DEBUGPORT_LINE * 4 + 1];      /* each byte may become \xNN */

	vm_log(m->vm, "debug port: %s", log_escape(text, sizeof(text), (const char *)bytes, n));
}

static uint64_t ignore_read(void *dev, uint64_t off, unsigned int size)
{
	struct machine_ignore *g = dev;

	if (g->print)
		vm_log(g->vm, "ignored: %u-byte read of %s 0x%lx", size, g->mmio ? "address" : "port",
		       (g->base + off));
	return size == 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

static void ignore_write(void *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct machine_ignore *g = dev;

	if (g->print)
		vm_log(g->vm, "ignored: %u-byte write of 0x%lx to %s 0x%lx", size, val,
		       g->mmio ? "address" : "port", (g->base + off));
}

static const struct vdev_ops ignore_ops = { .read = ignore_read, .write = ignore_write };

/* ---- creation ---- */

static void create_interrupts(struct machine *m)
{
	struct vm *vm = m->vm;
	struct lapic_wires w = { .ipi = lapic_ipi, .eoi = lapic_eoi, .nmi = lapic_nmi, .enabled = lapic_on, .ctx = m };

	pic_create(&m->pic, pic_output, m);
	ioapic_create(&m->ioapic, LAYOUT_IOAPIC_ID, ioapic_message, m);
	for (unsigned int i = 0; i < m->cpus; i++)
		lapic_create(m->vcpu[i]->lapic, i, i == 0, &vm->clock, m->vcpu[i]->timers, &w);
}

static void create_devices(struct machine *m, uint64_t epoch)
{
	struct vm *vm = m->vm;
	struct vm_control control = { .stop = vm_control_stop, .ctx = vm };
	struct irq_line pit = isa_line(m, LAYOUT_PIT_IRQ), rtc = { .set = rtc_set, .ctx = m, .pin = LAYOUT_RTC_IRQ },
			sci = isa_line(m, LAYOUT_SCI_IRQ), kbd = isa_line(m, LAYOUT_KBD_IRQ),
			aux = isa_line(m, LAYOUT_AUX_IRQ), com1 = isa_line(m, LAYOUT_COM1_IRQ),
			com2 = isa_line(m, LAYOUT_COM2_IRQ);
	struct chardev nowhere = { .put = NULL }, log = { .put = debug_line, .ctx = m };

	pit_create(&m->pit, &pit, &vm->clock, &vm->timers);
	rtc_create(&m->rtc, &rtc, &vm->clock, &vm->timers, epoch, min_u64(vm->ram_bytes, GPA_MMIO_BASE),
		   vm->ram_bytes > GPA_MMIO_BASE ? vm->ram_bytes - GPA_MMIO_BASE : 0);
	pm_create(&m->pm, &sci, &control, &vm->clock, &vm->timers);
	i8042_create(&m->i8042, &kbd, &aux, &control);
	reset_create(&m->reset, &control);
	if (has(m, PLAN_RESET))
		pciconfig_create(&m->pciconfig, reset_cf9_read, reset_cf9_write, &m->reset);
	else
		pciconfig_create(&m->pciconfig, NULL, NULL, NULL);
	debugport_create(&m->debugport, &log);
	uart_create(&m->com1, &com1, &vm->console);
	uart_create(&m->com2, &com2, &nowhere);
}

static const char *register_error(int err)
{
	switch (err) {
	case -EEXIST: return "overlaps a device or another range";
	case -ENOSPC: return "is one too many";
	case -EBUSY:  return "comes after the bus was frozen";
	default:      return "is empty or beyond the last address";
	}
}

static int put_on_bus(struct machine *m, const char *name, bool mmio, uint64_t base, uint64_t len, unsigned int sizes,
		      const struct vdev_ops *ops, void *dev)
{
	struct bus *b = mmio ? &m->vm->mmio : &m->vm->pio;
	int err = bus_register(b, base, len, sizes, ops, dev);

	if (err)
		log_error("guest %s: %s at %s 0x%lx, length 0x%lx, %s", m->vm->name, name, mmio ? "address" : "port",
			  base, len, register_error(err));
	return err;
}

static int register_devices(struct machine *m)
{
	for (unsigned int i = 0; i < machine_table_rows; i++) {
		const struct machine_row *r = &machine_table[i];
		int err;

		if (!has(m, r->device))
			continue;
		err = put_on_bus(m, r->name, r->mmio, r->base, r->len, r->sizes, r->ops, (char *)m + r->dev);
		if (err)
			return err;
	}
	if (!has(m, PLAN_LAPIC))
		return 0;
	m->lapic_page = (struct machine_ignore){ .vm = m->vm, .base = APIC_DEFAULT_BASE, .mmio = true };
	return put_on_bus(m, "LAPIC", true, APIC_DEFAULT_BASE, LAPIC_MMIO_SIZE, 1 | 2 | 4 | 8, &ignore_ops, &m->lapic_page);
}

static int register_ignored(struct machine *m)
{
	const struct vm_plan *plan = &m->vm->plan;

	if (plan->ignore_count > PLAN_IGNORE_MAX) {
		log_error("guest %s: %u ignored ranges, at most %u", m->vm->name, plan->ignore_count, PLAN_IGNORE_MAX);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < plan->ignore_count; i++) {
		const struct plan_ignore *p = &plan->ignore[i];
		/* end is inclusive. Backwards, and all of 2^64, come out as 0: empty. */
		uint64_t len = p->end >= p->start ? p->end - p->start + 1 : 0;
		int err;

		m->ignore[i] = (struct machine_ignore){ .vm = m->vm, .base = p->start, .mmio = p->mmio,
							.print = p->print };
		err = put_on_bus(m, "ignored range", p->mmio, p->start, len, 1 | 2 | 4 | 8, &ignore_ops, &m->ignore[i]);
		if (err)
			return err;
	}
	return 0;
}

size_t machine_size(void)
{
	return sizeof(struct machine);
}

int machine_create(struct vm *vm, struct vcpu *const vcpus[], unsigned int n, uint64_t epoch_seconds)
{
	struct machine *m = vm->machine;
	int err;

	if (n < 1 || n > VM_MAX_VCPUS) {
		log_error("guest %s: %u vCPUs, a machine has 1 to %u", vm->name, n, VM_MAX_VCPUS);
		return -EINVAL;
	}
	m->vm = vm;
	m->cpus = n;
	for (unsigned int i = 0; i < n; i++)
		m->vcpu[i] = vcpus[i];
	create_interrupts(m);
	create_devices(m, epoch_seconds);
	err = register_devices(m);
	if (!err)
		err = register_ignored(m);
	if (err) {
		machine_destroy(vm);
		return err;
	}
	bus_freeze(&vm->pio);
	bus_freeze(&vm->mmio);
	machine_reset(vm);
	return 0;
}

void machine_destroy(struct vm *vm)
{
	struct machine *m = vm->machine;

	m->cpus = 0;
	bus_init(&vm->pio, vm->pio.name, vm->pio.limit);
	bus_init(&vm->mmio, vm->mmio.name, vm->mmio.limit);
	vtimers_init(&vm->timers, vm->timers.clock);
}

static void reset_lapic(struct machine *m, struct lapic *l)
{
	lapic_reset(l);
	if (!has(m, PLAN_LAPIC)) {
		/* Globally disabled, as by a board without one: the PIC's output is then the CPU's own pin. */
		int err = lapic_msr_write(l, MSR_APIC_BASE, lapic_base(l) | (l->bsp ? APIC_BASE_BSP : 0));

		ASSERT(!err);
	} else if (l->bsp) {
		lapic_virtual_wire(l);
	}
}

/* Sources before sinks: what a falling line leaves behind in a controller goes with the controller's own reset. */
void machine_reset(struct vm *vm)
{
	struct machine *m = vm->machine;

	uart_reset(&m->com1);
	uart_reset(&m->com2);
	pit_reset(&m->pit);
	rtc_reset(&m->rtc);
	pm_reset(&m->pm);
	i8042_reset(&m->i8042);
	reset_reset(&m->reset);
	debugport_reset(&m->debugport);
	pic_reset(&m->pic);
	ioapic_reset(&m->ioapic);
	for (unsigned int i = 0; i < m->cpus; i++) {
		reset_lapic(m, m->vcpu[i]->lapic);
		m->vcpu[i]->nmi_pending = false;
	}
	m->ignored_ipis = 0;
}

/* ---- what the rest of Vouch asks ---- */

void machine_rom(struct vm *vm, uint8_t *rom, size_t size)
{
	struct acpi_config cfg = { .devices = vm->plan.devices, .cpus = vm->machine->cpus,
				   .ioapic_id = LAYOUT_IOAPIC_ID, .log = vm->events.log,
				   .log_len = vm->events.len, .log_in_tpm = vm->events.in_tpm };
	size_t used = acpi_build(rom, size, &cfg);

	ASSERT(used != 0);
}

size_t machine_console_input(struct vm *vm, const uint8_t *bytes, size_t n)
{
	struct machine *m = vm->machine;

	size_t took = n;

	vm_lock(vm);
	if (has(m, PLAN_COM1))
		took = uart_receive(&m->com1, bytes, n);
	vm_unlock(vm);
	return took;
}

/* The interrupt mask, while no poll command waits for its answer. */
static int64_t fast_mask(const struct pic_chip *c)
{
	return c->poll ? -1 : c->imr;
}

int64_t machine_fast_in(const struct vm *vm, uint16_t port, unsigned int size)
{
	const struct machine *m = vm->machine;

	switch (port) {
	case LAYOUT_COM1_PORT + UART_LSR:
		return size == 1 && has(m, PLAN_COM1) ? uart_fast_status(&m->com1) : -1;
	case LAYOUT_PM_BASE + PM_TMR_OFF:
		return size == 4 && has(m, PLAN_PM) ? (int64_t)pm_timer(&m->pm) : -1;
	case PIC_MASTER_PORT + 1:
		return size == 1 && has(m, PLAN_PIC) ? fast_mask(&m->pic.chip[0]) : -1;
	case PIC_SLAVE_PORT + 1:
		return size == 1 && has(m, PLAN_PIC) ? fast_mask(&m->pic.chip[1]) : -1;
	default:
		return -1;
	}
}

static bool pic_interrupts(const struct machine *m, const struct lapic *l)
{
	return has(m, PLAN_PIC) && pic_pending(&m->pic) && lapic_accepts_extint(l);
}

bool machine_extint_pending(struct vcpu *v)
{
	return pic_interrupts(v->vm->machine, v->lapic);
}

int machine_extint_ack(struct vcpu *v)
{
	int vector = -1;

	if (!machine_extint_pending(v))
		return -1;
	vm_lock(v->vm);
	if (machine_extint_pending(v)) {        /* another vCPU may have been quicker */
		lapic_ack_extint(v->lapic);
		vector = pic_ack(&v->vm->machine->pic);
	}
	vm_unlock(v->vm);
	return vector;
}

bool machine_irq_pending(struct vcpu *v)
{
	return machine_extint_pending(v) || lapic_pending(v->lapic) >= 0;
}

int machine_irq_ack(struct vcpu *v)
{
	/* SDM 3A "Local APIC": ExtINT bypasses the priority logic, so it comes first. */
	int vector = machine_extint_ack(v);

	if (vector >= 0)
		return vector;
	vector = lapic_pending(v->lapic);
	if (vector >= 0)
		lapic_ack(v->lapic, (uint8_t)vector);
	return vector;
}

void machine_power_button(struct vm *vm)
{
	if (!(vm->plan.devices >> PLAN_PM & 1))
		return;
	vm_lock(vm);
	pm_power_button(&vm->machine->pm);
	vm_unlock(vm);
}

void machine_leave_shared(struct vm *vm)
{
	uint64_t next = vtimers_next(&vm->timers);
	bool earlier = next < vm->timers_next;

	vm->timers_next = next;
	vm_unlock(vm);
	if (earlier)
		vcpu_poke(vm->vcpu[0]);
}

void machine_run_timers(struct vm *vm, uint64_t now)
{
	machine_enter(vm);
	vtimers_run(&vm->timers, now);
	machine_leave(vm);
}

static void inject_map(struct lapic *l, const uint64_t map[4], bool level)
{
	for (unsigned int i = 0; i < 4; i++)
		for (uint64_t bits = map[i]; bits; bits &= bits - 1)
			lapic_inject(l, (uint8_t)(64 * i + (unsigned int)__builtin_ctzll(bits)), level);
}

/* An INIT that came while others were taken is not the local APIC's: what came with it goes with the reset, but for a SIPI. */
static void post_again(struct vcpu_posted *p, uint32_t signals)
{
	(void)post_signal(p, POST_INIT);
	if (signals & POST_SIPI)
		(void)post_signal(p, signals & (POST_TO_CORE & ~POST_INIT));
}

/* A vector that came as both is a level: an EOI too many does no harm at the IOAPIC. */
void machine_take_posted(struct vcpu *v)
{
	struct lapic *l = v->lapic;
	struct vcpu_posted got;

	__atomic_store_n(&v->stuck, false, __ATOMIC_SEQ_CST);   /* before the flag: vcpu_halted_for_good() */
	post_take(&v->posted, &got);
	if (got.signals & POST_INIT) {
		post_again(&v->posted, got.signals);
		return;
	}
	inject_map(l, got.edge, false);
	inject_map(l, got.level, true);
	if (got.signals & POST_NMI)
		lapic_deliver(l, &(struct apic_msg){ .mode = APIC_MODE_NMI });
	if (got.signals & POST_EXTINT)
		lapic_deliver(l, &(struct apic_msg){ .mode = APIC_MODE_EXTINT });
	if (got.signals & POST_ROSE) {
		lapic_lint(l, 0, false);
		lapic_lint(l, 0, true);
	}
	if (got.signals & POST_LINT0)
		lapic_lint(l, 0, pic_pending(&v->vm->machine->pic));
}
