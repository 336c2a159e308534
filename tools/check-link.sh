#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/check-link.sh ELF SYMBOLS.c NEWLIB. Refuses a hypervisor binary whose symbol table does not describe
# it, or that took a floating-point member out of newlib (NEWLIB/lib/xmm-members lists them).
set -eu
elf=$1 symbols=$2 newlib=$3
here=$(dirname "$0")

fail() {
	rm -f "$elf"
	echo "$elf: $1" >&2
	exit 1
}

${NM:-nm} -n "$elf" | "$here/symbols.sh" | cmp -s - "$symbols" ||
	fail "the symbol table moved code: the linker script must place .text before .rodata"
for member in $(sed -n "s/.*libc\.a(\([^)]*\)).*/\1/p" "$elf.map" | sort -u); do
	! grep -qxF "$member" "$newlib/lib/xmm-members" ||
		fail "uses $member of newlib, which needs vector registers: see $elf.map for who asked for it"
done
