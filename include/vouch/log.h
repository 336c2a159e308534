/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines. In Vouch they go to the log and console channels of this machine (core/log.c); host programs and
 * tests link a version that prints to stderr. Lines are complete: no trailing newline in fmt, one is added.
 * Text that came from a guest, an image or a manifest must pass through log_escape() first.
 */
#ifndef VOUCH_LOG_H
#define VOUCH_LOG_H

#include <vouch/types.h>

/* A verdict (a guest verified, refused, entered, stopped) is always shown, without a word for its level. */
enum log_level { LOG_VERDICT, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_line(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define log_verdict(...) log_line(LOG_VERDICT, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * In the hypervisor: while this_cpu()->log_tap is set, this CPU's verdicts go there and not to the log. For reports that
 * somebody has asked for.
 */
struct log_tap {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* The latest lines of this machine, oldest first, as they were said. */
void log_latest(void (*line)(void *ctx, const char *text), void *ctx);

/* A numbered boot stage: "vouch: [ 3] text". Numbers count up by themselves. */
void log_stage(const char *fmt, ...) __printf(1, 2);

/*
 * Copies at most len bytes of src (stops at NUL) to dst[size] so that it is printable ASCII: anything else, and the
 * backslash, becomes \xNN. Always terminates dst; a cut is marked by "..." at the end. Returns dst. Pure.
 */
char *log_escape(char *dst, size_t size, const char *src, size_t len);

#endif
