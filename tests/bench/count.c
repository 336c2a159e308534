/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that counts executed instructions: all of them, and those whose address lies in [low, high), which
 * is where Vouch's text runs and nothing else does. At each of the marked addresses it prints both counts, so that a
 * difference of two lines is the cost of what lies between. Arguments: low=ADDR, high=ADDR, mark=ADDR (several).
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

struct mark {
	uint64_t at;
	unsigned int lines;
};

static struct mark marks[MARKS_MAX];
static unsigned int mark_count;
static uint64_t low, high;
static uint64_t inside, outside;

static void print_mark(unsigned int cpu, void *ctx)
{
	struct mark *m = ctx;

	(void)cpu;
	if (m->lines++ < LINES_MAX)
		fprintf(stderr, "count: mark %#" PRIx64 " inside %" PRIu64 " outside %" PRIu64 "\n", m->at, inside, outside);
}

static void print_end(plugin_id id, void *ctx)
{
	(void)id;
	(void)ctx;
	fprintf(stderr, "count: end inside %" PRIu64 " outside %" PRIu64 "\n", inside, outside);
}

static void translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);

		for (unsigned int m = 0; m < mark_count; m++)
			if (marks[m].at == at)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, print_mark, PLUGIN_NO_REGS, &marks[m]);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_ADD_U64,
							   at >= low && at < high ? &inside : &outside, 1);
	}
}

static bool take_argument(const char *arg)
{
	const char *value = strchr(arg, '=');
	uint64_t n;

	if (!value)
		return false;
	n = strtoull(value + 1, NULL, 0);
	if (!strncmp(arg, "low=", 4))
		low = n;
	else if (!strncmp(arg, "high=", 5))
		high = n;
	else if (!strncmp(arg, "mark=", 5) && mark_count < MARKS_MAX)
		marks[mark_count++].at = n;
	else
		return false;
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
