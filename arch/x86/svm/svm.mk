# SPDX-License-Identifier: BSD-2-Clause
hv-srcs += $(addprefix arch/x86/svm/,check.c clean.c entry.S event.c exit.c fast.c features.c names.c run.c setup.c state.c tlb.c tpr.c \
	vmcb.c)
