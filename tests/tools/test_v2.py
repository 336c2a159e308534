# SPDX-License-Identifier: BSD-2-Clause
"""Version 2: the C writer and reader against the second ones in tests/data/v2/reader.py, in both directions; keys,
signatures, conversion; what openssl says. Every key here is made as the test runs."""

import base64
import hashlib
import importlib.util
import json
import os
import random
import re
import shutil
import stat
import subprocess
import unittest

from support import BUILD_VM, ENV, GOOD, REFUSED, TOP, USAGE, VECTORS, VOUCH, ToolTest, image, kernel, read

_spec = importlib.util.spec_from_file_location("reader", os.path.join(TOP, "tests", "data", "v2", "reader.py"))
v2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(v2)

CHUNK = v2.CHUNK


def xml_for(ids, name="guest"):
    files = "".join('<file id="%s" index="%d"></file>' % (n, i) for i, n in enumerate(ids))
    return ('<vm%s><files>%s</files></vm>' % (' name="%s"' % name if name else "", files)).encode()


def content(seed, size):
    return random.Random(seed).randbytes(size)


class V2(ToolTest):
    def verify(self, path, *options):
        return self.vouch("verify", *options, path)

    def refusal(self, path):
        """The code of vouch's refusal, without IMG_ERR_, and its offset; None if it takes the image."""
        got = self.inspect(path)
        if got["verdict"] == "good":
            return None
        return got["error"]["code"][len("IMG_ERR_"):], got["error"]["offset"]

    def keygen(self, name="k"):
        done = self.expect(self.vouch("keygen", name + ".pem"), GOOD)
        self.assertRegex(done.stdout, r"\A[0-9a-f]{64}\n\Z")
        return done.stdout.strip()

    def point(self, name="k"):
        with open(self.path(name + ".pub.pem"), encoding="ascii") as f:
            text = "".join(line.strip() for line in f if "-----" not in line)
        return v2.point_of(base64.b64decode(text))

    def put_image(self, name, files, guest="guest", **more):
        return self.put(name, v2.write(xml_for([i for i, _ in files], guest), [c for _, c in files], **more))

    def inspect(self, path):
        return json.loads(self.vouch("inspect", "-j", path).stdout)


class Both(V2):
    """Writer against writer, reader against reader."""

    SIZES = [[], [0], [1], [4096], [4097, 0, 1], [CHUNK], [CHUNK + 1], [CHUNK - 1, CHUNK, 3 * CHUNK + 7, 0, 5]]

    def test_writers_agree(self):
        for n, sizes in enumerate(self.SIZES):
            names = ["f%d" % i for i in range(len(sizes))]
            data = [content(i, size) for i, size in enumerate(sizes)]
            for name, c in zip(names, data):
                self.put(name, c)
            files = "".join('<file id="%s" filename="%s"/>' % (i, i) for i in names)
            self.put("c.xml", "<vm>%s<files>%s</files></vm>" % ("x" * n, files))
            self.expect(self.vouch("build", "c.xml", "-o", "img", "-s", str(n)), GOOD)
            xml = "<vm>%s<files>%s</files></vm>" % ("x" * n, "".join(
                '<file id="%s" filename="%s" index="%d"></file>' % (f, f, i) for i, f in enumerate(names)))
            with self.subTest(sizes=sizes):
                self.assertEqual(read(self.path("img")), v2.write(xml.encode(), data, security=n))
                got = v2.read(read(self.path("img")))
                self.assertEqual([f["content"] for f in got["files"]], data)
                self.assertEqual(got["security_version"], n)

    def test_reader_takes_what_the_other_writes(self):
        for n, sizes in enumerate(self.SIZES):
            data = [content(i, size) for i, size in enumerate(sizes)]
            path = self.put_image("img", [("f%d" % i, c) for i, c in enumerate(data)], security=2**64 - 1 - n)
            with self.subTest(sizes=sizes):
                done = self.expect(self.verify(path), GOOD)
                self.assertIn("v2, %d file" % len(sizes), done.stdout)
                self.assertIn("SHA-256, not signed", done.stdout)
                got = self.inspect(path)
                for f, c in zip(got["files"], data):
                    self.assertEqual(f["sha256"], hashlib.sha256(c).hexdigest())
                    self.assertEqual(f["chunks"], [d.hex() for d in v2.chunk_digests(c)])
                self.assertEqual(got["security_version"], 2**64 - 1 - n)

    def mutate(self, r, good):
        bad = bytearray(good)
        seal, xml_len, count = (int.from_bytes(good[i:i + 8], "little") for i in (8, 16, 24))
        table = v2.align(64 + xml_len, 8)
        kind = r.randrange(8)
        if kind == 0:
            bad[r.randrange(len(bad))] ^= 1 << r.randrange(8)
        elif kind == 1:
            del bad[r.randrange(len(bad)):]
        elif kind == 2:
            bad += bytes(r.randrange(1, 300))
        elif kind == 3:                         # a number of the header
            at = r.choice([8, 16, 24])
            value = r.choice([0, 1, 7, 255, 256, 257, 4095, 4096, seal, seal - 1, seal + 4096, 2**31, 2**63, 2**64 - 1])
            bad[at:at + 8] = value.to_bytes(8, "little")
        elif kind == 4 and count:               # a number of the table
            at = table + 64 * r.randrange(count) + 8 * r.randrange(2)
            old = int.from_bytes(bad[at:at + 8], "little")
            value = r.choice([0, 1, old + 1, max(old - 1, 0), old + 4096, seal, 2**63, 2**64 - 4096])
            bad[at:at + 8] = value.to_bytes(8, "little")
        elif kind == 5:                         # the seal
            bad[r.randrange(seal, len(bad))] ^= 1 << r.randrange(8)
        elif kind == 6:
            at = seal + 40
            bad[at:at + 8] = r.choice([0, 1, 2, 3, 16, 17, 2**57 + 1, 2**64 - 1]).to_bytes(8, "little")
        else:                                   # data or digests, behind a seal that is made right again
            at = r.randrange(table, len(bad))
            bad[at] ^= 1 << r.randrange(8)
            end = table + 64 * count
            if end <= seal:
                bad[seal + 8:seal + 40] = hashlib.sha256(bad[:end]).digest()
        return bytes(bad)

    def test_readers_agree_on_damage(self):
        """Same verdict, same reason, same place."""
        r = random.Random(2)
        signers = [lambda digest, d=d: (v2.key_id(v2.times(d, v2.G)), *v2.sign(d, 1000 + d, digest)) for d in (5, 6)]
        small = v2.write(xml_for("ab"), [b"abc", b"d" * 5000], 3, signers)
        large = v2.write(xml_for("ab"), [content(1, CHUNK + 9), b""], 0, signers[:1])
        codes = set()
        for n in range(700):
            bad = self.mutate(r, large if n % 10 == 0 else small)
            try:
                v2.read(bad)
                want = None
            except v2.Refused as why:
                want = why.code, why.offset
            got = self.refusal(self.put("bad", bad))
            self.assertEqual(got, want, "mutation %d" % n)
            codes.add(want and want[0])
        self.assertGreaterEqual(len(codes), 15, codes)

    def test_the_reader_from_the_shell(self):
        path = self.put_image("img", [("a", b"abc")])
        script = os.path.join(TOP, "tests", "data", "v2", "reader.py")
        done = self.run_tool("python3", script, path)
        self.assertEqual(json.loads(done.stdout)["files"][0]["size"], 3)
        with open(path, "ab") as f:
            f.write(b"x")
        done = self.run_tool("python3", script, path)
        self.assertEqual((done.returncode, done.stdout[:19]), (1, "refused: AFTER_SEAL"))


class Build(V2):
    def test_default_is_version_2(self):
        self.put("a", b"A")
        self.put("c.xml", '<vm><files><file id="a" filename="a"/></files></vm>')
        self.expect(self.vouch("build", "c.xml"), GOOD)
        self.assertEqual(v2.read(read(self.path("c.img")))["files"][0]["content"], b"A")
        self.expect(self.run_tool(BUILD_VM, "c.xml"), GOOD)
        self.assertEqual(read(self.path("c.dat"))[:8], b"v3vee\0\0\1")

    def test_security_version(self):
        self.put("c.xml", "<vm/>")
        for text, value in (("0", 0), ("7", 7), (str(2**64 - 1), 2**64 - 1)):
            self.expect(self.vouch("build", "c.xml", "-o", "i", "--security-version", text), GOOD)
            self.assertEqual(v2.read(read(self.path("i")))["security_version"], value)
        for text in ("", "-1", "x", str(2**64)):
            self.expect(self.vouch("build", "c.xml", "-o", "j", "-s", text), USAGE, "security version")
        self.expect(self.vouch("build", "c.xml", "-v1", "-s", "1", "-o", "j"), USAGE, "have no security version")
        self.expect(self.run_tool(BUILD_VM, "c.xml", "-s", "1", "-o", "j"), USAGE)
        self.expect(self.run_tool(BUILD_VM, "c.xml", "-v", "2", "-o", "j"), USAGE, "0 or 1")
        self.no_leftovers("c.xml", "i")

    def test_same_inputs_same_bytes(self):
        self.put("a", content(1, 3 << 20))
        self.put("c.xml", '<vm name="n"><files><file id="a" filename="a"/></files></vm>')
        self.keygen()
        for out in ("one", "two"):
            self.expect(self.vouch("build", "c.xml", "-o", out), GOOD)
            self.expect(self.vouch("sign", "-k", "k.pem", out), GOOD)
            os.utime(self.path("a"), (1, 1))
        self.assertEqual(read(self.path("one")), read(self.path("two")))

    def test_more_than_4_gib_is_no_bound(self):
        # A sparse file is examined, then refused for its size alone: beyond what any guest's memory holds.
        self.put("c.xml", '<vm><files><file id="a" filename="a"/></files></vm>')
        with open(self.path("a"), "wb") as f:
            f.truncate((1 << 40) + 1)
        self.expect(self.vouch("build", "c.xml", "-o", "i"), REFUSED, "more than 1 TiB")
        self.no_leftovers("a", "c.xml")

    def test_extract(self):
        data = {"a": content(1, 2 * CHUNK), "b": b"", "c": content(2, CHUNK + 1), "d": b"d"}
        self.put_image("img", list(data.items()))
        self.expect(self.vouch("extract", "img", "-C", "out"), GOOD)
        for name, c in data.items():
            self.assertEqual(read(self.path("out/" + name)), c)

    def test_at_boot(self):
        img = self.make_linux_image(version=2)
        self.expect(self.vouch("run", "-d", img), GOOD)
        bad = bytearray(read(img))
        bad[v2.read(bytes(bad))["files"][0]["offset"]] ^= 1
        self.put("bad.img", bytes(bad))
        self.expect(self.vouch("run", "-d", "bad.img"), REFUSED, "file chunk does not match its digest")


class Damage(V2):
    def test_which_chunk_is_bad(self):
        good = bytearray(read(self.put_image("img", [("a", b"x" * 10), ("b", content(3, 5 * CHUNK + 100))])))
        data = v2.read(bytes(good))["files"][1]["offset"]
        for chunks, first in (([4], 4), ([5], 5), ([3, 1, 5], 1), ([0, 4], 0)):
            bad = bytearray(good)
            for c in chunks:
                bad[data + c * CHUNK + 50] ^= 1
            for _ in range(3):                  # whatever the threads do
                done = self.expect(self.verify(self.put("bad", bytes(bad))), REFUSED)
                self.assertIn('offset 0x%x: file chunk does not match its digest: file 1 "b", chunk %d of 0-5, %d bytes'
                              % (data + first * CHUNK, first, CHUNK if first < 5 else 100), done.stderr)

    def test_on_one_cpu(self):
        path = self.put_image("img", [("b", content(3, 3 * CHUNK))])
        cpu = min(os.sched_getaffinity(0))
        self.expect(self.vouch("verify", path, preexec_fn=lambda: os.sched_setaffinity(0, {cpu})), GOOD)

    def test_changes_meanwhile(self):
        size = 200 << 20
        path = self.path("big")
        with open(path, "wb") as f:
            f.truncate(size)
        self.put("c.xml", "<vm><files><file id='x' filename='big'/></files></vm>")
        self.expect(self.vouch("build", "c.xml", "-o", "img"), GOOD)
        process = subprocess.Popen([VOUCH, "verify", "img"], cwd=self.dir, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.truncate(self.path("img"), size // 2)
        out, err = process.communicate(timeout=120)
        self.assertIn(process.returncode, (ENV, REFUSED), out + err)
        self.assertEqual(out, "")

    def test_damaged_images_are_not_extracted_signed_or_inspected(self):
        self.keygen()
        bad = bytearray(v2.write(xml_for(["a"]), [content(1, CHUNK + 1)]))
        bad[v2.read_header(bad)[0] - 4096] ^= 1                     # the last chunk, of one byte
        self.put("bad", bytes(bad))
        self.expect(self.vouch("extract", "bad", "-C", "out"), REFUSED, "chunk 1 of 0-1")
        self.expect(self.vouch("sign", "-k", "k.pem", "bad"), REFUSED, "not signed", "chunk 1 of 0-1")
        self.expect(self.vouch("inspect", "bad"), REFUSED, "chunk 1 of 0-1")
        self.assertEqual(read(self.path("bad")), bytes(bad))
        self.no_leftovers("bad", "k.pem", "k.pub.pem")


class Keys(V2):
    def test_files(self):
        identity = self.keygen()
        self.assertEqual(stat.S_IMODE(os.stat(self.path("k.pem")).st_mode), 0o600)
        self.assertIn(b"-----BEGIN EC PRIVATE KEY-----", read(self.path("k.pem")))
        self.assertIn(b"-----BEGIN PUBLIC KEY-----", read(self.path("k.pub.pem")))
        self.assertEqual(v2.key_id(self.point()).hex(), identity)
        self.assertNotEqual(self.keygen("other"), identity)
        self.expect(self.vouch("keygen", "d.x/k", "-p", "p"), ENV, "cannot create")
        self.no_leftovers("k.pem", "k.pub.pem", "other.pem", "other.pub.pem")

    def test_private_whatever_the_mask(self):
        self.expect(self.vouch("keygen", "k.pem", preexec_fn=lambda: os.umask(0)), GOOD)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("k.pem")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("k.pub.pem")).st_mode), 0o666)

    def test_nothing_is_replaced(self):
        for existing in ("k.pem", "k.pub.pem"):
            self.put(existing, "old")
            self.expect(self.vouch("keygen", "k.pem"), ENV, existing + ": exists already")
            self.assertEqual(read(self.path(existing)), b"old")
            self.no_leftovers(existing)
            os.unlink(self.path(existing))
        os.symlink("nowhere", self.path("k.pem"))
        self.expect(self.vouch("keygen", "k.pem"), ENV, "exists already")
        self.expect(self.vouch("keygen", "same", "--public=same"), USAGE)
        # The file is there only once the first half is written.
        done = self.expect(self.vouch("keygen", "same", "-p", "./same"), ENV, "exists already; keygen replaces nothing")
        self.assertNotIn("--force", done.stderr)
        self.no_leftovers("k.pem")

    def test_keys_of_openssl(self):
        def openssl(*argv):
            subprocess.run(["openssl", *argv], cwd=self.dir, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.pem")
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem", "-out", "pkcs8.pem")
        openssl("pkey", "-in", "sec1.pem", "-outform", "DER", "-out", "key.der")
        openssl("pkey", "-in", "sec1.pem", "-pubout", "-out", "pub.pem")
        openssl("pkey", "-in", "sec1.pem", "-pubout", "-outform", "DER", "-out", "pub.der")
        signed = set()
        for key in ("sec1.pem", "pkcs8.pem", "key.der"):
            self.put_image("img", [("a", b"abc")])
            self.expect(self.vouch("sign", "--key", key, "img"), GOOD, "")
            signed.add(read(self.path("img")))
            for pub in ("pub.pem", "pub.der", "sec1.pem"):
                self.expect(self.verify("img", "--key", pub), GOOD)
        self.assertEqual(len(signed), 1)
        openssl("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "p384.pem")
        openssl("genrsa", "-out", "rsa.pem", "1024")
        openssl("pkey", "-in", "sec1.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem")
        for key, text in (("p384.pem", "not an ECDSA key on P-256"), ("rsa.pem", "not an ECDSA key on P-256"),
                          ("pub.pem", "no private key"), ("locked.pem", "encrypted")):
            self.expect(self.vouch("sign", "-k", key, "img"), REFUSED, text)
        for key in ("p384.pem", "rsa.pem", "locked.pem", "img"):
            self.expect(self.verify("img", "-k", key), REFUSED, key)

    def test_reasons_not_to_read_a_key(self):
        def openssl(*argv):
            subprocess.run(["openssl", *argv], cwd=self.dir, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.put_image("img", [("a", b"abc")])
        openssl("genpkey", "-algorithm", "ed25519", "-out", "ed.pem")
        openssl("pkey", "-in", "ed.pem", "-pubout", "-out", "ed.pub")
        openssl("pkey", "-in", "ed.pem", "-outform", "DER", "-out", "ed.der")
        openssl("genpkey", "-algorithm", "x25519", "-out", "x.pem")
        openssl("ecparam", "-name", "prime192v2", "-genkey", "-noout", "-out", "odd.pem")
        for key in ("ed.pem", "x.pem", "odd.pem"):
            for command in ("sign", "verify"):
                self.expect(self.vouch(command, "--key", key, "img"), REFUSED, key + ": not an ECDSA key on P-256", "keygen")
        self.expect(self.vouch("verify", "--key", "ed.pub", "img"), REFUSED, "ed.pub: not an ECDSA key on P-256")
        for command, half in (("sign", "private"), ("verify", "public")):
            for key in ("ed.der", "img"):
                self.expect(self.vouch(command, "--key", key, "img"), REFUSED,
                            "%s: holds no %s key that Vouch reads: ECDSA on P-256, PEM or DER" % (key, half))
        # What the message proposes does it.
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.pem")
        openssl("ec", "-in", "sec1.pem", "-pubout", "-conv_form", "compressed", "-out", "short.pub")
        openssl("ec", "-in", "sec1.pem", "-pubout", "-conv_form", "compressed", "-outform", "DER", "-out", "short.der")
        for key in ("short.pub", "short.der"):
            done = self.expect(self.vouch("verify", "--key", key, "img"), REFUSED, key + ": its point is compressed")
            command = done.stderr.split("'")[1]
            self.assertIn(" -conv_form uncompressed ", command)
            openssl(*command.replace("FILE", "long.pub").split()[1:])
            self.expect(self.vouch("verify", "--key", "long.pub", "img"), REFUSED, "img: refused: ")

    def test_the_document_s_openssl_commands(self):
        identity = self.keygen()
        os.rename(self.path("k.pub.pem"), self.path("pub.pem"))
        self.put_image("image.img", [("a", content(1, CHUNK + 5))])
        self.expect(self.vouch("sign", "-k", "k.pem", "image.img"), GOOD)
        with open(os.path.join(TOP, "docs", "image-format.md"), encoding="utf-8") as f:
            script = re.search(r"(?s)```sh\n(.*?)```", f.read()).group(1)
        self.assertEqual(script.count("openssl"), 3)
        text = self.vouch("inspect", "image.img").stdout
        values = dict(re.findall(r"(?m)^(Signed bytes|  r|  s) +([0-9a-f]+)", text))
        env = dict(os.environ, LEN=values["Signed bytes"], R=values["  r"], S=values["  s"])
        done = self.run_tool("sh", "-ec", script, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "Verified OK\n%s  -\n" % identity)
        env["S"] = env["R"]
        done = self.run_tool("sh", "-c", script, env=env)
        self.assertIn("Verification failure", done.stdout + done.stderr)


class Sign(V2):
    def setUp(self):
        super().setUp()
        self.ids = {name: self.keygen(name) for name in ("a", "b", "c")}

    def signers(self, path="img"):
        return [s["key_id"] for s in self.inspect(path)["signatures"]]

    def test_good(self):
        before = read(self.put_image("img", [("a", b"abc")]))
        done = self.expect(self.vouch("sign", "--key", "a.pem", "img"), GOOD)
        self.assertEqual(done.stdout, "img: signed by %s\n" % self.ids["a"])
        after = read(self.path("img"))
        seal = v2.read(after)["seal"]
        self.assertEqual(after[:seal + 40], before[:seal + 40])
        for pub in ("a.pub.pem", "a.pem"):
            done = self.expect(self.verify("img", "--key", pub), GOOD)
            self.assertIn("SHA-256, signed by a given key", done.stdout)
        self.expect(self.verify("img", "-r", "signed", "-k", "b.pub.pem", "-k", "a.pub.pem"), GOOD)
        self.expect(self.verify("img", "-k", "b.pub.pem"), REFUSED, "no signature by a trusted key")
        self.assertIn("signatures not checked", self.expect(self.verify("img"), GOOD).stdout)
        # The second reader, whose arithmetic is its own, agrees.
        v2.read(after, [self.point("a")])
        with self.assertRaises(v2.Refused):
            v2.read(after, [self.point("b")])

    def test_a_key_is_not_replaced(self):
        self.put_image("img", [("a", b"abc")])
        before = read(self.path("a.pem"))
        for keys in (("-k", "a.pem"), ("-k", "b.pem", "-k", "a.pem")):
            self.expect(self.vouch("sign", *keys, "-o", "a.pem", "img"), USAGE, "a.pem: is also the output file")
        self.assertEqual(read(self.path("a.pem")), before)

    def test_several_and_again(self):
        self.put_image("img", [("a", b"abc")])
        self.expect(self.vouch("sign", "-k", "b.pem", "img"), GOOD)
        once = read(self.path("img"))
        self.expect(self.vouch("sign", "-k", "b.pem", "img"), GOOD)
        self.assertEqual(read(self.path("img")), once)
        self.expect(self.vouch("sign", "-k", "a.pem", "-k", "c.pem", "-o", "all", "img"), GOOD)
        self.assertEqual(read(self.path("img")), once)
        self.assertEqual(self.signers("all"), sorted(self.ids.values()))
        v2.read(read(self.path("all")), [self.point(n) for n in "abc"])
        # In another order they are the same bytes.
        self.put_image("other", [("a", b"abc")])
        for name in "cab":
            self.expect(self.vouch("sign", "-k", name + ".pem", "other"), GOOD)
        self.assertEqual(read(self.path("other")), read(self.path("all")))

    def test_bad_old_signature_of_the_same_key_is_replaced(self):
        self.put_image("img", [("a", b"abc")], signatures=[lambda _: (bytes.fromhex(self.ids["a"]), 5, 6)])
        self.expect(self.verify("img", "-k", "a.pub.pem"), REFUSED, "does not verify")
        self.expect(self.verify("img"), GOOD)
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), GOOD)
        self.expect(self.verify("img", "-k", "a.pub.pem"), GOOD)

    def test_signature_of_the_other_writer(self):
        d = 0x1234567890abcdef
        point = v2.times(d, v2.G)
        der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" "04") + b"".join(
            c.to_bytes(32, "big") for c in point)
        self.put("pub.der", der)
        self.put_image("img", [("a", b"abc")], signatures=[
            lambda digest: (v2.key_id(point), *v2.sign(d, 99, digest))])
        self.expect(self.verify("img", "-k", "pub.der"), GOOD)

    def test_too_many(self):
        foreign = [(bytes([i]) * 32, 1, 1) for i in range(16)]
        self.put_image("img", [("a", b"abc")], signatures=foreign)
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), REFUSED, "would have 17 signatures")
        self.put_image("img", [("a", b"abc")], signatures=foreign[:15])
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), GOOD)
        self.assertEqual(len(self.signers()), 16)

    def test_refusals(self):
        unnamed = read(self.put_image("img", [("a", b"abc")], guest=None))
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), REFUSED, "no vm@name")
        self.assertEqual(read(self.path("img")), unnamed)
        self.put_image("img", [("a", b"abc")], guest="no good")
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), REFUSED, "guest name not allowed")
        for version in (0, 1):
            self.put("old", image([("a", b"abc")], version))
            self.expect(self.vouch("sign", "-k", "a.pem", "old"), REFUSED, "vouch convert")
        self.expect(self.vouch("sign", "img"), USAGE, "--key")
        self.expect(self.vouch("sign", "-k", "a.pem"), USAGE, "no image")
        self.expect(self.vouch("sign", "-k", "gone", "img"), ENV, "gone: cannot open")
        self.expect(self.vouch("sign", "-k", "a.pem", "gone"), ENV, "gone: cannot open")
        self.expect(self.vouch("sign", *["-k", "a.pem"] * 17, "img"), USAGE, "more than 16")

    def test_unnamed_under_signed(self):
        self.put_image("img", [("a", b"abc")], guest=None, signatures=[
            lambda digest: (v2.key_id(v2.times(7, v2.G)), *v2.sign(7, 9, digest))])
        point = v2.times(7, v2.G)
        self.put("pub.der", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" "04")
                 + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))
        self.expect(self.verify("img"), GOOD)
        self.expect(self.verify("img", "-k", "pub.der"), REFUSED, "no vm@name")

    def test_in_place_keeps_the_mode_and_leaves_nothing(self):
        self.put_image("img", [("a", b"abc")])
        os.chmod(self.path("img"), 0o640)
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), GOOD)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("img")).st_mode), 0o640)
        self.no_leftovers("img", *(n + e for n in "abc" for e in (".pem", ".pub.pem")))

    def test_names_do_not_drive_the_terminal(self):
        bad, shown = "a\n\x1b[2Jb\xe9", "a\\x0a\\x1b[2Jb\xe9: "
        self.put_image(bad, [("a", b"abc")])
        for said, argv in (("signed by ", ["sign", "-k", "a.pem"]), ("good: v2", ["verify"])):
            out = self.expect(self.vouch(*argv, bad), GOOD).stdout
            self.assertTrue(out.startswith(shown + said), out)
            self.assertEqual(out.count("\n"), 1)
        out = self.expect(self.vouch("policy", "show", self.make_policy("\x1b\n")), GOOD).stdout
        self.assertIn("/\\x1b\\x0a: policy, version 1\nSHA-256: ", out)
        self.make_linux_image("\x1b\n", 2)
        out = self.expect(self.vouch("measure", "./\x1b\n"), GOOD).stdout
        self.assertTrue(out.startswith("./\\x1b\\x0a: guest demo, "), out)
        self.assertNotIn("\x1b", out)

    def signed_by(self, signer, owner, mode):
        """Owner, group and permissions of an image of owner's that signer (both: user and group) signs in place."""
        os.chmod(self.dir, 0o777)
        shutil.copy(VOUCH, self.path("tool"))
        os.chown(self.path("a.pem"), signer, signer)
        self.put_image("img", [("a", b"abc")])
        os.chown(self.path("img"), owner, owner)
        os.chmod(self.path("img"), mode)

        def become():
            os.setgroups([])
            os.setgid(signer)
            os.setuid(signer)
        done = self.expect(self.run_tool(self.path("tool"), "sign", "-k", "a.pem", "img", preexec_fn=become), GOOD)
        os.unlink(self.path("tool"))
        now = os.stat(self.path("img"))
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)), done.stderr

    @unittest.skipUnless(os.geteuid() == 0, "only root can own for others")
    def test_in_place_keeps_owner_and_group(self):
        self.assertEqual(self.signed_by(0, 65534, 0o640), ((65534, 65534, 0o640), ""))
        self.assertEqual(self.signed_by(65534, 65534, 0o664), ((65534, 65534, 0o664), ""))
        self.assertEqual(self.signed_by(0, 0, 0o4755), ((0, 0, 0o755), ""))

    @unittest.skipUnless(os.geteuid() == 0, "only root can own for others")
    def test_in_place_another_owner_s_file_is_private(self):
        got, said = self.signed_by(65534, 65533, 0o664)
        self.assertEqual(got, (65534, 65534, 0o600))
        self.assertIn("warning: img: cannot keep its owner and group", said)

    def test_levels(self):
        signed = self.put_image("img", [("a", b"abc")], security=5)
        self.expect(self.vouch("sign", "-k", "a.pem", "img"), GOOD)
        plain = self.put_image("plain", [("a", b"abc")], security=5)
        v1 = self.put("v1", image([("a", b"abc")]))
        for options, good in ((["-r", "none"], (signed, plain, v1)), (["-r", "checksum"], (signed, plain, v1)),
                              (["-r", "sha256"], (signed, plain)), (["-k", "a.pub.pem"], (signed,)),
                              (["-r", "none", "-k", "a.pub.pem"], (signed,)), (["-s", "5"], (signed, plain)),
                              (["-s", "6"], ())):
            for path in (signed, plain, v1):
                with self.subTest(options=options, path=path):
                    self.expect(self.verify(path, *options), GOOD if path in good else REFUSED)
        self.expect(self.verify(v1, "-r", "sha256"), REFUSED, "holds no SHA-256 digests")
        self.expect(self.verify(plain, "-k", "a.pub.pem"), REFUSED, "the image is not signed")
        self.expect(self.verify(plain, "-s", "6"), REFUSED, "security version is too low")
        self.expect(self.verify(plain, "-r", "signed"), USAGE, "--key")
        self.expect(self.verify(plain, "-s", "x"), USAGE)

    def test_another_image_with_the_same_key(self):
        """A signature moved to another image, a lower security version put in, a table of another image."""
        one = self.put_image("one", [("a", b"abc")], security=2)
        two = self.put_image("two", [("a", b"abd")], security=3)
        for path in (one, two):
            self.expect(self.vouch("sign", "-k", "a.pem", path), GOOD)
        a, b = read(one), read(two)
        seal = v2.read(a)["seal"]
        for name, mixed, text in (
                ("moved", a[:seal + 64] + b[seal + 64:], "does not verify"),
                ("resealed", b[:seal] + a[seal:], "do not match the seal"),
                ("data", b[:4096] + a[4096:seal] + b[seal:], "file chunk does not match"),
                ("stripped", a[:seal + 40] + bytes(8) + a[seal + 48:seal + 64], "is not signed")):
            self.expect(self.verify(self.put(name, mixed), "-k", "a.pub.pem"), REFUSED, text)


class Convert(V2):
    def test_every_good_vector(self):
        with open(os.path.join(VECTORS, "index.json"), encoding="utf-8") as f:
            rows = json.load(f)
        converted = 0
        for row in rows:
            path = os.path.join(VECTORS, row["name"])
            done = self.vouch("convert", "-o", "new", path)
            if not row["accept"]:
                self.expect(done, REFUSED, "nothing was written")
                continue
            self.expect(done, GOOD)
            old = read(path)
            got = v2.read(read(self.path("new")))
            self.assertEqual(got["xml"], old[12:12 + int.from_bytes(old[8:12], "little")])
            self.expect(self.vouch("extract", "-C", "before", "-f", path), GOOD)
            self.expect(self.vouch("extract", "-C", "after", "-f", "new"), GOOD)
            for name in os.listdir(self.path("before")):
                self.assertEqual(read(self.path("after/" + name)), read(self.path("before/" + name)))
            self.assertEqual(read(self.path("new")), v2.write(got["xml"], [f["content"] for f in got["files"]]))
            converted += 1
        self.assertGreaterEqual(converted, 15)

    def test_same_as_built_at_once(self):
        self.put("k", kernel())
        self.put("i", content(1, 3 * CHUNK + 5))
        self.put("c.xml", '<vm name="x"><files><file id="k" filename="k"/><file id="i" filename="i"/></files></vm>')
        self.expect(self.vouch("build", "-v1", "c.xml", "-o", "one"), GOOD)
        self.expect(self.vouch("build", "-s4", "c.xml", "-o", "two"), GOOD)
        self.expect(self.vouch("convert", "--security-version=4", "one", "--output", "new"), GOOD)
        self.assertEqual(read(self.path("new")), read(self.path("two")))

    def test_refusals(self):
        self.put("v0", image([("a", b"abc")], 0))
        self.put("v1", image([("a", b"abc")], 1))
        self.put_image("v2", [("a", b"abc")])
        self.expect(self.vouch("convert", "v0", "-o", "x"), GOOD, "holds no hashes (v0)")
        self.expect(self.vouch("convert", "v2", "-o", "y"), REFUSED, "version 2 already")
        self.expect(self.vouch("convert", "v1", "-o", "v1"), USAGE, "also the output")
        self.expect(self.vouch("convert", "v1"), USAGE, "no output")
        self.expect(self.vouch("convert", "-o", "x"), USAGE, "no image")
        self.expect(self.vouch("convert", "v1", "v1", "-o", "x"), USAGE, "more than one")
        self.expect(self.vouch("convert", "gone", "-o", "x"), ENV, "gone: cannot open")
        self.expect(self.vouch("convert", "-s", "-1", "v1", "-o", "y"), USAGE, "security version")
        self.no_leftovers("v0", "v1", "v2", "x")
