#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A second reader and writer of version 2 images, made from docs/image-format.md alone, standard library only.

It shares nothing with the C code, not even a cryptographic library, so that the two can be held against each other.
It judges the container, not the XML. From the shell: reader.py IMG prints what it read, or the reason to refuse it.
"""

import hashlib
import json
import struct
import sys

PAGE, CHUNK = 4096, 2 << 20
MAX_XML, MAX_FILES, MAX_SIGNATURES = 1 << 20, 256, 16

# The curve P-256: y^2 = x^3 - 3x + b modulo p; its order n; its base point.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


class Refused(Exception):
    """code: the name of the refusal without IMG_ERR_; offset: its place in the image."""

    def __init__(self, code, offset):
        super().__init__("%s at 0x%x" % (code, offset))
        self.code, self.offset = code, offset


def align(x, a):
    return -(-x // a) * a


def sha256(data):
    return hashlib.sha256(data).digest()


# --------------------------------------------------------------------------------------------------- the curve

def add(a, b):
    """The sum of two points; None is the neutral one."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    for bit in bin(k)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def key_id(point):
    """SHA-256 of the DER SubjectPublicKeyInfo: an algorithm, a curve, and the uncompressed point."""
    der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" "04")
    return sha256(der + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))


def point_of(der):
    """The point of a DER SubjectPublicKeyInfo of 91 bytes."""
    point = int.from_bytes(der[27:59], "big"), int.from_bytes(der[59:91], "big")
    if len(der) != 91 or (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - B) % P:
        raise ValueError("not a P-256 key")
    return point


def verifies(point, digest, r, s):
    if not (0 < r < N and 0 < s <= N // 2):
        return False
    w = pow(s, -1, N)
    total = add(times(int.from_bytes(digest, "big") * w % N, G), times(r * w % N, point))
    return total is not None and total[0] % N == r


def sign(d, k, digest):
    """A signature (r, s) by private key d with nonce k. Real signers make k from d and digest (RFC 6979)."""
    r = times(k, G)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * d) % N
    return r, min(s, N - s)


# -------------------------------------------------------------------------------------------------- the format

def places(xml_len, sizes):
    """Where everything is: table, end of table, lists (offset or None), end of lists, data of each file, seal."""
    table = align(64 + xml_len, 8)
    table_end = at = table + 64 * len(sizes)
    lists = []
    for size in sizes:
        chunks = -(-size // CHUNK)
        lists.append(at if chunks > 1 else None)
        at += 32 * chunks if chunks > 1 else 0
    lists_end = at
    data, at = [], align(at, PAGE)
    for size in sizes:
        data.append(at)
        at = align(at + size, PAGE)
    return table, table_end, lists, lists_end, data, at


def chunk_digests(content):
    return [sha256(content[i:i + CHUNK]) for i in range(0, len(content), CHUNK)]


def write(xml, contents, security=0, signatures=()):
    """signatures: (key id, r, s), or functions that make one of the manifest digest."""
    table, table_end, lists, _, data, seal = places(len(xml), [len(c) for c in contents])
    image = bytearray(seal + 64)
    image[:40] = struct.pack("<8s4Q", b"v3vee\0\0\2", seal, len(xml), len(contents), security)
    image[64:64 + len(xml)] = xml
    for i, content in enumerate(contents):
        digests = chunk_digests(content)
        digest = sha256(content)
        if len(digests) > 1:
            digest = sha256(b"".join(digests))
            image[lists[i]:lists[i] + 32 * len(digests)] = b"".join(digests)
        image[table + 64 * i:table + 64 * i + 64] = struct.pack("<2Q16x32s", data[i], len(content), digest)
        image[data[i]:data[i] + len(content)] = content
    digest = sha256(image[:table_end])
    made = sorted(s(digest) if callable(s) else s for s in signatures)
    image[seal:] = struct.pack("<8s32sQ16x", b"v3seal\0\2", digest, len(made))
    for identity, r, s in made:
        image += struct.pack("<Q24x", 1) + identity + r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return bytes(image)


def zeros(image, start, end, code):
    for i in range(start, end):
        if image[i]:
            raise Refused(code, i)


def read_header(image):
    if len(image) < 12:
        raise Refused("TRUNCATED", len(image))
    if image[:5] != b"v3vee":
        raise Refused("COOKIE", 0)
    if image[5:8] != b"\0\0\2":
        raise Refused("VERSION", 5)
    if len(image) < 64:
        raise Refused("TRUNCATED", len(image))
    zeros(image, 40, 64, "RESERVED")
    seal, xml_len, count, security = struct.unpack_from("<4Q", image, 8)
    if seal % PAGE:
        raise Refused("SEAL_PLACE", 8)
    if seal + 64 > len(image):
        raise Refused("SEAL_LEN", 8)
    if 64 + xml_len > seal:
        raise Refused("XML_LEN", 16)
    if xml_len > MAX_XML:
        raise Refused("XML_TOO_LONG", 16)
    if count > MAX_FILES:
        raise Refused("FILE_COUNT", 24)
    if align(64 + xml_len, 8) + 64 * count > seal:
        raise Refused("TABLE_LEN", 24)
    return seal, xml_len, count, security


def read_table(image, seal, xml_len, count):
    table = align(64 + xml_len, 8)
    nul = image.find(b"\0", 64, 64 + xml_len)
    if nul >= 0:
        raise Refused("XML_NUL", nul)
    zeros(image, 64 + xml_len, table, "PAD_XML")
    files = []
    for i in range(count):
        at = table + 64 * i
        zeros(image, at + 16, at + 32, "RESERVED")
        offset, size, digest = struct.unpack_from("<2Q16x32s", image, at)
        if size > seal:
            raise Refused("FILE_SPAN", at + 8)
        files.append({"offset": offset, "size": size, "digest": digest})
    _, table_end, lists, lists_end, data, end = places(xml_len, [f["size"] for f in files])
    for i, f in enumerate(files):
        if f["offset"] != data[i]:
            raise Refused("FILE_PLACE", table + 64 * i)
        if data[i] + f["size"] > seal:
            raise Refused("FILE_SPAN", table + 64 * i + 8)
        f["list"] = lists[i]
    if end != seal:
        raise Refused("SEAL_PLACE", 8)
    return files, table_end, lists_end


def read_seal(image, seal, table_end):
    cookie, digest, count = struct.unpack_from("<8s32sQ", image, seal)
    if cookie != b"v3seal\0\2":
        raise Refused("SEAL_COOKIE", seal)
    if digest != sha256(image[:table_end]):
        raise Refused("MANIFEST", seal + 8)
    zeros(image, seal + 48, seal + 64, "RESERVED")
    if count > MAX_SIGNATURES:
        raise Refused("SIG_COUNT", seal + 40)
    end = seal + 64 + 128 * count
    if len(image) < end:
        raise Refused("SEAL_LEN", seal + 40)
    if len(image) > end:
        raise Refused("AFTER_SEAL", end)
    signatures = []
    for at in range(seal + 64, end, 128):
        kind, identity, r, s = struct.unpack_from("<Q24x32s32s32s", image, at)
        r, s = int.from_bytes(r, "big"), int.from_bytes(s, "big")
        if kind != 1:
            raise Refused("SIG_KIND", at)
        zeros(image, at + 8, at + 32, "RESERVED")
        if not (0 < r < N and 0 < s <= N // 2):
            raise Refused("SIG_FORM", at + 64)
        if signatures and signatures[-1][0] >= identity:
            raise Refused("SIG_ORDER", at + 32)
        signatures.append((identity, r, s))
    return digest, signatures


def check_signed(signatures, digest, keys, seal):
    if not signatures:
        raise Refused("SIG_NONE", seal + 40)
    good = False
    for point in keys:
        for i, (identity, r, s) in enumerate(signatures):
            if identity != key_id(point):
                continue
            if not verifies(point, digest, r, s):
                raise Refused("SIG_BAD", seal + 64 + 128 * i + 64)
            good = True
    if not good:
        raise Refused("SIG_UNKNOWN", seal + 40)


def check_data(image, files, seal, lists_end):
    end = lists_end
    for f in files:
        if f["size"]:
            zeros(image, end, f["offset"], "GAP")
            end = f["offset"] + f["size"]
    zeros(image, end, seal, "TRAILING")
    for f in files:
        content = image[f["offset"]:f["offset"] + f["size"]]
        digests = chunk_digests(content)
        if len(digests) <= 1:
            wanted = [f["digest"]] if digests else []
            if not digests and f["digest"] != sha256(b""):
                raise Refused("CHUNK_LIST", f["offset"])
        else:
            stored = image[f["list"]:f["list"] + 32 * len(digests)]
            if sha256(stored) != f["digest"]:
                raise Refused("CHUNK_LIST", f["list"])
            wanted = [stored[i:i + 32] for i in range(0, len(stored), 32)]
        for c, digest in enumerate(digests):
            if digest != wanted[c]:
                raise Refused("CHUNK", f["offset"] + c * CHUNK)
        f["content"], f["chunks"] = content, digests


def read(image, keys=None):
    """All of an image, or Refused. keys: points whose signature is asked for."""
    seal, xml_len, count, security = read_header(image)
    files, table_end, lists_end = read_table(image, seal, xml_len, count)
    digest, signatures = read_seal(image, seal, table_end)
    if keys is not None:
        check_signed(signatures, digest, keys, seal)
    check_data(image, files, seal, lists_end)
    return {"xml": image[64:64 + xml_len], "security_version": security, "files": files, "digest": digest,
            "signed_bytes": table_end, "seal": seal, "signatures": signatures}


def main():
    with open(sys.argv[1], "rb") as f:
        image = f.read()
    try:
        got = read(image)
    except Refused as why:
        print("refused: %s" % why)
        return 1
    for f in got["files"]:
        del f["content"]
    print(json.dumps(got, indent=1, default=lambda b: b.hex()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
