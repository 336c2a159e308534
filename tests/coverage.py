#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the host tests execute of Vouch's sources, by room and file, from gcov's data. Called by `make coverage`.

Usage: tests/coverage.py --gcov GCOV BUILD     writes BUILD/coverage.txt and BUILD/html/index.html
"""

import argparse
import collections
import html
import json
import os
import subprocess
import sys

ROOMS = ("arch/", "core/", "loader/", "include/", "tools/")
STYLE = "body{font:14px monospace}td{padding:0 1em 0 0}pre{margin:0}.no{background:#fcc}.yes{background:#dfd}"


def gcov(tool, notes):
    """gcov's reports for some data files, one JSON document a file."""
    done = subprocess.run([tool, "--json-format", "--stdout"] + notes, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def collect(tool, build):
    """{file: {line: count}} over all objects; a header or source counts where any program executed it."""
    data = [os.path.join(d, f) for d, _, files in os.walk(build) for f in files if f.endswith(".gcda")]
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for i in range(0, len(data), 50):
        for report in gcov(tool, sorted(data)[i:i + 50]):
            for entry in report["files"]:
                name = os.path.normpath(entry["file"])
                if name.startswith(ROOMS):
                    for line in entry["lines"]:
                        counts[name][line["line_number"]] += line["count"]
    return counts


def room(name):
    parts = name.split("/")
    return "/".join(parts[:3]) if parts[0] == "arch" else parts[0]


def share(hit, total):
    return "%5.1f %%" % (100.0 * hit / total) if total else "      -"


def ranges(numbers):
    """[1, 2, 3, 7] -> '1-3 7'"""
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in out)


def tracked():
    out = subprocess.run(["git", "ls-files", "arch", "core", "loader"], stdout=subprocess.PIPE, check=True)
    return [f for f in out.stdout.decode().split() if f.endswith(".c")]


def text_report(counts, out):
    rooms = collections.defaultdict(lambda: [0, 0])
    files = []
    for name, lines in sorted(counts.items()):
        hit = sum(1 for c in lines.values() if c)
        files.append((name, hit, len(lines)))
        rooms[room(name)][0] += hit
        rooms[room(name)][1] += len(lines)
    summary = ["Lines of code executed by host tests:", ""]
    summary += ["  %-20s %6d of %6d  %s" % (r, h, t, share(h, t)) for r, (h, t) in sorted(rooms.items())]
    hit, total = (sum(v[i] for v in rooms.values()) for i in (0, 1))
    summary.append("  %-20s %6d of %6d  %s" % ("all", hit, total, share(hit, total)))
    absent = [f for f in tracked() if f not in counts]
    summary += ["", "%d files of the hypervisor's rooms are in no host test (they need the machine; the boot and guest" %
                len(absent), "tests execute them); the full report names them."]
    with open(out, "w", encoding="utf-8") as f:
        f.write("\n".join(summary) + "\n\nBy file, with the lines that nothing executed:\n\n")
        for name, h, t in files:
            missed = ranges(sorted(n for n, c in counts[name].items() if not c))
            f.write("%s %s%s\n" % (share(h, t), name, ": " + missed if missed else ""))
        f.write("\nIn no host test:\n\n" + "".join("  %s\n" % n for n in absent))
    print("\n".join(summary))
    return hit


def html_report(counts, folder):
    os.makedirs(folder, exist_ok=True)
    head = "<!doctype html><meta charset=utf-8><style>%s</style>" % STYLE
    rows = []
    for name, lines in sorted(counts.items()):
        page = name.replace("/", "-") + ".html"
        with open(name, encoding="utf-8") as f, open(os.path.join(folder, page), "w", encoding="utf-8") as out:
            out.write("%s<title>%s</title><h3>%s</h3>" % (head, name, name))
            for n, line in enumerate(f.read().split("\n"), 1):
                kind = "" if n not in lines else " class=yes" if lines[n] else " class=no"
                out.write("<pre%s>%10s %5d  %s</pre>" % (kind, lines.get(n, ""), n, html.escape(line.expandtabs(8))))
        hit = sum(1 for c in lines.values() if c)
        rows.append("<tr><td>%s<td>%d<td>%d<td><a href='%s'>%s</a>" % (share(hit, len(lines)), hit, len(lines), page, name))
    with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as out:
        out.write("%s<title>Vouch: coverage</title><table>%s</table>" % (head, "\n".join(rows)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--gcov", default="gcov")
    p.add_argument("build")
    a = p.parse_args()
    counts = collect(a.gcov, a.build)
    report = os.path.join(a.build, "coverage.txt")
    if not text_report(counts, report):
        print("coverage: nothing was executed", file=sys.stderr)
        return 1
    html_report(counts, os.path.join(a.build, "html"))
    print("\nBy file: %s; line by line: %s" % (report, os.path.join(a.build, "html/index.html")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
