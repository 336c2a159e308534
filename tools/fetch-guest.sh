#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Downloads Debian's kernels and what belongs to them and unpacks them into OUT. Nothing is installed on the machine; apt
# checks the packages' signatures. Usage: tools/fetch-guest.sh OUT [PART...]; a part that is there is left alone:
#   demo            vmlinuz, config (the cloud kernel) and busybox; the default
#   generic         generic/vmlinuz, generic/config: the kernel for all machines
#   generic-initrd  the same and generic/initrd, made by mkinitramfs over that kernel's modules
#   cloud-initrd    cloud/vmlinuz, cloud/config, cloud/initrd: the same for the cloud kernel
#   installer       installer/vmlinuz, installer/initrd.gz: Debian's installer, with text dialogs
set -eu

tools=$(dirname "$(realpath "$0")")
out=$(realpath -m "$1")
shift

fail() {
	echo "guest: $1" >&2
	echo "Remedy: $2" >&2
	exit 3
}

have() {
	for file in "$@"; do
		[ -s "$out/$file" ] || return 1
	done
}

present() {
	case $1 in
	demo) have vmlinuz config busybox ;;
	generic) have generic/vmlinuz generic/config ;;
	generic-initrd) have generic/vmlinuz generic/config generic/initrd ;;
	cloud-initrd) have cloud/vmlinuz cloud/config cloud/initrd ;;
	installer) have installer/vmlinuz installer/initrd.gz ;;
	*) fail "no part is called $1" "the head of tools/fetch-guest.sh lists them" ;;
	esac
}

# The meta package names the kernel of the day.
kernel_package() {
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# packages PART: their names; fails when a kernel's is unknown
packages() {
	case $1 in
	demo) kernel_package linux-image-cloud-amd64 | grep . && echo busybox-static ;;
	generic*) kernel_package linux-image-amd64 | grep . ;;
	cloud*) kernel_package linux-image-cloud-amd64 | grep . ;;
	installer) echo debian-installer-12-netboot-amd64 ;;
	esac
}

# apt drops its privileges for downloads and warns when it cannot write here: run as the owner, it says so.
download() {
	names=$(packages "$1") || return 1
	echo "guest: downloading" $names
	apt-get download -q -o APT::Sandbox::User="$(id -un)" $names </dev/null
}

refresh() {
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	echo "guest: refreshing the package lists"
	$sudo apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null || true
}

# put FILE NAME: moves it into OUT, whole or not at all
put() {
	mkdir -p "$(dirname "$out/$2")"
	chmod "${3:-644}" "$1"
	mv "$1" "$out/$2"
}

take_kernel() {
	put tree/boot/vmlinuz-* "$1vmlinuz"
	put tree/boot/config-* "$1config"
}

take_initrd() {
	version=$(ls tree/lib/modules)
	echo "guest: making the initrd of $version"
	"$tools/mkinitramfs.sh" tree "$version" initrd
	# All three or none: a kernel does not take another one's modules.
	rm -f "$out/$1initrd"
	take_kernel "$1"
	put initrd "$1initrd"
}

take() {
	case $1 in
	demo)
		put "$(find tree -type f -name busybox -path "*bin/*" | head -n 1)" busybox 755
		take_kernel ""
		;;
	generic) take_kernel generic/ ;;
	generic-initrd) take_initrd generic/ ;;
	cloud-initrd) take_initrd cloud/ ;;
	installer)
		images=tree/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64
		put $images/linux installer/vmlinuz
		put $images/initrd.gz installer/initrd.gz
		;;
	esac
}

fetch() {
	cd "$work"
	rm -rf ./*
	download "$1" || { refresh && download "$1"; } ||
		fail "could not download the packages of $1" "check the network and 'apt-get update', then try again"
	for deb in *.deb; do
		dpkg-deb -x "$deb" tree
	done
	take "$1"
	echo "guest: $1 unpacked into $out"
}

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
for part in "${@:-demo}"; do
	! present "$part" || continue
	command -v apt-get >/dev/null 2>&1 ||
		fail "this machine has no apt-get" "put the files of $part into $out, as the head of tools/fetch-guest.sh says"
	mkdir -p "$out"
	[ -n "$work" ] || work=$(mktemp -d "$out/work.XXXXXX")
	fetch "$part"
done
