# SPDX-License-Identifier: BSD-2-Clause
"""A GRUB BIOS ISO that loads vouch.elf and its modules, and copies of vouch.elf with another wish for its place."""

import os
import shutil
import struct
import subprocess

MODULES = "multiboot2 linux normal iso9660 serial terminal test echo boot search part_msdos part_gpt fat relocator video " \
          "biosdisk"
MB2_MAGIC = 0xE85250D6
TAG_END, TAG_FRAMEBUFFER, TAG_EFI_SERVICES, TAG_RELOCATABLE = 0, 5, 7, 10


class IsoError(Exception):
    pass


def header_tags(data):
    """(offset, type, size) of each tag of the multiboot2 header."""
    for at in range(0, min(32768, len(data) - 16), 8):
        magic, arch, length, checksum = struct.unpack_from("<IIII", data, at)
        if magic == MB2_MAGIC and (magic + arch + length + checksum) & 0xFFFFFFFF == 0:
            break
    else:
        raise IsoError("no multiboot2 header")
    end, tag = at + length, at + 16
    while tag < end:
        kind, _, size = struct.unpack_from("<HHI", data, tag)
        if kind == TAG_END:
            return
        yield tag, kind, size
        tag += (size + 7) & ~7


def tag_at(data, wanted):
    for tag, kind, size in header_tags(data):
        if kind == wanted:
            return tag, size
    raise IsoError("no tag %d in the multiboot2 header" % wanted)


def keep_efi_services(data):
    """In the place of the framebuffer tag the loader is asked to leave UEFI's boot services running."""
    tag, size = tag_at(data, TAG_FRAMEBUFFER)
    for at in range(tag, tag + size, 8):
        struct.pack_into("<HHI", data, at, TAG_EFI_SERVICES, 1, 8)


def patch_load(elf, words):
    """The ELF's bytes with a changed multiboot2 header: `min=ADDR`, `max=ADDR`, `prefer=low|high|none` in the
    relocatable tag; `efi-services` asks for boot services that still run."""
    data = bytearray(elf)
    for word in words:
        key, _, value = word.partition("=")
        if key == "efi-services":
            keep_efi_services(data)
            continue
        tag = tag_at(data, TAG_RELOCATABLE)[0]
        if key == "min":
            struct.pack_into("<I", data, tag + 8, int(value, 0))
        elif key == "max":
            struct.pack_into("<I", data, tag + 12, int(value, 0))
        elif key == "prefer":
            struct.pack_into("<I", data, tag + 20, {"none": 0, "low": 1, "high": 2}[value])
        else:
            raise IsoError("unknown load tweak %s" % word)
    return bytes(data)


def place(source, target):
    """A hard link where possible: kernels are big and the disk is shared."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def grub_quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def make(out, folder, elf_bytes, cmdline, modules, initrd=None):
    """modules: (path, string) in order. Without elf_bytes the only module is a kernel that runs without Vouch, with an
    initrd if one is given."""
    tree = os.path.join(folder, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(os.path.join(tree, "boot", "grub"))
    # GRUB itself talks on the first serial port, so a failure there is seen.
    lines = ["serial --unit=0 --speed=115200", "terminal_output serial"]
    if elf_bytes:
        with open(os.path.join(tree, "boot", "vouch.elf"), "wb") as f:
            f.write(elf_bytes)
        lines.append("multiboot2 /boot/vouch.elf " + " ".join(grub_quote(w) for w in cmdline.split()))
    for n, (path, string) in enumerate(modules):
        place(path, os.path.join(tree, "boot", "m%02d.img" % n))
        lines.append("%s /boot/m%02d.img %s" % ("module2" if elf_bytes else "linux", n,
                                                " ".join(grub_quote(w) for w in string.split())))
    if initrd:
        place(initrd, os.path.join(tree, "boot", "initrd"))
        lines.append("initrd /boot/initrd")
    lines.append("boot")
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    if os.path.exists(out):
        os.unlink(out)
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--locales=", "--fonts=", "--themes=",
                           "--install-modules=" + MODULES, "-o", out, tree],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    shutil.rmtree(tree, ignore_errors=True)
    if done.returncode or not os.path.exists(out):
        raise IsoError("grub-mkrescue: exit status %d: %s"
                       % (done.returncode, done.stdout.decode("utf-8", "replace")[-2000:]))
