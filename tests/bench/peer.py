# SPDX-License-Identifier: BSD-2-Clause
"""
The machines that Vouch is compared with: initrds in the kernel's cpio format, and one of them in which Linux KVM is the
hypervisor, with Debian's own kernel modules and QEMU.
"""

import glob
import gzip
import os
import shutil
import subprocess

from qemu import BenchError

KVM_INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc none /proc; $B mount -t sysfs none /sys; $B mount -t devtmpfs none /dev; $B mount -t tmpfs none /tmp
for m in %(modules)s; do $B insmod /lib/$m.ko; done
guest() {
	/bin/qemu -L /rom -accel kvm -cpu host -global apic-common.vapic=off -nodefaults -vga none -display none \\
		-no-reboot -serial stdio "$@" </dev/null
}
[ ! -e /guest/linux ] || guest -m %(memory)d -kernel /guest/linux -initrd /guest/initrd -append "%(cmdline)s"
%(guests)s
echo KVM-DONE
$B sleep 1      # or the serial port would lose what it has not sent yet
$B poweroff -f
"""

# The kernel that measures exits, then the one that wakes up beside a busy one; and, on two CPUs, the one that measures kicks.
MEASURES = """guest -m 128 -kernel /guest/exits
guest -m 64 -kernel /guest/beside -append be=hog >/tmp/hog &
until $B grep -q busy /tmp/hog; do $B sleep 0.1; done
guest -m 64 -kernel /guest/beside"""
KICKS = 'guest -m 64 -smp 2 -kernel /guest/kick -append "running=99999 halted=99999"'


def cpio(tree):
    """The bytes of a newc archive: {path: (mode, bytes)}, folders made as needed, all owned by root at time 0."""
    entries, out = {}, bytearray()
    for path, (mode, data) in tree.items():
        at = ""
        for part in path.split("/")[:-1]:
            at = at + "/" + part if at else part
            entries.setdefault(at, (0o40755, b""))
        entries[path] = (mode, data)
    for n, (path, (mode, data)) in enumerate(list(entries.items()) + [("TRAILER!!!", (0, b""))]):
        name = path.encode() + b"\0"
        fields = [n + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def small_initrd(init):
    """The measured program as /init, alone but for the folder on which the kernel mounts its devices."""
    return gzip.compress(cpio({"init": (0o100755, read(init)), "dev": (0o40755, b"")}), mtime=0)


def kernel_release(vmlinuz):
    """From the text the boot header points to ("The Linux/x86 Boot Protocol", kernel_version)."""
    data = read(vmlinuz)[:0x10000]
    at = int.from_bytes(data[0x20E:0x210], "little") + 0x200
    return data[at:].split(b" ", 1)[0].decode("ascii")


def fetch_modules(vmlinuz, folder, names):
    """{name: path} of KVM modules of this very kernel: from its package, which is downloaded and unpacked only once."""
    release = kernel_release(vmlinuz)
    tree = os.path.join(folder, "linux-" + release)
    if not os.path.isdir(tree):
        work = tree + ".new"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        user = subprocess.run(["id", "-un"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        done = subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=" + user,
                               "linux-image-" + release], cwd=work, stdin=subprocess.DEVNULL)
        debs = glob.glob(os.path.join(work, "*.deb"))
        if done.returncode or not debs:
            raise BenchError("cannot download linux-image-%s; fetch the demo guest's kernel anew (rm -r build/guest, "
                             "make setup): its package may be gone from the archive" % release)
        subprocess.run(["dpkg-deb", "-x", debs[0], work], check=True)
        os.unlink(debs[0])
        os.rename(work, tree)
    found = {}
    for name in names:
        paths = glob.glob(os.path.join(tree, "**", name + ".ko"), recursive=True)
        if not paths:
            raise BenchError("linux-image-%s has no module %s" % (release, name))
        found[name] = paths[0]
    return found


def libraries(program):
    """Paths of the shared libraries and of the loader that a program needs."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    return [word for line in text.splitlines() for word in line.split() if word.startswith("/")]


def kvm_initrd(vmlinuz, busybox, folder, vendor, kernels, linux=None, guests=MEASURES):
    """An uncompressed initrd: Linux with KVM that does guests with the kernels, {name: path}; before that, if linux is its
    (initrd, command line, memory in MiB), it boots the same Linux again."""
    qemu = shutil.which("qemu-system-x86_64")
    modules = ("irqbypass", "kvm", "kvm-" + vendor)
    initrd, cmdline, memory = linux or (b"", "", 0)
    init = KVM_INIT % {"cmdline": cmdline, "memory": memory, "modules": " ".join(modules),
                       "guests": guests}
    tree = {"init": (0o100755, init.encode()),
            "bin/busybox": (0o100755, read(busybox)), "bin/qemu": (0o100755, read(qemu)),
            "rom/bios-256k.bin": (0o100644, read("/usr/share/seabios/bios-256k.bin"))}
    for name, path in kernels.items():
        tree["guest/" + name] = (0o100644, read(path))
    if linux:
        tree["guest/linux"], tree["guest/initrd"] = (0o100644, read(vmlinuz)), (0o100644, initrd)
    for name in ("kvmvapic.bin", "linuxboot_dma.bin"):
        tree["rom/" + name] = (0o100644, read("/usr/share/qemu/" + name))
    for name, path in fetch_modules(vmlinuz, folder, modules).items():
        tree["lib/%s.ko" % name] = (0o100644, read(path))
    for path in libraries(qemu):
        tree[path.lstrip("/")] = (0o100755, read(path))
    for name in ("dev", "proc", "sys", "tmp"):
        tree[name] = (0o40755, b"")
    return cpio(tree)
