/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine of one CPU: there is nobody to stop. */
#include "arch/x86/cpu/smp.h"

void cpus_stop(void) {}
