#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs cmocka programs, a few at a time, and counts their tests. A crash counts every test that did not report."""

import concurrent.futures
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import results  # noqa: E402


def run(path, timeout=300):
    """(passed, failed, skipped, output) of one program."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", UBSAN_OPTIONS="print_stacktrace=1")
    try:
        done = subprocess.run([path], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
        status, raw = done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        status, raw = "timeout", e.stdout or b""
    text = raw.decode("utf-8", "replace")
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", text, re.M))
    skipped = len(re.findall(r"^(?:not )?ok \d+.*# SKIP", text, re.M))
    passed = len(re.findall(r"^ok \d+(?!.*# SKIP)", text, re.M))
    failed = max(len(re.findall(r"^not ok \d+(?!.*# SKIP)", text, re.M)), planned - passed - skipped)
    if status != 0 and failed == 0:
        failed = 1
    if planned == 0:
        failed = max(failed, 1)
        text += "\n%s reported no test (exit status %s)\n" % (path, status)
    return passed, failed, skipped, text


def main(paths):
    total = results.Counter("unit")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for path, (passed, failed, skipped, text) in zip(paths, pool.map(run, paths)):
            name = os.path.basename(path)
            if failed:
                print(text.rstrip())
            print("%s unit %s: %d of %d%s" % ("FAIL" if failed else "PASS", name, passed, passed + failed,
                                              ", %d skipped" % skipped if skipped else ""), flush=True)
            total.add(passed, failed, skipped=skipped)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
