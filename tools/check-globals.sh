#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/check-globals.sh OBJECT... Refuses writable data outside the sections .boot* and .percpu*: Vouch's state
# lives in structures that are handed around, never in globals.
set -eu
bad=$(for o in "$@"; do
	LC_ALL=C readelf -SW "$o" | sed -n 's/^ *\[ *[0-9]*\] *//p' | awk -v o="$o" '
		$7 ~ /W/ && $5 !~ /^0+$/ && $1 !~ /^\.(boot|percpu)/ { print o ": " $1 " holds " $5 " bytes" }'
done)
if [ -n "$bad" ]; then
	echo "writable globals in hypervisor objects:" >&2
	echo "$bad" >&2
	exit 1
fi
echo "no-globals-check: $# objects hold no writable global"
