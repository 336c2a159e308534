/* SPDX-License-Identifier: BSD-2-Clause */
/* Choosing the vendor part. */
#ifndef CORE_HVM_H
#define CORE_HVM_H

#include <vouch/types.h>

struct host;

/* Probes this CPU, switches its virtualization on and sets h->hvm; false, with the reason and remedy logged, if no
 * vendor part will do. */
bool hvm_start(struct host *h);

#endif
