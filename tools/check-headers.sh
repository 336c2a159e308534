#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/check-headers.sh CC HYPERVISOR-FLAGS HOST-FLAGS. Every header must compile alone, and twice.
set -eu
cc=$1 hv=$2 host=$3
n=0 bad=0

check() {
	n=$((n + 1))
	printf '#include "%s"\n#include "%s"\n' "$2" "$2" |
		$cc $1 -Wno-unused-function -fsyntax-only -x c - ||
		{ bad=$((bad + 1)); echo "headers-check: $2 does not compile alone" >&2; }
}

for h in $(find include arch core loader -name '*.h' | sort); do check "$hv" "$h"; done
for h in $(find tools tests/unit tests/fuzz -name '*.h' | sort); do check "$host" "$h"; done
echo "headers-check: $n headers, $bad bad"
[ "$bad" -eq 0 ]
