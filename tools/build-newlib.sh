#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds newlib's libc.a for the bare target from Debian's newlib-source package and installs it into OUT.
# Usage: tools/build-newlib.sh OUT. Does nothing when OUT holds the result of this very script and package.
set -eu

out=$(realpath -m "$1")
here=$(dirname "$(realpath "$0")")
tar=$(ls /usr/src/newlib/newlib-*.tar.* /usr/src/newlib-*.tar.* 2>/dev/null | tail -n 1 || true)
if [ -z "$tar" ]; then
	echo "newlib: no source in /usr/src (Debian package newlib-source): run 'make setup'" >&2
	exit 3
fi

stamp=$(cat "$here/build-newlib.sh" "$tar" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
log=$out.log
jobs=$(nproc 2>/dev/null || echo 2)
echo "  NEWLIB  $(basename "$tar"): about a minute, once (log: $log)"

tar -xf "$tar" -C "$work" --strip-components=1
mkdir "$work/build"

# The hypervisor's own code generation. Functions with floating point do not compile like this: see the second pass.
flags="-O2 -g0 -std=gnu11 -ffreestanding -mno-red-zone -mcmodel=kernel -fno-pie -fno-stack-protector
	-fcf-protection=none -fno-jump-tables -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -w
	-D_LDBL_EQ_DBL -ffunction-sections -fdata-sections -ffile-prefix-map=$work=newlib"
flags=$(echo $flags)

run() {
	"$@" >>"$log" 2>&1
}

fail() {
	echo "newlib: $1; the end of $log:" >&2
	tail -n 20 "$log" >&2
	exit 3
}

: >"$log"
cd "$work/build"
run env CC_FOR_TARGET="gcc" AR_FOR_TARGET=ar RANLIB_FOR_TARGET=ranlib AS_FOR_TARGET=as LD_FOR_TARGET=ld \
	NM_FOR_TARGET=nm OBJDUMP_FOR_TARGET=objdump STRIP_FOR_TARGET=strip READELF_FOR_TARGET=readelf \
	CFLAGS_FOR_TARGET="$flags" \
	"$work/configure" --target=x86_64-elf --prefix=/ --disable-multilib --disable-newlib-supplied-syscalls \
	--disable-newlib-io-float --enable-newlib-reent-small --enable-newlib-nano-malloc \
	--enable-newlib-nano-formatted-io --enable-lite-exit --disable-libgloss --disable-nls || fail "configure failed"

# Pass 1: without any vector or floating-point register. Members that need them fail, hence -k and no status.
run make -k -j"$jobs" CFLAGS_FOR_TARGET="$flags -mgeneral-regs-only" all-target-newlib || true
# Pass 2: the members still missing, with SSE. Vouch's link refuses to use one of those (see the Makefile).
run make -j"$jobs" CFLAGS_FOR_TARGET="$flags" all-target-newlib || fail "make failed"
run make DESTDIR="$work/inst" install-target-newlib || fail "make install failed"

rm -rf "$out.new"
mkdir -p "$out.new/include" "$out.new/lib"
cp -r "$work/inst/x86_64-elf/include/." "$out.new/include/"
cp "$work/inst/x86_64-elf/lib/libc.a" "$out.new/lib/"

# Members that touch a vector register. An integer-only libc user never needs one; the Makefile checks the link.
mkdir "$work/members"
(cd "$work/members" && ar x "$out.new/lib/libc.a")
for o in "$work"/members/*.o; do
	objdump -d "$o" | grep -q '%[xyz]mm' && basename "$o"
done >"$out.new/lib/xmm-members" || true
echo "$stamp" >"$out.new/stamp"
rm -rf "$out"
mv "$out.new" "$out"
