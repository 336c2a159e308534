# SPDX-License-Identifier: BSD-2-Clause
"""make bench-hash: a small run of it gives both figures and their ratio, and writes its section and nothing else."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import support

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "hash.py")
PAGE = "before\n<!-- made by `make bench-hash` -->\nold\n<!-- end of make bench-hash -->\nbehind\n"


class BenchHash(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page = os.path.join(folder.name, "page.md")
        os.symlink(support.VOUCH, os.path.join(folder.name, "vouch"))
        self.argv = [sys.executable, SCRIPT, "--build", folder.name, "--mib", "3", "--rounds", "1", "--write", self.page]

    def run_on(self, text):
        with open(self.page, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        with open(self.page, encoding="utf-8") as f:
            return done, f.read()

    def test_section(self):
        done, page = self.run_on(PAGE)
        self.assertEqual(done.returncode, 0, done.stderr)
        match = re.search(r"\| `vouch verify` \| [\d.]+ \|\n\| `openssl dgst -sha256`, OpenSSL [^|]+ \| [\d.]+ \|\n\n"
                          r"Vouch over OpenSSL: [\d.]+\n", page)
        self.assertTrue(match, page)
        self.assertTrue(page.startswith("before\n") and page.endswith("behind\n") and "old" not in page)

    def test_without_marks(self):
        done, page = self.run_on("no marks\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"lacks the marks", done.stderr)
        self.assertEqual(page, "no marks\n")
