# SPDX-License-Identifier: BSD-2-Clause
"""One run of QEMU in which the time-stamp counter counts instructions, with the counting plugin (count.c)."""

import os
import re
import subprocess
import time

# RDRAND is seeded and the clock follows the instruction count: nothing of the host's time or chance gets in.
FIXED = ["-accel", "tcg", "-cpu", "EPYC", "-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm",
         "-seed", "1", "-nodefaults", "-vga", "none", "-display", "none", "-no-reboot", "-serial", "stdio"]
HANG = 900      # seconds of the emulator's own CPU time: a loaded machine takes longer, but computes no more
IDLE = 300      # seconds without any


class BenchError(Exception):
    pass


def cpu_seconds(pid):
    """CPU time that a process of ours has used; 0 when it has ended."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


class Patience:
    """Only ends a run that hangs, judges nothing. Says now and then that it goes on."""

    def __init__(self, pid):
        self.pid, self.begin = pid, time.monotonic()
        self.told = self.moved = self.begin
        self.used = self.size = self.used_then = 0.0

    def over(self, size=None):
        """To be asked every few seconds. size: of what was printed so far; then HANG counts from when it last grew."""
        now, used = time.monotonic(), cpu_seconds(self.pid)
        if used > self.used:
            self.used, self.moved = used, now
        if size is not None and size != self.size:
            self.size, self.used_then = size, used
        if now - self.told >= 60:
            self.told = now
            print("bench:   goes on: %d s, %d s of CPU time" % (now - self.begin, used), flush=True)
        return used - self.used_then > HANG or now - self.moved > IDLE


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
        status, out, errors = self.wait(argv)
        self.text = out.decode("latin-1").replace("\r", "")
        errors = errors.decode("utf-8", "replace")
        # Address, instructions of the host, of the guest, and how often a guest was entered.
        self.marks = [(int(m[0], 16), *map(int, m[1:])) for m in
                      re.findall(r"^count: mark (0x[0-9a-f]+) host (\d+) guest (\d+) runs (\d+)$", errors, re.M)]
        if (status and not debug_exit) or not re.search(r"^count: end", errors, re.M):
            raise BenchError("QEMU failed:\n%s\n%s" % (errors[-2000:], self.text[-2000:]))

    @staticmethod
    def wait(argv):
        """(exit status, output, errors) of a program that ends by itself, or is killed when it hangs."""
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            patience = Patience(process.pid)
            while True:
                try:
                    out, errors = process.communicate(timeout=5)
                    return process.returncode, out, errors
                except subprocess.TimeoutExpired:
                    if patience.over():
                        process.kill()

    def between(self, start, end, guest, which=-1):
        """(host's, guest's) instructions from a start before the first end, the last one or the first (which=0), to that
        end, and how often a guest was entered in between. guest: the start is one after a guest's first entry."""
        stop = next((i for i, m in enumerate(self.marks) if m[0] == end), 0)
        hits = [m for m in self.marks[:stop] if m[0] == start and bool(m[3]) == guest]
        if not hits:
            raise BenchError("the marks were not reached: %s\n%s" % (self.marks, self.text[-3000:]))
        return tuple(b - a for a, b in zip(hits[which][1:], self.marks[stop][1:]))

    def mean_between(self, start, end, last, outside=False):
        """Instructions executed from start to the end next to it, the mean of the last so many pairs. outside: only those
        outside guests."""
        marks = [m for m in self.marks if m[0] in (start, end)]
        pairs = [e[1] - s[1] + (0 if outside else e[2] - s[2])
                 for s, e in zip(marks, marks[1:]) if (s[0], e[0]) == (start, end)]
        if len(pairs) < last:
            raise BenchError("only %d pairs of marks:\n%s" % (len(pairs), self.text[-3000:]))
        return sum(pairs[-last:]) / last
