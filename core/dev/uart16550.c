/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550A. No line errors and no break exist here, so LSR's PE, FE and BI never rise; OE only in loopback, where
 * the guest can outrun itself. The interrupt output is not gated by OUT2: the PC's gate is outside the chip, and
 * guests written for emulators leave it shut.
 */
#include "core/dev/uart16550.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR = UART_LSR, REG_MSR, REG_SCR };

#define IER_RDA  0x01u
#define IER_THRE 0x02u
#define IER_RLS  0x04u
#define IER_MSI  0x08u

/* Interrupt identification by falling priority (PC16550D "Interrupt Control Functions", table IV). */
#define IIR_RLS  0x06u
#define IIR_RDA  0x04u
#define IIR_CTI  0x0cu
#define IIR_THRE 0x02u
#define IIR_MSI  0x00u
#define IIR_NONE 0x01u
#define IIR_FIFO 0xc0u

#define FCR_ENABLE 0x01u
#define FCR_RX_CLR 0x02u
#define FCR_KEEP   0xc9u      /* enable, DMA mode, trigger level: what stays of a write */

#define LCR_DLAB 0x80u

#define MCR_DTR  0x01u
#define MCR_RTS  0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u

#define LSR_DR   0x01u
#define LSR_OE   0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u

#define MSR_DELTA 0x0fu
#define MSR_TERI  0x04u
#define MSR_CTS   0x10u
#define MSR_DSR   0x20u
#define MSR_RI    0x40u
#define MSR_DCD   0x80u

_Static_assert((UART_RING & (UART_RING - 1)) == 0, "the ring's indices run freely");

static unsigned int rx_room(const struct uart_state *s)
{
	return (s->fcr & FCR_ENABLE ? UART_FIFO : 1u) - s->rx_count;
}

static void rx_push(struct uart_state *s, uint8_t c)
{
	s->rx[(s->rx_head + s->rx_count) % UART_FIFO] = c;
	s->rx_count++;
}

/* Moves what waits outside into the FIFO. In loopback the receiver is cut off from the world: characters wait. */
static void rx_refill(struct uart_state *s)
{
	if (s->mcr & MCR_LOOP)
		return;
	while (s->ring_head != s->ring_tail && rx_room(s))
		rx_push(s, s->ring[s->ring_head++ % UART_RING]);
}

static unsigned int rx_trigger(const struct uart_state *s)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1u;
}

/* The source of the interrupt with the highest priority. */
static uint8_t irq_source(const struct uart_state *s)
{
	if ((s->ier & IER_RLS) && (s->lsr & LSR_OE))
		return IIR_RLS;
	if ((s->ier & IER_RDA) && s->rx_count >= rx_trigger(s))
		return IIR_RDA;
	if ((s->ier & IER_RDA) && s->rx_count)
		return IIR_CTI;
	if ((s->ier & IER_THRE) && s->thr_empty_irq)
		return IIR_THRE;
	if ((s->ier & IER_MSI) && (s->msr & MSR_DELTA))
		return IIR_MSI;
	return IIR_NONE;
}

static void irq_update(struct uart *u)
{
	bool requests = irq_source(&u->s) != IIR_NONE;

	if (requests == u->requests)
		return;
	u->requests = requests;
	irq_line_set(&u->irq, requests);
}

/* The modem lines as they stand now: from the world (a peer that is always ready), or looped back from MCR. */
static uint8_t modem_lines(const struct uart_state *s)
{
	uint8_t lines = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void modem_update(struct uart_state *s)
{
	uint8_t lines = modem_lines(s);
	uint8_t changed = (uint8_t)((s->msr ^ lines) & ~MSR_DELTA);
	uint8_t delta = (uint8_t)(changed >> 4);

	/* Of RI only the trailing edge counts. */
	if (lines & MSR_RI)
		delta &= (uint8_t)~MSR_TERI;
	s->msr = (uint8_t)(lines | (s->msr & MSR_DELTA) | delta);
}

static uint8_t read_data(struct uart_state *s)
{
	uint8_t c;

	if (!s->rx_count)
		return 0;
	c = s->rx[s->rx_head];
	s->rx_head = (uint8_t)((s->rx_head + 1) % UART_FIFO);
	s->rx_count--;
	rx_refill(s);
	return c;
}

static uint8_t read_iir(struct uart_state *s)
{
	uint8_t src = irq_source(s);

	if (src == IIR_THRE)
		s->thr_empty_irq = false;
	return (uint8_t)(src | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t line_status(const struct uart_state *s)
{
	return (uint8_t)(s->lsr | LSR_THRE | LSR_TEMT | (s->rx_count ? LSR_DR : 0));
}

int uart_fast_status(const struct uart *u)
{
	return u->s.lsr ? -1 : line_status(&u->s);
}

static uint8_t read_lsr(struct uart_state *s)
{
	uint8_t val = line_status(s);

	s->lsr = 0;
	return val;
}

static uint8_t read_msr(struct uart_state *s)
{
	uint8_t val = s->msr;

	s->msr &= (uint8_t)~MSR_DELTA;
	return val;
}

static uint8_t read_reg(struct uart_state *s, unsigned int reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:    return dlab ? s->dll : read_data(s);
	case REG_IER:     return dlab ? s->dlm : s->ier;
	case REG_IIR_FCR: return read_iir(s);
	case REG_LCR:     return s->lcr;
	case REG_MCR:     return s->mcr;
	case REG_LSR:     return read_lsr(s);
	case REG_MSR:     return read_msr(s);
	default:          return s->scr;
	}
}

static uint64_t uart_read(void *dev, uint64_t off, unsigned int size)
{
	struct uart *u = dev;
	uint8_t val = read_reg(&u->s, (unsigned int)off & 7u);

	(void)size;
	irq_update(u);
	return val;
}

static void loop_back(struct uart_state *s, uint8_t c)
{
	if (rx_room(s)) {
		rx_push(s, c);
		return;
	}
	/* Overrun: the FIFO keeps what it has; without FIFOs the new character replaces the old one. */
	s->lsr |= LSR_OE;
	if (!(s->fcr & FCR_ENABLE))
		s->rx[s->rx_head] = c;
}

static void write_data(struct uart *u, uint8_t c)
{
	struct uart_state *s = &u->s;

	/* Filling THR takes the request away and, being sent, brings it back: the line must show both edges. */
	s->thr_empty_irq = false;
	irq_update(u);
	if (s->mcr & MCR_LOOP)
		loop_back(s, c);
	else
		chardev_put(&u->out, &c, 1);
	s->thr_empty_irq = true;
}

static void write_ier(struct uart_state *s, uint8_t val)
{
	/* Enabling THRE while THR is empty, as it always is, requests at once: Linux probes for chips that do not. */
	if ((val & IER_THRE) && !(s->ier & IER_THRE))
		s->thr_empty_irq = true;
	s->ier = val & (IER_RDA | IER_THRE | IER_RLS | IER_MSI);
}

static void write_fcr(struct uart_state *s, uint8_t val)
{
	bool toggled = (val ^ s->fcr) & FCR_ENABLE;

	/* Both FIFOs empty when they are switched on or off; bit 0 must be set for the others to be programmed. */
	if (toggled || ((val & FCR_ENABLE) && (val & FCR_RX_CLR)))
		s->rx_count = 0;
	s->fcr = val & FCR_ENABLE ? val & FCR_KEEP : 0;
	rx_refill(s);
}

static void write_mcr(struct uart_state *s, uint8_t val)
{
	s->mcr = val & 0x1fu;
	modem_update(s);
	rx_refill(s);
}

static void uart_write(void *dev, uint64_t off, unsigned int size, uint64_t val64)
{
	struct uart *u = dev;
	struct uart_state *s = &u->s;
	uint8_t val = (uint8_t)val64;
	bool dlab = s->lcr & LCR_DLAB;

	(void)size;
	switch (off & 7u) {
	case REG_DATA:
		if (dlab)
			s->dll = val;
		else
			write_data(u, val);
		break;
	case REG_IER:
		if (dlab)
			s->dlm = val;
		else
			write_ier(s, val);
		break;
	case REG_IIR_FCR:
		write_fcr(s, val);
		break;
	case REG_LCR:
		s->lcr = val;
		break;
	case REG_MCR:
		write_mcr(s, val);
		break;
	case REG_SCR:
		s->scr = val;
		break;
	default:                /* LSR and MSR: factory test only */
		break;
	}
	irq_update(u);
}

const struct vdev_ops uart_ops = { .read = uart_read, .write = uart_write };

void uart_create(struct uart *u, const struct irq_line *irq, const struct chardev *out)
{
	memset(u, 0, sizeof(*u));
	u->irq = *irq;
	u->out = *out;
}

void uart_reset(struct uart *u)
{
	memset(&u->s, 0, sizeof(u->s));
	u->s.msr = modem_lines(&u->s);
	/* 115200 / 12 = 9600 baud; a divisor of 0 makes some drivers divide by it. */
	u->s.dll = 12;
	irq_update(u);
}

size_t uart_receive(struct uart *u, const uint8_t *bytes, size_t n)
{
	struct uart_state *s = &u->s;
	size_t taken = 0;

	while (taken < n) {
		if (s->ring_tail - s->ring_head == UART_RING)
			rx_refill(s);
		if (s->ring_tail - s->ring_head == UART_RING)
			break;
		s->ring[s->ring_tail++ % UART_RING] = bytes[taken++];
	}
	rx_refill(s);
	irq_update(u);
	return taken;
}
