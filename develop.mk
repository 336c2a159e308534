# SPDX-License-Identifier: BSD-2-Clause
# The developer's loop: style, lint, gdb, coverage. Included by the Makefile; docs/developing.md says how to use it.

CLANG_FORMAT := clang-format-14
CLANG_TIDY := clang-tidy-14
CPPCHECK := cppcheck
GCOV := gcov
IMAGE ?= build/guest/demo.img

# ---------------------------------------------------------------------------------------------------------- style
.PHONY: format format-check
format-check:
	$(quiet)$(PYTHON) tools/check-style.py

format: | have-test
	@test -n '$(FILE)' || { echo "make format FILE='a.c b.h': which files?"; exit 2; }
	$(quiet)$(CLANG_FORMAT) -i $(FILE)

# ----------------------------------------------------------------------------------------------------------- lint
# Stamps hang from the object files, so that a changed header is seen and only what changed is looked at again.
# The vector code as a tool's: with hypervisor flags clang-tidy would read gcc's intrinsics, which clang does not know.
lint-hv := $(filter-out loader/sha256_ni.c,$(filter %.c,$(hv-srcs)))
lint-tool := $(filter-out $(lint-hv),$(sort $(foreach t,$(tools),$(tool-$(t)-srcs))))
lint-stamps := $(patsubst %.c,$(B)/lint/hv/%.tidy,$(lint-hv)) $(patsubst %.c,$(B)/lint/tool/%.tidy,$(lint-tool))
lint-flags = $(filter-out -MMD -MP -Werror $(hv-thunks),$($(1)-flags)) -Wno-unknown-warning-option

$(B)/lint/hv/%.tidy: %.c $(B)/hv/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,LINT,$<)$(CLANG_TIDY) --quiet $< -- $(call lint-flags,hv) $(cflags-$<) 2>$@.err || \
		{ cat $@.err; exit 1; }
	@touch $@

$(B)/lint/tool/%.tidy: %.c $(B)/tool/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,LINT,$<)$(CLANG_TIDY) --quiet $< -- $(call lint-flags,tool) $(cflags-$<) 2>$@.err || \
		{ cat $@.err; exit 1; }
	@touch $@

.PHONY: lint lint-cppcheck lint-tidy lint-seam
lint: lint-cppcheck lint-tidy lint-seam
lint-tidy: $(lint-stamps)

lint-cppcheck: $(asl) | have-test
	@mkdir -p $(B)/lint/cppcheck
	$(call say,LINT,"$(words $(lint-hv) $(lint-tool)) files (cppcheck)")$(CPPCHECK) -q -j$(JOBS) --error-exitcode=1 \
		--cppcheck-build-dir=$(B)/lint/cppcheck --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tools/cppcheck.suppress --std=c11 --platform=unix64 -Iinclude -I. -I$(B)/gen \
		--template='{file}:{line}: {severity}: {message} [{id}]' $(lint-hv) $(lint-tool)

# What a vendor's room keeps its guests in is nobody else's business, not even in a comment.
lint-seam:
	@if grep -rniE 'vmcs|vmcb' --include='*.[chS]' arch core loader include | grep -vE '^arch/x86/(vmx|svm)/'; then \
		echo 'lint-seam: only arch/x86/vmx and arch/x86/svm may know these' >&2; exit 1; fi

# ------------------------------------------------------------------------------------------------------------ gdb
.PHONY: debug debug-test
debug: all $(IMAGE) | have-test
	$(quiet)tools/debug.sh $(B) $(IMAGE)

debug-test: all build/guest/demo.img $(B)/tests/guest/poweroff.bzimage | have-test
	$(quiet)$(PYTHON) tests/debug/run.py --build $(B) build/guest/demo.img
	$(quiet)$(PYTHON) tests/debug/changed.py --build $(B) $(B)/tests/guest/poweroff.bzimage

# ------------------------------------------------------------------------------------------------------- coverage
# A build of its own, by gcc with --coverage instead of sanitizers: build/coverage. Counts of an earlier run would add up.
.PHONY: coverage
coverage: | have-check
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	+$(quiet)$(MAKE) --no-print-directory CC=gcc DEBUG= COVERAGE=1 unit-tests $(if $(value replay-bins),fuzz-replay)
	$(quiet)$(PYTHON) tests/coverage.py --gcov $(GCOV) build/coverage
