hv-srcs += arch/x86/cpu/fpu.c
