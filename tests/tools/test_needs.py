# SPDX-License-Identifier: BSD-2-Clause
"""What a missing program does to the tests that need it: skipped, or failed where the set-up has installed everything."""

import unittest

from support import needs


def outcome(*wanted, complete):
    """(run, failed, skipped, errors, what they say) of a test and a class with one, both with these needs."""
    class Single(unittest.TestCase):
        @needs(*wanted, complete=complete)
        def test(self):
            pass

    @needs(*wanted, complete=complete)
    class Whole(unittest.TestCase):
        def setUp(self):
            self.ready = True

        def test(self):
            self.assertTrue(self.ready)

    done = unittest.TestResult()
    for case in (Single("test"), Whole("test")):
        case.run(done)
    said = {text.strip().split("\n")[-1] for _, text in done.failures + done.skipped}
    return done.testsRun, len(done.failures), len(done.skipped), len(done.errors), said


class Needs(unittest.TestCase):
    def test_present(self):
        for complete in (False, True):
            self.assertEqual(outcome("sh", "/", complete=complete), (2, 0, 0, 0, set()))

    def test_missing(self):
        there = ("sh", "no-such-program", "/no/such/file", "/")
        self.assertEqual(outcome(*there, complete=False)[1:], (0, 2, 0, {"missing: no-such-program, /no/such/file"}))
        self.assertEqual(outcome(*there, complete=True),
                         (2, 2, 0, 0, {"AssertionError: missing: no-such-program, /no/such/file: "
                                       "tools/setup.sh --check test names the packages"}))


if __name__ == "__main__":
    unittest.main()
