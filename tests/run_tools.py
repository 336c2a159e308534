#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the tests of the host tools (tests/tools/test_*.py, Python's unittest) and counts them."""

import os
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.path.insert(0, os.path.join(here, "tools"))
import results  # noqa: E402


def main():
    folder = os.path.join(here, "tools")
    total = results.Counter("tools")
    suite = unittest.defaultTestLoader.discover(folder, pattern="test_*.py", top_level_dir=folder)
    done = unittest.TextTestRunner(verbosity=1).run(suite)
    for test, reason in done.skipped:
        print("SKIP %s: %s" % (test.id(), reason))
    failed = len(done.failures) + len(done.errors) + len(done.unexpectedSuccesses)
    total.add(done.testsRun - failed - len(done.skipped), failed, skipped=len(done.skipped))
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
