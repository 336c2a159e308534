# SPDX-License-Identifier: BSD-2-Clause
"""What the linker made: addresses of symbols, and Vouch's size by origin from the link map."""

import re
import subprocess

from qemu import BenchError

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
