# SPDX-License-Identifier: BSD-2-Clause
"""Callers who have closed standard input, output or errors: no message gets into a file that takes the number."""

import itertools
import unittest

from support import BUILD_VM, ENV, GOOD, LINUX_XML, REFUSED, VOUCH, ToolTest, kernel, needs, read

CLOSED = [" ".join(some) for n in range(4) for some in itertools.combinations(("<&-", ">&-", "2>&-"), n)]


class Streams(ToolTest):
    def setUp(self):
        super().setUp()
        self.put("k", kernel())
        self.put("i", b"initrd" * 100)
        # Written with a warning.
        self.put("c.xml", LINUX_XML.replace("<vm ", "<?odd it?><vm ", 1))

    def closed(self, which, *argv):
        return self.run_tool("sh", "-c", 'exec "$0" "$@" ' + which, *argv)

    def test_image(self):
        for program in ((VOUCH, "build", "-v1"), (BUILD_VM,)):
            self.expect(self.run_tool(*program, "c.xml", "-o", "good.img"), GOOD, "warning")
            for which in CLOSED:
                with self.subTest(program=program, closed=which):
                    done = self.closed(which, *program, "c.xml", "-o", "x.img")
                    self.assertEqual((done.returncode, "warning" in done.stderr), (GOOD, "2>" not in which), done.stderr)
                    self.assertEqual(read(self.path("x.img")), read(self.path("good.img")))

    @needs("dtc")
    def test_policy(self):
        good = read(self.make_policy())
        for which in CLOSED:
            with self.subTest(closed=which):
                done = self.closed(which, VOUCH, "policy", "compile", "-o", "x.dtb", "p.dts")
                self.assertEqual(done.returncode, GOOD, done.stderr)
                self.assertEqual(read(self.path("x.dtb")), good)

    def test_status(self):
        """What cannot be printed is an error still; a verdict is one without any message."""
        self.make_linux_image("good.img", 2)
        for which in CLOSED:
            with self.subTest(closed=which):
                status = ENV if " >" in " " + which else GOOD
                self.assertEqual(self.closed(which, VOUCH, "verify", "good.img").returncode, status)
                self.assertEqual(self.closed(which, VOUCH, "extract", "-f", "-C", "out", "good.img").returncode, status)
                self.assertEqual(read(self.path("out/i")), b"initrd" * 100)
                self.assertEqual(self.closed(which, VOUCH, "verify", "-q", "k").returncode, REFUSED)


if __name__ == "__main__":
    unittest.main()
