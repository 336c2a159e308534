#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Downloads Debian's cloud kernel and static busybox and unpacks them into OUT: vmlinuz, config, busybox. Nothing is
# installed on the machine. Usage: tools/fetch-guest.sh OUT. Does nothing when both files are there.
set -eu

out=$(realpath -m "$1")
if [ -s "$out/vmlinuz" ] && [ -s "$out/busybox" ]; then
	exit 0
fi

fail() {
	echo "guest: $1" >&2
	echo "Remedy: $2" >&2
	exit 3
}

mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cd "$work"

# The meta package names the kernel of the day.
kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# apt drops its privileges for downloads and warns when it cannot write here: run as the owner, it says so.
get() {
	apt-get download -q -o APT::Sandbox::User="$(id -un)" "$@" </dev/null
}

download() {
	kernel=$(kernel_package)
	[ -n "$kernel" ] || return 1
	echo "guest: downloading $kernel and busybox-static"
	get "$kernel" busybox-static
}

refresh() {
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	echo "guest: refreshing the package lists"
	$sudo apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null || true
}

command -v apt-get >/dev/null 2>&1 || fail "this machine has no apt-get" "put Debian's vmlinuz and busybox into $out"
download || { refresh && download; } ||
	fail "could not download the demo guest's packages" "check the network and 'apt-get update', then run 'make setup'"

for deb in *.deb; do
	dpkg-deb -x "$deb" tree
done
cp tree/boot/vmlinuz-* vmlinuz
cp tree/boot/config-* config
cp "$(find tree -type f -name busybox -path "*bin/*" | head -n 1)" busybox
chmod 755 busybox
chmod 644 vmlinuz config
mv vmlinuz config busybox "$out/"
echo "guest: $(ls tree/boot | sed -n 's/^vmlinuz-//p') unpacked into $out"
