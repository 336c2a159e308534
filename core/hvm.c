/* SPDX-License-Identifier: BSD-2-Clause */
/* Which vendor's virtualization this machine has: chosen once at boot, const after. */
#include "core/hvm.h"

#include <vouch/host.h>
#include <vouch/hvm.h>
#include <vouch/log.h>
#include <vouch/pcpu.h>

bool hvm_start(struct host *h)
{
	static const struct hvm_ops *const vendors[] = { &svm_ops };
	const char *why = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
		why = vendors[i]->probe();
		if (why)
			continue;
		if (vendors[i]->cpu_enable(this_cpu())) {
			log_error("%s cannot be switched on: not enough host memory", vendors[i]->name);
			return false;
		}
		h->hvm = vendors[i];
		log_stage("virtualization: %s with nested paging", h->hvm->name);
		return true;
	}
	log_verdict("no guest can run: %s", why);
	return false;
}
