# SPDX-License-Identifier: BSD-2-Clause
"""Reads the text off a picture of a screen (PPM, as QEMU's screendump writes it) by exact comparison with a font."""

import gzip
import struct


class ScreenError(Exception):
    pass


def font(path):
    """{lines of a glyph, 16 bytes: character} of printable ASCII in a PSF 1 font of 8x16."""
    with gzip.open(path) as f:
        data = f.read()
    if data[:2] != b"\x36\x04" or not data[2] & 2 or data[3] != 16:
        raise ScreenError("%s: not a PSF 1 font of 8x16 with a table of characters" % path)
    count, glyphs = 512 if data[2] & 1 else 256, {}
    at = 4 + count * 16
    for n in range(count):
        single = True
        while True:
            code, = struct.unpack_from("<H", data, at)
            at += 2
            if code == 0xffff:
                break
            single = single and code != 0xfffe
            if single and 0x20 <= code < 0x7f:
                glyphs[data[4 + n * 16:20 + n * 16]] = chr(code)
    if len(glyphs) != 95:
        raise ScreenError("%s: %d glyphs of ASCII" % (path, len(glyphs)))
    return glyphs


def picture(path):
    """(width, height, the pixels' bytes)"""
    with open(path, "rb") as f:
        data = f.read()
    magic, size, depth, pixels = data.split(b"\n", 3)
    width, height = map(int, size.split())
    if magic != b"P6" or depth != b"255" or len(pixels) != width * height * 3:
        raise ScreenError("%s: not a picture as QEMU writes it" % path)
    return width, height, pixels


def read(path, glyphs, cell):
    """The screen's lines, right blanks cut; cells are `cell` pixels wide, 16 high; what is no glyph reads as '\\0'."""
    width, height, pixels = picture(path)
    lines = []
    for row in range(height // 16):
        line = ""
        for col in range(width // cell):
            shape = bytearray(16)
            for y in range(16):
                at = ((row * 16 + y) * width + col * cell) * 3
                for x in range(8):
                    if max(pixels[at + 3 * x:at + 3 * x + 3]) > 64:
                        shape[y] |= 0x80 >> x
            line += glyphs.get(bytes(shape), "\0")
        lines.append(line.rstrip())
    return lines


# A VGA with cells of 9 pixels shows these by glyphs of its own, which a font file for 8 pixels lacks.
ALTERNATE = set("\"'+-0MTVWXYZmvwx~")


def holds(line, text):
    """Does text stand in a line as read()? Alternate glyphs pass for any of their characters."""
    def same(got, want):
        return got == want or (got == "\0" and want in ALTERNATE)
    return any(all(same(g, w) for g, w in zip(line[at:at + len(text)], text))
               for at in range(len(line) - len(text) + 1))
