/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's own 16550s at their PC addresses. Nothing here is a guest's: virtual ones are in core/dev. */
#include <vouch/serial.h>

#include "asm.h"

#define UART_DATA 0u
#define UART_IER  1u
#define UART_DLM  1u
#define UART_FCR  2u
#define UART_LCR  3u
#define UART_MCR  4u
#define UART_LSR  5u
#define UART_SCR  7u

#define IER_RX       0x01u
#define FCR_ENABLE   0x07u  /* on, both FIFOs cleared, trigger at 1 byte */
#define LCR_8N1      0x03u
#define LCR_DLAB     0x80u
#define MCR_DTR_RTS_OUT2 0x0bu  /* OUT2 gates the interrupt line on PCs */
#define LSR_DATA     0x01u
#define LSR_THRE     0x20u
#define LSR_TEMT     0x40u  /* the FIFO and the shift register behind it are empty */

/* Reads of a port take about 1 us on real machines; 16 characters at 115200 take 1.4 ms. */
#define UART_SPINS 20000u

static uint16_t uart_base(unsigned int port)
{
	return port == 0 ? 0x3f8 : 0x2f8;
}

static bool uart_present(uint16_t base)
{
	/* An absent port reads ones; the scratch register holds what was written on every part with FIFOs. */
	port_out8((uint16_t)(base + UART_SCR), 0x5a);
	if (port_in8((uint16_t)(base + UART_SCR)) != 0x5a)
		return false;
	port_out8((uint16_t)(base + UART_SCR), 0xa5);
	return port_in8((uint16_t)(base + UART_SCR)) == 0xa5;
}

bool serial_init(unsigned int port, bool rx)
{
	uint16_t base = uart_base(port);

	if (!uart_present(base))
		return false;
	port_out8((uint16_t)(base + UART_IER), 0);
	port_out8((uint16_t)(base + UART_LCR), LCR_DLAB | LCR_8N1);
	port_out8((uint16_t)(base + UART_DATA), 1);	/* 115200 / 1 */
	port_out8((uint16_t)(base + UART_DLM), 0);
	port_out8((uint16_t)(base + UART_LCR), LCR_8N1);
	port_out8((uint16_t)(base + UART_FCR), FCR_ENABLE);
	port_out8((uint16_t)(base + UART_MCR), MCR_DTR_RTS_OUT2);
	port_out8((uint16_t)(base + UART_IER), rx ? IER_RX : 0);
	return true;
}

static bool uart_wait(uint16_t base, uint8_t bit)
{
	unsigned int spins;

	for (spins = 0; spins < UART_SPINS; spins++) {
		/* An absent port reads ones: room without end, for bytes that go nowhere. */
		if (port_in8((uint16_t)(base + UART_LSR)) & bit)
			return true;
		cpu_relax();
	}
	return false;
}

bool serial_write(unsigned int port, const uint8_t *bytes, size_t n)
{
	uint16_t base = uart_base(port);
	size_t i;

	while (n) {
		size_t chunk = n < SERIAL_FIFO ? n : SERIAL_FIFO;

		if (!uart_wait(base, LSR_THRE))
			return false;
		for (i = 0; i < chunk; i++)
			port_out8((uint16_t)(base + UART_DATA), bytes[i]);
		bytes += chunk;
		n -= chunk;
	}
	return true;
}

bool serial_ready(unsigned int port)
{
	return port_in8((uint16_t)(uart_base(port) + UART_LSR)) & LSR_THRE;
}

void serial_drain(unsigned int port)
{
	(void)uart_wait(uart_base(port), LSR_TEMT);
}

int serial_read(unsigned int port)
{
	uint16_t base = uart_base(port);
	uint8_t lsr = port_in8((uint16_t)(base + UART_LSR));

	if (lsr == 0xff || !(lsr & LSR_DATA))
		return -1;
	return port_in8((uint16_t)(base + UART_DATA));
}
