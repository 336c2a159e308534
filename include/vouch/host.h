/* SPDX-License-Identifier: BSD-2-Clause */
/* This machine: the one root of Vouch's writable state that is not a CPU's, a VM's or a vCPU's. Reached by this_cpu()->host. */
#ifndef VOUCH_HOST_H
#define VOUCH_HOST_H

#include <vouch/boot_info.h>
#include <vouch/console.h>
#include <vouch/crypto.h>
#include <vouch/options.h>
#include <vouch/page.h>
#include <vouch/pcpu.h>
#include <vouch/platform.h>
#include <vouch/spec.h>
#include <vouch/timing.h>

struct guests;
struct hvm_ops;
struct identity;
struct measured;
struct operator;
struct policy;
struct vm;

/* What has no lock of its own and names none is written by the boot CPU before another CPU runs a guest, and const after. */
struct host {
	struct boot_info boot;
	struct options options;
	struct page_alloc pages;      /* its own lock */
	struct console console;       /* its own lock */
	struct platform platform;
	struct pcpu *cpu[CPUS_MAX];   /* the CPUs that are up, by id */
	unsigned int cpus;
	uint32_t stopping;            /* atomic: id + 1 of the CPU that stops all others, or 0 */
	struct timing timing;         /* up to the next guest's start */
	struct operator *operator;    /* core/operator.h; the boot CPU's */
	const struct hvm_ops *hvm;
	struct spec spec;
	uint64_t vms;                 /* atomic: that were ever made */
	/* What is demanded of guests, core/trust.c. builtin: by Vouch's own keys, or NULL; it may be the same. */
	const struct policy *policy, *builtin;
	sha256_blocks_fn *sha256;     /* for long input: arch/x86/cpu/sha.c; NULL: the library's */
	struct measured *measured;    /* what went into the TPM and the event log: core/measured.h */
	struct guests *guests;        /* core/guest.h; atomic until it is there; NULL before */
	struct identity *identity;    /* this boot's key, and the names of its guests: core/identity.h */
};

#endif
