/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock: the two MSRs and the records they make Vouch write into guest memory. */
#include "arch/x86/exit/kvmclock.h"

#include <stddef.h>

#include <vouch/gpa.h>
#include <vouch/vm.h>

#define KVMCLOCK_ENABLE 1ull
#define PVCLOCK_TSC_STABLE 1u

/* struct pvclock_vcpu_time_info of the documentation. */
struct pvclock_time {
	uint32_t version;             /* odd while an update is under way */
	uint32_t pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad1[2];
} __attribute__((packed));

struct pvclock_wall {
	uint32_t version, sec, nsec;
};

_Static_assert(sizeof(struct pvclock_time) == 32, "layout of the time record");
_Static_assert(sizeof(struct pvclock_wall) == 12, "layout of the wall-clock record");

void kvmclock_scale(uint64_t khz, uint32_t *mul, int8_t *shift)
{
	const uint64_t ns_per_s = 1000000000ull;
	uint64_t hz = khz * 1000;
	int8_t s = 0;

	/* Bring the rate into (1 GHz, 2 GHz], where the 32-bit factor has all its bits. */
	while (hz > 2 * ns_per_s) {
		hz >>= 1;
		s--;
	}
	while (hz <= ns_per_s) {
		hz <<= 1;
		s++;
	}
	*mul = (uint32_t)mul_div(ns_per_s, 1ull << 32, hz);
	*shift = s;
}

/* A record outside RAM is the guest's own loss: its MSR write was checked, memory does not move. */
static void put(struct vcpu *v, size_t off, const void *bytes, size_t n)
{
	(void)!gpa_write(v->vm, gpa((v->kvmclock_msr & ~KVMCLOCK_ENABLE) + off), bytes, n);
}

/*
 * Other vCPUs may be reading it: an odd version, then the rest, then the next even one, stored in that order. The flag is
 * promised as long as TSCs are in step, or as far off as the TSC offset makes good.
 */
void kvmclock_update(struct vcpu *v)
{
	struct pvclock_time t = { .flags = v->vm->clock.uneven ? 0 : PVCLOCK_TSC_STABLE, .tsc_timestamp = v->tsc_adjust };
	const uint32_t body = offsetof(struct pvclock_time, pad0);
	uint32_t mul;

	if (!(v->kvmclock_msr & KVMCLOCK_ENABLE))
		return;
	kvmclock_scale(v->vm->clock.host_khz, &mul, &t.shift);
	t.mul = mul;
	t.version = v->kvmclock_version + 1;
	put(v, 0, &t.version, sizeof(t.version));
	put(v, body, (const uint8_t *)&t + body, sizeof(t) - body);
	t.version = v->kvmclock_version += 2;
	put(v, 0, &t.version, sizeof(t.version));
}

int kvmclock_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->kvmclock_msr;
	return 0;
}

int kvmclock_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t at = val & ~KVMCLOCK_ENABLE, last = at + sizeof(struct pvclock_time) - 1;

	(void)msr;
	if ((val & KVMCLOCK_ENABLE) &&
	    ((at & 3) || !gpa_is_writable(v->vm, gpa(at)) || !gpa_is_writable(v->vm, gpa(last))))
		return -1;
	v->kvmclock_msr = val;
	kvmclock_update(v);
	return 0;
}

int kvmclock_wall_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->kvm_wall_msr;
	return 0;
}

int kvmclock_wall_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct pvclock_wall w = { .version = 2, .sec = (uint32_t)v->vm->epoch };

	(void)msr;
	if (gpa_write(v->vm, gpa(val), &w, sizeof(w)))
		return -1;
	v->kvm_wall_msr = val;
	return 0;
}
