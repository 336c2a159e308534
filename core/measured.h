/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this boot has measured: into the TPM, if there is one, and into a log in memory. What is measured, in which words,
 * loader/measure.c says. Only the CPU that launches guests calls any of this.
 */
#ifndef CORE_MEASURED_H
#define CORE_MEASURED_H

#include <vouch/image_err.h>
#include <vouch/image_parse.h>
#include <vouch/plan.h>
#include <vouch/tao.h>

struct host;
struct tpm;
struct vm;

/*
 * Finds the TPM, starts the log and measures the command line; says what it found. A TPM that fails is an error in the
 * log here and below, and from then on it is left alone; whether that ends the boot, measured_demand() says. False after
 * a "boot refused:" line: no memory for the log.
 */
__must_check bool measured_start(struct host *h);

/* Then the keys of h->builtin, then the policy module's bytes, before they are understood; NULL: there is none. */
void measured_keys(struct host *h);
void measured_policy(struct host *h, const void *policy, size_t size);

/* False after a "boot refused:" line: h->policy demands a TPM, and there is none that has taken all events. */
__must_check bool measured_demand(const struct host *h);

/*
 * The guest that vm is about to run, at its first start. A later one of the same module measures nothing new, but must be
 * of the same guest in all that was measured. Then vm is shown the log. 0, or -1 with *err and the guest must not run.
 */
__must_check int measured_guest(struct vm *vm, const struct tao_guest *id, struct image_error *err);

/* A guest of that module has been measured in this boot. */
bool measured_before(const struct host *h, unsigned int module);

/* The TPM, for what is not measured; NULL: none, or one that failed. */
struct tpm *measured_tpm(const struct host *h);

/* Says the state of the TPM, and each measured event with its PCR. */
void measured_tell(const struct host *h, void (*line)(void *to, const char *text), void *to);

/* Gives back what vm was shown, once it has a copy of its own. */
void measured_put(struct vm *vm);

#endif
