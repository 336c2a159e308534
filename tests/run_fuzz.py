#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the libFuzzer targets, the time split evenly over them, from the seed corpus. A crash file stays in --work.

--replay: plays each file of each corpus once instead, with targets that have a main() of their own."""

import argparse
import concurrent.futures
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import results  # noqa: E402


def fixed_addresses():
    """libFuzzer makes inputs of what is compared, pointers too. Where this is forbidden, runs of one seed differ."""
    argv = ["setarch", "-R"]
    try:
        good = subprocess.run(argv + ["true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        good = False
    return argv if good else []


def run(binary, work, seconds, seed, before):
    name = os.path.basename(binary)
    seeds = os.path.join(here, "fuzz", "corpus", name)
    found = os.path.join(work, "corpus-" + name)
    crashes = os.path.join(work, "crash-" + name)
    os.makedirs(found, exist_ok=True)
    os.makedirs(crashes, exist_ok=True)
    corpora = [found] + ([seeds] if os.path.isdir(seeds) else [])
    argv = before + [binary, "-seed=%d" % seed, "-max_total_time=%d" % seconds, "-timeout=25", "-rss_limit_mb=2048",
                     "-print_final_stats=1", "-artifact_prefix=%s/" % crashes] + corpora
    with open(os.path.join(work, name + ".log"), "wb") as log:
        try:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    timeout=seconds * 4 + 120).returncode
        except subprocess.TimeoutExpired:
            status = "no end"
    return name, status


def replay(binary, work):
    """(name, files played well, files not played, log)."""
    name = os.path.basename(binary)
    seeds = os.path.join(here, "fuzz", "corpus", name)
    files = sorted(os.path.join(seeds, f) for f in os.listdir(seeds)) if os.path.isdir(seeds) else []
    path = os.path.join(work, name + ".log")
    if not files:
        return name, 0, 1, "no file in %s" % seeds
    with open(path, "wb") as log:
        try:
            status = subprocess.run([binary] + files, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    timeout=120).returncode
        except subprocess.TimeoutExpired:
            status = "no end"
    return name, len(files) - (status != 0), int(status != 0), path


def replay_all(targets, work):
    total = results.Counter("fuzz-replay")
    os.makedirs(work, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for name, good, bad, path in pool.map(lambda t: replay(t, work), targets):
            if bad and os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    print("".join(f.readlines()[-60:]).rstrip())
            print("%s fuzz-replay %s: %d files (%s)" % ("FAIL" if bad else "PASS", name, good + bad, path), flush=True)
            total.add(good, bad)
    return total.finish()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--seed", type=int, default=0, help="of the inputs; 0: another each time")
    p.add_argument("--work", required=True)
    p.add_argument("--replay", action="store_true")
    p.add_argument("targets", nargs="*")
    a = p.parse_args()
    if a.replay:
        return replay_all(a.targets, a.work)
    total = results.Counter("fuzz")
    lanes = os.cpu_count() or 2
    before = fixed_addresses() if a.seed else []
    seconds = max(1, a.seconds // max(1, len(a.targets)))
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        for name, status in pool.map(lambda t: run(t, a.work, seconds, a.seed, before), a.targets):
            log = os.path.join(a.work, name + ".log")
            if status != 0:
                with open(log, encoding="utf-8", errors="replace") as f:
                    print("".join(f.readlines()[-60:]).rstrip())
            print("%s fuzz %s: %d s (%s)" % ("FAIL" if status else "PASS", name, seconds, log), flush=True)
            total.add(0 if status else 1, 1 if status else 0)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
