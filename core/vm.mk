hv-srcs += $(addprefix core/,block.c gpa.c guest.c hvm.c ram.c vcpu.c vm.c)
