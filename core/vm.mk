# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix core/,block.c gpa.c gpa_build.c guest.c hvm.c launch.c ram.c vcpu.c vm.c)
