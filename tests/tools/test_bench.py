# SPDX-License-Identifier: BSD-2-Clause
"""make bench-check's judgement, with made-up figures: what is worse, missing or void must not pass."""

import os
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import exits  # noqa: E402
from qemu import BenchError  # noqa: E402

# tests/boot has a qemu.py of its own, for other tests in this process.
sys.path.pop()
del sys.modules["qemu"]


class FakeRun:
    def __init__(self, text):
        self.text = text


class Table(unittest.TestCase):
    def setUp(self):
        self.found = {machine: {name: 1000.0 + n for n, name in enumerate(exits.KINDS)} for machine in exits.BARE_LOOP}
        kvm = {machine: {name: 2000.0 for name in exits.KINDS} for machine in exits.BARE_LOOP}
        rows = exits.rows(dict(exits.BARE_LOOP), self.found, kvm)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "page.md")
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("a page\n\n| kind | exits |\n" + "".join("| %s |\n" % " | ".join(row) for row in rows))

    def test_same_passes(self):
        self.assertEqual(exits.compare(self.path, self.found), ([], True))

    def test_kvm_may_lack_some(self):
        kvm = {machine: {} for machine in exits.BARE_LOOP}
        self.assertEqual(exits.rows(dict(exits.BARE_LOOP), self.found, kvm)[0],
                         ("CPUID", "QEMU SVM", "1000", "16.4", "", "", "122"))

    def test_two_per_cent(self):
        self.found["Bochs VMX"]["CPUID"] = 1020
        self.assertEqual(exits.compare(self.path, self.found), ([], True))
        self.found["Bochs VMX"]["CPUID"] = 1021
        lines, good = exits.compare(self.path, self.found)
        self.assertFalse(good)
        self.assertEqual(lines, ["WORSE: CPUID on Bochs VMX: 1021.0 instructions, 1000 in %s" % self.path])

    def test_better_is_told(self):
        self.found["QEMU SVM"]["CPUID"] = 500
        lines, good = exits.compare(self.path, self.found)
        self.assertTrue(good)
        self.assertEqual(len(lines), 1)
        self.assertIn("better: CPUID on QEMU SVM", lines[0])

    def test_wake_up_is_left_out(self):
        for name in exits.NO_LOOP:
            self.found["QEMU SVM"][name] *= 3
        self.assertEqual(exits.compare(self.path, self.found), ([], True))

    def test_missing(self):
        del self.found["Bochs SVM"]["WBINVD"]
        with self.assertRaisesRegex(BenchError, "no figure in Vouch for: WBINVD"):
            exits.compare(self.path, self.found)

    def test_missing_row(self):
        with open(self.path, encoding="utf-8") as f:
            text = [line for line in f if not line.startswith("| WBINVD | QEMU SVM ")]
        with open(self.path, "w", encoding="utf-8") as f:
            f.writelines(text)
        with self.assertRaisesRegex(BenchError, "no row for WBINVD on QEMU SVM"):
            exits.compare(self.path, self.found)

    def test_no_table(self):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("a page\n\n| kind | exits |\n")
        with self.assertRaisesRegex(BenchError, "no table"):
            exits.compare(self.path, self.found)


class BareLoop(unittest.TestCase):
    def test_within_two(self):
        for cost in (75, 77, 79):
            self.assertEqual(exits.bare_loop("Bochs VMX", FakeRun("EXIT: bare-loop %d00\n" % cost)), cost)

    def test_void(self):
        for cost in ("7490", "7910"):
            with self.assertRaisesRegex(BenchError, "all ratios are void"):
                exits.bare_loop("Bochs VMX", FakeRun("EXIT: bare-loop %s\n" % cost))

    def test_no_figure(self):
        with self.assertRaisesRegex(BenchError, "no figures"):
            exits.bare_loop("Bochs VMX", FakeRun("FAIL: VMXON\n"))


if __name__ == "__main__":
    unittest.main()
