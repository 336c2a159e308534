/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways this machine ends. */
#include <vouch/platform.h>

#include <vouch/host.h>
#include <vouch/pcpu.h>

#include "asm.h"

void host_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
