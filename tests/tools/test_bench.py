# SPDX-License-Identifier: BSD-2-Clause
"""make bench-check's judgement, with made-up figures: what is worse, missing or void must not pass."""

import os
import struct
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import exits  # noqa: E402
import kept  # noqa: E402
import xen  # noqa: E402
from qemu import BenchError, Run  # noqa: E402

# tests/boot has a qemu.py of its own, for other tests in this process.
sys.path.pop()
del sys.modules["qemu"]


class FakeRun:
    def __init__(self, text):
        self.text = text


class Table(unittest.TestCase):
    def setUp(self):
        self.found = {machine: {name: (60.0 if goals else 400.0) + n for n, (name, (_, goals)) in enumerate(exits.KINDS.items())}
                      for machine in exits.BARE_LOOP}
        self.plain = {machine: {name: cost - 10 for name, cost in found.items() if name not in exits.NO_LOOP}
                      for machine, found in self.found.items()}
        kvm = {machine: {name: 2000.0 for name in exits.KINDS} for machine in exits.BARE_LOOP}
        rows = exits.rows(dict(exits.BARE_LOOP), self.found, self.plain, kvm, {"QEMU SVM": {"CPUID": 5000.0}})
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "page.md")
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("a page\n\n| kind | exits |\n" + "".join("| %s |\n" % " | ".join(row) for row in rows))

    def test_same_passes(self):
        self.assertEqual(exits.compare(self.path, self.found, self.plain), ([], True))

    def test_peers_may_lack_some(self):
        self.assertEqual(exits.rows(dict(exits.BARE_LOOP), self.found, self.plain, {}, {})[0],
                         ("CPUID", "QEMU SVM", "60", "50", "1.0", "", "", "", "", "122"))
        rows = exits.rows(dict(exits.BARE_LOOP), self.found, self.plain, {}, {"QEMU SVM": {"CPUID": 5000.0}})
        self.assertEqual(rows[0], ("CPUID", "QEMU SVM", "60", "50", "1.0", "", "", "5000", "0.01", "122"))

    def test_two_per_cent(self):
        was = self.found["Bochs VMX"]["WBINVD"]
        self.found["Bochs VMX"]["WBINVD"] = was * 1.02
        self.assertEqual(exits.compare(self.path, self.found, self.plain), ([], True))
        self.found["Bochs VMX"]["WBINVD"] = was * 1.02 + 1
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertFalse(good)
        self.assertEqual(lines, ["WORSE: WBINVD on Bochs VMX: %.1f instructions, %.0f in %s" % (was * 1.02 + 1, was, self.path)])

    def test_without_mitigations(self):
        self.plain["Bochs VMX"]["CPUID"] = 59
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertFalse(good)
        self.assertEqual(lines, ["WORSE: CPUID on Bochs VMX with mitigations=off: 59.0 instructions, 50 in %s" % self.path])
        del self.plain["Bochs VMX"]["CPUID"]
        with self.assertRaisesRegex(BenchError, "no figure in Vouch for: CPUID"):
            exits.compare(self.path, self.found, self.plain)

    def test_better_is_told(self):
        self.found["QEMU SVM"]["CPUID"] = 30
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertTrue(good)
        self.assertEqual(len(lines), 1)
        self.assertIn("better: CPUID on QEMU SVM", lines[0])

    def test_waking_up(self):
        for name in exits.NO_LOOP:
            self.found["QEMU SVM"][name] *= 1.03
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertFalse(good)
        self.assertEqual(len(lines), len(exits.NO_LOOP))

    def in_table(self, old, new):
        with open(self.path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(old, text)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def test_goal_holds_whatever_the_table_says(self):
        self.in_table("| CPUID | Bochs VMX | 60 |", "| CPUID | Bochs VMX | 500 |")
        self.in_table("| 96 |", "| 500 |")
        self.found["Bochs VMX"]["CPUID"] = 97.0
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertFalse(good)
        self.assertIn("OVER ITS GOAL: CPUID on Bochs VMX: 97.0 instructions, 96 are allowed", lines)

    def test_goal_that_is_a_share(self):
        self.in_table("| HLT to timer wake-up, work | QEMU SVM | 4", "| HLT to timer wake-up, work | QEMU SVM | 5")
        self.found["QEMU SVM"]["wake-work"] = 501.0
        lines, good = exits.compare(self.path, self.found, self.plain)
        self.assertFalse(good)
        self.assertEqual(lines[-1], "OVER ITS GOAL: HLT to timer wake-up, work on QEMU SVM: 501.0 instructions, 500 are allowed")

    def test_missing(self):
        del self.found["Bochs SVM"]["WBINVD"]
        with self.assertRaisesRegex(BenchError, "no figure in Vouch for: WBINVD"):
            exits.compare(self.path, self.found, self.plain)

    def test_missing_row(self):
        with open(self.path, encoding="utf-8") as f:
            text = [line for line in f if not line.startswith("| WBINVD | QEMU SVM ")]
        with open(self.path, "w", encoding="utf-8") as f:
            f.writelines(text)
        with self.assertRaisesRegex(BenchError, "no figure for WBINVD on QEMU SVM"):
            exits.compare(self.path, self.found, self.plain)

    def test_no_table(self):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("a page\n\n| kind | exits |\n")
        with self.assertRaisesRegex(BenchError, "no table"):
            exits.compare(self.path, self.found, self.plain)


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


class Marks(unittest.TestCase):
    """What the counting plugin printed at two addresses: (address, of the host, of the guest, entries)."""

    def setUp(self):
        self.run = Run.__new__(Run)
        self.run.text = ""
        self.run.marks = [(1, 100, 0, 0), (1, 200, 5, 1), (1, 300, 50, 4), (2, 360, 90, 9), (2, 999, 999, 99)]

    def test_first_and_last_start_in_a_guest(self):
        self.assertEqual(self.run.between(1, 2, True), (60, 40, 5))
        self.assertEqual(self.run.between(1, 2, True, 0), (160, 85, 8))

    def test_start_outside(self):
        self.assertEqual(self.run.between(1, 2, False), (260, 90, 9))

    def test_not_reached(self):
        for start, end in ((3, 2), (1, 3)):
            with self.assertRaisesRegex(BenchError, "not reached"):
                self.run.between(start, end, True)


class KeptParts(unittest.TestCase):
    def test_goes_on_where_it_ended(self):
        with tempfile.TemporaryDirectory() as folder:
            path, source = os.path.join(folder, "kept.json"), os.path.join(folder, "elf")
            with open(source, "w", encoding="utf-8") as f:
                f.write("one")
            kept.Kept(path).part("a", [source], lambda: {"x": [1, 2.5]})
            again = kept.Kept(path)
            self.assertEqual(again.part("a", [source], lambda: self.fail("measured again")), {"x": [1, 2.5]})
            with open(source, "w", encoding="utf-8") as f:
                f.write("two")
            self.assertEqual(again.part("a", [source], lambda: 3), 3)
            again.forget()
            self.assertEqual(kept.Kept(path).part("a", [source], lambda: 4), 4)


class Dom0(unittest.TestCase):
    def test_is_entered_with_boot_params(self):
        kernel = bytearray(8 * 512) + b"PAYLOAD"
        kernel[0x1F1] = 7                       # setup_sects
        kernel[0x201] = 0x66                    # where the header ends
        struct.pack_into("<QI", kernel, 0x258, 0x1000000, 0x8000)
        with tempfile.NamedTemporaryFile() as f:
            f.write(kernel)
            f.flush()
            elf = xen.dom0(f.name, "a b")
        entry, at, count = struct.unpack_from("<Q", elf, 24)[0], struct.unpack_from("<Q", elf, 32)[0], elf[56]
        parts = [struct.unpack_from("<IIQQQQQQ", elf, at + 56 * i) for i in range(count)]
        self.assertEqual([p[0] for p in parts], [4, 1, 1])
        note = elf[parts[0][2]:][:parts[0][5]]
        self.assertEqual(struct.unpack("<III4sI", note), (4, 4, 18, b"Xen\0", entry))
        low = elf[parts[1][2]:][:parts[1][5]]
        self.assertEqual(parts[1][4], entry)
        params = low[0x1000:0x2000]
        self.assertEqual(params[0x1F1], 7)
        self.assertEqual(struct.unpack_from("<QQI", params, 0x2D0), (0, 0x9F000, 1))
        text = struct.unpack_from("<I", params, 0x228)[0] - entry
        self.assertEqual(low[text:], b"a b\0")
        self.assertEqual(elf[parts[2][2]:][:parts[2][5]], b"PAYLOAD")
        self.assertEqual(parts[2][4:7], (0x1000000, 7, 0x8000))


if __name__ == "__main__":
    unittest.main()
