# SPDX-License-Identifier: BSD-2-Clause
# Builds Vouch, its host tools and its tests. `make help` lists the targets. Rooms say what they contribute in
# fragments of their own (DIR/*.mk); docs/building.md explains the variables. All output goes below build/.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DEFAULT_GOAL := all

# ---------------------------------------------------------------------------------------------- what, with what
# `make CC=clang`, `make DEBUG=1`: each variant has a folder of its own, so that none clobbers another.
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
DEBUG ?=
COVERAGE ?=
variant := $(if $(findstring clang,$(CC)),clang)$(if $(DEBUG),$(if $(findstring clang,$(CC)),-)debug)
variant := $(if $(COVERAGE),coverage,$(variant))
B := build$(if $(variant),/$(variant))

LD := ld
NM := nm
OBJCOPY := objcopy
FUZZ_CC := clang
AFL_CC := afl-clang-fast
PYTHON := python3
IASL := iasl
# Meant to name keys, as by a variable of a script that is not set: that must not build a Vouch without any.
ifneq ($(origin TRUST),undefined)
ifeq ($(strip $(TRUST)),)
$(error TRUST is empty: name files with public keys, or leave it out to build none in)
endif
endif
TRUST ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 0
V ?=
quiet := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2);)

# ---------------------------------------------------------------------------------------------------------- flags
warn := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wvla -Werror
common := -std=gnu11 $(warn) -fno-common -ffile-prefix-map=$(CURDIR)=. -MMD -MP
newlib := build/newlib
mbedtls := build/mbedtls
debug-flags := $(if $(DEBUG),-DVOUCH_DEBUG)

# newlib before the compiler's headers: with a freestanding stdint.h its inttypes.h would lack the 64-bit formats.
hv-include := -nostdinc -Iinclude -I. -I$(B)/gen -isystem $(newlib)/include -isystem build/expat \
	-isystem build/libfdt -isystem $(mbedtls)/include \
	-isystem $(shell $(CC) -print-file-name=include 2>/dev/null)
# Indirect branches go by way of arch/x86/cpu/retpoline.S.
hv-thunks := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-mretpoline-external-thunk,\
	-mindirect-branch=thunk-extern -mindirect-branch-register)
hv-flags := $(hv-thunks) $(common) $(hv-include) $(debug-flags) -O2 -g -ffreestanding -mgeneral-regs-only -mno-red-zone \
	-mcmodel=kernel -fno-pie -fno-stack-protector -fcf-protection=none -fno-jump-tables \
	-fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-strict-aliasing
tool-flags := $(common) -Iinclude -I. -I$(B)/gen -O2 -g -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
san := $(if $(COVERAGE),--coverage,-fno-sanitize-recover=all -fsanitize=address,undefined)
unit-flags := $(common) $(san) -g -O1 -fno-omit-frame-pointer -Iinclude -I. -I$(B)/gen -DVOUCH_HOST_TEST -DVOUCH_DEBUG
fuzz-flags := $(common) $(san),fuzzer-no-link -g -O1 -fno-omit-frame-pointer -Iinclude -I. -I$(B)/gen \
	-DVOUCH_HOST_TEST -DVOUCH_DEBUG
# AFL++ puts macros of its own into main_afl.c, which the stricter warnings do not like.
afl-flags := $(filter-out -Werror -Wconversion,$(unit-flags))

# ------------------------------------------------------------------------------------------------------ fragments
hv-srcs :=
hv-asl :=
tool-vouch-srcs :=
tool-build_vm-srcs :=
unit :=
fuzz :=
guest :=
include $(wildcard arch/x86/*/*.mk core/*.mk core/dev/*.mk loader/*.mk tools/*.mk tests/*/*.mk)

# What runs seldom is built small: what verifies, starts, ends and reports guests, serves the operator, looks for the machine's parts,
# finds out why an entry failed, decodes and works what has to be emulated, or stands for a device that is slow anyway. Not what hashes.
hv-cold := $(filter-out loader/chunk.c loader/sha256_ni.c loader/verify.c,$(filter loader/%.c,$(hv-srcs))) \
	$(addprefix core/,console.c control.c control_port.c file_copy.c file_share.c gpa_build.c guest.c hold.c identity.c launch.c \
		line_edit.c log.c main.c measured.c memory.c module.c monitor.c mux.c operator.c page.c ram.c record.c rollback.c screen.c \
		steer.c stopped.c trust.c vcpu_init.c vm.c) \
	$(addprefix arch/x86/cpu/,acpi.c acpi_host.c apic.c cpu.c cpu_facts.c display.c entropy.c errata.c firmware.c framebuffer.c gdt.c \
		idt.c ioapic.c mce.c panic.c pci.c power.c rtc.c smp.c spec.c stop.c tpm.c tpm_crb.c tpm_regs.c tpm_tis.c tsc.c \
		tsc_sync.c uart.c usb.c vga.c) \
	$(addprefix arch/x86/dev/,acpi.c debugport.c i8042.c ioapic.c pciconfig.c pic.c pit.c reset.c rtc.c) \
	$(addprefix arch/x86/exit/,alu.c cpuid.c cr.c decode.c emulate.c insn_text.c kvmclock.c refusal.c report.c) \
	$(addprefix arch/x86/mm/,hostmap.c mtrr.c mtrr_copy.c paging.c) $(addprefix arch/x86/svm/,check.c features.c names.c setup.c) \
	$(addprefix arch/x86/vmx/,caps.c check.c check_guest.c check_report.c names.c setup.c task.c) \
	arch/x86/boot/start.c arch/x86/guest/linux.c
hv-missing := $(filter-out $(hv-srcs),$(hv-cold))
$(if $(hv-missing),$(error hv-cold names what is not built: $(hv-missing)))

# ------------------------------------------------------------------------------------------------- what to build
hv-objs := $(patsubst %,$(B)/hv/%.o,$(basename $(hv-srcs))) $(B)/hv/trust.o
offsets := $(patsubst %.c,$(B)/gen/%.h,$(wildcard arch/x86/*/offsets.c core/offsets.c))
asl := $(patsubst %.asl,$(B)/gen/%.h,$(hv-asl))
gen := $(offsets) $(asl)
lds := arch/x86/boot/vouch.lds
tools := $(foreach t,vouch build_vm,$(if $(tool-$(t)-srcs),$(t)))
tool-bins := $(addprefix $(B)/,$(tools))
unit-bins := $(foreach u,$(unit),$(B)/tests/unit/$(u))
fuzz-bins := $(foreach f,$(fuzz),$(B)/tests/fuzz/$(f))
replay-bins := $(foreach f,$(fuzz),$(B)/tests/replay/$(f))
afl-bins := $(foreach f,$(fuzz),$(B)/tests/afl/$(f))
products := $(if $(hv-srcs),$(B)/vouch.elf) $(tool-bins)

.PHONY: all
all: $(products)

# A tool or header that is missing is named here, with the remedy, before a compiler complains about something else.
.PHONY: have-build have-check have-test have-long
have-build have-check have-test have-long: have-%:
	@tools/setup.sh --check $* $(CC)

# ----------------------------------------------------------------------------------------------------- hypervisor
$(newlib)/stamp: tools/build-newlib.sh | have-build
	@tools/build-newlib.sh $(newlib)
	@touch $@

$(mbedtls)/stamp: tools/build-mbedtls.sh $(newlib)/stamp | have-build
	@tools/build-mbedtls.sh $(mbedtls)
	@touch $@

# The headers of expat and libfdt alone: the rest of the host's include folder must not be seen by hypervisor code.
build/expat/expat.h: | have-build
	@mkdir -p $(@D)
	$(quiet)ln -sf /usr/include/expat_external.h $(@D)/ && ln -sf /usr/include/expat.h $@

build/libfdt/libfdt.h: | have-build
	@mkdir -p $(@D)
	$(quiet)ln -sf /usr/include/fdt.h /usr/include/libfdt_env.h $(@D)/ && ln -sf /usr/include/libfdt.h $@

# A change of flags rebuilds: the file changes only when the flags do.
$(B)/hv/flags $(B)/tool/flags $(B)/unit/flags $(B)/fuzz/flags $(B)/afl/flags: $(B)/%/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $($*-flags) $($*-cold)' | cmp -s - $@ || echo '$(CC) $($*-flags) $($*-cold)' >$@
.PHONY: FORCE
FORCE:

hv-ready := $(B)/hv/flags | have-build $(newlib)/stamp $(mbedtls)/stamp build/expat/expat.h build/libfdt/libfdt.h

$(B)/hv/%.o: %.c $(hv-ready) $(asl)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(hv-flags) $(if $(filter $<,$(hv-cold)),-Os) $(cflags-$<) -c -o $@ $<

$(B)/hv/%.o: %.S $(hv-ready) $(gen)
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(hv-flags) $(cflags-$<) -D__ASSEMBLY__ -Wa,--fatal-warnings -c -o $@ $<

# offsets.c emits asm("->NAME value") lines, no instructions; they become #defines for entry code.
not-assembled := $(if $(findstring clang,$(CC)),-fno-integrated-as)
$(B)/gen/%/offsets.h: %/offsets.c $(hv-ready)
	@mkdir -p $(@D)
	$(call say,GEN,$@)$(CC) $(hv-flags) -MT $@ -MF $(@:.h=.d) -g0 -S $(not-assembled) -o $(@:.h=.s) $< && \
		(echo '/* Generated from $<. */'; \
		sed -n 's/^[^-]*->\([A-Za-z0-9_]*\) [$$]*\(-\{0,1\}[0-9]*\).*/#define \1 \2/p' $(@:.h=.s)) >$@

$(asl): $(B)/gen/%.h: %.asl | have-build
	@mkdir -p $(@D)
	$(call say,IASL,$<)$(IASL) -we -vs -p $(@:.h=.aml) $< >$(@:.h=.log) 2>&1 || { cat $(@:.h=.log); exit 1; }
	@(echo '/* Generated from $< by iasl. */'; echo 'static const unsigned char $(basename $(@F))_aml[] = {'; \
		od -An -v -tx1 $(@:.h=.aml) | sed 's/ \(..\)/0x\1,/g'; echo '};') >$@

expat-lib = $(shell $(CC) -print-file-name=libexpat.a)
fdt-lib = $(shell $(CC) -print-file-name=libfdt.a)
gcc-lib = $(shell gcc -print-libgcc-file-name)
hv-link = $(LD) -m elf_x86_64 -nostdlib -static --build-id=sha1 -z noexecstack -z max-page-size=0x1000 --gc-sections \
	--fatal-warnings -T $(lds) -Map $@.map -o $@ $(hv-objs) $(1) \
	--start-group $(expat-lib) $(fdt-lib) $(mbedtls)/lib/libmbedcrypto.a $(newlib)/lib/libc.a $(gcc-lib) --end-group

# The symbol table for backtraces describes the very file that holds it: link, list, link again, compare.
$(B)/hv/symbols-none.o $(B)/hv/symbols.o $(B)/hv/trust.o: $(B)/hv/%.o: $(B)/gen/%.c $(hv-ready)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(hv-flags) -c -o $@ $<

# The public keys of TRUST, inside the hypervisor; changes only when they do.
$(B)/gen/trust.c: tools/trust.sh $(TRUST) $(if $(TRUST),$(B)/vouch) FORCE
	@mkdir -p $(@D)
	@tools/trust.sh $(B)/vouch $(TRUST) >$@.new || { rm -f $@.new; exit 1; }
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(B)/gen/symbols-none.c: tools/symbols.sh
	@mkdir -p $(@D)
	@tools/symbols.sh </dev/null >$@

$(B)/gen/symbols.c: $(B)/vouch.pass1 tools/symbols.sh
	$(call say,GEN,$@)$(NM) -n $< | tools/symbols.sh >$@

$(B)/vouch.pass1: $(hv-objs) $(B)/hv/symbols-none.o $(lds)
	$(call say,LINK,$@)$(call hv-link,$(B)/hv/symbols-none.o)

$(B)/hv/thunks.checked: $(hv-objs) tools/check-thunks.sh
	$(quiet)OBJDUMP=$(OBJDUMP) tools/check-thunks.sh $(hv-objs)
	@touch $@

$(B)/vouch.elf: $(hv-objs) $(B)/hv/symbols.o $(lds) tools/check-link.sh $(B)/hv/thunks.checked
	$(call say,LINK,$@)$(call hv-link,$(B)/hv/symbols.o)
	$(quiet)NM=$(NM) tools/check-link.sh $@ $(B)/gen/symbols.c $(newlib)
	@printf '  %s: text %s bytes, SHA-256 %s\n' $@ "$$(size -A $@ | awk '$$1 ~ /text/ { n += $$2 } END { print n }')" \
		"$$(sha256sum <$@ | cut -d' ' -f1)"
	@echo '  $@: public keys built in: $(words $(TRUST))$(if $(TRUST),, (no TRUST given))'

.PHONY: hv-objects
hv-objects: $(hv-objs)

# ----------------------------------------------------------------------------------------------------- host tools
$(B)/tool/%.o: %.c $(B)/tool/flags $(asl) | have-build
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(CC) $(tool-flags) $(cflags-$<) -c -o $@ $<

define tool-rule
$(B)/$(1): $(patsubst %.c,$(B)/tool/%.o,$(tool-$(1)-srcs))
	$$(call say,HOSTLD,$$@)$(CC) -o $$@ $$^ $(if $(tool-$(1)-libs),$(tool-$(1)-libs),-lexpat)
endef
$(foreach t,$(tools),$(eval $(call tool-rule,$(t))))

# ----------------------------------------------------------------------------------------------------- unit tests
# Objects are shared by all unit tests, except those with flags of their own (unit-X-cflags). unit-X-san, with these:
# another sanitizer than the rest have.
unit-srcs = $(sort tests/unit/test_$(1).c $(unit-$(1)-srcs))
unit-sanitized = $(if $(unit-$(1)-san),$(filter-out $(san),$(unit-flags)) $(unit-$(1)-san),$(unit-flags))
unit-dir = $(B)/unit$(if $(unit-$(1)-cflags),-$(1))

$(B)/unit/%.o: %.c $(B)/unit/flags $(asl) | have-check
	@mkdir -p $(@D)
	$(call say,UNITCC,$<)$(CC) $(unit-flags) -c -o $@ $<

define unit-rule
$(B)/tests/unit/$(1): $(patsubst %.c,$(unit-dir)/%.o,$(unit-srcs))
	@mkdir -p $$(@D)
	$$(call say,UNITLD,$$@)$(CC) $(or $(unit-$(1)-san),$(san)) -o $$@ $$^ $(unit-$(1)-libs) -lcmocka
.PHONY: unit-$(1)
unit-$(1): $(B)/tests/unit/$(1)
	$$(quiet)$(PYTHON) tests/run_unit.py $$<
endef
define unit-cflags-rule
$(B)/unit-$(1)/%.o: %.c $(B)/unit/flags $(asl) | have-check
	@mkdir -p $$(@D)
	$$(call say,UNITCC,"$$< ($(1))")$(CC) $(call unit-sanitized,$(1)) $(unit-$(1)-cflags) -c -o $$@ $$<
endef
$(foreach u,$(unit),$(if $(unit-$(u)-cflags),$(eval $(call unit-cflags-rule,$(u)))))
$(foreach u,$(unit),$(eval $(call unit-rule,$(u))))

.PHONY: unit-tests check tools-tests
unit-tests: $(unit-bins)
	$(quiet)$(PYTHON) tests/run_unit.py $(unit-bins)

tools-tests: $(tool-bins) | have-check
	$(quiet)VOUCH=$(CURDIR)/$(B)/vouch BUILD_VM=$(CURDIR)/$(B)/build_vm $(PYTHON) tests/run_tools.py

check: unit-tests tools-tests fuzz-replay

# ----------------------------------------------------------------------------------------------------------- fuzz
$(B)/fuzz/%.o: %.c $(B)/fuzz/flags $(asl) | have-test
	@mkdir -p $(@D)
	$(call say,FUZZCC,$<)$(FUZZ_CC) $(fuzz-flags) -c -o $@ $<

define fuzz-rule
$(B)/tests/fuzz/$(1): $(patsubst %.c,$(B)/fuzz/%.o,$(sort tests/fuzz/fuzz_$(1).c $(fuzz-$(1)-srcs)))
	@mkdir -p $$(@D)
	$$(call say,FUZZLD,$$@)$(FUZZ_CC) $(san),fuzzer -o $$@ $$^ $(fuzz-$(1)-libs)
endef
$(foreach f,$(fuzz),$(eval $(call fuzz-rule,$(f))))

.PHONY: fuzz-build fuzz
fuzz-build: $(fuzz-bins)
fuzz: $(fuzz-bins)
	$(quiet)$(PYTHON) tests/run_fuzz.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --work $(B)/tests/fuzz $(fuzz-bins)

# The same targets with a main() of their own: built like unit tests to play the corpus again, or by AFL++'s compiler.
fuzz-main-srcs = $(sort tests/fuzz/main_afl.c tests/fuzz/fuzz_$(1).c $(fuzz-$(1)-srcs))

$(B)/afl/%.o: %.c $(B)/afl/flags $(asl) | have-test have-afl
	@mkdir -p $(@D)
	$(call say,AFLCC,$<)AFL_QUIET=1 $(AFL_CC) $(afl-flags) -c -o $@ $<

define fuzz-main-rule
$(B)/tests/replay/$(1): $(patsubst %.c,$(B)/unit/%.o,$(fuzz-main-srcs))
	@mkdir -p $$(@D)
	$$(call say,UNITLD,$$@)$(CC) $(san) -o $$@ $$^ $(fuzz-$(1)-libs)
$(B)/tests/afl/$(1): $(patsubst %.c,$(B)/afl/%.o,$(fuzz-main-srcs))
	@mkdir -p $$(@D)
	$$(call say,AFLLD,$$@)AFL_QUIET=1 $(AFL_CC) $(san) -o $$@ $$^ $(fuzz-$(1)-libs)
endef
$(foreach f,$(fuzz),$(eval $(call fuzz-main-rule,$(f))))

.PHONY: fuzz-replay fuzz-afl have-afl
fuzz-replay: $(replay-bins)
	$(quiet)$(PYTHON) tests/run_fuzz.py --replay --work $(B)/tests/replay $(replay-bins)

have-afl:
	@command -v $(AFL_CC) >/dev/null || { echo 'missing: $(AFL_CC) (Debian package afl++)' >&2; exit 3; }
fuzz-afl: $(afl-bins)
	@echo 'Now, for one of them: afl-fuzz -m none -i tests/fuzz/corpus/NAME -o DIR -- $(B)/tests/afl/NAME'

# --------------------------------------------------------------------------------------------------- other checks
.PHONY: headers-check no-globals-check
headers-check: $(hv-ready) $(gen)
	$(quiet)tools/check-headers.sh '$(CC)' '$(filter-out -MMD -MP,$(hv-flags))' '$(filter-out -MMD -MP,$(unit-flags))'

no-globals-check: $(B)/vouch.elf
	$(quiet)tools/check-globals.sh $< $(hv-objs)

.PHONY: debug-build clang-build
debug-build:
	+$(quiet)$(MAKE) --no-print-directory DEBUG=1 all
clang-build:
	+$(quiet)$(MAKE) --no-print-directory CC=clang all

include develop.mk

# --------------------------------------------------------------------------------------------------- guests, boots
.PHONY: setup guest-files run boot-test long-test guest-test test test-all
setup:
	@tools/setup.sh --tests

build/guest/vmlinuz: tools/fetch-guest.sh
	@tools/fetch-guest.sh build/guest

build/guest/generic/vmlinuz: tools/fetch-guest.sh
	@tools/fetch-guest.sh build/guest generic

build/guest/initrd.gz: tools/mkinitrd.sh | build/guest/vmlinuz
	@tools/mkinitrd.sh $@

build/guest/demo.img: tests/data/demo.xml build/guest/vmlinuz build/guest/initrd.gz $(B)/vouch
	$(call say,IMAGE,$@)cd build/guest && $(CURDIR)/$(B)/vouch build $(CURDIR)/tests/data/demo.xml \
		-o demo.img

guest-files: build/guest/vmlinuz build/guest/initrd.gz

run:
	@tools/setup.sh
	+$(quiet)$(MAKE) --no-print-directory -j$(JOBS) all build/guest/demo.img
	$(quiet)$(B)/vouch run build/guest/demo.img

test-choice = $(if $(TEST),--only '$(TEST)') $(if $(MACHINE),--machine '$(MACHINE)')

# A hypervisor with a key of its own, for boot tests.
.PHONY: trust-build
$(B)/tests/trust.pem: | $(B)/vouch
	@mkdir -p $(@D)
	@$(B)/vouch keygen $@ >/dev/null
trust-build: $(B)/tests/trust.pem
	+$(quiet)$(MAKE) --no-print-directory TRUST=$(B)/tests/trust.pub.pem B=$(B)/trust $(B)/trust/vouch.elf

boot-test: all trust-build guest-files build/guest/generic/vmlinuz $(guest) | have-test
	$(quiet)$(PYTHON) tests/boot/run.py --build $(B) tests/boot/tests.cfg $(test-choice)

# README.md's session and screenshot, from what the boot test of that name left.
.PHONY: readme readme-check
readme readme-check: readme%: all guest-files | have-test
	$(quiet)$(PYTHON) tests/boot/run.py --build $(B) tests/boot/tests.cfg --only readme,readme-guests
	$(quiet)$(PYTHON) tests/boot/readme.py --build $(B) $(if $*,--check,--write)

long-guests := generic-initrd cloud-initrd installer
long-test: all guest-files $(guest) | have-long
	@tools/fetch-guest.sh build/guest $(long-guests)
	$(quiet)$(PYTHON) tests/boot/run.py --build $(B) tests/boot/long.cfg $(test-choice)

guest-test: all debug-hypervisor $(guest) | have-test
	$(quiet)$(PYTHON) tests/boot/run.py --build $(B) tests/guest/tests.cfg $(test-choice)

# What only a debug build does for a guest that asks (docs/guest-interface.md).
.PHONY: debug-hypervisor
debug-hypervisor:
	+$(quiet)$(if $(DEBUG),:,$(MAKE) --no-print-directory DEBUG=1 B=$(B)/debug $(B)/debug/vouch.elf)

.PHONY: long-guest-test
long-guest-test: all $(guest) | have-test
	$(quiet)$(PYTHON) tests/boot/run.py --build $(B) tests/guest/long.cfg $(test-choice)

test:
	@tools/setup.sh --tests
	+$(quiet)$(PYTHON) tests/run_all.py --make '$(MAKE)' --jobs $(JOBS) --fuzz-seconds $(FUZZ_SECONDS)

test-all:
	@tools/setup.sh --all
	+$(quiet)$(PYTHON) tests/run_all.py --long --make '$(MAKE)' --jobs $(JOBS) --fuzz-seconds $(FUZZ_SECONDS)

# ----------------------------------------------------------------------------------------------------------- rest
.PHONY: clean help
clean:
	rm -rf build

help:
	@echo 'make             build $(B)/vouch.elf, $(B)/vouch and $(B)/build_vm'
	@echo 'make setup       install what is needed (Debian packages; as root or with sudo)'
	@echo 'make run         set up, build, boot the demo guest in QEMU: its shell is on this terminal'
	@echo 'make test        set up, then every test; ends in one line with the sums'
	@echo 'make test-all    the same, and boots that take long or much memory'
	@echo 'make check       unit tests and tests of the host tools, in seconds'
	@echo 'make unit-NAME   one unit test program: $(unit)'
	@echo 'make fuzz        fuzz all targets for FUZZ_SECONDS=$(FUZZ_SECONDS) in all: $(fuzz)'
	@echo 'make fuzz-replay play every file of their corpora again, in seconds (part of make check)'
	@echo 'make fuzz-afl    build the same targets for AFL++ (package afl++): docs/testing.md'
	@echo 'make boot-test   boot through GRUB in QEMU and Bochs (TEST=NAME: one of tests/boot/tests.cfg)'
	@echo 'make guest-test  test kernels inside Vouch in both (TEST=NAME: one of tests/guest/tests.cfg)'
	@echo 'make readme      write README.md'"'"'s sessions and docs/screen.png anew; make readme-check compares'
	@echo 'make bench       measure in instructions, beside KVM; writes docs/performance.md, with which'
	@echo '                 make bench-check compares what exits cost; make bench-hash: SHA-256 beside openssl'"'"'s'
	@echo 'make debug       QEMU with the demo guest (IMAGE=FILE: another), stopped, and gdb on it; make debug-test tries gdb'
	@echo 'make lint        cppcheck and clang-tidy over the hypervisor and the tools'
	@echo 'make format-check   rules of style; make format FILE=a.c lays one file out anew'
	@echo 'make long-test   the long boots alone (TEST=NAME: one of tests/boot/long.cfg)'
	@echo 'make coverage    lines that unit tests and fuzz corpora execute, by room and file'
	@echo 'make long-guest-test   the long runs of test kernels (TEST=NAME: one of tests/guest/long.cfg)'
	@echo 'make headers-check, no-globals-check, hv-objects, clang-build, debug-build, clean'
	@echo 'Variables: CC=clang, DEBUG=1 (each builds into a folder of its own), V=1 (loud), JOBS=N,'
	@echo '           MACHINE=NAME (boots and guest tests: on qemu-svm, bochs-svm, bochs-vmx or another of docs/testing.md),'
	@echo '           TRUST=PUB.pem (public keys: that Vouch runs only guests that one of them has signed)'

-include $(hv-objs:.o=.d) $(offsets:.h=.d)
-include $(foreach t,$(tools),$(patsubst %.c,$(B)/tool/%.d,$(tool-$(t)-srcs)))
-include $(foreach u,$(unit),$(patsubst %.c,$(call unit-dir,$(u))/%.d,$(call unit-srcs,$(u))))
-include $(foreach f,$(fuzz),$(patsubst %.c,$(B)/fuzz/%.d,tests/fuzz/fuzz_$(f).c $(fuzz-$(f)-srcs)))
-include $(foreach f,$(fuzz),$(foreach d,unit afl,$(patsubst %.c,$(B)/$(d)/%.d,$(call fuzz-main-srcs,$(f)))))
