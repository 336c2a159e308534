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

struct control_port;
struct mux;

#define CONSOLE_LOG_SIZE 8192u /* power of two */
#define CONSOLE_RX_SIZE 1024u  /* power of two */

struct console {
	struct lock lock;             /* LOCK_CONSOLE: guards all below */
	uint32_t console_ports;       /* bits OPT_*; OPT_SCREEN may be set where there is no screen */
	uint32_t log_ports;
	uint32_t control_ports;       /* one or none */
	enum log_level level;
	unsigned int stage;           /* number of the last stage line */
	bool guest_midline;           /* without mux: guest output did not end in a newline: a log line starts with one */
	bool waiting;                 /* atomic: the mux has something to do later; see console_busy() */
	bool called;                  /* atomic: somebody wants operator_serve() */
	/* The boot CPU sees to both: whoever sets one on another CPU kicks it. */
	struct control_port *control; /* the monitor for programs, or NULL; its port is none of the two above */
	struct mux *mux;              /* many guests on this console (core/mux.h); NULL until console_share() */
	bool polled;                  /* a port's input comes without an interrupt: somebody must look now and then */
	uint32_t rx_head, rx_tail;    /* free running */
	uint64_t log_head;            /* free running: bytes ever put into log_kept */
	char log_kept[CONSOLE_LOG_SIZE];      /* the latest log lines, each with a newline */
	struct screen screen;         /* attached before console_init(), if there is one */
	/* Without mux: input from console ports. What finds no room, here or there, stays in its port's chip. */
	uint8_t rx[CONSOLE_RX_SIZE];
};

/* Sets up the ports that o asks for (115200 8N1); before that, lines go to COM1 and the screen. */
struct options;
void console_init(struct console *c, const struct options *o);
/*
 * From now on many use this console. The mux is initialised and has places; its ctx is c, and its put console_put(). What was
 * typed before goes to who has the focus.
 */
void console_share(struct console *c, struct mux *m);
size_t console_put(void *ctx, const uint8_t *bytes, size_t n, bool wait);

/* A guest runs under this name at its place, or does no more; see mux_begin() and mux_end(). */
void console_begin(struct console *c, unsigned int place, const char *name);
void console_end(struct console *c, unsigned int place);

/* Output of the guest at a place, its number. */
void console_write(struct console *c, unsigned int place, const uint8_t *bytes, size_t n);
/* Takes at most n bytes that were typed for it; returns how many. */
size_t console_read(struct console *c, unsigned int place, uint8_t *bytes, size_t n);
/* True if something was typed for it that it has not taken. */
bool console_typed(struct console *c, unsigned int place);
/* Drains the ports' receivers, and does what is due; called by the serial interrupt and, if busy, by vcpu_service(). */
void console_poll(struct console *c);
/*
 * A port for programs. Set up by console_init(), served from here on by console_poll(), which sets called when something came.
 * Reading gives the next byte, or -1: none, or the last answer is still on its way.
 */
void console_control(struct console *c, struct control_port *p);
int console_control_read(struct console *c);
void console_control_write(struct console *c, const char *text, size_t n);

/* True, once, if a log line has gone through what a place in focus was writing. The console is shared. */
bool console_redraw(struct console *c, unsigned int place);
/* How many bytes were typed for a place and not taken, and written by it and not shown. */
void console_count(struct console *c, unsigned int place, uint64_t *input, uint64_t *unseen);
/* The focus goes from the monitor back to the guest that had it. */
void console_leave(struct console *c);
/* Whether somebody must call console_poll() within CONSOLE_POLL_NS, without an interrupt that tells him. */
#define CONSOLE_POLL_NS 1000000ull
static inline bool console_busy(const struct console *c)
{
	return c->polled || __atomic_load_n(&c->waiting, __ATOMIC_RELAXED);
}
/* The lock is held: from now on the console is busy. */
void console_wait(struct console *c);
/* Waits a bounded time until what was written to serial ports is on the wire. */
void console_drain(const struct console *c);

#endif
