#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs what building, running and testing Vouch need (Debian 12 packages) and unpacks the demo guest's kernel below
# build/guest. Safe to run again: it installs only what is missing.
# Usage: tools/setup.sh            install
#        tools/setup.sh --tests    install; also unpack the kernel that `make test` boots besides
#        tools/setup.sh --all      install, also what only `make test-all` needs; unpack the guests of the long boots
#        tools/setup.sh --check build|check|test|long [CC]   name what is missing and the remedy; exit status 3
set -eu
cd "$(dirname "$(realpath "$0")")/.."

# group, file or command that proves the package is there, package
needs='
build gcc                              gcc
build ld                               binutils
build make                             make
build /usr/include/expat.h             libexpat1-dev
build /usr/include/mbedtls/sha256.h    libmbedtls-dev
build /usr/include/libfdt.h            libfdt-dev
build /usr/include/jansson.h           libjansson-dev
build /usr/lib/x86_64-linux-gnu/libc.a libc6-dev
build /usr/src/newlib                  newlib-source
build iasl                             acpica-tools
build xz                               xz-utils
build dpkg-source                      dpkg-dev
check /usr/include/cmocka.h            libcmocka-dev
check dtc                              device-tree-compiler
check openssl                          openssl
check /usr/include/Zydis/Zydis.h       libzydis-dev
check python3                          python3
check man                              man-db
check /usr/lib/x86_64-linux-gnu/libasan.so.8   libasan8
check /usr/lib/x86_64-linux-gnu/libubsan.so.1  libubsan1
test  clang                            clang
test  /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a libclang-rt-14-dev
test  qemu-system-x86_64               qemu-system-x86
test  /usr/share/seabios/bios-256k.bin seabios
test  bochs-bin                        bochs
test  /usr/lib/*/bochs/plugins/libbx_term_gui.so bochs-term
test  /usr/share/bochs/BIOS-bochs-latest bochsbios
test  /usr/share/vgabios/vgabios.bin   vgabios
test  grub-mkrescue                    grub-common
test  /usr/lib/grub/i386-pc/boot.img   grub-pc-bin
test  /usr/lib/grub/x86_64-efi/efi_gop.mod grub-efi-amd64-bin
test  /usr/share/OVMF/OVMF_CODE_4M.fd  ovmf
test  xorriso                          xorriso
test  mformat                          mtools
test  cpio                             cpio
test  swtpm                            swtpm
test  tpm2_eventlog                    tpm2-tools
test  gzip                             gzip
test  gdb                              gdb
test  cppcheck                         cppcheck
test  clang-tidy-14                    clang-tidy-14
test  clang-format-14                  clang-format-14
long  /usr/sbin/mkinitramfs            initramfs-tools-core
long  busybox                          busybox-static
long  zstd                             zstd
'

present() {
	case $1 in
	/*) [ -n "$(find $1 -maxdepth 0 2>/dev/null)" ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

# missing GROUP...: "proof package" lines of the groups
missing() {
	echo "$needs" | while read -r group proof package; do
		[ -n "$group" ] || continue
		for wanted in "$@"; do
			if [ "$group" = "$wanted" ] && ! present "$proof"; then
				echo "$proof $package"
			fi
		done
	done
}

if [ "${1:-}" = --check ]; then
	case $2 in
	build) list=$(missing build) ;;
	check) list=$(missing build check) ;;
	test) list=$(missing build check test) ;;
	*) list=$(missing build check test long) ;;
	esac
	if [ -n "${3:-}" ] && ! command -v "${3%% *}" >/dev/null 2>&1; then
		list="$list
${3%% *} ${3%% *}"
	fi
	if [ -n "$list" ]; then
		echo "$list" | while read -r proof package; do
			[ -z "$proof" ] || echo "missing: $proof (Debian package $package)" >&2
		done
		echo "Remedy: run 'make setup' (as root or with sudo), or install the packages named above." >&2
		exit 3
	fi
	exit 0
fi

fail() {
	echo "setup: $1" >&2
	echo "Remedy: $2" >&2
	exit 3
}

groups="build check test"
guests=demo
case ${1:-} in
"") ;;
--tests) guests="demo generic" ;;
--all) groups="$groups long" guests="demo generic generic-initrd cloud-initrd installer" ;;
*) fail "unknown argument $1" "the head of tools/setup.sh tells how it is used" ;;
esac

packages=$(missing $groups | cut -d' ' -f2 | sort -u)
if [ -n "$packages" ]; then
	command -v apt-get >/dev/null 2>&1 ||
		fail "this machine has no apt-get; Vouch's set-up knows Debian 12" "install by hand: $(echo $packages)"
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null 2>&1 ||
			fail "packages are missing and neither root nor sudo is at hand" \
				"as root: apt-get install --no-install-recommends $(echo $packages)"
		sudo=sudo
	fi
	echo "setup: installing $(echo $packages)"
	install() {
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
			-o DPkg::Lock::Timeout=300 $packages </dev/null
	}
	# Package lists may be absent or old: refresh them only when the first try fails.
	install || {
		echo "setup: refreshing the package lists"
		$sudo apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null || true
		install
	} || fail "apt-get could not install the packages" "look at the messages above; is this Debian 12 with network?"
	left=$(missing $groups)
	[ -z "$left" ] || fail "still missing after installation: $(echo $left)" "is this Debian 12 (bookworm)?"
else
	echo "setup: all packages are installed"
fi

tools/fetch-guest.sh build/guest $guests
tools/fetch-font.sh build/font
echo "setup: done"
