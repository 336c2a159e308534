# SPDX-License-Identifier: BSD-2-Clause
"""Counts of passed and failed tests, and how a part of the suite hands them to tests/run_all.py (a file)."""

import os


class Counter:
    def __init__(self, part):
        self.part, self.passed, self.failed, self.known, self.skipped = part, 0, 0, 0, 0

    def add(self, passed, failed, known=0, skipped=0):
        """known: what an emulator is known to do wrong; skipped: what this machine cannot test. Neither counts."""
        self.passed += passed
        self.failed += failed
        self.known += known
        self.skipped += skipped

    def finish(self):
        """Prints the part's sum, hands it on, returns the exit status. A part without a single test has failed."""
        if not self.passed + self.failed:
            print("%s: no test ran" % self.part)
            self.failed = 1
        beside = "; %d known emulator bugs beside them" % self.known if self.known else ""
        beside += "; %d skipped" % self.skipped if self.skipped else ""
        print("%s: %d of %d tests passed%s" % (self.part, self.passed, self.passed + self.failed, beside), flush=True)
        path = os.environ.get("VOUCH_RESULTS")
        if path:
            with open(path, "a", encoding="ascii") as f:
                f.write("%d %d\n" % (self.passed, self.failed))
        return 1 if self.failed else 0
