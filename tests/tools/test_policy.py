# SPDX-License-Identifier: BSD-2-Clause
"""vouch policy: sources compiled with keys made here, what is refused and how, and the example of docs/policy.md."""

import hashlib
import os
import re
import struct
import subprocess
import unittest

from support import ENV, GOOD, REFUSED, TOP, USAGE, VOUCH, ToolTest, needs, read

HEAD = '/dts-v1/;\n/ {\n\tcompatible = "vouch,policy";\n\tversion = <1>;\n%s\n};\n'


def tree(blob):
    """A reader of its own (Devicetree Specification): {path: {property: bytes}} in the order of the file."""
    magic, total, at, strings, _, version = struct.unpack(">6I", blob[:24])
    assert (magic, total, version) == (0xd00dfeed, len(blob), 17)
    nodes, path = {}, []

    def text(where):
        return blob[where:blob.index(b"\0", where)].decode()
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            path.append(text(at))
            at += (len(path[-1]) + 4) & ~3
            assert "/".join(path) not in nodes
            nodes["/".join(path)] = {}
        elif token == 2:
            path.pop()
        elif token == 3:
            size, name = struct.unpack_from(">2I", blob, at)
            here = nodes["/".join(path)]
            assert text(strings + name) not in here
            here[text(strings + name)] = blob[at + 8:at + 8 + size]
            at += 8 + (size + 3 & ~3)
        elif token == 9:
            return nodes
        else:
            assert token == 4


@needs("dtc", "openssl")
class Policy(ToolTest):
    def make_key(self, name, curve="prime256v1"):
        """A key pair by openssl; the DER of its public key."""
        for argv in (["ecparam", "-name", curve, "-genkey", "-noout", "-out", name + ".pem"],
                     ["pkey", "-in", name + ".pem", "-pubout", "-out", name + ".pub.pem"],
                     ["pkey", "-in", name + ".pem", "-pubout", "-outform", "DER", "-out", name + ".der"]):
            subprocess.run(["openssl", *argv], cwd=self.dir, check=True, timeout=60, stderr=subprocess.PIPE)
        return read(self.path(name + ".der"))

    def compile(self, body, status=GOOD, *texts, source=HEAD):
        self.put("p.dts", source % body if "%s" in source else source)
        done = self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "p.dts"), status, *texts)
        self.assertEqual(os.path.exists(self.path("p.dtb")), status == GOOD)
        return done

    def key_node(self, extra='guests = "*";', name="a"):
        return 'keys { %s { key-file = "%s.pub.pem"; %s }; };' % (name, name, extra)

    def test_example_of_the_document(self):
        with open(os.path.join(TOP, "docs", "policy.md"), encoding="utf-8") as f:
            example, = re.findall(r"(?s)```dts\n(.*?)```", f.read())
        ders = {n: self.make_key(n) for n in ("build", "lab")}
        self.compile("", source=example)
        nodes = tree(read(self.path("p.dtb")))
        self.assertEqual(list(nodes), ["", "/keys", "/keys/build-2026", "/keys/lab", "/guests", "/guests/web",
                                       "/guests/db"])
        self.assertEqual(nodes[""], {"compatible": b"vouch,policy\0", "version": b"\0\0\0\1",
                                     "integrity": b"signed\0", "on-refusal": b"continue\0"})
        self.assertEqual(nodes["/keys/build-2026"], {
            "public-key": ders["build"], "key-id": hashlib.sha256(ders["build"]).digest(), "guests": b"web\0db\0",
            "least-security-version": b"\0\0\0\3"})
        self.assertEqual(nodes["/keys/lab"]["public-key"], ders["lab"])
        self.assertEqual(nodes["/keys/lab"]["guests"], b"*\0")
        self.assertEqual(nodes["/guests/web"], {})
        self.assertEqual(list(nodes["/guests/db"]), ["digests"])
        out = self.expect(self.vouch("policy", "show", "p.dtb"), GOOD).stdout
        self.assertEqual(out.split("\n"), [
            "p.dtb: policy, version 1", "SHA-256: " + hashlib.sha256(read(self.path("p.dtb"))).hexdigest(),
            "integrity: signed", "on refusal: continue",
            "key build-2026", "  id: " + hashlib.sha256(ders["build"]).hexdigest(), "  guests: web, db",
            "  least security version: 3",
            "key lab", "  id: " + hashlib.sha256(ders["lab"]).hexdigest(), "  guests: any",
            "  least security version: 0",
            "guest web", "  digest: any",
            "guest db", "  digest: " + nodes["/guests/db"]["digests"].hex(), ""])

    def test_defaults_are_written_out(self):
        self.make_key("a")
        self.compile(self.key_node())
        self.assertEqual(tree(read(self.path("p.dtb")))[""]["integrity"], b"signed\0")
        self.compile('integrity = "none";')
        nodes = tree(read(self.path("p.dtb")))
        self.assertEqual(list(nodes), [""])
        self.assertIn("\nguests: any\n", self.vouch("policy", "show", "p.dtb").stdout)

    def test_same_policy_same_bytes(self):
        der = self.make_key("a")
        self.compile(self.key_node('guests = "web"; least-security-version = <7>;'))
        first = read(self.path("p.dtb"))
        again = ('on-refusal = "continue"; integrity = "signed"; keys { a { least-security-version = /bits/ 64 <7>; guests = "web";'
                 ' key-id = [%s]; public-key = [%s]; }; }; /* words */'
                 % (hashlib.sha256(der).hexdigest(), der.hex()))
        for body in (again, again.replace("public-key = [%s];" % der.hex(), 'key-file = "a.pub.pem";'),
                     again.replace("public-key = [%s];" % der.hex(), 'key-file = "a.der";')):
            self.compile(body)
            self.assertEqual(read(self.path("p.dtb")), first)
        # And what it wrote, shown as source by dtc, compiles to itself.
        text = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", self.path("p.dtb")], check=True, timeout=60,
                              stdout=subprocess.PIPE, text=True).stdout
        self.compile("", source=text)
        self.assertEqual(read(self.path("p.dtb")), first)

    def test_tpm(self):
        self.make_key("a")
        self.compile(self.key_node())
        plain = read(self.path("p.dtb"))
        self.assertNotIn("TPM", self.vouch("policy", "show", "p.dtb").stdout)
        self.compile('tpm = "optional"; ' + self.key_node())
        self.assertEqual(read(self.path("p.dtb")), plain)
        self.compile('tpm = "required"; ' + self.key_node())
        self.assertEqual(tree(read(self.path("p.dtb")))[""]["tpm"], b"required\0")
        self.assertIn("\nTPM: required\n", self.vouch("policy", "show", "p.dtb").stdout)

    def test_counters(self):
        self.make_key("a")
        keys = self.key_node()
        self.compile(keys + "guests { web { tpm-counter = <0x01800001>; on-newer = \"keep\"; tpm-counter-base = <0>; };"
                     " db { on-newer = \"raise\"; tpm-counter-base = <7>; tpm-counter = <0x01800002>; }; };")
        nodes = tree(read(self.path("p.dtb")))
        self.assertEqual(nodes["/guests/web"], {"tpm-counter": b"\x01\x80\0\x01"})
        self.assertEqual(nodes["/guests/db"], {"tpm-counter": b"\x01\x80\0\x02", "on-newer": b"raise\0",
                                               "tpm-counter-base": bytes(7) + b"\7"})
        out = self.vouch("policy", "show", "p.dtb").stdout
        self.assertIn("\n  TPM counter: 0x1800001, base 0; newer images leave it\n", out)
        self.assertIn("\n  TPM counter: 0x1800002, base 7; newer images raise it\n", out)
        os.remove(self.path("p.dtb"))
        self.compile('integrity = "sha256"; guests { web { tpm-counter = <0x01800001>; }; };', REFUSED,
                     "TPM counter cannot be used: guest web: it takes integrity")

    def test_large_numbers(self):
        self.make_key("a")
        self.compile(self.key_node('guests = "web"; least-security-version = /bits/ 64 <0xfedcba9876543210>;'))
        self.assertEqual(tree(read(self.path("p.dtb")))["/keys/a"]["least-security-version"].hex(), "fedcba9876543210")
        self.assertIn("least security version: 18364758544493064720\n", self.vouch("policy", "show", "p.dtb").stdout)

    def test_key_files_lie_beside_the_source(self):
        self.make_key("a")
        os.mkdir(self.path("sub"))
        os.rename(self.path("a.pub.pem"), self.path("sub/a.pub.pem"))
        self.put("sub/p.dts", HEAD % self.key_node())
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "sub/p.dts"), GOOD)
        self.put("p.dts", HEAD % self.key_node().replace("a.pub.pem", self.path("sub/a.pub.pem")))
        self.expect(self.vouch("policy", "compile", "-o", "q.dtb", "p.dts"), GOOD)
        self.assertEqual(read(self.path("p.dtb")), read(self.path("q.dtb")))

    def test_key_files(self):
        self.make_key("a")
        self.make_key("other")
        self.make_key("p384", "secp384r1")
        done = self.compile(self.key_node(name="gone"), ENV, "gone.pub.pem: cannot open")
        self.assertRegex(done.stderr, r"\.dts: /keys/[^:]+:key-file names that file; names are relative to the directory of ")
        self.put("text.pub.pem", "no key")
        self.compile(self.key_node(name="text"), REFUSED, "text.pub.pem: ")
        self.compile(self.key_node(name="p384"), REFUSED, "p384.pub.pem: ")
        self.compile(self.key_node('guests = "*"; public-key = [00];'), REFUSED,
                     "p.dts: refused: /keys/a:key-file: public-key is given too; leave one of them out")
        other = hashlib.sha256(read(self.path("other.der"))).hexdigest()
        self.compile(self.key_node('guests = "*"; key-id = [%s];' % other), REFUSED,
                     "p.dts: refused: /keys/a:key-file: the file holds another key than key-id says")
        self.compile(self.key_node('guests = "*"; key-id = [00];'), REFUSED, "another key than key-id says")
        for value in ("<1>", '"a.pub.pem", "b.pub.pem"', '""'):
            self.compile(self.key_node().replace('"a.pub.pem"', value), REFUSED,
                         "p.dts: refused: /keys/a:key-file: one file name between quotes")
        # The right form and id, but no point of the curve: Vouch's reader would take it.
        der = bytearray(read(self.path("other.der")))
        der[-1] ^= 1
        self.compile('keys { a { guests = "*"; public-key = [%s]; key-id = [%s]; }; };' % (
            der.hex(), hashlib.sha256(der).hexdigest()), REFUSED,
                     "p.dts: refused: /keys/a:public-key: not a public key on P-256: its point is none of the curve")
        # Where no key belongs, key-file is a property like any unknown one.
        self.compile('integrity = "none"; key-file = "a.pub.pem";', REFUSED, "/:key-file: unknown property")

    def test_what_the_reader_refuses_is_not_written(self):
        self.make_key("a")
        for body, text in (
                ("", "demands signatures and trusts no key: add /keys, or ask for less by integrity"),
                ('integrity = "best";', '/:integrity: value is none of those known: "best"'),
                ('integrity = "none"; tpm = "always";', '/:tpm: value is none of those known: "always"'),
                ('integrity = "none"; iommu = "required";', "/:iommu: unknown property"),
                (self.key_node(""), "/keys/a:guests: property is missing"),
                (self.key_node('guests = "we b";'), '/keys/a:guests: guest name not allowed: "we b"'),
                (self.key_node('guests = "*"; more { };'), "/keys/a/more: unknown node"),
                ('integrity = "sha256"; guests { web { digests = [00]; }; };',
                 "/guests/web:digests: value has the wrong length: each digest has 32 bytes, all have 1"),
                ('integrity = "sha256"; guests { web { digests = [%s]; }; };' % ("00" * 300000), "when compiled")):
            self.compile(body, REFUSED, "p.dts: refused: ", text)
            self.no_leftovers("p.dts", "a.pem", "a.pub.pem", "a.der")
        version = HEAD.replace("<1>", "<2>")
        self.compile('integrity = "none";', REFUSED, "/:version: unknown policy version", source=version)
        reserved = HEAD.replace("/ {", "/memreserve/ 0x1000 0x1000;\n/ {")
        self.compile('integrity = "none";', REFUSED, "device tree is malformed", source=reserved)

    def test_source_that_dtc_refuses(self):
        done = self.compile("integrity = none;", REFUSED, "p.dts: refused: not a device tree source; dtc says why")
        self.assertIn("p.dts:5", done.stderr)
        self.no_leftovers("p.dts")
        self.compile("", REFUSED, "p.dts: refused: ", source="\0\xff")

    def test_sources_that_are_not_there(self):
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "gone.dts"), ENV, "gone.dts: cannot open")
        os.mkfifo(self.path("fifo"))
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "fifo"), ENV, "not a regular file")
        self.put("-p.dts", HEAD % 'integrity = "none";')
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "--", "-p.dts"), GOOD)

    def test_without_dtc(self):
        self.put("p.dts", HEAD % 'integrity = "none";')
        done = self.vouch("policy", "compile", "-o", "p.dtb", "p.dts", env=dict(os.environ, PATH=self.dir))
        self.expect(done, ENV, "the program dtc is missing; install the Debian package device-tree-compiler")

    def test_weak_policies_are_warned_of(self):
        self.make_key("a")
        digest = "guests { web { digests = [%s]; }; %%s };" % ("ab" * 32)
        for body, texts in (
                (self.key_node(), ()), ('integrity = "signed"; ' + self.key_node(), ()),
                ('integrity = "sha256"; ' + self.key_node(), ('p.dts: under integrity = "sha256" keys demand no signature',)),
                ('integrity = "none";', ("p.dts: anyone can make an image that passes",)),
                ('integrity = "sha256";', ("anyone can make",)), ('integrity = "sha256"; ' + digest % "", ()),
                ('integrity = "sha256"; ' + digest % "db { };", ("anyone can make",))):
            done = self.compile(body, GOOD, *texts)
            self.assertEqual(done.stderr.count("\n"), len(texts), done.stderr)
            self.assertEqual(done.stderr.count("vouch: warning: "), len(texts))

    def test_output(self):
        self.put("p.dts", HEAD % 'integrity = "none";')
        self.expect(self.vouch("policy", "compile", "-o", "no/p.dtb", "p.dts"), ENV, "no/p.dtb")
        os.mkdir(self.path("d"))
        self.expect(self.vouch("policy", "compile", "-o", "d", "p.dts"), USAGE, "d: exists and is not a regular file")
        os.link(self.path("p.dts"), self.path("link"))
        self.expect(self.vouch("policy", "compile", "-o", "link", "p.dts"), USAGE, "p.dts: is also the output file")
        os.unlink(self.path("link"))
        self.make_key("a")
        self.put("keys.dts", HEAD % self.key_node())
        key = read(self.path("a.pub.pem"))
        self.expect(self.vouch("policy", "compile", "-o", "a.pub.pem", "keys.dts"), USAGE, "a.pub.pem: is also the output")
        self.assertEqual(read(self.path("a.pub.pem")), key)
        for name in ("a.pem", "a.pub.pem", "a.der", "keys.dts"):
            os.unlink(self.path(name))
        self.put("p.dtb", "old")
        self.expect(self.vouch("policy", "compile", "--output=p.dtb", "p.dts"), GOOD)
        self.expect(self.vouch("policy", "show", "p.dtb"), GOOD)
        self.no_leftovers("p.dts", "p.dtb", "d")

    def test_show_refuses(self):
        self.put("p.dts", HEAD % 'integrity = "none";')
        self.expect(self.vouch("policy", "show", "p.dts"), REFUSED, "p.dts: refused: not a flattened device tree")
        self.expect(self.vouch("policy", "show", "gone"), ENV, "gone: cannot open")
        self.put("large", b"\0" * 65537)
        self.expect(self.vouch("policy", "show", "large"), REFUSED, "large")
        self.compile('integrity = "none";')
        good = read(self.path("p.dtb"))
        for size in range(0, len(good), 7):
            done = self.expect(self.vouch("policy", "show", self.put("cut", good[:size])), REFUSED, "refused: ")
            self.assertEqual(done.stdout, "")
        self.expect(self.vouch("policy", "show", self.put("long", good + b"\0")), REFUSED, "it says")

    def test_usage(self):
        self.put("p.dts", HEAD % 'integrity = "none";')
        for argv, text in (([], "no action given"), (["make", "p.dts"], "action 'make' is neither compile nor show"),
                           (["compile", "-o", "x"], "no source given"), (["show"], "no policy given"),
                           (["compile", "p.dts"], "no output given: -o OUT.dtb"),
                           (["show", "-o", "x", "p.dts"], "show writes no file"),
                           (["show", "p.dts", "p.dts"], "more than one file given")):
            self.expect(self.vouch("policy", *argv), USAGE, text)
        self.no_leftovers("p.dts")

    def test_help(self):
        self.assertIn("vouch policy compile -o OUT.dtb SRC.dts\n", self.run_tool(VOUCH, "policy", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
