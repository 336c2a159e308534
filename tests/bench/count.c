/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that counts executed instructions: those of guests under AMD's virtualization, and those of all else,
 * which is the hypervisor and its machine. A guest's run begins with VMRUN and ends at the instruction behind it, which
 * no guest may have at the same address; so any hypervisor can be measured, whatever it is. At each of the marked
 * addresses both counts are printed, so that a difference of two lines is the cost of what lies between. Arguments:
 * mark=ADDR (several).
 *
 * An instruction that faults or exits is counted when it starts, and again when it is started anew.
 * Declarations: only what is used of QEMU's plugin interface, version 1 (QEMU, "QEMU TCG Plugins").
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { PLUGIN_NO_REGS = 0, PLUGIN_ADD_U64 = 0, PLUGIN_VERSION = 1 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *counter, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int, void *), int flags,
					    void *ctx);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *), void *ctx);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = PLUGIN_VERSION;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

#define MARKS_MAX 16
#define LINES_MAX 64u                   /* of one mark */
#define VMRUNS_MAX 16

struct mark {
	uint64_t at;
	unsigned int lines;
};

static struct mark marks[MARKS_MAX];
static unsigned int mark_count;
static uint64_t behind[VMRUNS_MAX];     /* addresses behind each VMRUN seen */
static unsigned int vmrun_count;

static uint64_t all;                    /* instructions executed */
static uint64_t in_guests, runs;        /* of them in guests, up to the latest exit; how often one was entered */
static uint64_t entered;                /* all, at the entry */
static bool guest_runs;

static void print_counts(void)
{
	uint64_t guest = in_guests + (guest_runs ? all - entered : 0);

	fprintf(stderr, " host %" PRIu64 " guest %" PRIu64 " runs %" PRIu64 "\n", all - guest, guest, runs);
}

static void print_mark(unsigned int cpu, void *ctx)
{
	struct mark *m = ctx;

	(void)cpu;
	if (m->lines++ >= LINES_MAX)
		return;
	fprintf(stderr, "count: mark %#" PRIx64, m->at);
	print_counts();
}

static void print_end(plugin_id id, void *ctx)
{
	(void)id;
	(void)ctx;
	fprintf(stderr, "count: end");
	print_counts();
}

static void enter_guest(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	if (guest_runs)
		return;
	guest_runs = true;
	entered = all;
	runs++;
}

static void leave_guest(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	if (!guest_runs)
		return;
	guest_runs = false;
	in_guests += all - entered;
}

/* APM 3 "VMRUN". */
static bool is_vmrun(const struct qemu_plugin_insn *insn)
{
	return qemu_plugin_insn_size(insn) == 3 && !memcmp(qemu_plugin_insn_data(insn), "\x0f\x01\xd8", 3);
}

static void note_vmrun(uint64_t at)
{
	for (unsigned int i = 0; i < vmrun_count; i++)
		if (behind[i] == at + 3)
			return;
	if (vmrun_count == VMRUNS_MAX) {
		fprintf(stderr, "count: too many VMRUNs\n");
		abort();
	}
	behind[vmrun_count++] = at + 3;
}

/* Only before the first run can code behind a VMRUN be translated unmarked, and then no guest has run there. */
static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);

		for (unsigned int n = 0; n < vmrun_count; n++)
			if (behind[n] == at)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, leave_guest, PLUGIN_NO_REGS, NULL);
		for (unsigned int m = 0; m < mark_count; m++)
			if (marks[m].at == at)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, print_mark, PLUGIN_NO_REGS, &marks[m]);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_ADD_U64, &all, 1);
		if (is_vmrun(insn)) {
			note_vmrun(at);
			qemu_plugin_register_vcpu_insn_exec_cb(insn, enter_guest, PLUGIN_NO_REGS, NULL);
		}
	}
}

static bool take_argument(const char *arg)
{
	const char *value = strchr(arg, '=');
	uint64_t n;

	if (!value)
		return false;
	n = strtoull(value + 1, NULL, 0);
	if (strncmp(arg, "mark=", 5) || mark_count == MARKS_MAX)
		return false;
	marks[mark_count++].at = n;
	return true;
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!take_argument(argv[i])) {
			fprintf(stderr, "count: bad argument %s\n", argv[i]);
			return -1;
		}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, print_end, NULL);
	return 0;
}
