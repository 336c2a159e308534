#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Builds the few parts of mbedTLS that verifying takes (SHA-256, ECDSA over P-256), and a TPM's other banks (SHA-1, SHA-384,
# SHA-512), from Debian's source package, with the
# hypervisor's own code generation, and installs archive and headers into OUT.
# Usage: tools/build-mbedtls.sh OUT. Does nothing when OUT holds the result of this very script. The source package is
# downloaded into OUT.src once, where apt checks its signature; a machine without network needs its .dsc and tar files there.
set -eu

out=$(realpath -m "$1")
here=$(dirname "$(realpath "$0")")
src=$out.src
log=$out.log
keys=/usr/share/keyrings/debian-archive-keyring.gpg

stamp=$(sha256sum <"$here/build-mbedtls.sh" | cut -d' ' -f1)
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

fail() {
	echo "mbedtls: $1" >&2
	echo "Remedy: $2" >&2
	exit 3
}

mkdir -p "$src"
: >"$log"
work=$(mktemp -d "$out.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# --------------------------------------------------------------------------------------------------- its source
# The machine's own mirrors, asked for sources; its lists of packages stay as they are. Arguments: apt's options.
list_sources() {
	apt-get "$@" indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
		sort -u | sed "s|^|deb-src [signed-by=$keys] |"
}

# apt drops its privileges for downloads and warns when it cannot write here: run as the owner, it says so.
apt_get() {
	apt-get -q -o APT::Sandbox::User="$(id -un)" -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" "$@" \
		</dev/null >>"$log" 2>&1
}

download() {
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/got"
	list_sources >"$work/sources.list"
	# A machine whose lists were cleared tells its mirrors only after an update.
	[ -s "$work/sources.list" ] || { apt_get update &&
		list_sources -o Dir::State::Lists="$work/lists" >"$work/sources.list"; }
	[ -s "$work/sources.list" ] || return 1
	private="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=/dev/null"
	apt_get $private update && (cd "$work/got" && apt_get $private source --download-only mbedtls) &&
		mv "$work"/got/* "$src"
}

if ! ls "$src"/*.dsc >/dev/null 2>&1; then
	echo "  MBEDTLS  downloading Debian's source package (log: $log)"
	command -v apt-get >/dev/null 2>&1 && download || {
		tail -n 5 "$log" >&2
		fail "could not download the Debian source package mbedtls" \
			"check the network and 'apt-get update', or put its .dsc and tar files into $src"
	}
fi
# Unpacks, checks each file against the .dsc and applies Debian's patches.
dpkg-source --no-check -x "$(ls "$src"/*.dsc | tail -n 1)" "$work/tree" >>"$log" 2>&1 ||
	fail "cannot unpack the source package in $src: see $log" "remove $src and try again"

# ---------------------------------------------------------------------------------------------------- the archive
# It takes the place of the package's own configuration. Nothing here signs, and what is verified is public: there is no
# secret that blinding would protect, hence no random numbers.
cat >"$work/tree/include/mbedtls/config.h" <<'CONFIG'
/* What Vouch verifies with: tools/build-mbedtls.sh. */
#ifndef MBEDTLS_CONFIG_H
#define MBEDTLS_CONFIG_H
#include <stddef.h>
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_NO_INTERNAL_RNG
#define MBEDTLS_ECDSA_C
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
/* loader/crypto_memory.c */
void *crypto_calloc(size_t count, size_t size);
void crypto_free(void *block);
#define MBEDTLS_PLATFORM_CALLOC_MACRO crypto_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO crypto_free
#include "mbedtls/check_config.h"
#endif
CONFIG

newlib=$(dirname "$out")/newlib/include
flags="-O2 -g0 -std=gnu11 -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pie
	-fno-stack-protector -fcf-protection=none -fno-jump-tables -fno-omit-frame-pointer
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -ffunction-sections -fdata-sections -w
	-nostdinc -isystem $newlib -isystem $(gcc -print-file-name=include)
	-I$work/tree/include -I$work/tree/library -ffile-prefix-map=$work/tree=mbedtls"

mkdir "$work/objects"
for name in sha1 sha256 sha512 bignum constant_time platform platform_util ecp ecp_curves ecdsa asn1parse asn1write; do
	gcc $flags -c -o "$work/objects/$name.o" "$work/tree/library/$name.c" >>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		fail "cannot compile $name.c" "see $log"
	}
done
# Verifying runs with a guest's vector registers loaded.
! objdump -d "$work"/objects/*.o | grep '%[xyz]mm\|%fs:' >>"$log" ||
	fail "the archive touches vector registers or FS" "see the end of $log; this compiler took no notice of its flags"

rm -rf "$out.new"
mkdir -p "$out.new/include" "$out.new/lib"
cp -r "$work/tree/include/mbedtls" "$out.new/include/"
ar rcsD "$out.new/lib/libmbedcrypto.a" "$work"/objects/*.o
echo "$stamp" >"$out.new/stamp"
rm -rf "$out"
mv "$out.new" "$out"
echo "  MBEDTLS  $(basename "$(ls "$src"/*.dsc | tail -n 1)" .dsc): built"
