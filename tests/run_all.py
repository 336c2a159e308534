#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every part of the test suite, one after the other; ends in one line with the sums. Called by `make test`, `test-all`."""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time


def read_counts(path):
    """(passed, failed) that a part left, or None."""
    with open(path, encoding="ascii") as f:
        rows = [line.split() for line in f]
    if not rows:
        return None
    return sum(int(r[0]) for r in rows), sum(int(r[1]) for r in rows)


def run_part(name, argv):
    print("\n== %s" % name, flush=True)
    begin = time.monotonic()
    with tempfile.NamedTemporaryFile(prefix="vouch-results-") as out:
        env = dict(os.environ, VOUCH_RESULTS=out.name, VOUCH_TEST_COMPLETE="1")
        status = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL).returncode
        counts = read_counts(out.name)
    if counts is None:
        counts = (0, 1) if status else (1, 0)
    elif status and counts[1] == 0:
        counts = (counts[0], 1)
    print("== %s: %s in %d s" % (name, "failed" if counts[1] else "good", time.monotonic() - begin), flush=True)
    return counts


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--make", default="make")
    p.add_argument("--jobs", default="2")
    p.add_argument("--fuzz-seconds", default="60")
    p.add_argument("--long", action="store_true", help="the long boots, too")
    a = p.parse_args()
    make = shlex.split(a.make) + ["--no-print-directory", "-j" + a.jobs]
    parts = [
        ("build with gcc", make + ["all"]),
        ("build with clang", make + ["CC=clang", "all"]),
        ("debug build", make + ["DEBUG=1", "all"]),
        ("headers-check", make + ["headers-check"]),
        ("format-check", make + ["format-check"]),
        ("lint", make + ["-k", "lint"]),
        ("no-globals-check", make + ["no-globals-check"]),
        ("unit tests", make + ["-k", "unit-tests"]),
        ("tests of the host tools", make + ["tools-tests"]),
        ("corpora of the fuzz targets", make + ["-k", "fuzz-replay"]),
        # The same inputs each time: the verdict is the commit's. `make fuzz` by itself tries others each time.
        ("fuzz", make + ["-k", "fuzz", "FUZZ_SECONDS=" + a.fuzz_seconds, "FUZZ_SEED=1"]),
        ("guest tests", make + ["guest-test"]),
        ("gdb", make + ["debug-test"]),
        ("boot tests", make + ["boot-test"]),
        ("what README.md shows", [sys.executable, "tests/boot/readme.py", "--check"]),
        ("boots of the clang build",
         make + ["CC=clang", "boot-test", "MACHINE=qemu-svm", "TEST=shell,flipped-bits,triple-fault,load-high"]),
        ("boots of the debug build",
         make + ["DEBUG=1", "boot-test", "MACHINE=qemu-svm", "TEST=shell,reset,bad-beside-good"]),
        ("guest tests of the debug build on VMX",
         make + ["DEBUG=1", "guest-test", "MACHINE=bochs-vmx", "TEST=smoke,interrupts,exceptions,modes"]),
    ]
    if a.long:
        parts.append(("long boots", make + ["long-test"]))
        parts.append(("long guest tests", make + ["long-guest-test"]))
        parts.append(("guest tests on an older VT-x", make + ["guest-test", "MACHINE=bochs-vmx-haswell"]))
        parts.append(("boots on an older VT-x", make + ["boot-test", "MACHINE=bochs-vmx-haswell"]))
    sums = [run_part(name, argv) for name, argv in parts]
    passed, failed = sum(s[0] for s in sums), sum(s[1] for s in sums)
    print("\nFailed parts: %s" % (", ".join(parts[i][0] for i, s in enumerate(sums) if s[1]) or "none"))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
