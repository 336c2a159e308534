# SPDX-License-Identifier: BSD-2-Clause
unit += outfile
unit-outfile-srcs := $(addprefix tools/common/,cleanup.c cli.c file.c outfile.c)
unit-outfile-cflags := -D_GNU_SOURCE
