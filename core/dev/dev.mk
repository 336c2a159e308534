# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += core/dev/uart16550.c
