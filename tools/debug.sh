#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: tools/debug.sh [--wait] BUILD IMAGE... : QEMU with the images, stopped before its first instruction, and gdb on
# it with Vouch's symbols and commands. Works in BUILD/gdb: the ISO, QEMU's socket for gdb, the serial port's transcript.
# With --wait no gdb is started: the script says how to reach QEMU and ends when QEMU does.
set -eu
wait=
if [ "$1" = --wait ]; then
	wait=1
	shift
fi
build=$1
shift
[ $# -gt 0 ] || { echo "debug: no image" >&2; exit 2; }
top=$(dirname "$(dirname "$(realpath "$0")")")
work=$(mkdir -p "$build/gdb" && realpath "$build/gdb")
for p in gdb qemu-system-x86_64; do
	command -v $p >/dev/null || { echo "debug: $p is missing: run 'make setup'" >&2; exit 3; }
done

"$build/vouch" iso -o "$work/boot.iso" -c 'console=com1 end=poweroff' "$@"
rm -f "$work/gdb.sock" "$work/serial.log"

# The machine of `vouch run`, less its accelerator choice: only translation stops where gdb wants.
set -- $("$build/vouch" run --accel tcg --dry-run "$@")
n=$#
while [ $n -gt 0 ]; do
	arg=$1
	shift
	case $arg in
	ISO) arg=$work/boot.iso ;;
	mon:stdio) arg=chardev:com1 ;;
	esac
	set -- "$@" "$arg"
	n=$((n - 1))
done
# A session of its own: Ctrl-C in gdb is for gdb.
setsid "$@" -S -chardev "socket,id=gdb,path=$work/gdb.sock,server=on,wait=off" -gdb chardev:gdb \
	-chardev "pty,id=com1,logfile=$work/serial.log" >"$work/qemu.log" 2>&1 &
qemu=$!
trap 'kill $qemu 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
tries=0
while [ ! -S "$work/gdb.sock" ]; do
	kill -0 $qemu 2>/dev/null || { cat "$work/qemu.log" >&2; exit 3; }
	tries=$((tries + 1))
	[ $tries -lt 300 ] || { echo "debug: QEMU opens no socket" >&2; exit 3; }
	sleep 0.1
done
pty=$(sed -n 's|.* redirected to \(/dev/[^ ]*\).*|\1|p' "$work/qemu.log")
echo "Serial port: $pty (for example: screen $pty); its transcript: $work/serial.log"
if [ -n "$wait" ]; then
	echo "gdb -x $top/tools/gdb/vouch.py $build/vouch.elf -ex 'target remote $work/gdb.sock'"
	wait $qemu || true
	exit 0
fi
echo "Stopped before the first instruction. 'continue' runs to vouch_main(); vouch-host, vouch-vcpu, vouch-exits and"
echo "vouch-npt GPA show Vouch; Ctrl-C stops; 'quit' ends QEMU too."
gdb -q -x "$top/tools/gdb/vouch.py" -ex 'set pagination off' -ex "target remote $work/gdb.sock" -ex 'hbreak vouch_main' \
	"$build/vouch.elf"
