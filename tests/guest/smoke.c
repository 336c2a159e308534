/* SPDX-License-Identifier: BSD-2-Clause */
/* The least a guest can do: print, look where it runs, power off. */
#include "lib/guest.h"

const char test_name[] = "smoke";

extern u64 boot_load_address;

void test_main(void)
{
	u64 efer = rdmsr(0xc0000080);

	report(true, "console works");
	print("loaded at %lx\n", boot_load_address);
	report(!expect_vouch || boot_load_address == 0x1000000, "loaded at the preferred address");
	report((efer & 0x500) == 0x500, "long mode is active (EFER %lx)", efer);
	report(boot_params[0x1fe] == 0x55 && boot_params[0x1ff] == 0xaa, "boot_params hold the setup header");
	report(e820_count() > 0, "boot_params hold a memory map");
	report(TRAPS(6, "ud2"), "an exception is delivered and returned from");
}
