/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines that must come out whoever holds the console's lock: panics, NMIs. They wait some milliseconds for another CPU's
 * line to end; inside one of their own CPU they land.
 */
#ifndef CORE_LOG_PORT_H
#define CORE_LOG_PORT_H

#include <vouch/types.h>

void log_emergency(const char *fmt, ...) __printf(1, 2);

#endif
