/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * APIC virtualization, against a real local APIC. The TPR shadow: what the guest finds in CR8 and leaves there, and that it
 * exits when its MOV to CR8 lets an interrupt through, and only then. Beyond it: what is switched on in which mode, which
 * MSRs are open then, and what the CPU is told of interrupts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <vouch/host.h>
#include <vouch/page.h>
#include <vouch/vm.h>

#include "arch/x86/mm/nested.h"
#include "arch/x86/vmx/vmx.h"
#include "tests/unit/support/lapic_rig.h"
#include "tests/unit/support/vmcs.h"

static struct lapic_rig rig;
static struct vcpu v;
static struct vcpu_hw hw;
static struct vm vm;
static uint8_t bitmap[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void fresh(void)
{
	rig_create(&rig, 0, true);
	rig_enable(&rig);
	memset(&v, 0, sizeof(v));
	memset(&hw, 0, sizeof(hw));
	fake_vmcs_reset();
	fake_vmcs_set(VMCS_TPR_THRESHOLD, 9);
	hw.ctl.cpu = CPU_TPR_SHADOW;
	hw.msr_bitmap = ptr_to_hpa(bitmap);
	v.hw = &hw;
	v.lapic = &rig.l;
	vmx_apic_reset(&v);
}

/* The guest's MOV to CR8 as the CPU does it: SDM 3C "TPR Virtualization". True: it exits behind it. */
static bool mov_to_cr8(uint8_t cr8)
{
	rig.l.page[LAPIC_TPR].val = (uint32_t)cr8 << 4;
	return cr8 < fake_vmcs_get(VMCS_TPR_THRESHOLD);
}

static void set_vector(unsigned int map, unsigned int vector)
{
	rig.l.page[map + vector / 32].val |= 1u << vector % 32;
}

static void a_fresh_vcpu_has_its_page(void **ctx)
{
	(void)ctx;
	fresh();
	assert_int_equal(fake_vmcs_get(VMCS_VIRTUAL_APIC), ptr_to_hpa(&rig.l).v);
	assert_int_equal(fake_vmcs_get(VMCS_VIRTUAL_APIC) % PAGE_SIZE, 0);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
}

static void the_page_has_the_tpr(void **ctx)
{
	(void)ctx;
	fresh();
	rig_write(&rig, LAPIC_TPR, 0x57);
	vmx_apic_prepare(&v);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0x57);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x57);   /* the low bits stay if the guest lets CR8 alone */
	assert_false(mov_to_cr8(5));
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x50);
	lapic_set_cr8(&rig.l, 9);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0x90);
	lapic_reset(&rig.l);
	assert_int_equal(rig.l.page[LAPIC_TPR].val, 0);
}

/*
 * Each TPR, each class in service and two classes requested: the entry is allowed, and MOV to CR8 exits if, and only if,
 * it makes an interrupt deliverable that was not. Low bits of vectors and TPR do not matter.
 */
static void exits_if_it_lets_an_interrupt_through(void **ctx)
{
	unsigned int exits = 0;

	(void)ctx;
	for (unsigned int n = 0; n < 16u * 16 * 16 * 16; n++) {
		unsigned int tpr = n & 15, isr = n >> 4 & 15, high = n >> 8 & 15, low = n >> 12;

		fresh();
		if (isr)
			set_vector(LAPIC_ISR, isr << 4 | 15);
		if (high)
			set_vector(LAPIC_IRR, high << 4 | (n & 15));
		if (low)
			set_vector(LAPIC_IRR, low << 4 | 3);
		rig_write(&rig, LAPIC_TPR, tpr << 4 | (low & 15));
		vmx_apic_prepare(&v);
		assert_true(fake_vmcs_get(VMCS_TPR_THRESHOLD) <= rig.l.page[LAPIC_TPR].val >> 4);
		assert_int_equal(hw.tpr_threshold, fake_vmcs_get(VMCS_TPR_THRESHOLD));
		for (uint8_t cr8 = 0; cr8 < 16; cr8++) {
			bool before, exit;

			lapic_set_cr8(&rig.l, (uint8_t)tpr);
			before = lapic_pending(&rig.l) >= 0;
			exit = mov_to_cr8(cr8);
			/* With one that is deliverable already the interrupt window is open. */
			assert_int_equal(exit, !before && lapic_pending(&rig.l) >= 0);
			exits += exit;
		}
	}
	assert_in_range(exits, 1000, 16u * 16 * 16 * 16 * 16);
}

static void an_apic_that_is_off_holds_nothing_back(void **ctx)
{
	(void)ctx;
	fresh();
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x80);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
	rig_write(&rig, LAPIC_SVR, 0xff);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(lapic_cr8(&rig.l), 8);         /* CR8 is there all the same */
}

static void a_threshold_that_stands_is_not_written(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x80);
	vmx_apic_prepare(&v);
	writes = fake_vmcs.writes;
	rig_write(&rig, LAPIC_TPR, 0x90);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	vmx_apic_reset(&v);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	vmx_apic_prepare(&v);                            /* nor is one taken for written that a reset has undone */
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
}

/* ---- beyond the TPR ---- */

static uint8_t access_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static bool mapped, out_of_memory;
static unsigned int pages_held;

bool page_get_zeroed(struct page_alloc *a, unsigned int order, hpa_t *out)
{
	(void)a;
	assert_int_equal(order, PAGE_ORDER_4K);
	*out = ptr_to_hpa(access_page);
	pages_held++;
	return true;
}

void page_put(struct page_alloc *a, hpa_t page, unsigned int order)
{
	(void)a;
	(void)order;
	assert_int_equal(page.v, ptr_to_hpa(access_page).v);
	assert_int_equal(access_page[7], 0);
	pages_held--;
}

void page_scrub(hpa_t page, unsigned int order)
{
	memset(hpa_to_ptr(page), 0, PAGE_SIZE << order);
}

/* The nested tables: one page of them. */
int nested_map(struct nested *n, gpa_t g, hpa_t h, uint64_t len, enum nested_prot prot)
{
	(void)n;
	assert_int_equal(g.v, APIC_DEFAULT_BASE);
	assert_int_equal(h.v, ptr_to_hpa(access_page).v);
	assert_int_equal(len, PAGE_SIZE);
	assert_int_equal(prot, NESTED_DEVICE);
	assert_false(mapped);
	if (out_of_memory)
		return -ENOMEM;
	mapped = true;
	return 0;
}

int nested_unmap(struct nested *n, gpa_t g, uint64_t len)
{
	(void)n;
	assert_int_equal(g.v, APIC_DEFAULT_BASE);
	assert_int_equal(len, PAGE_SIZE);
	assert_true(mapped);
	mapped = false;
	return 0;
}

static void fresh_with(uint32_t ctls)
{
	fresh();
	memset(bitmap, 0xff, sizeof(bitmap));
	hw.msr_bitmap = ptr_to_hpa(bitmap);
	hw.apic_ctls = ctls;
	hw.apic_access = ctls & CPU2_APIC_ACCESS ? ptr_to_hpa(access_page) : hpa(0);
	hw.apic_mapped = mapped = hw.apic_access.v;
	hw.ctl.cpu2 = CPU2_EPT | CPU2_VPID;
	v.vm = &vm;
	vmx_apic_reset(&v);
}

static void prepare(void)
{
	vmx_apic_mode(&v);
	vmx_apic_prepare(&v);
	assert_int_equal(hw.ctl.cpu2 & ~VMX_APIC_CTLS, CPU2_EPT | CPU2_VPID);
	if (hw.apic_access.v) {
		assert_int_equal(mapped, lapic_xapic_enabled(&rig.l));
		assert_int_equal(hw.apic_mapped, mapped);
	}
}

static void write_base(uint64_t mode)
{
	assert_int_equal(lapic_msr_write(&rig.l, MSR_APIC_BASE, APIC_DEFAULT_BASE | APIC_BASE_BSP | mode), 0);
}

static bool opened(uint32_t msr, bool write)
{
	return !(bitmap[(write ? 0x800 : 0) + msr / 8] >> msr % 8 & 1);
}

/* How many MSRs are open in all, to reads and to writes. */
static void count_open(unsigned int *reads, unsigned int *writes)
{
	*reads = *writes = 0;
	for (uint32_t msr = 0; msr < 8192; msr++) {
		*reads += opened(msr, false);
		*writes += opened(msr, true);
	}
	for (size_t i = 0x400; i < 0x800; i++)
		assert_true(bitmap[i] == 0xff && bitmap[0x800 + i] == 0xff);
}

static void expect_open(unsigned int reads, unsigned int writes)
{
	unsigned int r, w;

	count_open(&r, &w);
	assert_int_equal(r, reads);
	assert_int_equal(w, writes);
}

static void the_page_belongs_to_the_vcpu(void **ctx)
{
	static struct host host;

	(void)ctx;
	fresh();
	vm.host = &host;
	v.vm = &vm;
	vmx_apic_destroy(&v);                   /* it has none */
	mapped = false;
	out_of_memory = true;
	assert_int_equal(vmx_apic_create(&v), -ENOMEM);
	assert_int_equal(hw.apic_access.v, 0);
	assert_int_equal(pages_held, 0);
	out_of_memory = false;
	assert_int_equal(vmx_apic_create(&v), 0);
	assert_true(mapped && hw.apic_mapped);
	assert_int_equal(hw.apic_access.v, ptr_to_hpa(access_page).v);
	access_page[7] = 1;
	vmx_apic_destroy(&v);
	assert_int_equal(pages_held, 0);
}

/* SDM 3C "Virtualize x2APIC mode" and "virtualize APIC accesses" exclude each other; each fits one mode. */
static void the_controls_follow_the_mode(void **ctx)
{
	(void)ctx;
	fresh_with(VMX_APIC_CTLS);
	assert_int_equal(fake_vmcs_get(VMCS_APIC_ACCESS), ptr_to_hpa(access_page).v);
	prepare();
	assert_int_equal(hw.ctl.cpu2 & VMX_APIC_CTLS, CPU2_APIC_ACCESS | CPU2_APIC_REGS | CPU2_VIRT_INTR);
	assert_int_equal(fake_vmcs_get(VMCS_CPU_CTRL2), hw.ctl.cpu2);
	expect_open(0, 0);
	write_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	prepare();
	assert_int_equal(hw.ctl.cpu2 & VMX_APIC_CTLS, CPU2_X2APIC | CPU2_APIC_REGS | CPU2_VIRT_INTR);
	assert_int_equal(fake_vmcs_get(VMCS_CPU_CTRL2), hw.ctl.cpu2);
	expect_open(39, 3);
	write_base(0);
	prepare();
	assert_int_equal(hw.ctl.cpu2 & VMX_APIC_CTLS, 0);
	assert_int_equal(fake_vmcs_get(VMCS_CPU_CTRL2), hw.ctl.cpu2);
	expect_open(0, 0);
	write_base(APIC_BASE_ENABLE);           /* software-disabled: a self-IPI has to be refused */
	prepare();
	assert_int_equal(hw.ctl.cpu2 & VMX_APIC_CTLS, CPU2_APIC_ACCESS | CPU2_APIC_REGS);
	rig_enable(&rig);
	prepare();
	assert_int_equal(hw.ctl.cpu2 & VMX_APIC_CTLS, CPU2_APIC_ACCESS | CPU2_APIC_REGS | CPU2_VIRT_INTR);
}

/* SDM 3C "Virtualizing MSR-Based APIC Accesses": what gets through and is not virtualized reaches the host's APIC. */
static void msrs_are_open_that_the_cpu_virtualizes(void **ctx)
{
	static const struct { uint32_t ctls; unsigned int reads, writes; } rows[] = {
		{ 0, 0, 0 }, { CPU2_APIC_REGS | CPU2_VIRT_INTR, 0, 0 }, { CPU2_X2APIC, 1, 1 },
		{ CPU2_X2APIC | CPU2_VIRT_INTR, 1, 3 }, { CPU2_X2APIC | CPU2_APIC_REGS, 38, 1 }, { VMX_APIC_CTLS, 39, 3 },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fresh_with(rows[i].ctls);
		write_base(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
		prepare();
		expect_open(rows[i].reads, rows[i].writes);
		if (!(hw.ctl.cpu2 & CPU2_X2APIC))
			continue;
		assert_true(opened(0x808, false) && opened(0x808, true));
		assert_int_equal(opened(0x80b, true), !!(rows[i].ctls & CPU2_VIRT_INTR));
		assert_int_equal(opened(0x83f, true), !!(rows[i].ctls & CPU2_VIRT_INTR));
		/* The count runs, the ICR is two words of the page, and neither 830h nor 838h may be written unseen. */
		assert_false(opened(0x839, false) || opened(0x830, false) || opened(0x830, true) || opened(0x838, true));
		vmx_apic_reset(&v);
		expect_open(0, 0);
	}
}

/* SDM 3C "Guest Interrupt Status" and "EOI-Exit Bitmap". */
static void the_cpu_is_told_what_has_changed(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh_with(VMX_APIC_CTLS);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0);
	lapic_inject(&rig.l, 0x31, false);
	lapic_inject(&rig.l, 0xe2, true);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0x00e2);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT0), 0);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT3), 1ull << (0xe2 - 192));
	writes = fake_vmcs.writes;
	prepare();
	assert_int_equal(fake_vmcs.writes, writes);
	/* The CPU takes one, and the other one comes again as an edge. */
	rig.l.page[LAPIC_IRR + 7].val = 0;
	rig.l.page[LAPIC_ISR + 7].val = 1u << 2;
	fake_vmcs_set(VMCS_GUEST_INTR_STATUS, 0xe231);
	prepare();
	assert_int_equal(fake_vmcs.writes, writes);
	lapic_inject(&rig.l, 0x50, true);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0xe250);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT1), 1ull << (0x50 - 64));
	lapic_inject(&rig.l, 0xe2, false);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0xe2e2);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT3), 0);
	/* An EOI that Vouch does, as where the page is not virtualized. */
	rig_write(&rig, LAPIC_EOI, 0);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0x00e2);
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
}

/* Delivery may be left out alone; then the threshold is what it was. And when it comes back all is written. */
static void the_threshold_is_for_injection_only(void **ctx)
{
	(void)ctx;
	fresh_with(VMX_APIC_CTLS);
	prepare();
	rig_write(&rig, LAPIC_TPR, 0x80);
	lapic_inject(&rig.l, 0x55, true);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 0);
	fresh_with(VMX_APIC_CTLS & ~CPU2_VIRT_INTR);
	prepare();
	rig_write(&rig, LAPIC_TPR, 0x80);
	lapic_inject(&rig.l, 0x55, true);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_TPR_THRESHOLD), 5);
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT1), 0);
	hw.apic_ctls |= CPU2_VIRT_INTR;
	rig_write(&rig, LAPIC_SVR, 0x1ff);
	prepare();
	assert_int_equal(fake_vmcs_get(VMCS_GUEST_INTR_STATUS), 0x55);
	assert_int_equal(fake_vmcs_get(VMCS_EOI_EXIT1), 1ull << (0x55 - 64));
}

static void nothing_happens_without_the_shadow(void **ctx)
{
	unsigned int writes;

	(void)ctx;
	fresh();
	hw.ctl.cpu = 0;
	lapic_inject(&rig.l, 0x55, false);
	rig_write(&rig, LAPIC_TPR, 0x81);
	writes = fake_vmcs.writes;
	vmx_apic_reset(&v);
	vmx_apic_prepare(&v);
	assert_int_equal(fake_vmcs.writes, writes);
	assert_int_equal(rig_read(&rig, LAPIC_TPR), 0x81);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_vcpu_has_its_page),
		cmocka_unit_test(the_page_has_the_tpr),
		cmocka_unit_test(exits_if_it_lets_an_interrupt_through),
		cmocka_unit_test(an_apic_that_is_off_holds_nothing_back),
		cmocka_unit_test(a_threshold_that_stands_is_not_written),
		cmocka_unit_test(the_page_belongs_to_the_vcpu),
		cmocka_unit_test(the_controls_follow_the_mode),
		cmocka_unit_test(msrs_are_open_that_the_cpu_virtualizes),
		cmocka_unit_test(the_cpu_is_told_what_has_changed),
		cmocka_unit_test(the_threshold_is_for_injection_only),
		cmocka_unit_test(nothing_happens_without_the_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
