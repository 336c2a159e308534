# SPDX-License-Identifier: BSD-2-Clause
"""vouch extract: the right bytes, under names that stay in the directory, and only from good images."""

import os

from support import ENV, GOOD, REFUSED, USAGE, VECTORS, ToolTest, image, read

HOSTILE = ["../x", "/etc/x", "..", ".", "a/b", ".hidden", "%2e", "-rf", "sp ace", "new\nline", "\u00e9", "a\x7f",
           "%file-0", "L" * 255, "/" * 255, "\\", "*", "~", "nul"]


class Extract(ToolTest):
    def test_all_and_some(self):
        img = self.put("img", image([("one", b"1" * 3000000), ("two", b""), ("three", b"333")]))
        done = self.expect(self.vouch("extract", img, "-C", "out"), GOOD)
        self.assertEqual(done.stdout, "out/one\nout/two\nout/three\n")
        self.assertEqual([read(self.path("out/" + n)) for n in ("one", "two", "three")], [b"1" * 3000000, b"", b"333"])
        self.expect(self.vouch("extract", "--directory=some", img, "three"), GOOD)
        self.assertEqual(os.listdir(self.path("some")), ["three"])
        os.mkdir(self.path("cwd"))
        self.expect(self.vouch("extract", img, "three", "two", cwd=self.path("cwd")), GOOD)
        self.assertEqual(sorted(os.listdir(self.path("cwd"))), ["three", "two"])

    def test_all_of_the_directory_is_made(self):
        img = self.put("img", image([("a", b"1")]))
        os.mkdir(self.path("there"))
        os.symlink("there", self.path("link"))
        for given, made in (("p/q/r", "p/q/r"), ("p/q/s//t/", "p/q/s/t"), ("./u/../v/w", "v/w"), ("link/x/y", "there/x/y"),
                            (self.path("abs/z"), "abs/z"), ("//" + self.path("two"), "two")):
            with self.subTest(given=given):
                self.assertEqual(self.expect(self.vouch("extract", img, "-C", given), GOOD).stdout, given + "/a\n")
                self.assertEqual(read(self.path(made + "/a")), b"1")
        # Not for an image that is refused, or for an id that it lacks.
        self.put("bad", image([("a", b"1")])[:-1])
        self.expect(self.vouch("extract", "bad", "-C", "n/m"), REFUSED)
        self.expect(self.vouch("extract", img, "b", "-C", "n/m"), USAGE)
        self.assertFalse(os.path.exists(self.path("n")))

    def test_roundtrip(self):
        self.expect(self.vouch("extract", os.path.join(VECTORS, "golden", "three-v1.img"), "-C", "out"), GOOD)
        for name, source in (("first", "a.bin"), ("second", "b.bin"), ("third", "c.bin")):
            self.assertEqual(read(self.path("out/" + name)), read(os.path.join(VECTORS, "src", source)))

    def test_hostile_ids(self):
        img = self.put("img", image([(i, i.encode()) for i in HOSTILE]))
        before = set(os.listdir("/etc"))
        os.mkdir(self.path("in"))
        self.expect(self.vouch("extract", img, "-C", "in/out"), GOOD)
        self.no_leftovers("img", "in")
        self.assertEqual(os.listdir(self.path("in")), ["out"])
        self.assertEqual(set(os.listdir("/etc")), before)
        names = os.listdir(self.path("in/out"))
        self.assertEqual(sorted(read(self.path("in/out/" + n)) for n in names), sorted(i.encode() for i in HOSTILE))
        for name in names:
            self.assertRegex(name, r"\A[A-Za-z0-9_%-][A-Za-z0-9._%-]*\Z")
        self.assertIn("%2E.%2Fx", names)
        self.assertIn("%%file-%d" % HOSTILE.index("/" * 255), names)

    def test_a_hostile_id_can_be_asked_for(self):
        img = self.put("img", image([("../x", b"1"), ("b", b"2")]))
        self.expect(self.vouch("extract", img, "-C", "out", "../x"), GOOD)
        self.assertEqual(os.listdir(self.path("out")), ["%2E.%2Fx"])

    def test_unknown_id_writes_nothing(self):
        img = self.put("img", image([("a", b"1")]))
        self.expect(self.vouch("extract", img, "-C", "out", "a", "b"), USAGE, "holds no file 'b'")
        self.no_leftovers("img")

    def test_bad_image_writes_nothing(self):
        bad = bytearray(image([("a", b"1"), ("b", b"2")]))
        bad[-1] ^= 1
        self.put("img", bytes(bad))
        self.expect(self.vouch("extract", "img", "-C", "out"), REFUSED, "nothing was written")
        self.expect(self.vouch("extract", "img", "-C", "out", "a"), REFUSED, "nothing was written")
        self.no_leftovers("img")

    def test_existing_files_stay(self):
        img = self.put("img", image([("a", b"new")]))
        self.put("target", "old")
        self.put("a", "old")
        self.expect(self.vouch("extract", img), ENV, "a: exists already", "--force")
        self.assertEqual(read(self.path("a")), b"old")
        self.expect(self.vouch("extract", "--force", img), GOOD)
        self.assertEqual(read(self.path("a")), b"new")
        # A link is never followed: not out of the directory, not even by force.
        os.unlink(self.path("a"))
        os.symlink("target", self.path("a"))
        self.expect(self.vouch("extract", img), ENV, "exists already")
        self.expect(self.vouch("extract", "-f", img), GOOD)
        self.assertFalse(os.path.islink(self.path("a")))
        self.assertEqual((read(self.path("a")), read(self.path("target"))), (b"new", b"old"))
        self.no_leftovers("img", "target", "a")

    def test_v0_says_so(self):
        self.put("img", image([("a", b"1")], 0))
        self.expect(self.vouch("extract", "img", "-C", "out"), GOOD, "not verified")

    def test_environment(self):
        img = self.put("img", image([("a", b"1")]))
        self.expect(self.vouch("extract", "gone"), ENV, "gone: cannot open")
        self.expect(self.vouch("extract", img, "-C", "img/such"), ENV, "img: cannot make this directory: File exists")
        os.symlink("nowhere", self.path("dangling"))
        self.expect(self.vouch("extract", img, "-C", "dangling/such"), ENV, "dangling: cannot make", "File exists")
        self.expect(self.vouch("extract", img, "-C", ""), ENV, ": cannot make")
        self.expect(self.vouch("extract", img, "-C", "new/" + "x" * 256 + "/y"), ENV, "xxx: cannot make", "too long")
        self.expect(self.vouch("extract", img, "-C", "img"), ENV, "img: cannot make")
