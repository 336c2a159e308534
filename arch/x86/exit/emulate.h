/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that Vouch executes for the guest because their operand is a device: MMIO and string I/O. All work on
 * v->gpr and a struct x86_env that the caller loads before and stores after. Not emulated: stack accesses, far
 * transfers, FPU and vector moves whose operand is MMIO; data breakpoints. Single-step traps (TF) are the vendor's: e->stepped
 * says when one is due.
 */
#ifndef ARCH_X86_EXIT_EMULATE_H
#define ARCH_X86_EXIT_EMULATE_H

#include <vouch/vcpu.h>

#include "decode.h"

/*
 * REP iterations done per exit at most, and how long they may take together, but for the last, in ticks of the TSC (about a
 * tenth of a millisecond); the rest after the guest has been entered again, so that it sees its interrupts and Vouch its own.
 */
#define EMULATE_CHUNK 1024u
#define EMULATE_CHUNK_TICKS 0x40000u

/* What is behind guest-physical memory that is not RAM; size is 1, 2, 4 or 8, a need not be aligned. By exit/gpa.c. */
uint64_t mmio_read(struct vcpu *v, gpa_t a, unsigned int size);
void mmio_write(struct vcpu *v, gpa_t a, unsigned int size, uint64_t val);

/* What is behind a port; size is 1, 2 or 4. By exit/pio.c. */
uint64_t pio_read(struct vcpu *v, uint16_t port, unsigned int size);
void pio_write(struct vcpu *v, uint16_t port, unsigned int size, uint64_t val);

/*
 * Executes the instruction at CS:RIP, fetched once, whose memory operand is not RAM, or not all of it.
 * EXIT_AGAIN: done and RIP moved on; or, with RIP as it was: a REP with more to do, or an instruction without a memory
 * operand (the guest rewrote it: let it run). EXIT_FAULT: v->fault, nothing happened but the REP iterations before it.
 * EXIT_STOP: an instruction that Vouch does not emulate, in supervisor mode (in user mode: #UD), or a device stopped
 * the VM.
 * v->gpr, e->rip and e->rflags are up to date whatever is returned; a fault leaves e as it was.
 */
enum exit_action emulate_mmio(struct vcpu *v, struct x86_env *e);

/*
 * INS or OUTS, REP included, after an exit that gave port, size (1, 2, 4) and direction. If the instruction at CS:RIP
 * is not the one of the exit: EXIT_AGAIN, nothing done. Whether the guest may use the port was for the CPU to check.
 */
enum exit_action emulate_string_io(struct vcpu *v, struct x86_env *e, uint16_t port, unsigned int size, bool in);

/*
 * Fetches and decodes the instruction at CS:RIP, to step over it where hardware gives no next RIP. 0; -EFAULT with *f
 * to raise; -EAGAIN (re-enter); -ENXIO (code in MMIO); -EINVAL (no instruction Vouch knows).
 */
__must_check int insn_length_at(struct vcpu *v, const struct x86_env *e, struct insn *out, struct x86_fault *f);

/* Steps RIP over len bytes, as wide as the code segment has it, and ends RF's effect: e->stepped. */
void env_advance(struct x86_env *e, unsigned int len);

#endif
