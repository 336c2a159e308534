#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How fast `vouch verify` hashes a version 2 image, beside `openssl dgst -sha256` over the same file in the same run.

Usage: tests/bench/hash.py [--build DIR] [--mib N] [--rounds N] [--write docs/performance.md]

Both are programs of their own that read the file from the page cache, in turns on one CPU; what counts is the least CPU
time of each, user and system. Fails only if one of them does: a figure is no test.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile

BEGIN, END = "<!-- made by `make bench-hash` -->", "<!-- end of make bench-hash -->"
CONFIG = """<vm class="PC" name="bench"><memory>512</memory><cores count="1"/>
<files><file id="kernel" filename="kernel"/><file id="data" filename="data"/></files>
<boot kernel="kernel" cmdline=""/></vm>
"""


class HashError(Exception):
    pass


def make_image(vouch, folder, mib):
    with open(os.path.join(folder, "data"), "wb") as f:
        for _ in range(mib):
            f.write(os.urandom(1 << 20))
    with open(os.path.join(folder, "kernel"), "wb") as f:
        f.write(b"any bytes: nothing is started here")
    with open(os.path.join(folder, "bench.xml"), "w", encoding="ascii") as f:
        f.write(CONFIG)
    run([vouch, "build", "bench.xml", "-v", "2", "-o", "bench.img"], cwd=folder)
    return os.path.join(folder, "bench.img")


def run(argv, cpus=None, cwd=None):
    """CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise HashError("%s: %s" % (" ".join(argv[:2]), done.stdout.decode("utf-8", "replace").strip()))
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    name = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "unnamed")
    return name, " sha_ni" in text


def measure(vouch, image, rounds):
    """Lines of a section."""
    size, core = os.stat(image).st_size, {min(os.sched_getaffinity(0))}
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run([vouch, "verify", image], core))
        theirs.append(run(["openssl", "dgst", "-sha256", image], core))
    name, extensions = cpu_name()
    version = subprocess.run(["openssl", "version"], stdout=subprocess.PIPE, check=True).stdout.decode().split("(")[0]
    rates = [size / min(times) / 1e9 for times in (ours, theirs)]
    return ["On %s, %s SHA extensions; an image of %d MiB; the best of %d rounds:" %
            (name, "with" if extensions else "without", size >> 20, rounds), "",
            "| | GB/s a core |", "| --- | --- |",
            "| `vouch verify` | %.2f |" % rates[0],
            "| `openssl dgst -sha256`, %s | %.2f |" % (version.strip(), rates[1]),
            "", "Vouch over OpenSSL: %.2f" % (rates[0] / rates[1])]


def write(path, lines):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise HashError("%s lacks the marks of the part to be written" % path)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text.split(BEGIN)[0] + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + text.split(END)[1])
    os.replace(path + ".new", path)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    p.add_argument("--mib", type=int, default=256)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--write", help="the page whose section is written anew")
    a = p.parse_args()
    vouch = os.path.abspath(os.path.join(a.build, "vouch"))
    with tempfile.TemporaryDirectory(dir=a.build) as folder:
        lines = measure(vouch, make_image(vouch, os.path.abspath(folder), a.mib), a.rounds)
    if a.write:
        write(a.write, lines)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HashError, OSError, subprocess.SubprocessError) as e:
        print("bench-hash: %s" % e, file=sys.stderr)
        sys.exit(1)
