#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""README.md's sessions and docs/screen.png, from what the boot tests `readme` and `readme-guests` left in the build folder.

Usage: tests/boot/readme.py [--build DIR] (--write | --check)

--check compares what README.md shows with what the test saw; numbers, versions and names of CPUs may differ.
"""

import argparse
import os
import re
import struct
import sys
import zlib

here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(os.path.dirname(here))
sys.path.insert(0, here)
sys.path.insert(0, os.path.dirname(here))
import results  # noqa: E402
import screen  # noqa: E402

BEGIN, END = "<!-- %s: made by `make readme` -->\n```\n", "```\n<!-- end of %s -->\n"
# The mark in README.md; the test; how its first line begins, and the line behind its last one; what is left out.
SESSIONS = (
    ("session", "readme", "vouch: [ 1]", None, r""),
    ("two guests", "readme-guests", "guest# echo", "guest# poweroff",
     r"(|vouch>|guest#|vouch: guest \S+ is .*|  RIP .*)"),
)
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
FONT, CELL = "Lat15-Fixed16", 8


class ReadmeError(Exception):
    pass


def session(folder, test, first, behind, without):
    """The console from one line to another, as a terminal shows it."""
    log = os.path.join(folder, test + ".log")
    with open(log, encoding="utf-8") as f:
        text = f.read().split("\n--- ", 1)[0]
    begin = text.find(first)
    end = text.find(behind, begin) if behind else len(text)
    if begin < 0 or end < 0:
        raise ReadmeError("%s: the session's first line, or what comes behind it, is missing" % log)
    # What is left of an escape sequence that Vouch's line has cut short, by CAN, is not to be seen.
    lines = [re.sub(r"\x1b[\[0-9;]*\x18", "", line).rstrip() for line in text[begin:end].split("\n")]
    return "\n".join(line for line in lines if not re.fullmatch(without, line)) + "\n"


def masked(line):
    """What may differ from one machine to the next reads as '#'."""
    line = re.sub(r"CPU: .*,", "CPU: #,", line)
    line = re.sub(r"GRUB [^,]*", "GRUB #", line)
    line = re.sub(r"\[[0-9a-f]{64}\]", "[#]", line)
    line = re.sub(r"^\[ +", "[", line)         # a moment of the guest's clock
    line = re.sub(r"^vCPU .*", "vCPU #", line)
    line = re.sub(r" (monitor|busy|idle)( +\d+ +\d+)( .*)?$", r" #\2", line)     # a CPU, with guests or without
    line = re.sub(r" (idle|running) ", " # ", line)
    line = re.sub(r"0x[0-9a-f]+|\d[\d.]*(-\d+)?", "#", line)
    return re.sub(r" +", " ", line).rstrip()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_write(path, width, height, pixels):
    """A grey picture of 4 bits: Vouch writes grey on black."""
    rows = bytearray()
    for y in range(height):
        row = pixels[y * width * 3:(y + 1) * width * 3:3]
        rows += b"\0" + bytes(row[x] & 0xf0 | row[x + 1] >> 4 for x in range(0, width, 2))
    with open(path, "wb") as f:
        f.write(PNG_HEAD + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b""))


def png_to_ppm(path, ppm):
    """Back into what screen.read() takes. Only for pictures as png_write() makes them."""
    with open(path, "rb") as f:
        data = f.read()
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    size, = struct.unpack_from(">I", data, 33)
    if not data.startswith(PNG_HEAD) or depth != 4 or data[37:41] != b"IDAT":
        raise ReadmeError("%s: not made by `make readme`" % path)
    rows = zlib.decompress(data[41:41 + size])
    stride = width // 2 + 1
    with open(ppm, "wb") as f:
        f.write(b"P6\n%d %d\n255\n" % (width, height))
        for y in range(height):
            for byte in rows[y * stride + 1:(y + 1) * stride]:
                f.write(bytes([(byte >> 4) * 17] * 3 + [(byte & 15) * 17] * 3))


def screen_lines(ppm):
    glyphs = screen.font(os.path.join(top, "build", "font", FONT + ".psf.gz"))
    return [line for line in screen.read(ppm, glyphs, CELL) if line]


def split_readme(text, name):
    begin, end = text.find(BEGIN % name), text.find(END % name)
    if begin < 0 or end < begin:
        raise ReadmeError("README.md: the marks around '%s' are missing" % name)
    begin += len(BEGIN % name)
    return text[:begin], text[begin:end], text[end:]


def write(folder, readme, picture):
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    for name, *which in SESSIONS:
        before, _, after = split_readme(text, name)
        text = before + session(folder, *which) + after
    with open(readme, "w", encoding="utf-8") as f:
        f.write(text)
    png_write(picture, *screen.picture(os.path.join(folder, "readme.ppm")))
    print("written: %s, %s" % (readme, picture))


def differing(name, shown, seen):
    shown, seen = [masked(line) for line in shown], [masked(line) for line in seen]
    for n in range(max(len(shown), len(seen))):
        pair = [lines[n] if n < len(lines) else "nothing" for lines in (shown, seen)]
        if pair[0] != pair[1]:
            print("FAIL %s, line %d shows: %s\n     but the test saw: %s\n     (make readme writes it anew)"
                  % (name, n + 1, pair[0], pair[1]))
            return True
    print("PASS %s shows what the test saw" % name)
    return False


def check(folder, readme, picture):
    total = results.Counter("README")
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    for name, *which in SESSIONS:
        bad = differing("README.md, %s" % name, split_readme(text, name)[1].splitlines(),
                        session(folder, *which).splitlines())
        total.add(not bad, bad)
    ppm = os.path.join(folder, "readme-kept.ppm")
    png_to_ppm(picture, ppm)
    bad = differing("docs/screen.png", screen_lines(ppm), screen_lines(os.path.join(folder, "readme.ppm")))
    total.add(not bad, bad)
    return total.finish()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true")
    what.add_argument("--check", action="store_true")
    a = p.parse_args()
    folder = os.path.join(a.build, "tests", "boot")
    paths = folder, os.path.join(top, "README.md"), os.path.join(top, "docs", "screen.png")
    try:
        if a.write:
            write(*paths)
            return 0
        return check(*paths)
    except (ReadmeError, screen.ScreenError, OSError, struct.error, zlib.error) as e:
        print("FAIL README: %s" % e)
        return 1


if __name__ == "__main__":
    sys.exit(main())
