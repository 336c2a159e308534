/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts and signals for a vCPU that may be running on another CPU: they are posted by whoever sends them, and taken by
 * whoever runs it, before it enters the guest. Nobody else touches its local APIC. Lock-free, bounded; wakes nobody.
 */
#ifndef X86_DEV_POST_H
#define X86_DEV_POST_H

#include <vouch/vcpu.h>

#include "arch/x86/dev/apic_msg.h"

/* Bits of vcpu_posted.signals. */
#define POST_NMI    (1u << 0)
#define POST_EXTINT (1u << 1)
#define POST_LINT0  (1u << 2)         /* the PIC's output changed */
#define POST_INIT   (1u << 3)
#define POST_ROSE   (1u << 5)         /* beside POST_LINT0: it rose, and may have fallen since */
#define POST_SIPI   (1u << 4)         /* its vector in the highest byte */
#define POST_SIPI_VECTOR(signals) ((uint8_t)((signals) >> 24))
#define POST_TO_CORE (POST_INIT | POST_SIPI | 0xff000000u)

/* True: its CPU must be told. False: it has been, and not looked since; or such a message means nothing to a vCPU. */
bool post_message(struct vcpu_posted *p, const struct apic_msg *m);
bool post_signal(struct vcpu_posted *p, uint32_t signal);

/* Moves everything to *got, which belongs to the caller alone. */
void post_take(struct vcpu_posted *p, struct vcpu_posted *got);

#endif
