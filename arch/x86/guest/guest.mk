# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += arch/x86/guest/linux.c
