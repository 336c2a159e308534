# SPDX-License-Identifier: BSD-2-Clause
"""
Xen as the hypervisor, from Debian's package, with the kernel that measures exits as its only domain: dom0 in a PVH
container, which Xen runs by SVM with nested paging as it does any other guest. Xen wants an ELF file with a note that
says where to enter it (Xen, "docs/misc/pvh.pandoc"); a few bytes in front of the kernel make its boot_params.
"""

import glob
import os
import shutil
import struct
import subprocess

from qemu import BenchError

PACKAGE = "xen-hypervisor-4.17-amd64"
# Without an IOMMU it refuses PVH dom0; its emulation of RDTSCP and SMAP do not go with what QEMU makes of them.
MACHINE = ["-M", "q35", "-device", "amd-iommu", "-cpu", "EPYC,-smap,-rdtscp", "-m", "1024"]
CMDLINE = "dom0=pvh dom0_mem=128M dom0_max_vcpus=1 console=com2 com2=115200,8n1 noreboot"
STUB, PARAMS, TEXT = 0x100000, 0x101000, 0x102000
SETUP_HEADER = 0x1F1
PHYS32_ENTRY = 18               # Xen, "xen/include/public/elfnote.h"
RAM = ((0, 0x9F000), (0x100000, 0x7F00000))


def fetch(folder):
    """Path of the hypervisor: from its package, downloaded and unpacked only once."""
    tree = os.path.join(folder, "xen")
    if not os.path.isdir(tree):
        work = tree + ".new"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        user = subprocess.run(["id", "-un"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
        done = subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=" + user, PACKAGE], cwd=work,
                              stdin=subprocess.DEVNULL)
        debs = glob.glob(os.path.join(work, "*.deb"))
        if done.returncode or not debs:
            raise BenchError("cannot download %s" % PACKAGE)
        subprocess.run(["dpkg-deb", "-x", debs[0], work], check=True)
        os.unlink(debs[0])
        os.rename(work, tree)
    found = glob.glob(os.path.join(tree, "boot", "xen-*.gz"))
    if len(found) != 1:
        raise BenchError("%s has no single boot/xen-*.gz" % PACKAGE)
    return found[0]


def boot_params(kernel):
    """The page that a boot loader fills (Linux, "The Linux/x86 Boot Protocol"), with the memory map and no ACPI yet."""
    page = bytearray(0x1000)
    end = 0x202 + kernel[0x201]
    page[SETUP_HEADER:end] = kernel[SETUP_HEADER:end]
    struct.pack_into("<I", page, 0x228, TEXT)
    page[0x1E8] = len(RAM)
    for i, (base, size) in enumerate(RAM):
        struct.pack_into("<QQI", page, 0x2D0 + 20 * i, base, size, 1)
    return bytes(page)


def dom0(bzimage, cmdline):
    """The bytes of an ELF file that enters the kernel at its 32-bit entry."""
    with open(bzimage, "rb") as f:
        kernel = f.read()
    payload = kernel[(kernel[SETUP_HEADER] + 1) * 512:]
    at, size = struct.unpack_from("<Q", kernel, 0x258)[0], struct.unpack_from("<I", kernel, 0x260)[0]
    # EBX is hvm_start_info, which has the RSDP's address at 32: to boot_params. ESI is boot_params, as at that entry.
    code = (b"\x8b\x43\x20" + b"\xa3" + struct.pack("<I", PARAMS + 0x70) + b"\xbe" + struct.pack("<I", PARAMS) +
            b"\xb8" + struct.pack("<I", at) + b"\xff\xe0")
    low = code.ljust(0x1000, b"\0") + boot_params(kernel) + cmdline.encode() + b"\0"
    note = struct.pack("<III4sI", 4, 4, PHYS32_ENTRY, b"Xen\0", STUB)
    offset = 64 + 3 * 56
    parts = ((4, note, 0, len(note)), (1, low, STUB, len(low)), (1, payload, at, size))
    headers, data = b"", b""
    for kind, content, address, memory in parts:
        headers += struct.pack("<IIQQQQQQ", kind, 7, offset + len(data), address, address, len(content), memory, 4)
        data += content.ljust((len(content) + 15) & ~15, b"\0")
    return (struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, STUB, 64, 0, 0, 64, 56, 3, 0, 0, 0) + headers +
            data)
