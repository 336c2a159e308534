# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix arch/x86/dev/,pic.c ioapic.c lapic.c lapic_fast.c lapic_regs.c lapic_timer.c post.c)
