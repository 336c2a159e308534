#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Puts two console fonts of Debian's console-setup-linux into OUT: Lat15-Fixed16 (the Fixed fonts of X11, in the public
# domain), which Vouch draws with, and Lat15-VGA16, by which tests read a VGA's screen. The package is not installed.
# Usage: tools/fetch-font.sh OUT. Does nothing when both are there.
set -eu

names='Lat15-Fixed16.psf.gz Lat15-VGA16.psf.gz'
out=$(realpath -m "$1")

have() {
	for name in $names; do
		[ -s "$1/$name" ] || return 1
	done
}

have "$out" && exit 0
mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# apt drops its privileges for downloads and warns when it cannot write here: run as the owner, it says so.
get() {
	(cd "$work" && apt-get download -q -o APT::Sandbox::User="$(id -un)" console-setup-linux </dev/null)
}

refresh() {
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	echo "font: refreshing the package lists"
	$sudo apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null || true
}

fonts=/usr/share/consolefonts
if ! have $fonts; then
	echo "font: downloading console-setup-linux"
	if ! command -v apt-get >/dev/null 2>&1 || ! { get || { refresh && get; }; }; then
		echo "font: could not download the Debian package console-setup-linux" >&2
		echo "Remedy: check the network and 'apt-get update', or put its $names into $out" >&2
		exit 3
	fi
	dpkg-deb -x "$work"/*.deb "$work/tree"
	fonts=$work/tree$fonts
fi
for name in $names; do
	cp "$fonts/$name" "$work/$name"
	mv "$work/$name" "$out/$name"
done
