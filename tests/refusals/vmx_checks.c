/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMLAUNCH of good VMCSs and of all that differ from one in one bit: the checker must say the same as the CPU, down to
 * which error. A guest that is entered leaves at once, at the latest for its first instruction: its EPT is empty.
 * What cannot be tried: a host state that is legal but not ours, MSR areas, activity states that nothing ends.
 */
#include "kernel.h"

#include <string.h>

#include "arch/x86/cpu/asm.h"
#include "arch/x86/vmx/check.h"
#include "tests/refusals/vmx_states.h"

#define MSR_VMX_BASIC 0x480u
#define FIELDS (sizeof(struct vmcs_state) / 8)

const char test_name[] = "vmx-checks";

int vmx_try(void);
extern const uint8_t vmx_landed[];

enum answer { TAKEN, BAD_CONTROLS, BAD_HOST, BAD_GUEST, ELSE };

static uint8_t vmxon_page[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t vmcs_page[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t empty[PAGE_SIZE] __attribute__((aligned(4096)));
static struct vmcs_state encoding;      /* of each member, its field */
static struct vmcs_host host;
static struct vmx_facts facts;

static uint32_t field_of(size_t i)
{
	return (uint32_t)((const uint64_t *)&encoding)[i];
}

static uint64_t encode(void *ctx, uint32_t field)
{
	(void)ctx;
	return field;
}

/* Bits 14:13 of an encoding: 16, 64, 32 bits, natural width. */
static unsigned int width_of(uint32_t field)
{
	static const uint8_t widths[] = { 16, 64, 32, 64 };

	return widths[(field >> 13) & 3];
}

/* Without effect where the CPU lacks the field: no control can then call for it. */
static void field_write(uint32_t field, uint64_t val)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(val) : "cc", "memory");
}

static void load(const struct vmcs_state *s)
{
	uint64_t pa = (uint64_t)vmcs_page;

	__asm__ volatile("vmclear %0; vmptrld %0" : : "m"(pa) : "cc", "memory");
	for (size_t i = 0; i < FIELDS; i++)
		field_write(field_of(i), ((const uint64_t *)s)[i]);
	field_write(VMCS_PREEMPTION_TIMER, 0);
}

static enum answer cpu_says(void)
{
	uint64_t val;

	if (vmx_try()) {
		val = vmcs_read(VMCS_INSN_ERROR);
		return val == 7 ? BAD_CONTROLS : val == 8 ? BAD_HOST : ELSE;
	}
	val = vmcs_read(VMCS_EXIT_REASON);
	if (val == (VMX_EXIT_ENTRY_FAILED | VMX_EXIT_BAD_GUEST))
		return BAD_GUEST;
	return val & VMX_EXIT_ENTRY_FAILED ? ELSE : TAKEN;
}

static enum answer checker_says(struct refusals *r, const struct vmcs_state *s)
{
	unsigned int controls, all;

	r->count = 0;
	vmx_check_controls(r, s, &facts);
	controls = r->count;
	vmx_check_host(r, s, &facts);
	all = r->count;
	vmx_check_guest(r, s, &facts);
	if (!r->count)
		return TAKEN;
	return controls ? BAD_CONTROLS : all ? BAD_HOST : BAD_GUEST;
}

static bool can_try(const struct vmcs_state *s)
{
	return !s->guest.activity && !s->exit_msr_stores && !s->exit_msr_loads && !s->entry_msr_loads &&
	       !memcmp(&s->host, &host, sizeof(host));
}

static void try_state(const char *mode, const struct vmcs_state *s, uint32_t field)
{
	struct refusals r;
	enum answer want = checker_says(&r, s), got;
	char hex[8] = "0000h";

	if (want == TAKEN && !can_try(s))
		return;
	load(s);
	got = cpu_says();
	trials++;
	if (got == want)
		return;
	for (unsigned int i = 0; i < 4; i++)
		hex[i] = "0123456789abcdef"[field >> (12 - 4 * i) & 15];
	if (want == TAKEN)
		disagree("refuses", hex, "the checker takes it", mode);
	else
		disagree(got == TAKEN ? "takes" : "has another error for", r.list[0].field, r.list[0].rule, mode);
}

/* Pages that the processor might write to stay where they are. */
static bool may_flip(uint32_t field, unsigned int bit)
{
	bool writes = field == VMCS_VIRTUAL_APIC || field == VMCS_POSTED_DESC || field == VMCS_PML_ADDRESS;

	return !writes || bit < 12 || bit >= facts.phys_bits;
}

static struct vmcs_state at_home(struct vmcs_state s)
{
	uint64_t page = (uint64_t)empty;

	s.host = host;
	s.eptp = page | 3 << 3 | 6;
	s.io_bitmap_a = s.io_bitmap_b = s.msr_bitmap = s.virtual_apic = s.apic_access = s.ve_info = s.pml = page;
	s.vmread_bitmap = s.vmwrite_bitmap = s.eptp_list = page;
	s.tsc_multiplier = 1ull << 48;
	return s;
}

static void flip_each_bit(const char *mode, struct vmcs_state good, uint32_t event)
{
	good = at_home(good);
	good.intr_info = event;
	good.insn_len = event ? 2 : 0;
	try_state(mode, &good, VMCS_ENTRY_INTR_INFO);
	for (size_t i = 0; i < FIELDS; i++) {
		uint32_t field = field_of(i);

		for (unsigned int bit = 0; bit < width_of(field); bit++) {
			struct vmcs_state s = good;

			((uint64_t *)&s)[i] ^= 1ull << bit;
			if (may_flip(field, bit))
				try_state(mode, &s, field);
		}
	}
	agree(mode);
}

static struct vmx_ctl ctl(uint32_t msr)
{
	uint64_t v = msr_read(msr);

	return (struct vmx_ctl){ (uint32_t)v, (uint32_t)(v >> 32) };
}

static void read_facts(void)
{
	struct cpuid_regs sizes = cpuid_leaf(0x80000008, 0), leaf7 = cpuid_leaf(7, 0);

	facts = (struct vmx_facts){
		.caps = { .pin = ctl(0x48d), .cpu = ctl(0x48e), .cpu2 = ctl(0x48b), .exit = ctl(0x48f), .entry = ctl(0x490),
			  .cr0_fixed0 = msr_read(0x486), .cr0_fixed1 = msr_read(0x487), .cr4_fixed0 = msr_read(0x488),
			  .cr4_fixed1 = msr_read(0x489), .misc = msr_read(0x485), .ept_vpid = msr_read(0x48c) },
		.phys_bits = sizes.eax & 0xff, .linear_bits = (sizes.eax >> 8) & 0xff, .efer = 0xd01,
		.any_error_code = msr_read(MSR_VMX_BASIC) >> 56 & 1, .sgx = leaf7.ebx & 1u << 2, .rtm = leaf7.ebx & 1u << 11,
		.vmcs = { (uint64_t)vmcs_page },
	};
}

/* This kernel's own state, to come back to. */
static void read_host(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) gdtr, idtr;
	uint16_t cs, ss, tr;
	const uint64_t *tss;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	__asm__ volatile("mov %%cs, %0; mov %%ss, %1; str %2" : "=r"(cs), "=r"(ss), "=r"(tr));
	tss = (const uint64_t *)(gdtr.base + tr);
	host = (struct vmcs_host){
		.cr0 = cr0_read(), .cr3 = cr3_read(), .cr4 = cr4_read(), .efer = msr_read(MSR_EFER), .pat = msr_read(MSR_PAT),
		.sel = { [VMCS_CS] = cs, [VMCS_SS] = ss }, .tr_sel = tr, .gdtr_base = gdtr.base, .idtr_base = idtr.base,
		.tr_base = (tss[0] >> 16 & 0xffffff) | tss[0] >> 56 << 24 | tss[1] << 32, .rip = (uint64_t)vmx_landed,
	};
}

static bool vmx_on(void)
{
	uint64_t pa = (uint64_t)vmxon_page;
	uint32_t revision = (uint32_t)msr_read(MSR_VMX_BASIC);
	bool on;

	memcpy(vmxon_page, &revision, 4);
	memcpy(vmcs_page, &revision, 4);
	cr0_write(cr0_read() | facts.caps.cr0_fixed0);
	cr4_write(cr4_read() | facts.caps.cr4_fixed0);
	__asm__ volatile("vmxon %1" : "=@cca"(on) : "m"(pa) : "memory");
	return on;
}

void vmcs_failed(enum vmcs_field f)
{
	report(false, "field %x is there", (unsigned int)f);
	for (;;)
		__asm__ volatile("hlt");
}

void test_main(void)
{
	struct vmcs_state compat = long_mode(), shadow = long_mode(), halted = long_mode();
	struct vmcs_state xapic = long_mode(), x2apic = long_mode();

	read_facts();
	vmcs_state_read(&encoding, encode, NULL);
	report(vmx_on(), "VMXON");
	read_host();
	compat.guest.seg[VMCS_CS].access = 0xc09b;
	compat.guest.rip = 0x1000;
	shadow.guest.rflags |= RFLAGS_IF;
	shadow.guest.interruptibility = BLOCK_STI;
	halted.guest.activity = 1;
	xapic.cpu2 |= CPU2_APIC_ACCESS | CPU2_APIC_REGS | CPU2_VIRT_INTR;
	x2apic.cpu2 |= CPU2_X2APIC | CPU2_APIC_REGS | CPU2_VIRT_INTR;
	x2apic.guest.rflags |= RFLAGS_IF;
	flip_each_bit("64-bit mode", long_mode(), 0);
	flip_each_bit("64-bit mode, #GP injected", long_mode(), INTR_VALID | INTR_HAS_ERROR | INTR_HW_EXC << 8 | EXC_GP);
	flip_each_bit("64-bit mode, NMI injected", long_mode(), INTR_VALID | INTR_NMI << 8 | EXC_NMI);
	flip_each_bit("64-bit mode, shadow of STI", shadow, 0);
	flip_each_bit("64-bit mode, halted", halted, 0);
	flip_each_bit("64-bit mode, virtualized APIC", xapic, 0);
	flip_each_bit("64-bit mode, virtualized x2APIC, an event injected", x2apic, INTR_VALID | INTR_EXT << 8 | 0x30);
	flip_each_bit("64-bit user mode, restricted", user_code(), INTR_VALID | INTR_SOFT_INT << 8 | 0x80);
	flip_each_bit("compatibility mode", compat, 0);
	flip_each_bit("PAE paging", pae_mode(), 0);
	flip_each_bit("virtual-8086 mode", v86_mode(), 0);
	flip_each_bit("real mode", real_mode(), 0);
}
