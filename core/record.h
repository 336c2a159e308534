/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a monitor command answers: rows of a kind, each with the kind's fields in order. One source of facts, two looks:
 * columns for people, a JSON object a line for programs. Text may come from anywhere; it leaves as printable ASCII.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <vouch/types.h>

#define RECORD_FIELDS 12u

enum record_look {
	RECORD_COLUMNS,       /* a header, then a line for each row */
	RECORD_LIST,          /* a line for each field */
	RECORD_LINES,         /* one field, a text that is a line by itself */
};

struct record_field {
	const char *name;             /* in JSON */
	const char *title;            /* for people */
	int width;                    /* of the column; negative: to the left */
};

struct record_kind {
	const char *name;
	enum record_look look;
	unsigned int count;
	struct record_field field[RECORD_FIELDS];
};

struct record_out {
	void (*put)(void *ctx, const char *text, size_t n);
	void *ctx;
	bool json;
	uint32_t id;                  /* JSON: the request's */
	const struct record_kind *kind;      /* of the row under way, or of the last one */
	unsigned int field;           /* of the row: the next one */
};

#define RECORD_PROTOCOL 1u            /* the "v" of each line of JSON; grows when one could be misread */

void record_begin(struct record_out *o, const struct record_kind *kind);
void record_text(struct record_out *o, const char *text);
void record_number(struct record_out *o, uint64_t value);
void record_end(struct record_out *o);

/* A row of one field. */
void record_line(struct record_out *o, const struct record_kind *kind, const char *text);

/* The end of an answer, in JSON only: what went wrong, or NULL. People see the error as a line. */
void record_done(struct record_out *o, const char *error);

#endif
