#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/check-globals.sh ELF OBJECT... Refuses writable data in Vouch's own objects outside the sections .boot*
# and .percpu*: its state lives in structures that are handed around, never in globals. What libraries bring into the
# linked binary is listed here, so that more of it is noticed.
set -eu
elf=$1
shift

# newlib: nothing (core/newlib.c). expat: two tuning knobs. mbedTLS: a constant, a pointer to memset and a list of curves'
# names, which nothing writes here.
allowed="g_reparseDeferralEnabledDefault g_parseAttempts
	one.0 memset_func ecp_supported_grp_id init_done.0"

bad=$(for o in "$@"; do
	LC_ALL=C readelf -SW "$o" | sed -n 's/^ *\[ *[0-9]*\] *//p' | awk -v o="$o" '
		$7 ~ /W/ && $5 !~ /^0+$/ && $1 !~ /^\.(boot|percpu)/ { print o ": " $1 " holds " $5 " bytes" }'
done
	LC_ALL=C objdump -t "$elf" | awk -F '\t' -v list="$(echo $allowed)" '
		BEGIN { n = split(list, a, " "); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
		NF == 2 { symbols++; n = split($2, word, " "); name = word[n] }
		NF == 2 && $1 ~ / \.(data|bss)$/ && name !~ /^(\.|image_)/ && !(name in ok) { print "linked: " name }
		END { if (symbols < 100) print "linked: no symbols to look at" }')
if [ -n "$bad" ]; then
	echo "writable globals:" >&2
	echo "$bad" >&2
	exit 1
fi
echo "no-globals-check: $# objects hold no writable global"
