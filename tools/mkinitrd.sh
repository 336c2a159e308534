#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes the demo guest's initrd: busybox and an init that greets and starts a shell on the serial console.
# Usage: tools/mkinitrd.sh OUT.gz [BUSYBOX]
set -eu

out=$(realpath -m "$1")
busybox=${2:-$(dirname "$out")/busybox}
if [ ! -x "$busybox" ]; then
	echo "mkinitrd: no busybox at $busybox" >&2
	echo "Remedy: run 'make setup'" >&2
	exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$work/bin" "$work/dev" "$work/etc" "$work/proc" "$work/root" "$work/sys" "$work/tmp"
cp "$busybox" "$work/bin/busybox"
for applet in $("$busybox" --list); do
	case $applet in
	busybox) ;;
	*) ln -s busybox "$work/bin/$applet" ;;
	esac
done

cat >"$work/init" <<'E'
#!/bin/sh
export PATH=/bin HOME=/root TERM=vt100 PS1='guest# '
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev 2>/dev/null
mount -t tmpfs none /tmp
hostname guest
cd /root
echo "Hello from the guest: Linux $(uname -r) on $(nproc) CPU(s). Type a command; 'poweroff -f' ends it."
# The shell is restarted when it ends; setsid and cttyhack give it a terminal of its own, hence job control.
while :; do
	setsid cttyhack sh
done
E
chmod 755 "$work/init"
# Fixed times and owner: the same busybox gives the same initrd.
find "$work" -exec touch -h -d @0 {} +
(cd "$work" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet --reproducible | gzip -n -9 >"$out.new")
mv "$out.new" "$out"
