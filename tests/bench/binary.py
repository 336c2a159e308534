# SPDX-License-Identifier: BSD-2-Clause
"""What the linker made: Vouch's address range from the ELF file, its size by origin from the link map."""

import re
import struct
import subprocess

from qemu import BenchError

KERNEL_HALF = 0xFFFFFFFF80000000


def address_range(elf):
    """[low, high) of the executable part that runs at its linked address."""
    with open(elf, "rb") as f:
        data = f.read()
    at, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    spans = []
    for i in range(count):
        kind, flags, _, vaddr, _, _, memory = struct.unpack_from("<IIQQQQQ", data, at + i * size)
        if kind == 1 and flags & 1 and vaddr >= KERNEL_HALF:
            spans.append((vaddr, vaddr + memory))
    if not spans:
        raise BenchError("%s has no executable segment in the kernel half" % elf)
    return min(s[0] for s in spans), max(s[1] for s in spans)


def text_sizes(link_map):
    """(Vouch's own, the libraries') bytes of text sections, as the link map places them."""
    with open(link_map, encoding="utf-8") as f:
        placed = f.read().split("Linker script and memory map", 1)[1]
    own = library = 0
    # A long section name stands on a line of its own, hence \s+ between the fields.
    for size, origin in re.findall(r"^ \.[a-z.]*text\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+)$", placed, re.M):
        if ".a(" in origin:
            library += int(size, 16)
        else:
            own += int(size, 16)
    if not own or not library:
        raise BenchError("%s: no sizes found" % link_map)
    return own, library


def symbols(elf, *names):
    """Addresses of symbols."""
    text = subprocess.run(["nm", elf], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout.decode()
    found = {name: int(at, 16) for at, name in re.findall(r"^([0-9a-f]+) \w (\S+)$", text, re.M)}
    if not all(name in found for name in names):
        raise BenchError("%s lacks a symbol of %s" % (elf, " ".join(names)))
    return tuple(found[name] for name in names)
