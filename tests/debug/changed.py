#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A module that is changed under Vouch's hands: gdb stops a boot between the copy of a file's first piece and its hash, and
between the last hash and the start, and writes into the module. The guest must run what was measured, under the name that
`vouch measure` foretells, or be refused. The exhaustive form of this is tests/unit/test_launch.c.

Usage: tests/debug/changed.py --build DIR KERNEL
"""

import argparse
import json
import os
import re
import struct
import subprocess

from run import PATIENCE, Checks, Session

DIRECT_MAP = 0xffff800000000000
CONFIG = """<vm class="PC" name="demo"><memory>64</memory><cores count="1"/>
<files><file id="kernel" filename="%s"/><file id="initrd" filename="initrd"/></files>
<boot kernel="kernel" initrd="initrd" cmdline=""/></vm>
"""
# piece: how much of the kernel was copied when its first piece is hashed, the third argument of sha256_update().
STRIKE = """python
import re
m = gdb.selected_inferior()
module = re.search(r"^module 0: (0x[0-9a-f]+), ", gdb.execute("vouch-host", to_string=True), re.M)
at, piece = %#x + int(module.group(1), 16), int(gdb.parse_and_eval("$rdx"))
first, end = %s, %s
m.write_memory(at + first, bytes(b ^ 0xff for b in bytes(m.read_memory(at + first, end - first))))
print("struck")
end
"""


def struck(c, build, image, breakpoint, where, first, end):
    """
    Boots the image, stops at the breakpoint, whose backtrace must show where, and complements the module's bytes from first
    to end (what python makes of them in the strike). What came of it, by the serial port.
    """
    script = os.path.join(build, "gdb", "strike.gdb")
    with open(script, "w", encoding="ascii") as f:
        f.write(STRIKE % (DIRECT_MAP, first, end))
    s = Session(build, image)
    try:
        # One gdb for all of it: without one the machine runs on.
        out = s.gdb("hbreak vouch_main", "continue", "delete", "hbreak " + breakpoint, "continue", "backtrace 3",
                    "source " + script, "delete")
        c.has("bytes %s to %s of the module changed" % (first, end), out, r"^struck$", where)
        s.script.wait(120 * PATIENCE)         # end=poweroff
    except subprocess.TimeoutExpired:
        c.that("the machine ends", False)
    finally:
        if s.script.poll() is None:
            s.end()
    with open(s.serial, encoding="latin-1") as f:
        return f.read().replace("\r", "")


def make_image(vouch, folder, kernel):
    with open(os.path.join(folder, "initrd"), "wb") as f:
        f.write(bytes(i * 7 & 255 for i in range(200000)))
    with open(os.path.join(folder, "changed.xml"), "w", encoding="utf-8") as f:
        f.write(CONFIG % os.path.abspath(kernel))
    subprocess.run([vouch, "build", "changed.xml", "-v", "2", "-o", "changed.img"], cwd=folder, check=True)
    return os.path.join(folder, "changed.img")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("kernel")
    a = p.parse_args()
    build = os.path.abspath(a.build)
    folder = os.path.join(build, "gdb")
    os.makedirs(folder, exist_ok=True)
    vouch = os.path.join(build, "vouch")
    image = make_image(vouch, folder, a.kernel)
    with open(image, "rb") as f:
        data = f.read()
    xml_len, = struct.unpack_from("<Q", data, 16)
    kernel_at, = struct.unpack_from("<Q", data, (64 + xml_len + 7) & ~7)
    told = json.loads(subprocess.run([vouch, "measure", "--json", image], stdout=subprocess.PIPE, check=True).stdout)
    name = re.escape("vouch: guest demo is %s" % told["guests"][0]["tao_image"])
    runs = ["^vouch: guest demo verified: 2 files", "^%s$" % name, "^vouch: guest demo entered", "^SUMMARY: \\d+ passed, 0 "]
    c = Checks()
    hashing, copying = "sha256_update if $_any_caller_is(\"file_copy_piece\", 4)", r"^#[12] .*file_copy_piece"
    out = struck(c, build, image, hashing, copying, 0, "%d + piece" % kernel_at)
    c.has("changed between copy and hash: the copy runs", out, *runs)
    out = struck(c, build, image, hashing, copying, "%d + piece" % kernel_at, len(data))
    c.has("changed before its copy: refused", out, r"^vouch: guest (demo|module 0) refused: ")
    c.that("and never entered", "entered" not in out, out)
    out = struck(c, build, image, "vm_equip", r"^#1 .*launch", 0, len(data))
    c.has("changed between hash and start: the copy runs", out, *runs)
    return c.total.finish()


if __name__ == "__main__":
    raise SystemExit(main())
