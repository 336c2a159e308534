hv-srcs += arch/x86/guest/linux.c
