/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's commands: words to questions and acts, by way of struct monitor_ops, so that this part needs no guest and
 * no hardware. The same commands serve the console (core/monitor_console.c) and the control port (core/control.c).
 */
#ifndef CORE_MONITOR_H
#define CORE_MONITOR_H

#include <vouch/types.h>

#include "core/record.h"

#define MONITOR_LINE 160u     /* characters of a command, at most */

/* One guest: a module, whether it runs or not. Texts stay until the next question. */
struct monitor_guest {
	const char *name;
	const char *state;            /* one word: running, halted, paused, stopped, refused... */
	const char *level;            /* what its verdict rests on */
	const char *stop;             /* why it stopped last, or "refused: " and why; empty: neither has been */
	unsigned int module;
	unsigned int vcpus;
	unsigned int starts;
	unsigned int weight, cap;     /* of each vCPU; cap in percent, 0: none */
	uint64_t memory_kib;          /* its own */
	uint64_t overhead_kib;        /* what Vouch keeps for it besides */
	uint64_t cpu_ms;
	uint64_t exits, exits_per_s;
	uint64_t input, unseen;       /* bytes typed for it and not taken, written by it and not shown */
};

struct monitor_exits {
	char name[32];
	uint64_t count, per_s;
};

struct monitor_cpu {
	unsigned int apic_id;
	const char *state;
	char guests[64];              /* whose vCPUs are in its hands, as far as they fit */
	uint64_t busy_ms;
	uint64_t switches;
};

struct monitor_memory {
	uint64_t total_kib, free_kib, guests_kib, overhead_kib;
};

enum monitor_act { MONITOR_PAUSE, MONITOR_RESUME, MONITOR_RESET, MONITOR_DESTROY, MONITOR_STOP, MONITOR_START };
enum monitor_text { MONITOR_DUMP, MONITOR_WHY, MONITOR_LOG, MONITOR_MEASURE };

struct monitor_ops {
	/* Guests are numbered from 0; false: there is none of this number. */
	bool (*guest)(void *ctx, unsigned int n, struct monitor_guest *g);
	/* NULL: done, or under way; else why not. */
	const char *(*act)(void *ctx, unsigned int n, enum monitor_act act);
	/* The kind of exit with the index-th most exits; false: there are no more. */
	bool (*exits)(void *ctx, unsigned int n, unsigned int index, struct monitor_exits *e);
	/* Says it line by line; n counts for MONITOR_DUMP and MONITOR_WHY only. NULL, or why there is nothing to say. */
	const char *(*text)(void *ctx, enum monitor_text what, unsigned int n, void (*line)(void *to, const char *text),
			    void *to);
	bool (*cpu)(void *ctx, unsigned int n, struct monitor_cpu *c);
	void (*memory)(void *ctx, struct monitor_memory *m);
};

struct monitor {
	const struct monitor_ops *ops;
	void *ctx;
};

/*
 * Does what line says and writes the answer, record_done() included. False: it was quit. A command that is not understood
 * whole does nothing.
 */
bool monitor_do(const struct monitor *m, struct record_out *o, const char *line);

/* The words that may stand at position at of line; see struct line_edit. ctx: the struct monitor. */
const char *monitor_word(void *ctx, const char *line, size_t at, unsigned int index);

#endif
