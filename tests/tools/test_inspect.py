# SPDX-License-Identifier: BSD-2-Clause
"""vouch inspect: text and JSON say what is in the image, and both judge."""

import hashlib
import json
import os

from support import ENV, GOOD, LINUX_XML, REFUSED, VECTORS, ToolTest, image, kernel, read, vectors


class Inspect(ToolTest):
    def json(self, path, status):
        done = self.expect(self.vouch("inspect", "--json", path), status)
        return json.loads(done.stdout)

    def test_linux(self):
        got = self.json(self.make_linux_image(), GOOD)
        data = read(self.path("linux.img"))
        self.assertEqual((got["image"], got["size"], got["version"], got["verdict"], got["integrity"], got["error"]),
                         (self.path("linux.img"), len(data), 1, "good", "checksum", None))
        self.assertEqual([f["id"] for f in got["files"]], ["k", "i"])
        for f, content in zip(got["files"], (kernel(), b"initrd" * 100)):
            self.assertEqual(f["sha256"], hashlib.sha256(content).hexdigest())
            self.assertEqual(int(f["hash"], 16), vectors.v1_hash(content))
            self.assertEqual(data[f["offset"]:f["offset"] + f["size"]], content)
        config = got["configuration"]
        self.assertEqual((config["verdict"], config["error"], config["name"], config["memory_mib"], config["cores"]),
                         ("good", None, "demo", 64, 1))
        self.assertEqual(config["boot"], {"kernel": "k", "initrd": "i", "cmdline": "console=ttyS0"})
        for device in ("8259A", "8254_PIT", "LAPIC", "IOAPIC", "COM1"):
            self.assertIn(device, config["devices"])
        self.assertEqual((config["kernel"]["protocol"], config["kernel"]["relocatable"], config["kernel"]["init_size"]),
                         ("2.15", True, 1 << 20))
        self.assertEqual(int(config["layout"]["kernel"], 16), 0x1000000)
        self.assertEqual(int(config["layout"]["initrd"], 16) % 4096, 0)

    def test_text(self):
        out = self.expect(self.vouch("inspect", self.make_linux_image()), GOOD).stdout
        for text in ("v3vee version 1", "good, checksum", hashlib.sha256(kernel()).hexdigest(), "demo", "64 MiB",
                     "console=ttyS0", "Linux boot protocol 2.15", "Configuration good"):
            self.assertIn(text, out)

    def test_name_of_the_image(self):
        """As messages show it: what prints in UTF-8 as it is, the rest escaped."""
        os.rename(self.make_linux_image(), os.fsencode(self.path("")) + b"\xc3\xbc \xff\x1b.img")
        done = self.expect(self.vouch("inspect", b"\xc3\xbc \xff\x1b.img"), GOOD)
        self.assertEqual(done.stdout.split("\n")[0], "Image         \u00fc \\xff\\x1b.img")

    def test_container_refused(self):
        path = os.path.join(VECTORS, "invalid", "hash.img")
        got = self.json(path, REFUSED)
        self.assertEqual((got["verdict"], got["error"]["code"]), ("refused", "IMG_ERR_HASH"))
        self.assertIn("does not match", got["error"]["text"])
        self.assertIsInstance(got["error"]["offset"], int)
        self.assertNotIn("files", got)
        done = self.expect(self.vouch("inspect", path), REFUSED, "hash.img: refused: offset 0x")
        self.assertEqual(done.stdout, "")

    def test_configuration_refused(self):
        path = os.path.join(VECTORS, "golden", "one-v0.img")
        got = self.json(path, REFUSED)
        self.assertEqual((got["verdict"], got["integrity"], got["files"][0]["hash"]), ("good", "none", None))
        self.assertEqual(got["configuration"]["verdict"], "refused")
        self.assertTrue(got["configuration"]["error"]["code"].startswith("IMG_ERR_"))
        done = self.expect(self.vouch("inspect", path), REFUSED, "configuration refused: ")
        self.assertIn("holds no hashes (v0)", done.stdout)
        self.assertIn("Configuration refused", done.stdout)

    def build_linux(self, xml=LINUX_XML, k=None):
        self.put("k", k or kernel())
        self.put("i", b"initrd")
        self.put("c.xml", xml)
        self.expect(self.vouch("build", "c.xml", "-o", "img"), GOOD)
        return self.json("img", REFUSED)["configuration"]

    def test_kernel_refused(self):
        got = self.build_linux(k=b"no kernel" * 1000)
        self.assertEqual(got["error"]["code"], "IMG_ERR_BZ_MAGIC")
        self.assertEqual(got["memory_mib"], 64)
        self.assertNotIn("kernel", got)
        self.assertEqual(self.build_linux(k=kernel(protocol=0x20b))["error"]["code"], "IMG_ERR_BZ_PROTOCOL")

    def test_too_little_memory(self):
        got = self.build_linux(k=kernel(init_size=60 << 20))
        self.assertEqual(got["error"]["code"], "IMG_ERR_MEMORY_SMALL")
        self.assertNotIn("layout", got)
        self.assertIn("77 MiB", got["error"]["text"])

    def test_device_refused_by_name(self):
        got = self.build_linux(LINUX_XML.replace("<boot", "<devices><device class='IDE' id='x'/></devices><boot"))
        self.assertEqual(got["error"]["code"], "IMG_ERR_CFG_DEVICE_CLASS")
        self.assertIn("IDE", got["error"]["text"])

    def test_strings_are_json(self):
        ids = ["quote\"back\\slash", "tab\tnew\nline", "\u00e9\u20ac\U0001f600", "\x7f\x85"]
        got = json.loads(self.vouch("inspect", "-j", self.put("img", image([(i, b"") for i in ids]))).stdout)
        self.assertEqual([f["id"] for f in got["files"]], [i.replace("\x85", "\ufffd\ufffd") for i in ids])

    def test_unreadable(self):
        for argv in (["inspect", "gone"], ["inspect", "--json", "gone"]):
            done = self.expect(self.vouch(*argv), ENV, "gone: cannot open")
            self.assertEqual(done.stdout, "")
