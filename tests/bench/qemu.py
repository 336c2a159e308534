# SPDX-License-Identifier: BSD-2-Clause
"""One run of QEMU in which the time-stamp counter counts instructions, with the counting plugin (count.c)."""

import re
import subprocess

# RDRAND is seeded and the clock follows the instruction count: nothing of the host's time or chance gets in.
FIXED = ["-accel", "tcg", "-cpu", "EPYC", "-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm",
         "-seed", "1", "-nodefaults", "-vga", "none", "-display", "none", "-no-reboot", "-serial", "stdio"]
HANG = 900  # seconds; only ends a run that hangs, judges nothing


class BenchError(Exception):
    pass


class Run:
    def __init__(self, args, plugin, vouch=(0, 0), marks=()):
        """vouch: the address range that is counted as inside; marks: addresses at which the counts are taken."""
        wish = ["%s,low=%#x,high=%#x" % (plugin, *vouch)] + ["mark=%#x" % m for m in marks]
        argv = ["qemu-system-x86_64"] + FIXED + args + ["-plugin", ",".join(wish)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=HANG)
        self.text = done.stdout.decode("latin-1").replace("\r", "")
        errors = done.stderr.decode("utf-8", "replace")
        self.marks = [(int(at, 16), int(inside), int(outside)) for at, inside, outside in
                      re.findall(r"^count: mark (0x[0-9a-f]+) inside (\d+) outside (\d+)$", errors, re.M)]
        if done.returncode or not re.search(r"^count: end", errors, re.M):
            raise BenchError("QEMU failed:\n%s\n%s" % (errors[-2000:], self.text[-2000:]))

    def find(self, regex):
        match = re.search(regex, self.text, re.M)
        if not match:
            raise BenchError("no line like %s in:\n%s" % (regex, self.text[-3000:]))
        return match

    def between(self, start, end, last):
        """(inside, outside) executed from start to the first end; the last start before it counts, or the first one
        after which Vouch has run."""
        stop = next((i for i, m in enumerate(self.marks) if m[0] == end), 0)
        hits = [m for m in self.marks[:stop] if m[0] == start and (last or m[1])]
        if not hits:
            raise BenchError("the marks were not reached: %s\n%s" % (self.marks, self.text[-3000:]))
        begin = hits[-1 if last else 0]
        return self.marks[stop][1] - begin[1], self.marks[stop][2] - begin[2]

    def mean_between(self, start, end, last):
        """Instructions executed from start to the end next to it, the mean of the last so many pairs."""
        pairs = [e[1] + e[2] - s[1] - s[2] for s, e in zip(self.marks, self.marks[1:]) if (s[0], e[0]) == (start, end)]
        if len(pairs) < last:
            raise BenchError("only %d pairs of marks:\n%s" % (len(pairs), self.text[-3000:]))
        return sum(pairs[-last:]) / last
