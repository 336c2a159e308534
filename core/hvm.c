/* SPDX-License-Identifier: BSD-2-Clause */
/* Which vendor's virtualization this machine has: chosen once at boot, const after. */
#include "core/hvm.h"

#include <errno.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>

#include "arch/x86/cpu/asm.h"

/* makers: CPUID's vendor strings of the CPUs that have it, if at all. */
static const struct vendor {
	const struct hvm_ops *ops;
	const char *makers[3];
} vendors[] = {
	{ &svm_ops, { "AuthenticAMD", "HygonGenuine" } },
	{ &vmx_ops, { "GenuineIntel", "CentaurHauls", "  Shanghai  " } },
};

static bool made_by(const struct vendor *v, const char maker[12])
{
	for (size_t i = 0; i < ARRAY_SIZE(v->makers); i++)
		if (v->makers[i] && !memcmp(v->makers[i], maker, 12))
			return true;
	return false;
}

/* Says why no guest can run. Only what this CPU's maker could have built in is worth a line; of an unknown maker, all. */
static void refuse(const char *const why[])
{
	struct cpuid_regs r = cpuid_read(0, 0);
	const uint32_t words[3] = { r.ebx, r.edx, r.ecx };
	bool known = false;
	char maker[12];

	memcpy(maker, words, sizeof(maker));
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
		known |= made_by(&vendors[i], maker);
	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
		if (!known || made_by(&vendors[i], maker))
			log_verdict("no guest can run: %s", why[i]);
}

static bool switch_on(struct host *h, const struct hvm_ops *ops)
{
	int err = ops->cpu_enable(this_cpu());

	if (err) {
		log_error("%s cannot be switched on: %s", ops->name,
			  err == -ENOMEM ? "not enough host memory" : "the CPU refuses, against what it says of itself");
		return false;
	}
	h->hvm = ops;
	log_stage("virtualization: %s with nested paging", h->hvm->name);
	return true;
}

bool hvm_start(struct host *h)
{
	const char *why[ARRAY_SIZE(vendors)];

	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		why[i] = vendors[i].ops->probe();
		if (!why[i])
			return switch_on(h, vendors[i].ops);
	}
	refuse(why);
	return false;
}
