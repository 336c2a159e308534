/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader's hand-over to vouch_main(): the boot CPU's own memory, its tables, a console on COM1, and the
 * loader's information copied out.
 */
#include "start.h"

#include <vouch/assert.h>
#include <vouch/host.h>
#include <vouch/pcpu.h>
#include <vouch/serial.h>

#include "arch/x86/cpu/cpu.h"
#include "arch/x86/cpu/display.h"
#include "core/main.h"

#define MB2_LOADED 0x36d76289u
/* GRUB's is some kilobytes; more than this is not one. */
#define MB2_INFO_MAX (16u << 20)

/* The boot CPU's own memory, set aside by head.S. */
extern struct pcpu_arch boot_arch;
extern struct host boot_host;

_Static_assert(sizeof(struct pcpu_arch) <= BOOT_ARCH_SIZE, "head.S keeps too little for struct pcpu_arch");
_Static_assert(sizeof(struct host) <= BOOT_HOST_SIZE, "head.S keeps too little for struct host");
_Static_assert(sizeof(struct pcpu) <= AREA_GUARD_LOW, "struct pcpu has one page");

static void boot_info_read(struct host *h, uint32_t info, uint64_t load_base)
{
	struct boot_info *b = &h->boot;
	const uint8_t *tags = hpa_to_ptr(hpa(info));
	uint32_t len = *(const volatile uint32_t *)tags, at = 0;
	enum mb2_err err;

	if (info & 7 || len > MB2_INFO_MAX || len < 8) {
		display_init_blind(h);
		panic("boot information at %#x: bad address or length %#x", info, len);
	}
	err = mb2_parse(b, tags, len, &at);
	/* What was read up to an error may hold the screen to say so on. */
	display_init(h);
	if (b->efi_services)
		panic("UEFI boot services still run: they own memory that no map tells; boot with GRUB's multiboot2 command");
	if (err != MB2_OK)
		panic("boot information refused: %s at offset %#x", mb2_err_text(err), at);
	b->info = hpa(info);
	b->info_len = len;
	if (b->load_base.v && b->load_base.v != load_base)
		log_warn("the loader says it put the image at %#lx, but it is at %#lx", (unsigned long)b->load_base.v,
			 (unsigned long)load_base);
	b->load_base = hpa(load_base);
}

void boot_start(uint32_t magic, uint32_t info, uint64_t load_base)
{
	struct pcpu *p = this_cpu();
	struct host *h = &boot_host;

	p->self = p;
	p->host = h;
	p->arch = &boot_arch;
	h->cpu[0] = p;
	h->cpus = 1;
	lock_init(&h->console.lock, LOCK_CONSOLE, "console");
	h->console.console_ports = OPT_COM1 | OPT_SCREEN;
	h->console.level = LOG_INFO;
	serial_init(0, false);
	cpu_tables_init(p);
	cpu_features_init();
	if (magic != MB2_LOADED) {
		display_init_blind(h);
		panic("not started by a multiboot2 loader (magic %#x): boot with GRUB's multiboot2 command", magic);
	}
	boot_info_read(h, info, load_base);
	vouch_main(h);
}
