# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: figures in instructions, written into docs/performance.md. `make bench-check`: what an exit costs, against
# that page. tests/bench/bench.py does both.
bench := $(B)/bench/count.so $(B)/bench/init $(B)/bench/bare.bzimage

$(B)/bench/count.so: tests/bench/count.c tests/bench/bench.mk | have-build
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(CC) -std=gnu11 $(warn) -O2 -g -shared -fPIC -fvisibility=hidden -o $@ $<

$(B)/bench/init: tests/bench/init.S tests/bench/bench.mk | have-build
	@mkdir -p $(@D)
	$(call say,HOSTAS,$<)$(CC) -nostdlib -static -no-pie -Wl,-Ttext-segment=0x5a5a0000000,--build-id=none -o $@ $<

.PHONY: bench bench-check bench-hash
bench: all guest-files guest-kernels $(bench) | have-test
	$(quiet)$(PYTHON) tests/bench/bench.py --build $(B) --compiler '$(CC)'
	$(quiet)$(PYTHON) tests/bench/hash.py --build $(B) --write docs/performance.md

# How fast images are hashed, in bytes a second of this machine: a section of its own.
bench-hash: $(B)/vouch | have-test
	$(quiet)$(PYTHON) tests/bench/hash.py --build $(B) --write docs/performance.md

bench-check: all $(B)/tests/guest/exits.bzimage $(B)/tests/guest/beside.bzimage $(bench) | have-test
	$(quiet)$(PYTHON) tests/bench/bench.py --build $(B) --check
