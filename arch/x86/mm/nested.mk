hv-srcs += arch/x86/mm/nested.c arch/x86/mm/npt.c
