/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical machine as arch/x86 found it: clocks, interrupt hardware, power. Cold; filled once at boot. */
#ifndef VOUCH_PLATFORM_H
#define VOUCH_PLATFORM_H

#include <vouch/lock.h>
#include <vouch/pcpu.h>
#include <vouch/types.h>

#define PLATFORM_IOAPICS 16
#define PLATFORM_CPUS    512u
#define PLATFORM_NODES   16u
#define PLATFORM_RANGES  32u

struct platform_cpu {
	uint32_t apic_id;
	uint8_t node;                 /* index of its memory node, below node_count; 0 if nobody says */
};

/* Memory that is near the CPUs of a node. */
struct platform_range {
	uint64_t base, len;
	uint8_t node;
};

struct platform {
	uint64_t tsc_khz;             /* measured, or as the CPU says: arch/x86/cpu/tsc.c */
	bool tsc_invariant;           /* CPUID 80000007 EDX bit 8 */
	bool tsc_uneven;              /* a CPU's TSC runs otherwise than the boot CPU's: their difference is no constant */
	unsigned int phys_bits;       /* of addresses in Vouch's own and nested tables: MAXPHYADDR without bits for keys */
	uint64_t lapic_hpa;
	uint64_t lapic_khz;           /* rate of the LAPIC timer at divide 1; 0 when TSC deadline is used */
	bool tsc_deadline;
	uint32_t lvt_thermal;         /* of every LAPIC: masked, or the firmware's SMI */
	uint64_t ioapic_hpa;          /* first IOAPIC, 0 = none */
	uint32_t ioapic_gsi_base;
	uint64_t ioapics[PLATFORM_IOAPICS]; /* all of them, the first one too */
	unsigned int ioapic_count;
	uint32_t com_gsi[2];          /* after MADT overrides */
	uint32_t com_flags[2];        /* MADT polarity and trigger flags */
	unsigned int cpu_count;       /* enabled in MADT, each once */
	struct platform_cpu cpu[PLATFORM_CPUS]; /* of these, the first so many */
	/* SRAT: nodes are numbered as they come; 0 nodes or 0 ranges: all memory is alike. */
	unsigned int node_count, range_count;
	uint32_t node_domain[PLATFORM_NODES]; /* what ACPI calls the node */
	struct platform_range range[PLATFORM_RANGES];
	/* FADT */
	bool has_acpi, hw_reduced;
	uint16_t pm1a_cnt, pm1b_cnt, pm_tmr, pm1a_evt;
	uint32_t smi_cmd; uint8_t acpi_enable;
	bool pm_tmr_32;
	bool has_s5; uint8_t s5_a, s5_b;  /* SLP_TYP values of _S5 */
	uint8_t sleep_space; uint64_t sleep_addr;  /* SLEEP_CONTROL_REG of a hardware-reduced machine; address 0: none */
	uint8_t reset_space, reset_val; uint64_t reset_addr; bool has_reset;
	/* ACPI's table TPM2: how a TPM 2.0 is talked to, and where. has_tcpa: there is a TPM 1.2. */
	bool has_tpm2, has_tcpa; uint32_t tpm_method; uint64_t tpm_control;
	unsigned int pci_functions, pci_quieted, usb_handoffs;
	struct lock cmos_lock;        /* LOCK_CMOS: guards ports 70h and 71h */
	struct lock map_lock;         /* LOCK_MAP: guards the host's page tables and mmio_used */
	uint64_t mmio_used;           /* bytes of the MMIO window handed out (arch/x86/mm/paging.c) */
};

/*
 * Host time and events; all with host events off (GIF=0 or IF=0). Host time is the boot CPU's TSC, told by any CPU: what one
 * has read another may compare. A CPU whose own TSC is out of step reckons with the difference.
 */
static inline uint64_t host_tsc_of(const struct pcpu *p, uint64_t own_tsc) { return own_tsc - (uint64_t)p->tsc_delta; }
/* What p's TSC reads then; never (UINT64_MAX) if it would begin again before. */
static inline uint64_t own_tsc_of(const struct pcpu *p, uint64_t host_tsc)
{
	uint64_t own = host_tsc + (uint64_t)p->tsc_delta;

	return p->tsc_delta > 0 && own < host_tsc ? UINT64_MAX : own;
}
#ifdef VOUCH_HOST_TEST
uint64_t host_tsc(void);
static inline uint64_t own_tsc(void) { return host_tsc(); }
#else
/* This CPU's own. */
static inline uint64_t own_tsc(void)
{
	uint32_t lo, hi;

	/* LFENCE: the counter must not be read before what stands in front of it is done. */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t host_tsc(void) { return host_tsc_of(this_cpu(), own_tsc()); }
#endif
/* Seconds since 1970 by the machine's RTC, which is taken to run in UTC. */
uint64_t host_epoch(void);
/* Arms this CPU's timer to interrupt when the host TSC reaches tsc (UINT64_MAX: off). A past value fires at once. */
void host_timer_arm(uint64_t tsc);

/* Ends: power off through ACPI S5, reboot, or halt for ever. power-off returns false if the machine has no S5. */
bool host_poweroff(void);
__noreturn void host_reboot(void);
__noreturn void host_halt(void);

#endif
