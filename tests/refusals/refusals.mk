# SPDX-License-Identifier: BSD-2-Clause
# Kernels that run on an emulator without Vouch and hold the checkers of VM entries against it: each NAME_checks.c with the
# hypervisor's own sources of the check and the test kernels' library.
refusals-cflags = $(filter-out -nostdinc,$(guest-cflags)) -nostdinc -Iinclude -I. -isystem $(newlib)/include
refusals-vmx-srcs := $(addprefix arch/x86/vmx/,check.c check_guest.c check_report.c)
refusals-svm-srcs := arch/x86/svm/check.c
refusals-srcs = tests/refusals/$(1)_checks.c tests/refusals/kernel.c arch/x86/exit/refusal.c $(refusals-$(1)-srcs)
refusals-objs = $(patsubst %.c,$(B)/refusals/%.o,$(call refusals-srcs,$(1))) $(B)/refusals/tests/refusals/enter.o
guest += $(foreach r,svm vmx,$(B)/tests/refusals/$(r).bzimage)

$(B)/refusals/%.o: %.c tests/refusals/refusals.mk $(newlib)/stamp | have-build
	@mkdir -p $(@D)
	$(call say,GUESTCC,$<)$(CC) $(refusals-cflags) -c -o $@ $<

$(B)/refusals/%.o: %.S tests/refusals/refusals.mk | have-build
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)$(CC) $(guest-cflags) -c -o $@ $<

define refusals-rule
$(B)/tests/refusals/$(1).bzimage: $(call refusals-objs,$(1)) $(guest-lib) tests/guest/lib/guest.ld
	@mkdir -p $$(@D)
	$$(call say,GUESTLD,$$@)$(LD) -m elf_x86_64 -nostdlib -static -z noexecstack -z max-page-size=0x1000 --no-warn-rwx-segments \
		--fatal-warnings --defsym SETUP_BYTES='($(guest-setup-sects)+1)*512' -T tests/guest/lib/guest.ld \
		-o $$(@:.bzimage=.elf) $$(filter %.o,$$^)
	$$(quiet)$(OBJCOPY) -O binary $$(@:.bzimage=.elf) $$@
endef
$(foreach r,svm vmx,$(eval $(call refusals-rule,$(r))))

-include $(foreach r,svm vmx,$(patsubst %.o,%.d,$(call refusals-objs,$(r))))
