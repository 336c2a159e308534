# SPDX-License-Identifier: BSD-2-Clause
"""What is true of a boot as a whole: vouch iso, menu, run and measure say the same of it, and write nothing that is vain."""

import os
import shutil
import unittest

from support import ENV, GOOD, REFUSED, USAGE, ToolTest, linux

MODULES = 64
LENGTH = 1023


class Entry(ToolTest):
    def setUp(self):
        super().setUp()
        self.elf = self.put("some.elf", b"not really a hypervisor")
        self.put("good.img", linux())
        self.put("v0.img", linux(version=0))
        os.mkdir(self.path("root"))

    def each(self, *argv):
        """(what was asked, what came of it). Where ISO or menu would be written, nothing is there after a refusal."""
        for command in (["iso", "-o", "x.iso", "-H", self.elf], ["menu", "-H", self.elf],
                        ["menu", "-i", "-r", "root", "-H", self.elf], ["run", "-d"], ["measure"]):
            with self.subTest(command=command, argv=argv[:4]):
                if os.path.exists(self.path("x.iso")):
                    os.unlink(self.path("x.iso"))
                # An ISO takes its time, and GRUB is not needed to say no.
                env = dict(os.environ, PATH="/nonesuch") if command[0] == "iso" else None
                done = self.vouch(*command, *argv, env=env)
                if command[0] == "iso" and done.returncode == ENV:
                    self.assertIn("grub-mkrescue", done.stderr)
                    done.returncode = GOOD
                yield command, done
                if done.returncode != GOOD:
                    self.assertEqual(done.stdout, "")
                    self.assertEqual(os.listdir(self.path("root")), [])
                    self.assertFalse(os.path.exists(self.path("x.iso")))
                shutil.rmtree(self.path("root"))
                os.mkdir(self.path("root"))

    def test_bad_integrity(self):
        for _, done in self.each("-c", "integrity=sha265 contrl=com2", "good.img"):
            self.expect(done, REFUSED, "option integrity=sha265: its values are none, checksum",
                        "unknown option or bad value: contrl=com2")
        for _, done in self.each("-c", "integrity=nonesuch", "v0.img"):
            self.expect(done, REFUSED, "integrity=nonesuch")

    def test_unknown_option(self):
        for _, done in self.each("-c", "console=com1 contrl=com2 cpus=x", "good.img"):
            self.expect(done, GOOD, "warning: unknown option or bad value: contrl=com2", "bad value: cpus=x")
        for _, done in self.each("-c", "console=com1 control=com2 end=halt", "good.img"):
            self.assertEqual(self.expect(done, GOOD).stderr.replace("vouch: error: grub-mkrescue", "").count("warning"), 0)

    def test_length(self):
        # GRUB doubles each of these: their number counts, not that of the characters typed.
        for words, status in (("x" * LENGTH, GOOD), ("x" * (LENGTH + 1), USAGE), ("  " + "x" * LENGTH + "  ", GOOD),
                              ("x" * (LENGTH - 1) + "'", USAGE), ("x" * 1500, USAGE)):
            for _, done in self.each("-c", words, "good.img"):
                self.expect(done, status, *(["Vouch takes 1023"] if status else []))
        # What run adds of its own counts too.
        done = self.vouch("run", "-d", "-C", "ctl", "-c", "x" * LENGTH, "good.img")
        self.expect(done, USAGE, "the command line has 1036 bytes")

    def test_modules(self):
        for count, status in ((MODULES, GOOD), (MODULES + 1, USAGE)):
            names = ["i%d.img" % i for i in range(count)]
            for i, name in enumerate(names):
                self.put(name, linux(b"%d" % i))
            for command, done in self.each(*names):
                self.expect(done, status, *(["65 images; Vouch takes 64 modules"] if status else []))

    def test_policy_is_a_module(self):
        policy = self.make_policy()
        names = ["good.img"] * MODULES
        for _, done in self.each("-p", policy, *names):
            self.expect(done, USAGE, "64 images and a policy; Vouch takes 64 modules")

    def test_level(self):
        policy = self.make_policy()
        for argv, text in ((["good.img", "-p", policy], "good.img: holds checksums only (v1): Vouch refuses it, sha256"),
                           (["good.img", "-c", "integrity=sha256"], "good.img: holds checksums only"),
                           (["v0.img", "-c", "integrity=none", "-p", policy], "the policy demands sha256"),
                           (["v0.img", "-c", "xintegrity=none"], "unless --cmdline has integrity=none"),
                           (["v0.img"], "unless --cmdline has integrity=none")):
            for command, done in self.each(*argv):
                if command[0] == "measure":
                    self.expect(done, REFUSED)
                else:
                    self.expect(done, GOOD, "warning: ", text)
        for command, done in self.each("v0.img", "-c", "integrity=none"):
            self.assertNotIn("holds no hashes", self.expect(done, GOOD).stderr)
        self.expect(self.vouch("build", "-o", "v2.img", self.make_xml()), GOOD)
        for command, done in self.each("v2.img", "-c", "integrity=signed"):
            if command[0] == "measure":
                self.expect(done, REFUSED)
            else:
                self.expect(done, GOOD, "v2.img: is not signed: Vouch refuses it, signed is demanded")

    def sparse(self, name, size):
        """A good image of version 1 of this many bytes, nearly all of them zeros behind its files."""
        self.put(name, linux())
        os.truncate(self.path(name), size)
        return name

    def test_image_too_large_for_a_copy(self):
        """Its digest is that of the whole, so Vouch takes a copy in one block: 1 GiB at most, whatever the machine has."""
        for command, done in self.each(self.sparse("large.img", (1 << 30) + 1)):
            if command[0] == "iso":
                self.expect(done, GOOD, "Vouch will refuse this image: ", "larger than 1 GiB")
            else:
                self.expect(done, REFUSED, "large.img: refused: offset 0x40000000: image of version 0 or 1 larger than 1 GiB",
                            "'vouch convert' makes it version 2")
        self.expect(self.vouch("inspect", "large.img"), REFUSED, "larger than 1 GiB")
        self.expect(self.vouch("verify", "large.img"), GOOD)
        self.expect(self.vouch("convert", "-o", "v2.img", "large.img"), GOOD)
        self.expect(self.vouch("menu", "-H", self.elf, "v2.img"), GOOD)

    def test_memory_for_the_copy(self):
        for size, copy in ((3 << 20, 4), (4 << 20, 4), ((4 << 20) + 1, 8), (1 << 30, 1024)):
            self.sparse("copied.img", size)
            line = self.expect(self.vouch("run", "-d", "copied.img"), GOOD).stdout
            self.assertIn(" -m %dM " % (512 + 64 + (size >> 20) + copy + 1), line)
        self.expect(self.vouch("convert", "-o", "v2.img", "copied.img"), GOOD)
        self.assertIn(" -m 577M ", self.expect(self.vouch("run", "-d", "v2.img"), GOOD).stdout)

    def make_xml(self):
        self.make_linux_image()
        return self.path("linux.xml")


if __name__ == "__main__":
    unittest.main()
