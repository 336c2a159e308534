/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operands of an instruction under emulation: registers, and memory through segment, paging, then RAM or a device.
 * A memory operand is first mapped, which raises every fault it can raise; reading and writing it cannot fail then.
 */
#ifndef ARCH_X86_EXIT_OPERAND_H
#define ARCH_X86_EXIT_OPERAND_H

#include <vouch/vcpu.h>

#include "decode.h"

/* One instruction under way. A function that returns false has set action. */
struct emu {
	struct vcpu *v;
	struct x86_env *e;
	enum x86_mode mode;
	enum exit_action action;
	bool flush;                   /* it flushes a cache line: what is only for execution will do */
	struct insn in;
	uint8_t bytes[INSN_MAX_LEN];
	struct {
		bool known;
		uint64_t linear;
		gpa_t at;
	} page[2];                              /* by PF_W: where the last ones lie, as a TLB has it for the time of an instruction */
};

/* Where a memory operand lies: in one page, or in two. */
struct place {
	unsigned int parts;
	gpa_t at[2];
	unsigned int len[2];
};

/* Fetches and decodes; false if there is nothing to emulate. */
bool emu_begin(struct emu *m, struct vcpu *v, struct x86_env *e);
bool emu_fail(struct emu *m, enum exit_action action);
/* This instruction is beyond Vouch. Returns false. */
bool emu_unsupported(struct emu *m);
/* EXIT_STOP if a device stopped the VM meanwhile, else EXIT_AGAIN. */
enum exit_action emu_end(const struct emu *m);

uint64_t emu_reg_read(const struct emu *m, unsigned int reg, unsigned int size);
void emu_reg_write(struct emu *m, unsigned int reg, unsigned int size, uint64_t val);

/* base + offset with the checks of this access (GVA_READ or GVA_WRITE); size is 1 to 8. */
bool seg_linear(struct emu *m, unsigned int seg, uint64_t offset, unsigned int size, unsigned int access,
		uint64_t *linear);
bool emu_map(struct emu *m, unsigned int seg, uint64_t offset, unsigned int size, unsigned int access, struct place *p);
/* The modrm operand, moved by delta bytes (bit strings). */
bool emu_map_operand(struct emu *m, unsigned int size, int64_t delta, unsigned int access, struct place *p);

uint64_t place_read(struct emu *m, const struct place *p);
void place_write(struct emu *m, const struct place *p, uint64_t val);
/*
 * Writes val where old was read. If locked and in RAM, by compare-and-swap where that is possible (4 or 8 bytes,
 * aligned): false if the value has changed, and the guest executes the instruction again.
 */
bool place_update(struct emu *m, const struct place *p, bool locked, uint64_t old, uint64_t val);

/* MOVS, CMPS, STOS, LODS, SCAS with REP (string.c). */
enum exit_action emulate_string(struct emu *m);

#endif
