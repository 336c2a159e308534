/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where this machine's TPM is. TCG ACPI Specification "TPM2 Static Table". The firmware's addresses are checked against
 * the memory map: a TPM whose registers or buffers lie in memory that Vouch gives out is none.
 */
#include "tpm.h"

#include <errno.h>

#include <vouch/host.h>

#include "arch/x86/mm/paging.h"
#include "core/memory.h"
#include "tsc.h"

/* Start methods. */
enum { METHOD_MMIO = 6, METHOD_CRB = 7 };

#define TIS_BASE     0xfed40000ull    /* PTP "Locality Addresses": fixed */
#define LOCALITY_LEN 0x1000u
#define CONTROL_OFF  0x40u            /* of the control area in a locality's page */
#define CONTROL_LEN  0x30u
#define PAUSE_US     10000u

static uint32_t page_read(void *ctx, uint32_t off, unsigned int bytes)
{
	volatile uint8_t *at = ((struct tpm_host *)ctx)->page + off;

	return bytes == 1 ? *at : *(volatile uint32_t *)at;
}

static void page_write(void *ctx, uint32_t off, unsigned int bytes, uint32_t v)
{
	volatile uint8_t *at = ((struct tpm_host *)ctx)->page + off;

	if (bytes == 1)
		*at = (uint8_t)v;
	else
		*(volatile uint32_t *)at = v;
}

static void page_delay(void *ctx, unsigned int us)
{
	(void)ctx;
	host_delay_us(us);
}

static bool pause(struct tpm *t, bool first)
{
	if (first)
		t->busy_since = host_tsc();
	host_delay_us(PAUSE_US);
	return host_tsc() - t->busy_since < mul_div(this_cpu()->host->platform.tsc_khz, TPM_EXCHANGE_US, 1000);
}

/* No memory that Vouch may use, or gave to a guest, and no address that no CPU has. */
static bool is_device(const struct boot_info *b, uint64_t at, uint64_t len)
{
	if (at >= MEMORY_TOP || len > MEMORY_TOP - at)
		return false;
	for (uint32_t i = 0; i < b->mem_count; i++) {
		const struct boot_mem *m = &b->mem[i];

		if (m->type == BOOT_MEM_RAM && m->base.v < MEMORY_TOP &&
		    span_overlap(at, len, m->base.v, min_u64(m->len, MEMORY_TOP - m->base.v)))
			return false;
	}
	return true;
}

static volatile uint8_t *map(const struct host *h, uint64_t at, uint64_t len)
{
	return is_device(&h->boot, at, len) ? mmio_map(hpa(at), len) : NULL;
}

static int open_tis(struct tpm_host *d, struct tpm *t, const struct host *h, const char **why)
{
	int ret;

	d->interface = "FIFO";
	d->page = map(h, TIS_BASE, LOCALITY_LEN);
	*why = "the memory map has RAM where its registers are";
	if (!d->page)
		return -EINVAL;
	d->tis.regs = (struct tpm_regs){ page_read, page_write, page_delay, d };
	ret = tpm_tis_open(&d->tis);
	*why = ret == -ENODEV ? "nothing answers at its address" : "it does not give locality 0";
	t->exchange = tpm_tis_exchange;
	t->ctx = &d->tis;
	return ret == -ENODEV ? -EIO : ret;
}

static int open_crb_buffers(struct tpm_crb *c, const struct host *h, const char **why)
{
	int ret = tpm_crb_open(c);

	*why = ret == -ENODEV ? "nothing answers at its address" :
	       ret == -EIO ? "its buffers cannot be where it says" : "it does not give locality 0";
	if (ret)
		return ret == -ENODEV ? -EIO : ret;
	*why = "its buffers cannot be where it says";
	c->command = map(h, c->command_at, c->command_size);
	/* Often both are the same. */
	c->response = c->response_at == c->command_at && c->response_size <= c->command_size ?
		      c->command : map(h, c->response_at, c->response_size);
	return c->command && c->response ? 0 : -EIO;
}

/*
 * Outside of PTP's layout the control area stands alone, and nobody but us is there to share it. The registers count
 * from CONTROL_OFF before it either way; what is before is only touched where it is mapped.
 */
static int open_crb(struct tpm_host *d, struct tpm *t, const struct host *h, const char **why)
{
	uint64_t control = h->platform.tpm_control;
	bool layout = control % LOCALITY_LEN == CONTROL_OFF;
	volatile uint8_t *at;

	d->interface = "CRB";
	*why = "its control area cannot be where ACPI says";
	if (control < CONTROL_OFF || control % 4)
		return -EINVAL;
	at = layout ? map(h, control - CONTROL_OFF, LOCALITY_LEN) : map(h, control, CONTROL_LEN);
	if (!at)
		return -EINVAL;
	d->page = layout ? at : (volatile uint8_t *)((uintptr_t)at - CONTROL_OFF);
	d->crb.has_locality = layout;
	d->crb.regs = (struct tpm_regs){ page_read, page_write, page_delay, d };
	t->exchange = tpm_crb_exchange;
	t->ctx = &d->crb;
	return open_crb_buffers(&d->crb, h, why);
}

int tpm_host_open(struct tpm_host *d, struct tpm *t, const struct host *h, const char **why)
{
	const struct platform *p = &h->platform;

	*d = (struct tpm_host){ .interface = "unknown" };
	*t = (struct tpm){ .pause = pause };
	*why = "it is a TPM 1.2";
	if (!p->has_tpm2)
		return p->has_tcpa ? -EINVAL : -ENODEV;
	if (p->tpm_method == METHOD_MMIO)
		return open_tis(d, t, h, why);
	if (p->tpm_method == METHOD_CRB)
		return open_crb(d, t, h, why);
	*why = "Vouch does not know how it is started";
	return -EINVAL;
}
