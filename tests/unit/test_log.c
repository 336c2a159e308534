/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines and the console channel, byte by byte as they leave the serial ports. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <vouch/host.h>
#include <vouch/serial.h>
#include <vouch/smp.h>

#include "core/control_port.h"
#include "core/log_port.h"
#include "core/mux.h"
#include "tests/unit/support/cpu_area.h"
#include "tests/unit/support/host_tsc.h"

static struct host host;

static struct {
	bool absent, rx, stuck;
	unsigned int waits;           /* writes while it is stuck */
	size_t room;                  /* bytes it takes until it is busy */
	char out[2 * CONTROL_KEPT];
	size_t used;
	unsigned int drained;
	const char *in;
} port[SERIAL_PORTS];

static unsigned int kicks;

void cpu_kick(unsigned int cpu)
{
	assert_int_equal(cpu, 0);
	kicks++;
}

bool serial_init(unsigned int n, bool rx)
{
	port[n].rx = rx;
	return !port[n].absent;
}

bool serial_write(unsigned int n, const uint8_t *bytes, size_t len)
{
	if (port[n].stuck) {
		port[n].waits++;
		return false;
	}
	assert_true(len < sizeof(port[n].out) - port[n].used);
	port[n].room -= len < port[n].room ? len : port[n].room;
	memcpy(port[n].out + port[n].used, bytes, len);
	port[n].used += len;
	port[n].out[port[n].used] = '\0';
	return true;
}

bool serial_ready(unsigned int n)
{
	return port[n].room >= SERIAL_FIFO;
}

void serial_drain(unsigned int n)
{
	port[n].drained++;
}

int serial_read(unsigned int n)
{
	return port[n].in && *port[n].in ? (uint8_t)*port[n].in++ : -1;
}

static struct options o;

static int fresh(void **ctx)
{
	(void)ctx;
	memset(port, 0, sizeof(port));
	memset(&host, 0, sizeof(host));
	o = (struct options){ .console = OPT_COM1, .loglevel = LOG_INFO };
	return 0;
}

static void run(void (*fn)(void *))
{
	console_init(&host.console, &o);
	cpu_area_run(fn, NULL, &host);
}

static void guest(const char *text)
{
	console_write(&host.console, 0, (const uint8_t *)text, strlen(text));
}

static void say_all(void *arg)
{
	(void)arg;
	log_info("guest %s entered", "web");
	log_warn("w");
	log_error("e");
	log_debug("d");
	log_stage("first");
	log_stage("second");
}

static void forms_of_lines(void **ctx)
{
	(void)ctx;
	run(say_all);
	assert_string_equal(port[0].out, "vouch: guest web entered\r\nvouch: warning: w\r\nvouch: error: e\r\n"
			    "vouch: [ 1] first\r\nvouch: [ 2] second\r\n");
	assert_int_equal(port[1].used, 0);
}

static void levels_filter(void **ctx)
{
	(void)ctx;
	o.loglevel = LOG_ERROR;
	run(say_all);
	assert_string_equal(port[0].out, "vouch: error: e\r\nvouch: [ 1] first\r\nvouch: [ 2] second\r\n");
	fresh(NULL);
	o.loglevel = LOG_DEBUG;
	run(say_all);
	assert_non_null(strstr(port[0].out, "vouch: debug: d\r\n"));
}

static void say_long(void *arg)
{
	char text[2000];

	(void)arg;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	text[390] = '\0';
	log_info("%s", text);
}

static void long_lines_are_cut_and_marked(void **ctx)
{
	char *second;

	(void)ctx;
	run(say_long);
	second = strstr(port[0].out, "\r\n");
	assert_non_null(second);
	second += 2;
	assert_int_equal(second - port[0].out, 399);
	assert_memory_equal(second - 5, "...\r\n", 5);
	/* The longest that fits is not marked. */
	assert_int_equal(strlen(second), 7 + 390 + 2);
	assert_memory_equal(second + 7 + 389, "x\r\n", 3);
}

static void guest_then_log(void *arg)
{
	(void)arg;
	guest("login: ");
	log_info("a");
	log_info("b");
	guest("done\n");
	log_info("c");
	guest("x");
	log_emergency("d");
}

static void lines_start_fresh(void **ctx)
{
	(void)ctx;
	run(guest_then_log);
	assert_string_equal(port[0].out, "login: \r\nvouch: a\r\nvouch: b\r\ndone\nvouch: c\r\nx\r\nvouch: error: d\r\n");
}

static void log_has_a_channel_of_its_own(void **ctx)
{
	(void)ctx;
	o.log = OPT_COM2;
	run(guest_then_log);
	assert_string_equal(port[0].out, "login: done\nx");
	assert_string_equal(port[1].out, "vouch: a\r\nvouch: b\r\nvouch: c\r\nvouch: error: d\r\n");
	assert_true(port[0].rx);
	assert_false(port[1].rx);
}

static void both_ports_are_console(void **ctx)
{
	(void)ctx;
	o.console = OPT_COM1 | OPT_COM2;
	run(guest_then_log);
	assert_string_equal(port[0].out, port[1].out);
	assert_non_null(strstr(port[0].out, "x\r\nvouch: error: d"));
}

static void no_port_leaves_com1(void **ctx)
{
	(void)ctx;
	o.console = OPT_COM2;
	port[1].absent = true;
	run(say_all);
	assert_int_equal(port[1].used, 0);
	assert_non_null(strstr(port[0].out, "vouch: guest web entered\r\n"));
}

/* What guests write must never be read as an answer, nor a request be typed for a guest. */
static void the_only_port_is_no_control_port(void **ctx)
{
	(void)ctx;
	o.console = OPT_COM2;
	o.control = OPT_COM1;
	port[1].absent = true;
	run(say_all);
	assert_non_null(strstr(port[0].out, "vouch: guest web entered\r\n"));
	assert_int_equal(host.console.console_ports, OPT_COM1);
	assert_int_equal(host.console.control_ports, 0);
}

static void absent_log_port_falls_back(void **ctx)
{
	(void)ctx;
	o.log = OPT_COM2;
	port[1].absent = true;
	run(say_all);
	assert_non_null(strstr(port[0].out, "vouch: guest web entered\r\n"));
}

static void drain(void *arg)
{
	(void)arg;
	console_drain(&host.console);
}

static void only_ports_in_use_are_drained(void **ctx)
{
	(void)ctx;
	run(drain);
	assert_int_equal(port[0].drained, 1);
	assert_int_equal(port[1].drained, 0);
	o.log = OPT_COM2;
	run(drain);
	assert_int_equal(port[0].drained, 2);
	assert_int_equal(port[1].drained, 1);
}

static void input(void *arg)
{
	static char many[CONSOLE_RX_SIZE + 11];
	uint8_t got[CONSOLE_RX_SIZE + 10];

	(void)arg;
	port[0].in = "hello";
	port[1].in = "not mine";
	console_poll(&host.console);
	assert_int_equal(console_read(&host.console, 0, got, 2), 2);
	assert_memory_equal(got, "he", 2);
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 3);
	assert_memory_equal(got, "llo", 3);
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 0);

	memset(many, 'a', sizeof(many) - 1);
	many[0] = 'b';
	port[0].in = many;
	console_poll(&host.console);
	console_poll(&host.console);
	assert_int_equal(strlen(port[0].in), 10);       /* no room: left in the chip, and fetched by the next read */
	assert_int_equal(console_read(&host.console, 0, got, CONSOLE_RX_SIZE), CONSOLE_RX_SIZE);
	assert_int_equal(got[0], 'b');
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 10);
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 0);
}

static void input_is_kept_in_order(void **ctx)
{
	(void)ctx;
	run(input);
}

static void counters_may_wrap(void **ctx)
{
	(void)ctx;
	console_init(&host.console, &o);
	host.console.rx_head = host.console.rx_tail = UINT32_MAX - 2;
	cpu_area_run(input, NULL, &host);
}

/* A screen of one row: what was drawn last. */
static char drawn[81];

static void draw(const struct screen_surface *s, unsigned int row, unsigned int col, const char *text, unsigned int n)
{
	(void)s;
	if (row == 0)
		memcpy(drawn + col, text, n);
}

static const struct screen_driver test_driver = { draw, NULL };

static void attach(unsigned int rows)
{
	memset(drawn, 0, sizeof(drawn));
	screen_init(&host.console.screen, &test_driver, &(struct screen_surface){ 0 }, 20, rows);
}

static void say_d(void *arg)
{
	(void)arg;
	guest("guest\x1b]");
	log_info("d");
}

/* The screen shows both sides, and a guest's broken sequence does not swallow Vouch's line. */
static void screen_shows_all(void **ctx)
{
	(void)ctx;
	attach(3);
	o.console |= OPT_SCREEN;
	run(say_d);
	assert_string_equal(drawn, "guest               ");
	assert_memory_equal(host.console.screen.text[1], "vouch: d            ", 20);
}

/* A log of its own takes the lines off the serial console, not off the screen. */
static void screen_shows_the_log_too(void **ctx)
{
	(void)ctx;
	attach(3);
	o.console |= OPT_SCREEN;
	o.log = OPT_COM2;
	run(say_d);
	assert_memory_equal(host.console.screen.text[1], "vouch: d            ", 20);
	assert_null(strstr(port[0].out, "vouch"));
	assert_string_equal(port[1].out, "vouch: d\r\n");
}

static void screen_not_wanted_says_so(void **ctx)
{
	(void)ctx;
	attach(5);
	run(say_d);
	assert_memory_equal(drawn, "Vouch runs. By its c", 20);
	assert_int_equal(host.console.screen.row, 4);
	assert_memory_equal(host.console.screen.text[4], "                    ", 20);
}

static void no_screen_is_no_channel(void **ctx)
{
	(void)ctx;
	o.console = OPT_SCREEN;
	port[1].absent = true;
	run(say_d);
	assert_int_equal(host.console.console_ports, OPT_COM1);
	assert_non_null(strstr(port[0].out, "vouch: d"));
}

/* ------------------------------------------------------------------ many guests on one console */

static struct {
	struct mux mux;
	struct mux_place place[2];
	uint8_t kept[2][MUX_OUTPUT];
} many;

static void share(void)
{
	memset(&many, 0, sizeof(many));
	host_tsc_set(1000000);
	port[0].room = port[1].room = SIZE_MAX / 2;
	mux_init(&many.mux, MUX_FOCUS, 1000, console_put, &host.console);
	mux_add(&many.mux, 0, &many.place[0], many.kept[0]);
	mux_add(&many.mux, 1, &many.place[1], many.kept[1]);
	console_share(&host.console, &many.mux);
}

static void write_at(unsigned int place, const char *text)
{
	console_write(&host.console, place, (const uint8_t *)text, strlen(text));
}

static void shared(void *arg)
{
	uint8_t got[8];

	(void)arg;
	port[0].in = "early";
	console_poll(&host.console);
	guest("GRUB");
	share();
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 5);
	assert_memory_equal(got, "early", 5);
	console_begin(&host.console, 0, "web");
	console_begin(&host.console, 1, "db");
	log_info("a");
	write_at(0, "half");
	log_info("b");
	assert_int_equal(console_busy(&host.console), !host.console.log_ports);
	write_at(1, "db$ ");
	write_at(0, " line\r\n");
	assert_false(console_busy(&host.console));
	port[0].in = "x\x01ny";
	console_poll(&host.console);
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), 1);
	assert_int_equal(console_read(&host.console, 1, got, sizeof(got)), 1);
	write_at(1, "exit");
	log_info("c");
	log_emergency("panic");
	console_end(&host.console, 1);
	console_end(&host.console, 0);
}

static void console_is_shared(void **ctx)
{
	(void)ctx;
	run(shared);
	assert_string_equal(port[0].out, "GRUB\r\nvouch: a\r\nhalf line\r\nvouch: b\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\n"
			    "db$ exit\r\nvouch: c\r\nvouch: error: panic\r\nvouch: console: 0 web (Ctrl-a ?: help)\r\n");
}

/* Guest 0's ring is full when the focus moves on: what follows stays in the chip until 0 reads, and is for 1. */
static void typed_ahead(unsigned int told)
{
	static char line[MUX_INPUT + 16];
	static uint8_t got[MUX_INPUT];
	unsigned int before;

	memset(line, 'a', MUX_INPUT + 8);
	strcpy(line + MUX_INPUT, "\x01ny");
	port[0].in = "\x01" "0";
	console_poll(&host.console);
	port[0].in = line;
	console_poll(&host.console);
	console_poll(&host.console);
	assert_false(console_typed(&host.console, 1));
	this_cpu()->host_event = false;
	before = kicks;
	assert_int_equal(console_read(&host.console, 0, got, sizeof(got)), MUX_INPUT);
	assert_true(console_typed(&host.console, 1));
	assert_int_equal(kicks - before, told);
	assert_int_equal(console_read(&host.console, 1, got, sizeof(got)), 1);
	assert_int_equal(got[0], 'y');
}

static void ahead(void *arg)
{
	(void)arg;
	share();
	console_begin(&host.console, 0, "web");
	console_begin(&host.console, 1, "db");
	typed_ahead(0);
	assert_true(this_cpu()->host_event);
	this_cpu()->id = 1;
	typed_ahead(1);
	this_cpu()->id = 0;
}

static void what_another_fetched_is_told(void **ctx)
{
	(void)ctx;
	run(ahead);
}

static void held(void *arg)
{
	(void)arg;
	share();
	write_at(0, "web$ ");
	log_info("late");
	host_tsc_set(1000000 + MUX_HOLD_MS * 1000 - 1);
	console_poll(&host.console);
	assert_string_equal(port[0].out, "web$ ");
	assert_true(console_busy(&host.console));
	host_tsc_set(1000000 + MUX_HOLD_MS * 1000);
	console_poll(&host.console);
	assert_string_equal(port[0].out, "web$ \r\nvouch: late\r\n");
	assert_false(console_busy(&host.console));
}

/* The boot CPU, which sees to it, is told once; not by itself. */
static void on_another_cpu(void *arg)
{
	(void)arg;
	share();
	kicks = 0;
	write_at(0, "web$ ");
	log_info("late");
	log_info("later");
	assert_int_equal(kicks, 0);
	host_tsc_set(1000000 + MUX_HOLD_MS * 1000);
	console_poll(&host.console);
	this_cpu()->id = 1;
	write_at(0, "web$ ");
	assert_int_equal(kicks, 0);
	log_info("late");
	log_info("later");
	write_at(0, "x");
	assert_int_equal(kicks, 1);
	this_cpu()->id = 0;
}

static void the_boot_cpu_is_told(void **ctx)
{
	(void)ctx;
	run(on_another_cpu);
}

static void a_log_line_is_held_for_a_while(void **ctx)
{
	(void)ctx;
	run(held);
}

/* With a channel of its own the log never waits, and never breaks what is on the console. */
static void shared_with_a_log(void **ctx)
{
	(void)ctx;
	o.log = OPT_COM2;
	run(shared);
	assert_string_equal(port[0].out, "GRUBhalf line\r\nvouch: console: 1 db (Ctrl-a ?: help)\r\ndb$ exit"
			    "\r\nvouch: console: 0 web (Ctrl-a ?: help)\r\n");
	assert_string_equal(port[1].out, "vouch: a\r\nvouch: b\r\nvouch: c\r\nvouch: error: panic\r\n");
}

static void replay(void *arg)
{
	(void)arg;
	share();
	write_at(1, "0123456789012345678901234567890123456789");
	port[0].room = 40 + 16 + 15;
	port[0].in = "\x01" "1";
	console_poll(&host.console);
	assert_string_equal(port[0].out, "vouch: console: 1 guest1, not running (Ctrl-a ?: help)\r\n");
	assert_true(console_busy(&host.console));
	port[0].room = 31;
	console_poll(&host.console);
	assert_string_equal(port[0].out + 56, "0123456789012345");
	port[0].room = 100;
	console_poll(&host.console);
	assert_string_equal(port[0].out + 56, "0123456789012345678901234567890123456789");
	assert_false(console_busy(&host.console));
}

/* What was kept goes out as the port has room, however long that takes. */
static void a_replay_does_not_wait(void **ctx)
{
	(void)ctx;
	run(replay);
}

/* Both ports get everything, so the slower one counts. */
static void two_ports_share_a_replay(void **ctx)
{
	(void)ctx;
	o.console = OPT_COM1 | OPT_COM2;
	run(replay);
	assert_string_equal(port[0].out, port[1].out);
}

static void screen_with_a_guest(void *arg)
{
	(void)arg;
	share();
	write_at(0, "guest\x1b[1");
	host_tsc_set(1000000 + MUX_HOLD_MS * 1000);
	log_info("d");
}

static void a_shared_screen_shows_log_lines_whole(void **ctx)
{
	(void)ctx;
	attach(3);
	o.console |= OPT_SCREEN;
	run(screen_with_a_guest);
	assert_memory_equal(host.console.screen.text[0], "guest               ", 20);
	assert_memory_equal(host.console.screen.text[1], "vouch: d            ", 20);
	o.log = OPT_COM2;
	attach(3);
	run(screen_with_a_guest);
	assert_memory_equal(host.console.screen.text[1], "vouch: d            ", 20);
}

/* ------------------------------------------------------------------ the control port */

static struct control_port control;
static uint8_t control_kept[CONTROL_KEPT];

static void with_control(void *arg)
{
	static char big[CONTROL_KEPT + 100];

	(void)arg;
	assert_true(port[1].rx);
	control_port_init(&control, 1, control_kept);
	port[1].in = "1 list\n2";
	console_control(&host.console, &control);
	assert_true(host.console.called);
	host.console.called = false;
	for (const char *want = "1 list\n"; *want; want++)
		assert_int_equal(console_control_read(&host.console), *want);
	/* An answer waits for the port, and the next request for the answer. */
	port[1].room = 20;
	console_control_write(&host.console, "{\"v\":1,\"id\":1,\"done\":true}\r\n", 28);
	assert_true(console_busy(&host.console));
	assert_int_equal(port[1].used, 0);
	console_poll(&host.console);
	assert_int_equal(port[1].used, 16);
	assert_int_equal(console_control_read(&host.console), -1);
	port[1].room = 1000000;
	console_poll(&host.console);
	assert_string_equal(port[1].out, "{\"v\":1,\"id\":1,\"done\":true}\r\n");
	assert_false(console_busy(&host.console));
	assert_int_equal(console_control_read(&host.console), '2');
	assert_int_equal(console_control_read(&host.console), -1);
	/* No log line and no guest's byte goes there, and a longer answer than is kept waits for the port. */
	log_info("x");
	guest("y");
	assert_int_equal(port[1].used, 28);
	port[1].used = 0;
	memset(big, 'b', sizeof(big));
	port[1].room = 0;
	console_control_write(&host.console, big, sizeof(big));
	assert_in_range(port[1].used, 100, 116);
	console_drain(&host.console);
	assert_int_equal(port[1].used, sizeof(big));
	assert_int_equal(port[1].drained, 1);
}

/* A program that does not read is waited for once, loses the rest of its answer, and begins anew with its next request. */
static void deaf_program(void *arg)
{
	static char big[CONTROL_KEPT + 1];

	(void)arg;
	control_port_init(&control, 1, control_kept);
	console_control(&host.console, &control);
	port[1].stuck = true;
	memset(big, 'b', sizeof(big));
	for (int i = 0; i < 10; i++)
		console_control_write(&host.console, big, sizeof(big));
	assert_int_equal(port[1].waits, 1);
	console_drain(&host.console);
	assert_int_equal(port[1].waits, 2);
	port[1].in = "2 list\n";
	console_poll(&host.console);
	assert_int_equal(console_control_read(&host.console), -1);
	port[1].stuck = false;
	port[1].room = 1000000;
	console_poll(&host.console);
	assert_int_equal(port[1].used, CONTROL_KEPT);
	port[1].used = 0;
	assert_int_equal(console_control_read(&host.console), '2');
	console_control_write(&host.console, "{}\r\n", 4);
	console_poll(&host.console);
	assert_string_equal(port[1].out, "\r\n{}\r\n");
}

static void control_port_is_not_waited_for(void **ctx)
{
	(void)ctx;
	o.control = OPT_COM2;
	run(deaf_program);
}

static void control_port_is_a_programs(void **ctx)
{
	(void)ctx;
	o.control = OPT_COM2;
	run(with_control);
}

/* What a program sends while nobody listens stays in its chip, as far as that has room. */
static void flood_control(void *arg)
{
	static char flood[CONTROL_RX + 50];

	(void)arg;
	control_port_init(&control, 1, control_kept);
	memset(flood, 'f', sizeof(flood) - 1);
	port[1].in = flood;
	console_control(&host.console, &control);
	assert_int_equal(strlen(port[1].in), 49);
	for (size_t i = 0; i < sizeof(flood) - 1; i++)
		assert_int_equal(console_control_read(&host.console), 'f');
	assert_int_equal(console_control_read(&host.console), -1);
}

static void control_port_is_bounded(void **ctx)
{
	(void)ctx;
	o.control = OPT_COM2;
	run(flood_control);
}

static void take_line(void *ctx, const char *text)
{
	strcat(ctx, text);
	strcat(ctx, ";");
}

static void tapped(void *arg)
{
	static char got[20000];
	struct log_tap tap = { take_line, got };

	(void)arg;
	log_info("first");
	this_cpu()->log_tap = &tap;
	log_verdict("a %d", 7);
	log_info("b");
	this_cpu()->log_tap = NULL;
	assert_string_equal(got, "a 7;");
	got[0] = '\0';
	log_latest(take_line, got);
	assert_string_equal(got, "vouch: first;vouch: b;");
	for (unsigned int i = 0; i < CONSOLE_LOG_SIZE / 20 + 5; i++) {
		log_info("number %05u", i);
		port[0].used = 0;
	}
	got[0] = '\0';
	log_latest(take_line, got);
	/* The oldest that is there whole, and all behind it. */
	assert_memory_equal(got, "vouch: number 00", 16);
	assert_int_equal(strlen(got) % 20, 0);
	assert_true(strlen(got) >= CONSOLE_LOG_SIZE - 40);
	assert_string_equal(got + strlen(got) - 6, "00413;");
}

static void lines_are_kept_and_turned_away(void **ctx)
{
	(void)ctx;
	run(tapped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(forms_of_lines, fresh),
		cmocka_unit_test_setup(levels_filter, fresh),
		cmocka_unit_test_setup(long_lines_are_cut_and_marked, fresh),
		cmocka_unit_test_setup(lines_start_fresh, fresh),
		cmocka_unit_test_setup(log_has_a_channel_of_its_own, fresh),
		cmocka_unit_test_setup(both_ports_are_console, fresh),
		cmocka_unit_test_setup(no_port_leaves_com1, fresh),
		cmocka_unit_test_setup(absent_log_port_falls_back, fresh),
		cmocka_unit_test_setup(the_only_port_is_no_control_port, fresh),
		cmocka_unit_test_setup(only_ports_in_use_are_drained, fresh),
		cmocka_unit_test_setup(input_is_kept_in_order, fresh),
		cmocka_unit_test_setup(counters_may_wrap, fresh),
		cmocka_unit_test_setup(screen_shows_all, fresh),
		cmocka_unit_test_setup(screen_shows_the_log_too, fresh),
		cmocka_unit_test_setup(screen_not_wanted_says_so, fresh),
		cmocka_unit_test_setup(no_screen_is_no_channel, fresh),
		cmocka_unit_test_setup(console_is_shared, fresh),
		cmocka_unit_test_setup(what_another_fetched_is_told, fresh),
		cmocka_unit_test_setup(a_log_line_is_held_for_a_while, fresh),
		cmocka_unit_test_setup(the_boot_cpu_is_told, fresh),
		cmocka_unit_test_setup(shared_with_a_log, fresh),
		cmocka_unit_test_setup(a_replay_does_not_wait, fresh),
		cmocka_unit_test_setup(two_ports_share_a_replay, fresh),
		cmocka_unit_test_setup(a_shared_screen_shows_log_lines_whole, fresh),
		cmocka_unit_test_setup(control_port_is_a_programs, fresh),
		cmocka_unit_test_setup(control_port_is_bounded, fresh),
		cmocka_unit_test_setup(control_port_is_not_waited_for, fresh),
		cmocka_unit_test_setup(lines_are_kept_and_turned_away, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
