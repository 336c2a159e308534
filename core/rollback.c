/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rollback.h. Whatever is not as it should be refuses the guest: an index that is no counter could be set to anything.
 */
#include "core/rollback.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/log.h>
#include <vouch/policy.h>
#include <vouch/tpm.h>
#include <vouch/vm.h>

#include "core/measured.h"

#define RAISE_MAX 256u                /* a start: each step is a write to the TPM's flash */

static int refuse(struct image_error *err, const char *fmt, ...) __printf(2, 3);
static int refuse(struct image_error *err, const char *fmt, ...)
{
	int n = snprintf(err->text, sizeof(err->text), "%s: ", image_err_text(IMG_ERR_POLICY));
	va_list ap;

	err->code = IMG_ERR_POLICY;
	va_start(ap, fmt);
	vsnprintf(err->text + n, sizeof(err->text) - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

/* The policy's words on the guest, if it has a counter. */
static const struct policy_guest *find(const struct vm *vm)
{
	const struct policy *p = vm->host->policy;

	for (uint32_t i = 0; i < p->guest_count; i++) {
		if (p->guest[i].counter && strcmp(p->guest[i].name, vm->name) == 0)
			return &p->guest[i];
	}
	return NULL;
}

static int refuse_tpm(const struct tpm *t, int ret, uint32_t index, const char *what, struct image_error *err)
{
	char text[48];

	return refuse(err, "TPM counter %#x: %s: %s", (unsigned int)index, what, tpm_error_text(t, ret, text, sizeof(text)));
}

/* A counter's first step gives it its value. */
static int begin(struct tpm *t, const struct policy_guest *g, bool define, struct image_error *err)
{
	int ret = define ? tpm_nv_define_counter(t, g->counter) : 0;
	uint64_t value;

	if (ret)
		return refuse_tpm(t, ret, g->counter, "it cannot be defined", err);
	ret = tpm_nv_increment(t, g->counter);
	if (!ret)
		ret = tpm_nv_read_counter(t, g->counter, &value);
	if (ret)
		return refuse_tpm(t, ret, g->counter, "it does not begin", err);
	log_verdict("TPM counter %#x for guest %s: new, it begins with %" PRIu64, (unsigned int)g->counter, g->name, value);
	return 0;
}

/* That it is there, a counter, and has a value. */
static int prepare(struct tpm *t, const struct policy_guest *g, struct image_error *err)
{
	struct tpm_nv nv;
	int ret = tpm_nv_read_public(t, g->counter, &nv);

	if (ret == -ENOENT && g->counter_raise)
		return begin(t, g, true, err);
	if (ret)
		return refuse_tpm(t, ret, g->counter, "it is not there", err);
	if (!tpm_nv_is_counter(&nv))
		return refuse(err, "TPM counter %#x: the index is no counter", (unsigned int)g->counter);
	if (nv.attributes & TPM_NV_WRITTEN)
		return 0;
	if (g->counter_raise)
		return begin(t, g, false, err);
	return refuse(err, "TPM counter %#x: it was never counted", (unsigned int)g->counter);
}

static int read_value(struct tpm *t, const struct policy_guest *g, uint64_t *value, struct image_error *err)
{
	int ret = tpm_nv_read_counter(t, g->counter, value);

	if (ret)
		return refuse_tpm(t, ret, g->counter, "it cannot be read", err);
	if (*value >= g->counter_base)
		return 0;
	return refuse(err, "TPM counter %#x: it counts %" PRIu64 ", its base is %" PRIu64, (unsigned int)g->counter, *value,
		      g->counter_base);
}

int rollback_check(struct vm *vm, uint64_t version, struct image_error *err)
{
	const struct policy_guest *g = find(vm);
	struct tpm *t = measured_tpm(vm->host);
	uint64_t value;

	if (!g)
		return 0;
	if (!t)
		return refuse(err, "TPM counter %#x: there is no TPM that works", (unsigned int)g->counter);
	if (prepare(t, g, err) || read_value(t, g, &value, err))
		return -1;
	if (version >= value - g->counter_base)
		return 0;
	return refuse(err, "%s: %" PRIu64 ", TPM counter %#x demands %" PRIu64,
		      policy_verdict_text(POLICY_REFUSED_VERSION), version, (unsigned int)g->counter,
		      value - g->counter_base);
}

int rollback_raise(struct vm *vm, uint64_t version, struct image_error *err)
{
	const struct policy_guest *g = find(vm);
	struct tpm *t = measured_tpm(vm->host);
	uint64_t value, above, steps = 0;
	int ret = 0;

	if (!g || !g->counter_raise)
		return 0;
	/* It may have failed over the measuring. */
	if (!t)
		return refuse(err, "TPM counter %#x: there is no TPM that works", (unsigned int)g->counter);
	if (read_value(t, g, &value, err))
		return -1;
	above = value - g->counter_base;
	while (!ret && above + steps < version && steps < RAISE_MAX) {
		ret = tpm_nv_increment(t, g->counter);
		steps += !ret;
	}
	if (ret)
		return refuse_tpm(t, ret, g->counter, "it cannot be raised", err);
	if (steps)
		log_verdict("TPM counter %#x for guest %s raised: security version %" PRIu64 " is the least from now on%s",
			    (unsigned int)g->counter, g->name, above + steps,
			    above + steps < version ? "; the image's is higher still" : "");
	return 0;
}
