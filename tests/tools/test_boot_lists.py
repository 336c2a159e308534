# SPDX-License-Identifier: BSD-2-Clause
"""The judge of the boot tests, without a machine: which test runs where, and what a known bug of an emulator excuses."""

import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot"))
import run  # noqa: E402

LIST = """
[plain]
kind = guest
[both]
machines = qemu-svm bochs-vmx
kind = guest
emulator-bug =
    bochs-svm bochs-vmx: broken check -> it holds
    bochs-svm: Bochs ended by a panic -> it goes on
[own-cpu]
machines = bochs-vmx
cpu = core2
"""
GOOD = "PASS: one\nPASS: two\nSUMMARY: 2 passed, 0 failed\n"
ONE_BAD = "PASS: one\nFAIL: a broken check\nSUMMARY: 1 passed, 1 failed\n"
TWO_BAD = "PASS: one\nFAIL: a broken check\nFAIL: another\nSUMMARY: 1 passed, 2 failed\n"


class Slow:
    """A machine whose words arrive letter by letter; `answers` follow what is typed, each once."""
    what, ended = "machine", False

    def __init__(self, said, answers=()):
        self.said, self.answers, self.typed = said, list(answers), []

    def wait_text(self, test, limit):
        """As Machine's, with no time to wait for more than what has been said."""
        for n in range(len(self.said) + 1):
            match = test(self.said[:n])
            if match:
                return match
        return None

    def send(self, data):
        self.typed.append(data)
        self.said += self.answers.pop(0)


class Scripts(unittest.TestCase):
    def play(self, machine, script, *forbidden):
        return run.run_script(machine, script, forbidden, time.monotonic() + 60)

    def test_forbidden_is_a_line(self):
        """What ends otherwise than it began is judged when it has ended."""
        machine = Slow("one\npanic: as it must be\ntwo\n")
        self.play(machine, "= ^two$", "panic: (?!as it must be)")
        self.assertRaises(run.Failure, self.play, machine, "= ^two$", "panic: (?!as it mustn't be)")

    def test_until(self):
        machine = Slow("", ["state: running\n", "state: stop", "ped\nstate: stopped\n", "end\n"])
        self.play(machine, "u > list -> ^state: stopped$\n> quit\n= ^end$")
        self.assertEqual(machine.typed, [b"list\n"] * 3 + [b"quit\n"])
        self.assertRaises(run.Failure, self.play, Slow(""), "u % list -> x")

    def test_until_time_is_up(self):
        machine = Slow("", ["no\n"] * 9)
        self.assertRaises(run.Failure, run.run_script, machine, "u > list -> ^yes$", (), time.monotonic() - 1)
        self.assertEqual(len(machine.typed), 1)


class BootLists(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vouch-test-")
        self.addCleanup(shutil.rmtree, self.dir)
        path = os.path.join(self.dir, "list.cfg")
        with open(path, "w", encoding="utf-8") as f:
            f.write(LIST)
        self.lists = run.Lists(path, self.dir)

    def judge(self, machine, text="", why=None):
        """(passed, failed, known) and the first word of the message, for a transcript or a failure of the whole test."""
        test = run.Test(self.lists, "both", machine, self.dir, self.dir)
        passed, failed = 0, 1
        if why is None:
            try:
                passed, failed = test.judge_counts(text), 0
            except run.Failure as e:
                why, passed, failed = str(e), e.passed, e.failed
        passed, failed, known, message = test.verdict(passed, failed, why, 0)
        return passed, failed, known, message.split()[0]

    def test_counts(self):
        self.assertEqual(self.judge("qemu-svm", GOOD), (2, 0, 0, "PASS"))
        self.assertEqual(self.judge("qemu-svm", ONE_BAD), (1, 1, 0, "FAIL"))
        self.assertEqual(self.judge("qemu-svm", "PASS: one\n"), (0, 1, 0, "FAIL"))
        for wrong in ("1 passed, 0", "3 passed, 0", "2 passed, 1"):
            self.assertEqual(self.judge("qemu-svm", GOOD.replace("2 passed, 0", wrong))[3], "FAIL")
        self.assertEqual(self.judge("bochs-vmx", ONE_BAD.replace("1 failed", "0 failed"))[3], "FAIL")

    def test_keys(self):
        def lists(text):
            path = os.path.join(self.dir, "keys.cfg")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            return run.Lists(path, self.dir)

        lists("[DEFAULT]\ntimeout = 1\n[image one]\nkernel = k\n[test]\nscript = x\n")
        for bad in ("[test]\nscirpt = x\n", "[image one]\nkernal = k\n", "[image one]\nscript = x\n", "[test]\nkernel = k\n",
                    "[DEFAULT]\nforbidden = x\n[test]\nscript = x\n"):
            with self.assertRaises(SystemExit):
                lists(bad)

    def test_known_check(self):
        self.assertEqual(self.judge("bochs-vmx", ONE_BAD), (1, 0, 1, "PASS"))
        self.assertEqual(self.judge("bochs-vmx-haswell", ONE_BAD), (1, 0, 1, "PASS"))
        self.assertEqual(self.judge("bochs-vmx", TWO_BAD), (1, 1, 0, "FAIL"))
        self.assertEqual(self.judge("bochs-vmx", GOOD), (2, 1, 0, "FAIL"))      # the list is wrong

    def test_known_end(self):
        self.assertEqual(self.judge("bochs-svm", why="Bochs ended by a panic"), (0, 1, 0, "FAIL"))  # the other is not shown
        self.assertEqual(self.judge("qemu-svm", why="Bochs ended by a panic"), (0, 1, 0, "FAIL"))
        self.assertEqual(self.judge("bochs-vmx", why="time is up before: broken check"), (0, 0, 1, "KNOWN"))

    def test_time(self):
        """Test kernels count instructions, where nothing else is said; boots don't."""
        def clock(name, **keys):
            self.lists.cfg[name].update(keys)
            return run.Test(self.lists, name, "qemu-svm", self.dir, self.dir).clock()

        self.assertEqual(clock("plain"), "counted")
        self.assertEqual(clock("plain", qemu="-icount shift=0,sleep=off"), "real")      # its own
        self.assertEqual(clock("both", tpm="tis"), "real")
        self.assertEqual(clock("own-cpu"), "real")
        self.assertEqual(clock("own-cpu", time="paced"), "paced")
        self.assertRaises(run.Failure, clock, "plain", time="soon")

    def test_choice(self):
        self.assertEqual(run.choose(self.lists, "", ""),
                         [("plain", "qemu-svm"), ("both", "qemu-svm"), ("both", "bochs-vmx"), ("own-cpu", "bochs-vmx")])
        self.assertEqual(run.choose(self.lists, "", "bochs-vmx"), [("both", "bochs-vmx"), ("own-cpu", "bochs-vmx")])
        self.assertEqual(run.choose(self.lists, "", "bochs-vmx-haswell"), [("both", "bochs-vmx-haswell")])
        self.assertEqual(run.choose(self.lists, "pl*", "bochs-svm"), [("plain", "bochs-svm")])
        with self.assertRaises(SystemExit):
            run.choose(self.lists, "plain", "bochs-arm")
        for nobody in ("plian", "plain,boht", "plain,", "x*"):
            with self.assertRaises(SystemExit):
                run.choose(self.lists, nobody, "")


if __name__ == "__main__":
    unittest.main()
