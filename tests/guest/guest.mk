# SPDX-License-Identifier: BSD-2-Clause
# The test kernels: each test NAME.c, with NAME.S and the names in guest-NAME-srcs if there are any, becomes
# $(B)/tests/guest/NAME.bzimage. tests/guest/README.md tells more.
guest-names := $(patsubst tests/guest/%.c,%,$(sort $(wildcard tests/guest/*.c)))
guest += $(foreach g,$(guest-names),$(B)/tests/guest/$(g).bzimage)

guest-setup-sects := 7
guest-cflags = -std=gnu11 $(warn) -O2 -g -m64 -ffreestanding -nostdinc -mgeneral-regs-only -mno-red-zone -fno-pie \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-fno-delete-null-pointer-checks -fno-common -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) \
	-ffile-prefix-map=$(CURDIR)=. -MMD -MP
guest-lib := $(patsubst %,$(B)/guest/%.o,$(basename $(wildcard tests/guest/lib/*.[cS])))
guest-objs = $(B)/guest/tests/guest/$(1).o $(if $(wildcard tests/guest/$(1).S),$(B)/guest/tests/guest/$(1).asm.o)

$(B)/guest/%.o: %.c tests/guest/guest.mk | have-build
	@mkdir -p $(@D)
	$(call say,GUESTCC,$<)$(CC) $(guest-cflags) -c -o $@ $<

$(B)/guest/tests/guest/lib/%.o: tests/guest/lib/%.S tests/guest/guest.mk | have-build
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)$(CC) $(guest-cflags) -DSETUP_SECTS=$(guest-setup-sects) -c -o $@ $<

$(B)/guest/tests/guest/%.asm.o: tests/guest/%.S tests/guest/guest.mk | have-build
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)$(CC) $(guest-cflags) -c -o $@ $<

# $(1): the kernel's own objects.
define guest-link
	@mkdir -p $(@D)
	$(call say,GUESTLD,$@)$(LD) -m elf_x86_64 -nostdlib -static -z noexecstack -z max-page-size=0x1000 --no-warn-rwx-segments \
		--fatal-warnings --defsym SETUP_BYTES='($(guest-setup-sects)+1)*512' -T tests/guest/lib/guest.ld \
		-o $(@:.bzimage=.elf) $(1) $(guest-lib)
	$(quiet)$(OBJCOPY) -O binary $(@:.bzimage=.elf) $@
endef

define guest-rule
$(B)/tests/guest/$(1).bzimage: $(call guest-objs,$(1)) $(guest-lib) tests/guest/lib/guest.ld
	$$(call guest-link,$(call guest-objs,$(1)))
endef
$(foreach g,$(guest-names),$(eval $(call guest-rule,$(g))))

# The bare loop that make bench compares with: a kernel of the same kind, run without Vouch.
bare-objs := $(B)/guest/tests/bench/bare.o $(B)/guest/tests/bench/bare_enter.o
$(B)/guest/tests/bench/bare_enter.o: tests/bench/bare_enter.S tests/guest/guest.mk | have-build
	@mkdir -p $(@D)
	$(call say,GUESTAS,$<)$(CC) $(guest-cflags) -c -o $@ $<
$(B)/guest/tests/bench/bare.o: guest-cflags += -I.
$(B)/bench/bare.bzimage: $(bare-objs) $(guest-lib) tests/guest/lib/guest.ld
	$(call guest-link,$(bare-objs))
-include $(bare-objs:.o=.d)

.PHONY: guest-kernels
guest-kernels: $(guest)

-include $(guest-lib:.o=.d) $(foreach g,$(guest-names),$(patsubst %.o,%.d,$(call guest-objs,$(g))))
