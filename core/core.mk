# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += core/console.c core/lock.c core/log.c core/main.c core/memory.c core/newlib.c core/page.c core/screen.c
hv-srcs += core/cpu_call.c core/cpu_loop.c
hv-srcs += core/control.c core/control_port.c core/line_edit.c core/monitor.c core/mux.c core/operator.c core/record.c core/steer.c

hv-srcs += core/cpu_turn.c core/hold.c core/stopped.c core/vcpu_init.c core/sched.c core/sched_tree.c
