# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix core/,block.c file_copy.c file_share.c gpa.c gpa_build.c guest.c hvm.c identity.c launch.c measured.c module.c \
	ram.c rollback.c)
hv-srcs += core/stop.c core/trust.c core/vcpu.c core/vm.c
