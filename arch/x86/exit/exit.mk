hv-srcs += $(addprefix arch/x86/exit/,cpuid.c cr.c gpa.c kvmclock.c msr.c pio.c)
