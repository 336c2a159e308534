#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The rules of style that can be judged without taste, over all text files that git knows. docs/developing.md lists them.

Usage: tools/check-style.py [FILE...]
"""

import os
import re
import subprocess
import sys

TEXT = (".c", ".h", ".S", ".lds", ".asl", ".mk", ".py", ".sh", ".md", ".cfg", ".xml", ".1", "Makefile", ".ci/run")
CODE = (".c", ".h", ".S")
SPDX = "SPDX-License-Identifier: BSD-2-Clause"
WIDTH = 140                 # the aim is 120; what is longer than this certainly no longer fits
TAB = 8
# Data that tests read byte by byte, and fuzzers' seeds.
RAW = ("tests/data/vectors/", "tests/fuzz/corpus/")


def tracked():
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    return [f for f in out.split("\0") if f.endswith(TEXT) and not f.startswith(RAW) and os.path.isfile(f)]


def shape(path, data):
    """Rules for every text file."""
    if data and not data.endswith("\n"):
        yield 0, "no newline at the end of the file"
    if data.endswith("\n\n"):
        yield 0, "empty lines at the end of the file"
    for n, line in enumerate(data.split("\n"), 1):
        if "\r" in line:
            yield n, "carriage return"
        if line != line.rstrip(" \t") and not path.endswith(".cfg"):     # a script line may type a blank
            yield n, "blanks at the end of the line"
        if len(line.expandtabs(TAB)) > WIDTH and not path.endswith((".md", ".1", ".cfg", ".xml")):
            yield n, "longer than %d columns" % WIDTH


def licence(path, data):
    if not path.endswith((".md", ".1", ".xml")) and SPDX not in "\n".join(data.split("\n")[:2]):
        yield 1, "no SPDX line (%s)" % SPDX


def own_header(path, data):
    """x.c with x.h beside it includes that first, so that a missing include in the header shows. x_priv.h will do."""
    name = os.path.basename(path)[:-2]
    if path.startswith("tests/") or not os.path.exists(path[:-2] + ".h"):
        return
    first = re.search(r'^#include [<"]([^>"]*)', data, re.M)
    if not first or os.path.basename(first.group(1)) not in (name + ".h", name + "_priv.h"):
        yield 1, "its own header is not the first include"


def code(path, data):
    comment = False
    for n, line in enumerate(data.split("\n"), 1):
        indent = line[:len(line) - len(line.lstrip(" \t"))]
        inside, text = comment, line.strip()
        if "/*" in text and "*/" not in text.split("/*")[-1]:
            comment = True
        elif "*/" in text:
            comment = False
        if " \t" in indent:
            yield n, "blank before a tab in the indentation"
        # Tabs indent; up to seven blanks behind them align with an open bracket, and stars of comments take one.
        if indent.count(" ") >= TAB and not inside:
            yield n, "indented with blanks"
        if path.endswith((".c", ".h")) and not inside:
            if re.match(r"(if|for|while|switch)\(", text):
                yield n, "no blank after the keyword"
            if re.match(r"(if|for|while|switch|else|do)\b.*\)\{$|\belse\{$", text):
                yield n, "no blank before the brace"
            if text.startswith("//"):
                yield n, "comments are /* ... */"
            if re.match(r"typedef struct \w+ \w+;", text):
                yield n, "structures go without typedef"
            if re.match(r"#if 0\b", text):
                yield n, "code under #if 0: history keeps it"


def check(path):
    with open(path, encoding="utf-8", errors="replace", newline="") as f:
        data = f.read()
    for rule in (shape, licence) + ((code,) if path.endswith(CODE) else ()) + \
            ((own_header,) if path.endswith(".c") else ()):
        for line, why in rule(path, data):
            yield "%s:%d: %s" % (path, line or data.count("\n"), why)


def main(files):
    files = files or tracked()
    found = [f for path in files for f in check(path)]
    for line in found:
        print(line)
    print("format-check: %d files, %d findings" % (len(files), len(found)))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
