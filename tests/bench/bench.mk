# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: figures in instructions, written into docs/performance.md. No test, no limit; tests/bench/bench.py.
bench := $(B)/bench/count.so $(B)/bench/init $(B)/bench/bare.bzimage

$(B)/bench/count.so: tests/bench/count.c tests/bench/bench.mk | have-build
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(CC) -std=gnu11 $(warn) -O2 -g -shared -fPIC -fvisibility=hidden -o $@ $<

$(B)/bench/init: tests/bench/init.S tests/bench/bench.mk | have-build
	@mkdir -p $(@D)
	$(call say,HOSTAS,$<)$(CC) -nostdlib -static -no-pie -Wl,-Ttext-segment=0x5a5a0000000,--build-id=none -o $@ $<

.PHONY: bench
bench: all guest-files guest-kernels $(bench) | have-test
	$(quiet)$(PYTHON) tests/bench/bench.py --build $(B) --compiler '$(CC)'
