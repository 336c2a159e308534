/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines that must come out whoever holds the console's lock: panics, NMIs. They may land inside another line. */
#ifndef CORE_LOG_PORT_H
#define CORE_LOG_PORT_H

#include <stdarg.h>

#include <vouch/types.h>

void log_emergency(const char *fmt, ...) __printf(1, 2);
void log_emergency_v(const char *fmt, va_list ap) __printf(1, 0);

#endif
