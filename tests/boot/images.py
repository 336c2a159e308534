# SPDX-License-Identifier: BSD-2-Clause
"""Guest images and launch policies for boot tests: built and signed from a recipe, then damaged where the recipe says so.

Reads the image layout by itself (docs/image-format.md), so that a mistake in Vouch's parser cannot hide here.
"""

import hashlib
import html
import os
import re
import struct
import subprocess


class RecipeError(Exception):
    pass


def config_xml(name, recipe, files):
    """The configuration: memory, files and boot from the recipe's keys; `extra` goes below the root as it is."""
    def attr(key, value):
        return ' %s="%s"' % (key, html.escape(value, quote=True))

    called = recipe.get("name", name)       # "-": it has no name
    lines = ["<vm%s%s>" % (attr("class", "PC"), "" if called == "-" else attr("name", called))]
    lines.append("<memory>%s</memory>" % memory(recipe, files))
    lines.append('<paging mode="nested"/>')
    lines.append(cores(recipe))
    lines.append("<files>")
    lines += ["<file%s%s/>" % (attr("id", i), attr("filename", path)) for i, path in files.items()]
    lines.append("</files>")
    boot = attr("kernel", "kernel")
    if "initrd" in files:
        boot += attr("initrd", "initrd")
    if recipe.get("cmdline"):
        boot += attr("cmdline", recipe["cmdline"])
    lines.append("<boot%s/>" % boot)
    lines.append(recipe.get("extra", ""))
    lines.append("</vm>")
    return "\n".join(line for line in lines if line) + "\n"


def cores(recipe):
    """`cores`, how many, and `pins`: the CPU of each in turn, - for any."""
    pins = "".join('<core%s/>' % ("" if pin == "-" else ' target_cpu="%s"' % pin) for pin in recipe.get("pins", "-").split())
    return '<cores count="%s">%s</cores>' % (recipe.get("cores", "1"), pins)


def needed_mib(kernel, initrd):
    """What "The Linux/x86 Boot Protocol" makes a guest need: pref_address + init_size, the initrd behind them."""
    with open(kernel, "rb") as f:
        head = f.read(0x264)
    pref_address, init_size = struct.unpack_from("<QI", head, 0x258)
    need = -(-(pref_address + init_size) // 4096) + -(-(os.path.getsize(initrd) if initrd else 0) // 4096)
    return -(-need // 256)


def memory(recipe, files):
    """The key `memory`; `need` counts from what kernel and initrd need: need, need-1."""
    text = recipe.get("memory", "256")
    if not text.startswith("need"):
        return text
    return str(needed_mib(files["kernel"], files.get("initrd")) + int(text[len("need"):] or "0"))


class Layout2:
    """Where things stand in a well-formed image of version 2."""

    def __init__(self, data):
        self.seal, self.xml_len, self.count, self.security = struct.unpack_from("<4Q", data, 8)
        self.table = -(-(64 + self.xml_len) // 8) * 8
        self.lists = self.table + 64 * self.count

    def file(self, data, i):
        """(offset, size) of file i."""
        return struct.unpack_from("<QQ", data, self.table + 64 * i)

    def place(self, data, what):
        """The offset that a word names: a byte of each kind there is."""
        places = {"reserved": 47, "security": 32, "xml": 64 + self.xml_len // 2, "count": 24, "digest": self.table + 40,
                  "size": self.table + 8, "list": self.lists + 33, "gap": self.file(data, 0)[0] - 1,
                  "seal": self.seal + 1, "manifest": self.seal + 20, "seal-reserved": self.seal + 50,
                  "kind": self.seal + 65, "key-id": self.seal + 64 + 40, "r": self.seal + 64 + 70,
                  "s": self.seal + 64 + 120}
        return places[what]


class Layout:
    """Where things stand in a well-formed image of version 0 or 1."""

    def __init__(self, data):
        if data[:5] != b"v3vee":
            raise RecipeError("not an image")
        self.version = int.from_bytes(data[5:8], "big")
        self.header_size = 24 if self.version else 16
        (self.xml_len,) = struct.unpack_from("<I", data, 8)
        self.count_at = 12 + self.xml_len + 8
        (self.count,) = struct.unpack_from("<Q", data, self.count_at)
        self.table_at = self.count_at + 8
        self.data_at = self.table_at + self.count * self.header_size + 8

    def header_at(self, i):
        if i >= self.count:
            raise RecipeError("no file %d in the image" % i)
        return self.table_at + i * self.header_size

    def file(self, data, i):
        """(offset, size) of file i."""
        size, offset = struct.unpack_from("<IQ", data, self.header_at(i) + 4)
        return offset, size


def damage(data, words):
    """One damage, by name; see the list at the top of tests.cfg."""
    data = bytearray(data)
    kind = words[0]
    if kind == "bit":                       # bit PLACE: one bit of a version 2 image, see Layout2.place()
        data[Layout2(data).place(data, words[1])] ^= 1
        return bytes(data)
    if kind == "name":                      # name OLD NEW: of the same length, where it is first found
        at = data.index(words[1].encode())
        data[at:at + len(words[1])] = words[2].encode()
        return bytes(data)
    args = [int(w, 0) for w in words[1:]]
    if kind == "byte":                      # byte OFFSET: one bit of whatever file it is
        data[args[0]] ^= 1
        return bytes(data)
    if kind == "keep":                      # keep BYTES: only the first so many
        return bytes(data[:args[0]])
    if kind == "cut":                       # cut BYTES: that many bytes lost at the end
        return bytes(data[:len(data) - args[0]])
    at = Layout2(data) if data[5:8] == b"\0\0\2" else Layout(data)
    if kind == "flip":                      # flip FILE [BYTE]: one bit; default the middle of the file; -1: the last
        offset, size = at.file(data, args[0])
        data[offset + (args[1] % size if len(args) > 1 else size // 2)] ^= 0x10
    elif kind == "cookie":
        data[0] ^= 0x20
    elif kind == "version":                 # version N
        data[5:8] = args[0].to_bytes(3, "big")
    elif kind == "xml-length":              # xml-length DELTA
        struct.pack_into("<I", data, 8, at.xml_len + args[0])
    elif kind == "xml-nul":
        data[12 + at.xml_len // 2] = 0
    elif kind == "count":                   # count N
        struct.pack_into("<Q", data, at.count_at, args[0])
    elif kind == "pad":                     # a byte that must be zero, behind the XML
        data[12 + at.xml_len + 3] = 1
    elif kind == "index":                   # index FILE VALUE
        struct.pack_into("<I", data, at.header_at(args[0]), args[1])
    elif kind == "offset":                  # offset FILE VALUE
        struct.pack_into("<Q", data, at.header_at(args[0]) + 8, args[1])
    elif kind == "size":                    # size FILE VALUE
        struct.pack_into("<I", data, at.header_at(args[0]) + 4, args[1])
    elif kind == "overlap":                 # overlap FILE: it begins one byte before the end of the one before
        offset, size = at.file(data, args[0] - 1)
        struct.pack_into("<Q", data, at.header_at(args[0]) + 8, offset + size - 1)
    elif kind == "hash":                    # hash FILE
        data[at.header_at(args[0]) + 16] ^= 1
    elif kind == "trailing":                # trailing BYTES: bytes that are not zero behind the last file
        data += b"\xa5" * args[0]
    else:
        raise RecipeError("unknown damage %s" % kind)
    return bytes(data)


def run(argv, folder=None):
    done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120)
    if done.returncode:
        raise RecipeError("%s: exit status %d: %s"
                          % (" ".join(argv[:3]), done.returncode, done.stdout.decode("utf-8", "replace").strip()))


def signing_key(vouch, name, folder):
    """The private half of a key, which is made when it is first asked for; its public half is NAME.pub.pem beside it."""
    path = name if name.endswith(".pem") else os.path.join(folder, name + ".pem")
    if not os.path.exists(path):
        run([vouch, "keygen", path])
    return path


def digest(path):
    """What a policy lists of an image, as docs/policy.md has it."""
    with open(path, "rb") as f:
        data = f.read()
    return hashlib.sha256(data if data[7] < 2 else data[:Layout2(data).lists]).hexdigest()


def build_policy(vouch, name, recipe, folder, path):
    """Compiles the recipe's tree; its keys are called KEY.pub.pem."""
    for file in re.findall(r'"(\w+)\.pub\.pem"', recipe["policy"]):
        signing_key(vouch, file, folder)
    with open(os.path.join(folder, name + ".dts"), "w", encoding="utf-8") as f:
        f.write("/dts-v1/;\n/ {\ncompatible = \"vouch,policy\";\nversion = <1>;\n%s\n};\n" % recipe["policy"])
    run([vouch, "policy", "compile", name + ".dts", "-o", path], folder)


def build(vouch, name, recipe, folder):
    """Builds the image or policy of a recipe into folder and returns its path."""
    path = os.path.join(folder, name + ".img")
    if "policy" in recipe:
        build_policy(vouch, name, recipe, folder, path)
        with open(path, "rb") as f:
            data = f.read()
    elif "image" in recipe:                 # an image as it is, for instance one of the vectors
        with open(recipe["image"], "rb") as f:
            data = f.read()
    else:
        files = {}
        for key in ("kernel", "initrd"):
            if recipe.get(key):
                files[key] = os.path.abspath(recipe[key])
        for line in recipe.get("files", "").split():
            file_id, _, file_path = line.partition("=")
            files[file_id] = os.path.abspath(file_path)
        config = os.path.join(folder, name + ".xml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(config_xml(name, recipe, files))
        run([vouch, "build", config, "-v", recipe.get("version", "1"), "-o", path]
            + (["-s", recipe["security"]] if "security" in recipe else []))
        for who in recipe.get("sign", "").split():
            run([vouch, "sign", "--key", signing_key(vouch, who, folder), path])
        with open(path, "rb") as f:
            data = f.read()
    for line in recipe.get("damage", "").splitlines():
        if line.split():
            data = damage(data, line.split())
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.replace(path + ".new", path)
    return path
