/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the console's multiplexer: memory and places. What it does with them is mux.c's subject. */
#include "core/operator.h"

#include <vouch/host.h>

#include "core/block.h"
#include "core/mux.h"

static unsigned int count_guests(const struct host *h)
{
	struct module_options m;
	unsigned int n = 0;

	for (unsigned int i = 0; i < h->boot.module_count; i++) {
		module_parse(&m, h->boot.module[i].string);
		n += m.kind == MODULE_GUEST;
	}
	return n;
}

static bool add_place(struct host *h, struct mux *m, unsigned int place)
{
	struct mux_place *p = block_get(&h->pages, sizeof(*p));
	uint8_t *kept = block_get(&h->pages, MUX_OUTPUT);

	if (!p || !kept) {
		block_put(&h->pages, p, sizeof(*p));
		block_put(&h->pages, kept, MUX_OUTPUT);
		return false;
	}
	mux_add(m, place, p, kept);
	return true;
}

void operator_init(struct host *h)
{
	enum mux_mode mode = h->options.consoles == CONSOLES_PREFIX ? MUX_PREFIX : MUX_FOCUS;
	unsigned int guests = count_guests(h);
	struct mux *m = block_get(&h->pages, sizeof(*m));

	if (m)
		mux_init(m, mode, h->platform.tsc_khz, console_put, &h->console);
	for (unsigned int i = 0; i < guests; i++) {
		if (m && add_place(h, m, i))
			continue;
		/* Places that were made stay: it is a machine with hardly any memory. */
		log_warn("not enough memory for guests to share the console: all write to it as they come");
		return;
	}
	if (guests)
		console_share(&h->console, m);
}
