# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += core/bus.c core/vclock.c
