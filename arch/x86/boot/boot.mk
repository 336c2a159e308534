# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/boot/head.S arch/x86/boot/start.c
