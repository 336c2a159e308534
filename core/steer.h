/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor's commands mean on this machine. ctx: the struct host. The boot CPU's, outside of any vCPU's run. */
#ifndef CORE_STEER_H
#define CORE_STEER_H

#include "core/monitor.h"

extern const struct monitor_ops steer_ops;

#endif
