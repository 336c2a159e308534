/* SPDX-License-Identifier: BSD-2-Clause */
/* What the code under test has logged: see log.c. */
#ifndef TEST_SUPPORT_LOG_H
#define TEST_SUPPORT_LOG_H

/* All lines since the last log_clear(), as "LEVEL: text\n" (verdict, error, warn, info, debug). When full, no more. */
const char *log_text(void);
void log_clear(void);

#endif
