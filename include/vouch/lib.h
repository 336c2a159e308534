/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Library code from Debian's archives (expat) uses SSE registers, the red zone and fs:0x28. It runs only between
 * lib_enter() and lib_exit(): these save a live guest's FPU and FS base, give the library its own, and put the
 * guest's back. Host events stay off meanwhile. lib_assert() is called by every callback the library makes.
 */
#ifndef VOUCH_LIB_H
#define VOUCH_LIB_H

/*
 * Vouch's own vector code runs only between these two. They keep x87, SSE and all that XCR0 of the CPU can hold for whoever
 * owns it, be it a guest that is in the CPU, and put it and XCR0 back. In between the control words of x87 and SSE are the
 * owner's still: integer vector code only. They do not nest, nor within lib_enter(), which is built on them; host events
 * stay off as above.
 */
void fpu_begin(void);
void fpu_end(void);

void lib_enter(void);
void lib_exit(void);
void lib_assert(void);

/*
 * expat's allocator callbacks get no context argument, so the parser leaves the arena it was given here while it runs.
 * Vouch: a member of struct pcpu. Host programs and tests: a variable of the thread.
 */
void **lib_arena_slot(void);

#endif
