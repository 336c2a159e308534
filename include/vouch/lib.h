/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Library code from Debian's archives (expat) uses SSE registers, the red zone and fs:0x28. It runs only between
 * lib_enter() and lib_exit(): these save a live guest's FPU and FS base, give the library its own, and put the
 * guest's back. Host events stay off meanwhile. lib_assert() is called by every callback the library makes.
 */
#ifndef VOUCH_LIB_H
#define VOUCH_LIB_H

void lib_enter(void);
void lib_exit(void);
void lib_assert(void);

/*
 * expat's allocator callbacks get no context argument, so the parser leaves the arena it was given here while it runs.
 * Vouch: a member of struct pcpu. Host programs and tests: a variable of the thread.
 */
void **lib_arena_slot(void);

#endif
