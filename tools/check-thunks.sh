#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/check-thunks.sh OBJECT... Refuses objects of the hypervisor with an indirect call or jump of their own:
# a guest may have trained it. Not those that run before there are guests, nor the thunks themselves.
set -eu
bad=0
for object; do
	case $object in */arch/x86/boot/head.o | */arch/x86/cpu/ap.o | */arch/x86/cpu/retpoline.o) continue ;; esac
	if ${OBJDUMP:-objdump} -d --no-show-raw-insn "$object" | grep -qE '[[:space:]](call|jmp)q?[[:space:]]+\*'; then
		echo "$object: has an indirect branch that does not go by way of arch/x86/cpu/retpoline.S" >&2
		bad=1
	fi
done
exit $bad
