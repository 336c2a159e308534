# SPDX-License-Identifier: BSD-2-Clause
"""vouch measure against a second calculation, made here from docs/measurement.md alone."""

import hashlib
import json
import os
import re
import struct
import subprocess

from support import ENV, GOOD, LINUX_XML, REFUSED, TOP, USAGE, ToolTest, image, kernel, needs, read


def sha(data):
    return hashlib.sha256(data).hexdigest()


def extend(pcr, text):
    return hashlib.sha256(pcr + hashlib.sha256(text.encode()).digest()).digest()


def events_of(log):
    """[(pcr, text)] of an event log by TCG's format; every digest is checked."""
    pcr, kind, size = struct.unpack_from("<II20xI", log)
    assert (pcr, kind) == (0, 3) and log[8:28] == bytes(20)
    spec = log[32:32 + size]
    assert spec == b"Spec ID Event03\0" + bytes([0, 0, 0, 0, 0, 2, 0, 2]) + struct.pack("<IHHB", 1, 11, 32, 0)
    at, events = 32 + size, []
    while at < len(log):
        pcr, kind, count, alg = struct.unpack_from("<IIIH", log, at)
        assert (kind, count, alg) == (13, 1, 11)
        digest = log[at + 14:at + 46]
        size, = struct.unpack_from("<I", log, at + 46)
        text = log[at + 50:at + 50 + size]
        assert len(text) == size and hashlib.sha256(text).digest() == digest
        events.append((pcr, text.decode()))
        at += 50 + size
    return events


def align(n, to):
    return -(-n // to) * to


def image2(xml, files, security=0, sign=()):
    """A version 2 image, written from docs/image-format.md alone. sign: functions from manifest to (key id, r, s)."""
    chunk = 2 << 20
    head = 64 + len(xml) + -len(xml) % 8 + 64 * len(files)
    lists = [b"".join(hashlib.sha256(f[i:i + chunk]).digest() for i in range(0, len(f), chunk)) for f in files]
    stored = b"".join(x for x in lists if len(x) > 32)
    table, data, at = b"", b"", align(head + len(stored), 4096)
    start = at
    for f, x in zip(files, lists):
        table += struct.pack("<QQ16x", at, len(f)) + hashlib.sha256(x if len(x) > 32 else f).digest()
        data += f + bytes(-len(f) % 4096)
        at = align(at + len(f), 4096)
    manifest = struct.pack("<5s3BQQQQ24x", b"v3vee", 0, 0, 2, at, len(xml), len(files), security)
    manifest += xml + bytes(-len(xml) % 8) + table
    records = sorted(b"".join(s(manifest)) for s in sign)
    seal = b"v3seal\0\2" + hashlib.sha256(manifest).digest() + struct.pack("<Q16x", len(records))
    seal += b"".join(struct.pack("<Q24x", 1) + r for r in records)
    return (manifest + stored).ljust(start, b"\0") + data + seal, sha(manifest)


class Measure(ToolTest):
    def make_image(self, name, guest="demo", initrd=b"initrd" * 100, kernel_size=8192, cmdline="console=ttyS0"):
        self.put("k", kernel(kernel_size))
        self.put("i", initrd or b"")
        xml = LINUX_XML.replace('name="demo"', 'name="%s"' % guest if guest else "").replace("console=ttyS0", cmdline)
        if initrd is None:
            xml = xml.replace('<file id="i" filename="i"/>', "").replace(' initrd="i"', "")
        self.put(name + ".xml", xml)
        self.expect(self.vouch("build", "-v", "1", name + ".xml", "-o", name), GOOD)
        return read(self.path("k")), read(self.path("i")) if initrd is not None else b""

    def measure(self, *argv, status=GOOD):
        done = self.expect(self.vouch("measure", "--json", "--event-log=log", *argv), status)
        return json.loads(done.stdout), events_of(read(self.path("log")))

    def expect_prediction(self, got, log, events):
        """events: what the log and the output must have; the PCRs are replayed from them."""
        self.assertEqual(log, events)
        self.assertEqual([(e["pcr"], e["text"]) for e in got["events"]], events)
        pcrs = {"12": bytes(32), "13": bytes(32)}
        for pcr, text in events:
            pcrs[str(pcr)] = extend(pcrs[str(pcr)], text)
        self.assertEqual(got["sha256"], {n: v.hex() for n, v in pcrs.items()})
        for e in got["events"]:
            self.assertEqual(e["sha256"], sha(e["text"].encode()))

    def test_one_guest(self):
        k, i = self.make_image("a.img")
        got, log = self.measure("--cmdline=console=com1 log=com2", "a.img")
        tao = ".CustomVM([%s], [%s])" % (sha(k), sha(i))
        full = "%s.VouchImage([%s])" % (tao, sha(read(self.path("a.img"))))
        self.expect_prediction(got, log, [
            (12, "vouch command line: console=com1 log=com2"), (12, "vouch built-in keys: none"), (12, "vouch policy: none"),
            (13, "vouch guest demo: " + full), (13, "vouch boot demo: memory=64 cores=1 cmdline=console=ttyS0")])
        self.assertEqual(got["guests"], [{
            "file": "a.img", "name": "demo", "verdict": "allowed: checksum", "image": sha(read(self.path("a.img"))),
            "kernel": sha(k), "initrd": sha(i), "tao": tao, "tao_image": full}])
        self.assertEqual((got["policy"], got["cmdline"]), (None, "console=com1 log=com2"))

    def test_text(self):
        k, _ = self.make_image("a.img", initrd=None)
        got, _ = self.measure("a.img")
        out = self.expect(self.vouch("measure", "a.img"), GOOD).stdout
        self.assertEqual(out.split("\n")[:5], [
            "a.img: guest demo, allowed: checksum", "  image:  " + sha(read(self.path("a.img"))),
            "  kernel: " + sha(k), "  initrd: %s (none)" % sha(b""), "  Tao:    " + got["guests"][0]["tao_image"]])
        for e in got["events"]:
            self.assertIn("\n  PCR %d %s %s\n" % (e["pcr"], e["sha256"], e["text"]), out)
        for n in ("12", "13"):
            self.assertIn("\nPCR %s (sha256): %s\n" % (n, got["sha256"][n]), out)

    def test_equal_guests_are_numbered(self):
        # Equal kernel and initrd, and other names, so other images; the third differs in its initrd.
        k, i = self.make_image("a.img", "one")
        self.make_image("b.img", "two")
        self.make_image("c.img", "other", b"something else")
        self.make_image("d.img", "three")
        got, log = self.measure("a.img", "b.img", "c.img", "d.img")
        pair = "[%s], [%s])" % (sha(k), sha(i))
        self.assertEqual([g["tao"] for g in got["guests"]], [
            ".CustomVM(" + pair, ".CustomVM(1, " + pair, ".CustomVM([%s], [%s])" % (sha(k), sha(b"something else")),
            ".CustomVM(2, " + pair])
        self.assertEqual(len({g["tao_image"] for g in got["guests"]}), 4)
        self.expect_prediction(got, log, [
            (12, "vouch command line: "), (12, "vouch built-in keys: none"), (12, "vouch policy: none")] + [
                (13, text) for g in got["guests"] for text in (
                    "vouch guest %s: %s" % (g["name"], g["tao_image"]),
                    "vouch boot %s: memory=64 cores=1 cmdline=console=ttyS0" % g["name"])])
        again, _ = self.measure("b.img", "a.img")
        self.assertEqual(again["guests"][1]["tao"], ".CustomVM(1, " + pair)

    def test_every_byte_counts(self):
        self.make_image("a.img")
        first, _ = self.measure("a.img")
        for changed in (dict(cmdline="console=ttyS1"), dict(guest="demo2"), dict(initrd=b"initrd" * 101),
                        dict(kernel_size=8193)):
            self.make_image("b.img", **changed)
            other, _ = self.measure("b.img")
            self.assertNotEqual(other["sha256"]["13"], first["sha256"]["13"])
            self.assertEqual(other["sha256"]["12"], first["sha256"]["12"])
        # Trailing zeros, which the format allows, are measured too.
        self.put("b.img", read(self.path("a.img")) + bytes(8))
        other, _ = self.measure("b.img")
        self.assertNotEqual(other["sha256"]["13"], first["sha256"]["13"])

    def test_names(self):
        self.make_image("a.img", "")
        self.make_image("b.img", "guest0")
        self.make_image("c.img", "", b"other")
        got, _ = self.measure("a.img", "c.img")
        self.assertEqual([g["name"] for g in got["guests"]], ["guest0", "guest1"])
        self.expect(self.vouch("measure", "a.img", "b.img"), REFUSED,
                    "b.img: refused: guest name is taken: a.img is it too")
        self.expect(self.vouch("measure", "a.img", "a.img"), GOOD)
        self.expect(self.vouch("measure", "b.img", "b.img"), REFUSED, "guest name is taken")

    def test_command_line_as_grub_hands_it_over(self):
        self.make_image("a.img")
        for words, line in (("", ""), ("  ", ""), ("a=b", "a=b"), ("  a=b   c  ", "a=b c"),
                            ("it's \"so\" back\\slash", "it\\'s \\\"so\\\" back\\\\slash")):
            got, log = self.measure("--cmdline", words, "a.img")
            self.assertEqual(log[0], (12, "vouch command line: " + line))
            self.assertEqual(got["cmdline"], line)
        self.expect(self.vouch("measure", "-c", "x" * 1023, "a.img"), GOOD, "unknown option or bad value: xxx")
        self.expect(self.vouch("measure", "-c", "x" * 1024, "a.img"), USAGE, "has 1024 bytes; Vouch takes 1023")
        self.expect(self.vouch("measure", "-c", "\x1b", "a.img"), USAGE, "printable ASCII")

    def test_guest_command_line_is_measured_as_it_is(self):
        self.make_image("a.img", cmdline="a &#10; b \u00e9  c")
        _, log = self.measure("a.img")
        self.assertEqual(log[4], (13, "vouch boot demo: memory=64 cores=1 cmdline=a \n b \u00e9  c"))
        out = self.expect(self.vouch("measure", "a.img"), GOOD).stdout
        self.assertIn("cmdline=a \\x0a b \\xc3\\xa9  c\n", out)

    def compile(self, body):
        self.put("p.dts", '/dts-v1/; / { compatible = "vouch,policy"; version = <1>; %s };' % body)
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "p.dts"), GOOD)
        return read(self.path("p.dtb"))

    def test_policy(self):
        self.make_image("a.img")
        digest = sha(read(self.path("a.img")))
        for body in ('integrity = "checksum";', 'integrity = "none";',
                     'integrity = "checksum"; guests { demo { digests = [%s]; }; };' % digest):
            policy = self.compile(body)
            got, log = self.measure("--policy=p.dtb", "a.img")
            self.assertEqual(log[2], (12, "vouch policy: " + sha(policy)))
            self.assertEqual(got["policy"], sha(policy))
            self.assertEqual(got["guests"][0]["verdict"], "allowed: checksum")
        for body, text in (('integrity = "sha256";', "the image holds checksums only: v1; sha256 is demanded"),
                           ('integrity = "none"; guests { web { }; };', "the policy does not list this guest: demo"),
                           ('integrity = "none"; guests { demo { digests = [%s]; }; };' % ("00" * 32),
                            "digest is none of those expected: guest demo")):
            self.compile(body)
            done = self.expect(self.vouch("measure", "-p", "p.dtb", "a.img"), REFUSED, "a.img: refused: " + text)
            self.assertEqual(done.stdout, "")
        self.expect(self.vouch("measure", "-p", "a.img", "a.img"), REFUSED, "a.img: refused: not a flattened device tree")
        self.expect(self.vouch("measure", "-p", "p.dts", "a.img"), REFUSED, "p.dts: refused: not a flattened device tree")
        self.expect(self.vouch("measure", "-p", "gone", "a.img"), ENV, "gone: cannot open")

    def test_level_of_the_command_line(self):
        self.put("v0.img", image([("k", kernel()), ("i", b"x")], 0, LINUX_XML.replace(
            '<files><file id="k" filename="k"/><file id="i" filename="i"/></files>', "%s")))
        self.expect(self.vouch("measure", "v0.img"), REFUSED, "v0.img: refused: the image holds no hashes: v0; checksum")
        got, _ = self.measure("--cmdline=integrity=none", "v0.img")
        self.assertEqual(got["guests"][0]["verdict"], "allowed: none")
        self.expect(self.vouch("measure", "-c", "integrity=nnoe", "v0.img"), REFUSED,
                    "refused: option integrity=nnoe: its values are none, checksum, sha256, signed")
        # The command line can raise what a policy demands, and its default counts.
        self.compile('integrity = "none";')
        self.expect(self.vouch("measure", "-p", "p.dtb", "v0.img"), REFUSED, "checksum is demanded")
        self.expect(self.vouch("measure", "-p", "p.dtb", "-c", "integrity=none", "v0.img"), GOOD)
        self.compile('integrity = "checksum";')
        self.expect(self.vouch("measure", "-p", "p.dtb", "-c", "integrity=none", "v0.img"), REFUSED, "no hashes")

    def test_banks(self):
        self.make_image("a.img")
        sizes = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
        for banks in ("sha1", "sha512,sha1", "sha384,sha256,sha384", "sha1,sha256,sha384,sha512"):
            want = [b for b in sizes if b in banks.split(",")]
            got = json.loads(self.expect(self.vouch("measure", "-j", "-b", banks, "-e", "log", "a.img"), GOOD).stdout)
            self.assertEqual([b for b in sizes if b in got], want)
            for bank in want:
                for number in (12, 13):
                    pcr = bytes(sizes[bank])
                    for e in got["events"]:
                        if e["pcr"] == number:
                            pcr = hashlib.new(bank, pcr + hashlib.new(bank, e["text"].encode()).digest()).digest()
                    self.assertEqual(got[bank][str(number)], pcr.hex())
                    self.assertIn("\nPCR %d (%s): %s\n" % (number, bank, pcr.hex()),
                                  self.vouch("measure", "-b", banks, "a.img").stdout)
        for bad in ("", "sha256,", "sha2", "sha256 sha1", "SHA1", "sha3-256"):
            self.expect(self.vouch("measure", "-b", bad, "a.img"), USAGE, "is no list of sha1, sha256, sha384, sha512")

    @needs("tpm2_eventlog")
    def test_log_is_read_by_others(self):
        self.make_image("a.img")
        got = json.loads(self.expect(self.vouch("measure", "-j", "-b", "sha1,sha256,sha384,sha512", "-e", "log", "a.img"),
                                     GOOD).stdout)
        out = subprocess.run(["tpm2_eventlog", self.path("log")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                             timeout=60, text=True).stdout
        replayed = out[out.index("\npcrs:"):]
        for bank in ("sha1", "sha256", "sha384", "sha512"):
            for number in ("12", "13"):
                self.assertRegex(replayed, r"(?m)^ +%s *: 0x%s$" % (number, got[bank][number]))
        self.assertEqual(len(re.findall(r"EventType: EV_IPL", out)), len(got["events"]))

    def test_refusals(self):
        self.make_image("a.img")
        bad = bytearray(read(self.path("a.img")))
        bad[-1] ^= 1
        self.put("bad.img", bytes(bad))
        self.put("none.img", image([("k", kernel())], 1, '<vm class="PC"><memory>64</memory><cores count="1"/>%s</vm>'))
        done = self.expect(self.vouch("measure", "-e", "log", "bad.img", "a.img", "none.img"), REFUSED,
                           "bad.img: refused: ", "does not match its hash", "none.img: refused: nothing to start")
        self.assertEqual(done.stdout, "")
        self.assertFalse(os.path.exists(self.path("log")))
        self.expect(self.vouch("measure", "gone.img", "a.img"), ENV, "gone.img: cannot open")
        self.expect(self.vouch("measure", "gone.img", "bad.img"), REFUSED)
        self.expect(self.vouch("measure", "-e", "no/log", "a.img"), ENV, "no/log")
        os.symlink("a.img", self.path("link"))
        before = read(self.path("a.img"))
        self.expect(self.vouch("measure", "-e", "link", "a.img"), USAGE, "a.img: is also the output file")
        self.compile('integrity = "none";')
        self.expect(self.vouch("measure", "-e", "p.dtb", "-p", "p.dtb", "a.img"), USAGE, "p.dtb: is also the output")
        self.assertEqual(read(self.path("a.img")), before)
        self.expect(self.vouch("measure", *["a.img"] * 65), USAGE, "65 images; Vouch takes 64")
        self.expect(self.vouch("measure"), USAGE, "no image given")

    def test_words_of_the_document(self):
        with open(os.path.join(TOP, "docs", "measurement.md"), encoding="utf-8") as f:
            words = re.findall(r"(?m)^\| (?:once|each guest) \| (\d+) \| (.*) \|$", f.read())
        self.assertEqual([int(n) for n, _ in words], [12, 12, 12, 13, 13])
        self.make_image("a.img")
        _, log = self.measure("a.img")
        for (_, text), (_, row) in zip(log, words):
            start = re.match(r"`([a-z ]+)", row).group(1)
            self.assertTrue(text.startswith(start), (text, row))
        self.assertIn("`vouch boot NAME: memory=MIB cores=N cmdline=LINE`", words[4][1])


XML2 = (b'<vm class="PC" name="demo"><memory>64</memory><cores count="1"/><files><file id="k" index="0"/>'
        b'<file id="i" index="1"/></files><boot kernel="k" initrd="i" cmdline="quiet"/></vm>')
ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551


@needs("dtc", "openssl")
class Version2(ToolTest):
    def setUp(self):
        super().setUp()
        self.files = [kernel(), b"initrd" * 500000]
        for name in "abc":
            self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name)
            self.openssl("pkey", "-in", name, "-pubout", "-out", name + ".pub")

    def openssl(self, *argv, data=None):
        return subprocess.run(["openssl", *argv], cwd=self.dir, input=data, check=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

    def signer(self, name):
        def sign(manifest):
            der = self.openssl("dgst", "-sha256", "-sign", name, data=manifest)
            r = int.from_bytes(der[4:4 + der[3]], "big")
            s = int.from_bytes(der[4 + der[3] + 2:], "big")
            key_id = hashlib.sha256(self.openssl("pkey", "-in", name, "-pubout", "-outform", "DER")).digest()
            return key_id, r.to_bytes(32, "big"), min(s, ORDER - s).to_bytes(32, "big")
        return sign

    def put_image(self, name="x.img", security=3, sign="", xml=XML2):
        data, digest = image2(xml, self.files, security, [self.signer(n) for n in sign])
        self.put(name, data)
        return digest

    def put_policy(self, keys='a { key-file = "a.pub"; guests = "demo"; least-security-version = <3>; };', rest=""):
        self.put("p.dts", '/dts-v1/; / { compatible = "vouch,policy"; version = <1>; keys { %s }; %s };' % (keys, rest))
        self.expect(self.vouch("policy", "compile", "-o", "p.dtb", "p.dts"), GOOD)

    def refused(self, text):
        done = self.expect(self.vouch("measure", "-p", "p.dtb", "x.img"), REFUSED, "x.img: refused: " + text)
        self.assertEqual(done.stdout, "")

    def allowed(self, verdict):
        done = self.expect(self.vouch("measure", "--json", "-p", "p.dtb", "x.img"), GOOD)
        got = json.loads(done.stdout)
        self.assertEqual(got["guests"][0]["verdict"], verdict)
        return got

    def test_digests(self):
        digest = self.put_image(sign="ab")
        got = json.loads(self.expect(self.vouch("measure", "--json", "x.img"), GOOD).stdout)
        self.assertEqual(got["guests"][0], {
            "file": "x.img", "name": "demo", "verdict": "allowed: sha256", "image": digest,
            "kernel": sha(self.files[0]), "initrd": sha(self.files[1]),
            "tao": ".CustomVM([%s], [%s])" % (sha(self.files[0]), sha(self.files[1])),
            "tao_image": ".CustomVM([%s], [%s]).VouchImage([%s])" % (sha(self.files[0]), sha(self.files[1]), digest)})
        self.assertIn(".VouchImage([%s])" % digest, got["events"][3]["text"])
        # Who signed is not part of what was measured.
        self.assertEqual(self.put_image(sign=""), digest)
        self.assertEqual(json.loads(self.vouch("measure", "--json", "x.img").stdout), got)
        self.assertNotEqual(self.put_image(security=4), digest)

    def test_signatures(self):
        self.put_policy()
        self.put_image(sign="a")
        self.allowed("allowed: signed by key a")
        self.put_image(sign="cba")
        self.allowed("allowed: signed by key a")
        self.put_image(sign="")
        self.refused("the image is not signed: signed is demanded")
        self.put_image(sign="b")
        self.refused("no trusted key signed the image: 1 signature by others")
        self.put_image(sign="a", security=2)
        self.refused("security version too low: 2, key a demands 3")
        self.put_image(sign="a", xml=XML2.replace(b'"demo"', b'"other"'))
        self.refused("the key may not sign for this guest: key a, guest other")
        self.put_image(sign="a", xml=XML2.replace(b' name="demo"', b""))
        self.refused("the image does not name its guest: vm@name is needed")
        self.put_policy('a { key-file = "a.pub"; guests = "demo"; least-security-version = <9>; };'
                        ' b { key-file = "b.pub"; guests = "*"; };')
        self.put_image(sign="ab")
        self.allowed("allowed: signed by key b")

    def test_built_in_keys(self):
        ids = {n: sha(self.openssl("pkey", "-in", n, "-pubout", "-outform", "DER")) for n in "abc"}
        self.put_image(sign="a")
        got = json.loads(self.expect(self.vouch("measure", "-j", "-t", "b.pub", "--trust=a.pub", "x.img"), GOOD).stdout)
        self.assertEqual(got["events"][1]["text"], "vouch built-in keys: %s %s" % (ids["b"], ids["a"]))
        self.assertEqual(got["guests"][0]["verdict"], "allowed: signed by key built-in-1")
        self.expect(self.vouch("measure", "-t", "b.pub", "x.img"), REFUSED, "no trusted key signed the image")
        # With a policy both must be met, and it is the policy's answer that is shown.
        self.put_policy()
        self.allowed("allowed: signed by key a")
        self.expect(self.vouch("measure", "-p", "p.dtb", "-t", "b.pub", "x.img"), REFUSED, "no trusted key signed the image")
        self.put_image(sign="b")
        self.expect(self.vouch("measure", "-p", "p.dtb", "-t", "b.pub", "x.img"), REFUSED, "no trusted key signed the image")
        self.put_image(sign="ab")
        done = self.expect(self.vouch("measure", "-j", "-p", "p.dtb", "-t", "b.pub", "x.img"), GOOD)
        self.assertEqual(json.loads(done.stdout)["guests"][0]["verdict"], "allowed: signed by key a")
        self.expect(self.vouch("measure", "-t", "x.img", "x.img"), REFUSED, "x.img")
        self.expect(self.vouch("measure", "-t", "gone", "x.img"), ENV, "gone: cannot open")
        self.expect(self.vouch("measure", *["-ta.pub"] * 17, "x.img"), USAGE, "more than 16 keys")
        self.expect(self.vouch("measure", "-e", "a.pub", "-ta.pub", "x.img"), USAGE, "a.pub: is also the output")

    def test_wrong_signature_of_a_trusted_key(self):
        self.put_policy()
        self.put_image(sign="a")
        good = read(self.path("x.img"))
        for at in (-1, -33, -40):
            bad = bytearray(good)
            bad[at] ^= 1
            self.put("x.img", bytes(bad))
            done = self.vouch("measure", "-p", "p.dtb", "x.img")
            self.expect(done, REFUSED, "x.img: refused: ", "signature by a trusted key does not verify")

    def test_expected_digest(self):
        digest = self.put_image(sign="a")
        self.put_policy(rest="guests { demo { digests = [%s]; }; };" % digest)
        self.allowed("allowed: signed by key a")
        self.put_image(sign="a", security=4)
        self.refused("digest is none of those expected: guest demo")

    def test_changed_bytes(self):
        self.put_policy()
        self.put_image(sign="a")
        good = read(self.path("x.img"))
        for at in (32, 70, 4096, 2500000):
            bad = bytearray(good)
            bad[at] ^= 1
            self.put("x.img", bytes(bad))
            self.expect(self.vouch("measure", "x.img"), REFUSED, "x.img: refused: ")
