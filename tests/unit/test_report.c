/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a guest that died: what it says, that it fits a screen whatever the guest was, and counts of exits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vouch/gpa.h>

#include "arch/x86/exit/report.h"
#include "tests/unit/support/host_tsc.h"
#include "tests/unit/support/log.h"
#include "tests/unit/support/seam.h"

static const char *code;
static int code_len;

int gva_fetch(struct vcpu *v, const struct x86_env *e, uint8_t buf[15], struct x86_fault *f)
{
	(void)v;
	(void)e;
	(void)f;
	if (code_len > 0)
		memcpy(buf, code, (size_t)code_len);
	return code_len;
}

/* The stack: the first words are there. */
static uint64_t stack_top;
static size_t stack_words;

int gva_read(struct vcpu *v, const struct x86_env *e, uint64_t gva, void *buf, size_t len, unsigned int access,
	     struct x86_fault *f)
{
	uint64_t n = (gva - stack_top) / len, val = 0xffffffff00000000 | (0x1000 + n);

	(void)v;
	(void)e;
	(void)f;
	assert_int_equal(access, GVA_READ | GVA_IMPLICIT_SUPERVISOR);
	if (gva < stack_top || n >= stack_words)
		return -EFAULT;
	memcpy(buf, &val, len);
	return 0;
}

static void fresh(const char *bytes, int n)
{
	seam_reset();
	snprintf(seam.vm.name, sizeof(seam.vm.name), "g");
	seam.vm.vcpu[0] = &seam.vcpu;
	seam.vm.vcpus = 1;
	seam.vcpu.timers = &seam.vm.timers;
	code = bytes;
	code_len = n;
	log_clear();
}

static void note_exit(uint64_t what, uint64_t rip)
{
	seam.vcpu.ring[seam.vcpu.exits++ % EXIT_RING] = (struct exit_record){ .code = what, .rip = rip };
	seam.vcpu.exit_count[what % EXIT_KINDS]++;
}

static void expect(const char *line)
{
	if (!strstr(log_text(), line))
		fail_msg("no '%s' in:\n%s", line, log_text());
}

static void says_why(void **state)
{
	(void)state;
	fresh("\x0f\x0b\x90", 3);
	seam.reg[HVM_RIP] = 0xffffffff81000000;
	seam.vcpu.gpr[REG_R15] = 0x1234;
	for (unsigned int i = 0; i < 40; i++)
		note_exit(i, 0x1000 + i);
	unhandled_note(&seam.vm.pio.unclaimed, 0x3bc, true);
	unhandled_note(&seam.vm.pio.unclaimed, 0x279, false);
	unhandled_note(&seam.vm.pio.unclaimed, 0x3bc, false);
	unhandled_note(&seam.vm.mmio.unclaimed, 0xd0000000, false);
	unhandled_note(&seam.vcpu.recent_msrs, 0xc0010117, true);
	vm_report(&seam.vm);
	expect("verdict: guest g died at exit 40: exit 39 in words\n");
	expect("  RIP ffffffff81000000: 0f 0b   ud2\n");
	expect("  64-bit mode, CPL 0, 4-level paging, RFLAGS ");
	expect(" R15 0000000000001234\n");
	expect("  1008 exit 8                     1009 exit 9                     100a exit 10\n");
	expect("  1026 exit 38                    1027 exit 39\n");
	expect("  unhandled ports (3): 3bc r1 w1; 279 r1 w0;\n");
	expect("  unhandled addresses (1): d0000000 r1 w0;\n");
	expect("  unhandled MSRs (1): c0010117 r0 w1;\n");
	assert_null(strstr(log_text(), "1007 exit 7"));
}

/* The same of a guest that lives, and its stack. */
static void dumps(void **state)
{
	(void)state;
	fresh("\x90", 1);
	seam.reg[HVM_RIP] = 0xffffffff81000000;
	stack_top = seam.vcpu.gpr[REG_RSP] = 0xffffc90000003ff0;
	stack_words = 2;
	note_exit(7, 0x1000);
	seam.vcpu.task.cpu = 3;
	vcpu_dump(&seam.vcpu);
	expect("verdict: guest g, vCPU 0 on CPU 3 at exit 1: exit 7 in words\n");
	expect("  RIP ffffffff81000000: 90   nop\n");
	expect("  stack: ffffffff00001000 ffffffff00001001\n");
	assert_null(strstr(log_text(), "died"));
	fresh("\x90", 1);
	seam.vcpu.gpr[REG_RSP] = stack_top;
	stack_words = 100;
	vcpu_dump(&seam.vcpu);
	expect("ffffffff0000100f\n");
	assert_null(strstr(log_text(), "ffffffff00001010"));
	fresh("\x90", 1);
	seam.reg[HVM_EFER] = 0;
	seam.env.seg[SEG_CS].attr = 0xc9b;
	seam.env.seg[SEG_SS].base = 0x10000;
	stack_top = 0x18000;
	seam.vcpu.gpr[REG_RSP] = 0x8000;
	vcpu_dump(&seam.vcpu);
	expect("  stack: 1000 1001 1002 ");
	fresh("\x90", 1);
	seam.reg[HVM_CR0] = seam.reg[HVM_EFER] = 0;
	vcpu_dump(&seam.vcpu);
	assert_null(strstr(log_text(), "stack"));
}

static void explains(void **state)
{
	struct vtimer timer;

	(void)state;
	fresh("\x90", 1);
	host_tsc_set(0);
	vclock_init(&seam.vm.clock, 1000000);
	vtimers_init(&seam.vm.timers, &seam.vm.clock);
	seam.reg[HVM_RIP] = 0x1234;
	note_exit(7, 0x1000);
	unhandled_note(&seam.vm.pio.unclaimed, 0x3bc, true);
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: runs at RIP 1234; its last exit: exit 7 in words\n");
	expect("  RIP 1234: 90   nop\n");
	assert_null(strstr(log_text(), "unhandled"));
	vm_report_strays(&seam.vm);
	expect("  unhandled ports (1): 3bc r0 w1;\n");
	for (unsigned int i = 0; i < EXIT_RING; i++)
		note_exit(8, 0x2000 + i % 2 * 4);
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: most of its last 32 exits are at RIP 2004, the last: exit 8 in words\n");
	assert_null(strstr(log_text(), "paused"));
	log_clear();
	seam.vm.paused = true;
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: paused by the operator; `resume` lets it go on\n");
	expect("vCPU 0 on CPU 0: stands at RIP 1234; its last exit: exit 8 in words\n");
	assert_null(strstr(log_text(), "runs at"));
	assert_null(strstr(log_text(), "most of"));
	seam.vm.paused = false;
	seam.vcpu.halted = true;
	seam.reg[HVM_RFLAGS] = 0;
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: halted with interrupts off: only an NMI wakes it\n");
	seam.reg[HVM_RFLAGS] = RFLAGS_IF;
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: halted, waits for an interrupt; no timer of its devices runs\n");
	vtimer_register(&seam.vm.timers, &timer, NULL, NULL);
	vtimer_arm(&timer, 5000000);
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: halted, waits for an interrupt; its devices' next timer is due in 5000 us\n");
	seam.vcpu.waits = true;
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: has not been started: it waits for INIT and SIPI from another vCPU\n");
}

/* A VM of several: the earlier one of its own timer and the devices', sums, and a report of each. */
static void knows_all_vcpus(void **state)
{
	struct vcpu second = { .id = 1, .vm = &seam.vm, .timers = &second.own_timers, .halted = true };
	struct vtimer device, own;

	(void)state;
	fresh("\x90", 1);
	host_tsc_set(0);
	vclock_init(&seam.vm.clock, 1000000);
	vtimers_init(&seam.vm.timers, &seam.vm.clock);
	vtimers_init(&second.own_timers, &seam.vm.clock);
	vtimer_register(&seam.vm.timers, &device, NULL, NULL);
	vtimer_register(&second.own_timers, &own, NULL, NULL);
	vtimer_arm(&device, 9000000);
	vtimer_arm(&own, 7000000);
	lock_init(&seam.vm.lock, LOCK_VM, "vm");
	seam.vm.vcpu[1] = &second;
	seam.vm.vcpus = 2;
	seam.reg[HVM_RFLAGS] = RFLAGS_IF;
	vcpu_explain(&second);
	expect("vCPU 1 on CPU 0: halted, waits for an interrupt; its devices' next timer is due in 7000 us\n");
	seam.reg[HVM_RFLAGS] = 0;
	vcpu_explain(&second);
	expect("vCPU 1 on CPU 0: halted with interrupts off: only an NMI or INIT wakes it\n");
	seam.reg[HVM_RFLAGS] = RFLAGS_IF;
	seam.vcpu.halted = true;
	vcpu_explain(&seam.vcpu);
	expect("vCPU 0 on CPU 0: halted, waits for an interrupt; its devices' next timer is due in 9000 us\n");
	note_exit(7, 0x1000);
	second.exit_count[7] = 2;
	second.exit_count[9] = 4;
	assert_int_equal(vm_exits(&seam.vm), 7);
	assert_int_equal(vm_exits_of(&seam.vm, 7), 3);
	unhandled_note(&second.recent_msrs, 0x1b, true);
	second.id = 1;
	seam.vm.stop.vcpu = STOP_BY_NONE;
	vm_report(&seam.vm);
	expect("guest g died, vCPU 0 (when it was stopped) at exit 1: exit 7 in words\n");
	expect("guest g died, vCPU 1 (when it was stopped) at exit 6: no exit yet\n");
	log_clear();
	seam.vm.stop.vcpu = 1;
	vm_report(&seam.vm);
	expect("guest g died, vCPU 1 (the cause) at exit 6: no exit yet\n");
	expect("guest g died, vCPU 0 (when that stopped it) at exit 1: exit 7 in words\n");
	assert_true(strstr(log_text(), "the cause") < strstr(log_text(), "when that stopped it"));
	expect("  unhandled MSRs (1): 1b r0 w1;\n");
	log_clear();
	vm_report_exits(&seam.vm);
	assert_string_equal(log_text(), "debug: guest g: 7 exits\ndebug:   kind 9 4 kind 7 3\n");
}

static void knows_modes(void **state)
{
	static const struct { uint64_t cr0, cr4, efer, rflags; uint16_t cs; const char *line; } t[] = {
		{ 0, 0, 0, 0, 0x9b, "  real mode, CPL 0, no paging," },
		{ CR0_PE, 0, 0, 0, 0x9b, "  protected mode, 16-bit code, CPL 0, no paging," },
		{ CR0_PE | CR0_PG, 0, 0, 0, 0xc9b, "  protected mode, 32-bit code, CPL 0, 32-bit paging," },
		{ CR0_PE | CR0_PG, CR4_PAE, 0, 0, 0xc9b, "  protected mode, 32-bit code, CPL 0, PAE paging," },
		{ CR0_PE | CR0_PG, 0, 0, RFLAGS_VM, 0xf3, "  virtual-8086 mode, CPL 0, 32-bit paging," },
		{ CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0, 0xc9b,
		  "  compatibility mode, 32-bit code, CPL 0, 4-level paging," },
		{ CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0, 0x9b, "  compatibility mode, 16-bit code, CPL 0," },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		fresh("\x8b\x07", 2);
		seam.reg[HVM_CR0] = t[i].cr0;
		seam.reg[HVM_CR4] = t[i].cr4;
		seam.reg[HVM_EFER] = t[i].efer;
		seam.reg[HVM_RFLAGS] = t[i].rflags;
		seam.env.seg[SEG_CS].attr = t[i].cs;
		vm_report(&seam.vm);
		expect(t[i].line);
		/* The text is that of the mode's code size. */
		expect(t[i].cs & SEG_ATTR_DB ? "mov eax, dword ptr [edi]" : "mov ax, word ptr [bx]");
	}
}

static void without_code_or_exits(void **state)
{
	(void)state;
	fresh(NULL, -EFAULT);
	vm_report(&seam.vm);
	expect("died at exit 0: no exit yet\n");
	expect("RIP 0: the code cannot be fetched\n");
	assert_null(strstr(log_text(), "unhandled"));
}

/* The widest values there are. */
static void fits_a_screen(void **state)
{
	const char *at, *end;
	unsigned int lines = 0;

	(void)state;
	fresh("\xf0\x48\x81\x84\x88\x78\x56\x34\x82\x78\x56\x34\x82", 13);
	memset(&seam.vcpu.gpr, 0xff, sizeof(seam.vcpu.gpr));
	memset(&seam.env.seg, 0xff, sizeof(seam.env.seg));
	for (unsigned int i = 0; i < 100; i++)
		note_exit(100, ~0ull);
	for (uint64_t i = 0; i < 2 * UNHANDLED_ROWS; i++) {
		unhandled_note(&seam.vm.pio.unclaimed, 0xffff - i, true);
		unhandled_note(&seam.vm.mmio.unclaimed, (1ull << 52) - 1 - i, true);
		unhandled_note(&seam.vcpu.recent_msrs, 0xffffffff - i, true);
	}
	vm_report(&seam.vm);
	for (at = log_text(); *at; at = end + 1, lines++) {
		end = strchr(at, '\n');
		/* A long instruction may be wider: its bytes and its text stand side by side. */
		if (end - at > 107 + (long)strlen("verdict: ") && strncmp(at, "verdict:   RIP", 14) != 0)
			fail_msg("%d columns: %.*s", (int)(end - at), (int)(end - at), at);
	}
	assert_in_range(lines, 25, 33);
}

static void counts_by_frequency(void **state)
{
	(void)state;
	fresh(NULL, -EFAULT);
	vm_report_exits(&seam.vm);
	assert_string_equal(log_text(), "debug: guest g: 0 exits\n");
	for (unsigned int i = 0; i < 6; i++)
		note_exit(i / 3 ? 7 : i, 0);
	log_clear();
	vm_report_exits(&seam.vm);
	assert_string_equal(log_text(), "debug: guest g: 6 exits\ndebug:   kind 7 3 kind 0 1 kind 1 1 kind 2 1\n");
}

static void the_oldest_address_makes_room(void **state)
{
	struct unhandled u = { 0 };
	unsigned int found = 0;

	(void)state;
	for (uint64_t i = 0; i < UNHANDLED_ROWS; i++)
		unhandled_note(&u, i, false);
	unhandled_note(&u, 0, true);                    /* 0 is the latest now, 1 the oldest */
	unhandled_note(&u, 99, true);
	for (unsigned int i = 0; i < UNHANDLED_ROWS; i++) {
		assert_int_not_equal(u.row[i].at, 1);
		if (u.row[i].at == 0)
			found += u.row[i].reads == 1 && u.row[i].writes == 1;
		if (u.row[i].at == 99)
			found += u.row[i].reads == 0 && u.row[i].writes == 1;
	}
	assert_int_equal(found, 2);
	assert_int_equal(u.accesses, UNHANDLED_ROWS + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_why),
		cmocka_unit_test(dumps),
		cmocka_unit_test(explains),
		cmocka_unit_test(knows_all_vcpus),
		cmocka_unit_test(knows_modes),
		cmocka_unit_test(without_code_or_exits),
		cmocka_unit_test(fits_a_screen),
		cmocka_unit_test(counts_by_frequency),
		cmocka_unit_test(the_oldest_address_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
