/* SPDX-License-Identifier: BSD-2-Clause */
/* This machine's IOAPICs: everything masked but the console's serial ports, on the one that has them. */
#include "apic.h"

#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/serial.h>

#include "arch/x86/mm/paging.h"
#include "cpu.h"

#define IOAPIC_SELECT (0x00u / 4)
#define IOAPIC_WINDOW (0x10u / 4)
#define IOAPIC_VERSION 1u
#define IOAPIC_REDIR   0x10u

/* A pin names its CPU by eight bits, of which 255 means all. */
#define IOAPIC_IDS   255u

#define REDIR_LOW    (1u << 13)
#define REDIR_LEVEL  (1u << 15)
#define REDIR_MASKED (1u << 16)

/* MADT "MPS INTI Flags": 3 is active low, or level; 0 is what the bus does, for ISA high and edge. */
#define INTI_LOW(f)   (((f) & 3u) == 3u)
#define INTI_LEVEL(f) (((f) >> 2 & 3u) == 3u)

static uint32_t ioapic_read(volatile uint32_t *io, uint32_t reg)
{
	io[IOAPIC_SELECT] = reg;
	return io[IOAPIC_WINDOW];
}

static void ioapic_write(volatile uint32_t *io, uint32_t reg, uint32_t v)
{
	io[IOAPIC_SELECT] = reg;
	io[IOAPIC_WINDOW] = v;
}

static void pin_route(volatile uint32_t *io, uint32_t pin, uint32_t vector, uint32_t flags)
{
	uint32_t low = vector | (INTI_LOW(flags) ? REDIR_LOW : 0) | (INTI_LEVEL(flags) ? REDIR_LEVEL : 0);

	/* Destination first: the entry is live once its low half is unmasked. */
	ioapic_write(io, IOAPIC_REDIR + 2 * pin + 1, this_cpu()->apic_id << 24);
	ioapic_write(io, IOAPIC_REDIR + 2 * pin, low);
}

static uint32_t pins_of(volatile uint32_t *io)
{
	return (ioapic_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
}

/* Maps the IOAPIC at a and masks all its pins; NULL if it cannot be mapped. */
static volatile uint32_t *ioapic_quiet(uint64_t a)
{
	volatile uint32_t *io = mmio_map(hpa(a), PAGE_SIZE);
	uint32_t pin;

	for (pin = 0; io && pin < pins_of(io); pin++)
		ioapic_write(io, IOAPIC_REDIR + 2 * pin, REDIR_MASKED);
	return io;
}

static void no_interrupt(struct host *h, uint32_t gsi, uint32_t port)
{
	h->console.polled = true;
	log_warn("interrupt %u of COM%u is not on the IOAPIC: its input is polled", gsi, port + 1);
}

static void ports_route(struct host *h, volatile uint32_t *io)
{
	struct platform *p = &h->platform;
	uint32_t port, pin;

	for (port = 0; port < SERIAL_PORTS; port++) {
		pin = p->com_gsi[port] - p->ioapic_gsi_base;
		if (!((h->console.console_ports | h->console.control_ports) & 1u << port))
			continue;
		if (p->com_gsi[port] < p->ioapic_gsi_base || pin >= pins_of(io))
			no_interrupt(h, p->com_gsi[port], port);
		else
			pin_route(io, pin, VEC_COM1 + port, p->com_flags[port]);
	}
}

void ioapic_init(struct host *h)
{
	struct platform *p = &h->platform;
	volatile uint32_t *first = NULL;
	unsigned int i;

	for (i = 0; i < p->ioapic_count; i++) {
		volatile uint32_t *io = ioapic_quiet(p->ioapics[i]);

		if (p->ioapics[i] == p->ioapic_hpa)
			first = io;
	}
	if (!first) {
		h->console.polled = true;
		log_warn("no IOAPIC: console input is polled");
		return;
	}
	if (this_cpu()->apic_id >= IOAPIC_IDS) {
		h->console.polled = true;
		log_warn("no IOAPIC reaches APIC ID %u: console input is polled", this_cpu()->apic_id);
		return;
	}
	ports_route(h, first);
	/* A byte that came before its pin was routed holds the line up, and no edge would ever follow. */
	console_poll(&h->console);
}
