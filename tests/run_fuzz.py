#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the libFuzzer targets, the time split evenly over them, from the seed corpus. A crash file stays in --work."""

import argparse
import concurrent.futures
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import results  # noqa: E402


def run(binary, work, seconds):
    name = os.path.basename(binary)
    seeds = os.path.join(here, "fuzz", "corpus", name)
    found = os.path.join(work, "corpus-" + name)
    crashes = os.path.join(work, "crash-" + name)
    os.makedirs(found, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    corpora = [found] + ([seeds] if os.path.isdir(seeds) else [])
    argv = [binary, "-max_total_time=%d" % seconds, "-timeout=25", "-rss_limit_mb=2048", "-print_final_stats=1",
            "-artifact_prefix=%s/" % crashes] + corpora
    with open(os.path.join(work, name + ".log"), "wb") as log:
        try:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    timeout=seconds * 4 + 120).returncode
        except subprocess.TimeoutExpired:
            status = "no end"
    return name, status


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--work", required=True)
    p.add_argument("targets", nargs="*")
    a = p.parse_args()
    total = results.Counter("fuzz")
    lanes = os.cpu_count() or 2
    seconds = max(1, a.seconds // max(1, len(a.targets)))
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        for name, status in pool.map(lambda t: run(t, a.work, seconds), a.targets):
            log = os.path.join(a.work, name + ".log")
            if status != 0:
                with open(log, encoding="utf-8", errors="replace") as f:
                    print("".join(f.readlines()[-60:]).rstrip())
            print("%s fuzz %s: %d s (%s)" % ("FAIL" if status else "PASS", name, seconds, log), flush=True)
            total.add(0 if status else 1, 1 if status else 0)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
