# SPDX-License-Identifier: BSD-2-Clause
unit += page
unit-page-srcs := core/page.c core/memory.c $(addprefix tests/unit/support/,hostram.c lock.c panic_catch.c)
unit-page-cflags := -DDIRECT_MAP_BASE=0x200000000000ull

unit += lock
unit-lock-srcs := core/lock.c tests/unit/support/cpu_area.c tests/unit/support/panic_catch.c
unit-lock-libs := -lpthread

unit += cpu_call
unit-cpu_call-srcs := core/cpu_call.c tests/unit/support/cpu_threads.c tests/unit/support/panic.c
unit-cpu_call-libs := -lpthread

unit += log
unit-log-srcs := core/log.c core/console.c core/control_port.c core/lock.c core/mux.c core/screen.c \
	tests/unit/support/cpu_area.c tests/unit/support/host_tsc.c tests/unit/support/panic.c

unit += screen framebuffer
unit-screen-srcs := core/screen.c arch/x86/cpu/vga.c tests/unit/support/ports.c
unit-framebuffer-srcs := core/screen.c arch/x86/cpu/framebuffer.c

unit += guest
unit-guest-srcs := core/guest.c core/stopped.c $(addprefix tests/unit/support/,cpu_area.c host_tsc.c lock.c log.c panic.c)

unit += host_acpi
unit-host_acpi-srcs := arch/x86/cpu/acpi.c loader/escape.c tests/unit/support/log.c

unit += mux line_edit monitor spent
unit-mux-srcs := core/mux.c
unit-line_edit-srcs := core/line_edit.c
unit-monitor-srcs := core/monitor.c core/control.c core/record.c

unit += sched
unit-sched-srcs := core/sched.c core/sched_tree.c tests/unit/support/sched_sim.c tests/unit/support/lock.c \
	tests/unit/support/panic.c

# Threads that share queues, for ThreadSanitizer.
unit += sched_threads
unit-sched_threads-srcs := core/sched.c core/sched_tree.c tests/unit/support/lock_threads.c tests/unit/support/panic.c
unit-sched_threads-cflags := -UVOUCH_DEBUG
unit-sched_threads-san := $(if $(COVERAGE),,-fsanitize=thread)
unit-sched_threads-libs := -lpthread

unit += measured
unit-measured-srcs := core/measured.c core/block.c core/page.c loader/tpm.c loader/eventlog.c loader/measure.c \
	loader/tao.c loader/crypto.c loader/error.c loader/escape.c \
	$(addprefix tests/unit/support/,hostram.c lock.c log.c panic.c)
unit-measured-libs := -lmbedcrypto
unit-measured-cflags := -D_GNU_SOURCE -DDIRECT_MAP_BASE=0x200000000000ull

unit += page_cpus races
unit-page_cpus-srcs := core/page.c core/lock.c $(addprefix tests/unit/support/,cpu_area.c cpu_threads.c hostram.c panic.c)
unit-page_cpus-cflags := -DDIRECT_MAP_BASE=0x200000000000ull
unit-page_cpus-libs := -lpthread
# ThreadSanitizer leaves the lowest 512 GiB to the program.
unit-races-srcs := $(addprefix core/,console.c control_port.c cpu_call.c hold.c lock.c log.c mux.c page.c screen.c stop.c stopped.c) \
	$(addprefix tests/unit/support/,cpu_threads.c host_tsc.c hostram.c panic.c)
unit-races-cflags := -DDIRECT_MAP_BASE=0x1000000000ull -DCPU_AREA_SIZE=0x400000ul -DEMERGENCY_SPINS=0xffffffffu
unit-races-san := $(if $(COVERAGE),,-fsanitize=thread)
unit-races-libs := -lpthread
