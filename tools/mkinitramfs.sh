#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs the distribution's mkinitramfs for a kernel package that is unpacked, not installed; as root or with sudo.
# Usage: tools/mkinitramfs.sh TREE VERSION OUT
# mkinitramfs looks at /lib/modules/VERSION and /boot/config-VERSION only. In a mount namespace of its own, the tree is
# laid over these folders. Where a container allows no mounts, two links stand there for the time it takes.
set -eu
export PATH="$PATH:/usr/sbin:/sbin"

tree=$(realpath "$1")
version=$2
out=$(realpath -m "$3")
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo

depmod -b "$tree" "$version"
cd "$tree"

# apart COMMAND...: runs it with the mounts. Relative folders: a path may hold what separates mount options.
apart() {
	$sudo unshare -m sh -c 'mount -t overlay overlay -o lowerdir=lib:/usr/lib /usr/lib &&
		mount -t overlay overlay -o lowerdir=boot:/boot /boot && "$@"' sh "$@"
}

# linked COMMAND...: runs it with the links.
linked() {
	if [ -e "/lib/modules/$version" ] || [ -e "/boot/config-$version" ]; then
		echo "mkinitramfs: $version is installed here, and no mounts are allowed to hide it" >&2
		echo "Remedy: allow mounts, or remove that kernel" >&2
		exit 3
	fi
	made=
	[ -d /lib/modules ] || made=/lib/modules
	trap '$sudo rm -f "/lib/modules/$version" "/boot/config-$version"; [ -z "$made" ] || $sudo rmdir "$made"' EXIT
	trap 'exit 1' INT TERM HUP
	$sudo mkdir -p /lib/modules
	$sudo ln -s "$tree/lib/modules/$version" "/lib/modules/$version"
	$sudo ln -s "$tree/boot/config-$version" "/boot/config-$version"
	$sudo "$@"
}

with=linked
if apart true 2>/dev/null; then
	with=apart
fi
$with mkinitramfs -o "$out" "$version"
$sudo chown "$(id -u)" "$out"
