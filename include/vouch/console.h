/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vouch's own channels: the console (guests' COM1 and, unless log= names another port, Vouch's lines) and the log.
 * core/log.c writes lines here; the arch provides the ports (arch/x86/cpu/uart.c) and the screen (display.c), which shows
 * Vouch's lines even if log= is given.
 */
#ifndef VOUCH_CONSOLE_H
#define VOUCH_CONSOLE_H

#include <vouch/lock.h>
#include <vouch/log.h>
#include <vouch/screen.h>
#include <vouch/types.h>

#define CONSOLE_RX_SIZE 1024u  /* power of two */

struct console {
	struct lock lock;             /* LOCK_CONSOLE: guards all below */
	uint32_t console_ports;       /* bits OPT_*; OPT_SCREEN may be set where there is no screen */
	uint32_t log_ports;
	enum log_level level;
	unsigned int stage;           /* number of the last stage line */
	bool guest_midline;           /* guest output did not end in a newline: a log line starts with one */
	bool polled;                  /* a port's input comes without an interrupt: somebody must look now and then */
	uint32_t rx_head, rx_tail;    /* free running */
	struct screen screen;         /* attached before console_init(), if there is one */
	uint8_t rx[CONSOLE_RX_SIZE];  /* input from console ports; what finds no room stays in its port's chip */
};

/* Sets up the ports that o asks for (115200 8N1); before that, lines go to COM1 and the screen. */
struct options;
void console_init(struct console *c, const struct options *o);
/* Guest output to the console ports. */
void console_write(struct console *c, const uint8_t *bytes, size_t n);
/* Takes at most n bytes of input; returns how many. */
size_t console_read(struct console *c, uint8_t *bytes, size_t n);
/* Drains the ports' receivers into rx; called by the serial interrupt and, if polled, by vcpu_service(). */
void console_poll(struct console *c);
/* Waits a bounded time until what was written to serial ports is on the wire. */
void console_drain(const struct console *c);

#endif
