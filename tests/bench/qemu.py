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


class Transcript:
    """What the machine printed."""

    def __init__(self, text):
        self.text = text

    def find(self, regex):
        match = re.search(regex, self.text, re.M)
        if not match:
            raise BenchError("no line like %s in:\n%s" % (regex, self.text[-3000:]))
        return match


class Run(Transcript):
    def __init__(self, args, plugin, marks=(), debug_exit=False):
        """marks: addresses at which the counts are taken. debug_exit: it ends by that device, whatever the status."""
        wish = [plugin] + ["mark=%#x" % m for m in marks]
        argv = ["qemu-system-x86_64"] + FIXED + args + ["-plugin", ",".join(wish)]
        if debug_exit:
            argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=HANG)
        self.text = done.stdout.decode("latin-1").replace("\r", "")
        errors = done.stderr.decode("utf-8", "replace")
        # Address, instructions of the host, of the guest, and how often a guest was entered.
        self.marks = [(int(m[0], 16), *map(int, m[1:])) for m in
                      re.findall(r"^count: mark (0x[0-9a-f]+) host (\d+) guest (\d+) runs (\d+)$", errors, re.M)]
        if (done.returncode and not debug_exit) or not re.search(r"^count: end", errors, re.M):
            raise BenchError("QEMU failed:\n%s\n%s" % (errors[-2000:], self.text[-2000:]))

    def between(self, start, end, guest, which=-1):
        """(host's, guest's) instructions from a start before the first end, the last one or the first (which=0), to that
        end, and how often a guest was entered in between. guest: the start is one after a guest's first entry."""
        stop = next((i for i, m in enumerate(self.marks) if m[0] == end), 0)
        hits = [m for m in self.marks[:stop] if m[0] == start and bool(m[3]) == guest]
        if not hits:
            raise BenchError("the marks were not reached: %s\n%s" % (self.marks, self.text[-3000:]))
        return tuple(b - a for a, b in zip(hits[which][1:], self.marks[stop][1:]))

    def mean_between(self, start, end, last):
        """Instructions executed from start to the end next to it, the mean of the last so many pairs."""
        pairs = [e[1] + e[2] - s[1] - s[2] for s, e in zip(self.marks, self.marks[1:]) if (s[0], e[0]) == (start, end)]
        if len(pairs) < last:
            raise BenchError("only %d pairs of marks:\n%s" % (len(pairs), self.text[-3000:]))
        return sum(pairs[-last:]) / last
