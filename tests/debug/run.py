#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""gdb's view of Vouch: boots the demo guest under tools/debug.sh and checks what gdb's commands say, with the CPU stopped
before the image is loaded, in vouch_main(), in the guest, and in Vouch while the guest is idle.

Usage: tests/debug/run.py --build DIR IMAGE
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(os.path.dirname(here))
sys.path.insert(0, os.path.dirname(here))
import results  # noqa: E402

PATIENCE = float(os.environ.get("VOUCH_TEST_PATIENCE", "1"))
GUEST_TRIES = 20            # attempts to meet the CPU in the guest, or the guest at rest


class Session:
    def __init__(self, build, image):
        self.build = build
        self.socket = os.path.join(build, "gdb", "gdb.sock")
        self.serial = os.path.join(build, "gdb", "serial.log")
        self.script = subprocess.Popen([os.path.join(top, "tools/debug.sh"), "--wait", build, image],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready = self.script.stdout.readline() and self.script.stdout.readline()
        if "target remote" not in ready:
            raise SystemExit("debug.sh did not start QEMU")

    def gdb(self, *commands):
        argv = ["gdb", "-q", "-nx", "-batch", "-x", os.path.join(top, "tools/gdb/vouch.py"),
                "-ex", "target remote " + self.socket]
        for c in commands:
            argv += ["-ex", c]
        done = subprocess.run(argv + ["-ex", "detach", os.path.join(self.build, "vouch.elf")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * PATIENCE)
        return done.stdout

    def wait_serial(self, text):
        limit = time.monotonic() + 120 * PATIENCE
        while time.monotonic() < limit and self.script.poll() is None:
            with open(self.serial, encoding="latin-1") as f:
                if text in f.read():
                    return True
            time.sleep(0.1)
        return False

    def end(self):
        self.script.send_signal(signal.SIGTERM)
        self.script.wait(30)

    def gone(self):
        """The script tells QEMU to end and does not wait for it: nobody listens on its socket a moment later."""
        limit = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < limit:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(self.socket)
                except OSError:
                    return True
            time.sleep(0.2)
        return False


class Checks:
    def __init__(self):
        self.total = results.Counter("debug")

    def that(self, name, good, text=""):
        print("%s debug %s" % ("PASS" if good else "FAIL", name), flush=True)
        if not good and text:
            print(text)
        self.total.add(int(bool(good)), int(not good))

    def has(self, name, text, *wanted):
        lacking = [w for w in wanted if not re.search(w, text, re.M)]
        self.that(name, not lacking, "lacks %s:\n%s" % (lacking, text))


def exits(text):
    m = re.search(r"^guest demo, vCPU 0: (\d+) exits", text, re.M)
    return int(m.group(1)) if m else -1


def start(s, c):
    out = s.gdb("vouch-host", "hbreak vouch_main", "continue", "backtrace 2", "vouch-host", "vouch-vcpu", "vouch-npt",
                "delete")
    c.has("no Vouch before the loader ran", out, r"^Vouch is not in memory: not loaded yet")
    c.has("backtrace at vouch_main()", out, r"^#0 .*vouch_main \(h=", r"^#1 .*boot_start \(magic=")
    c.has("the loader's information", out, r"^image at 0x[0-9a-f]+00000, build ID [0-9a-f]{40}$", r"^loader: GRUB 2",
          r"command line: 'console=com1 end=poweroff'", r"^CPU 0: APIC ID 0, in Vouch;", r"^virtualization: not chosen",
          r"^module 0: 0x[0-9a-f]+, \d+ bytes, 'guest'$")
    c.has("refusals", out, r"^no guest is in the CPU$", r"^which guest-physical address\?")


def in_guest(s, c):
    """Stopped in the guest, whose page tables do not map Vouch."""
    c.that("the guest is entered", s.wait_serial("guest demo entered"))
    out = ""
    for _ in range(GUEST_TRIES):
        out = s.gdb("vouch-vcpu", "vouch-host", "vouch-npt 0x100000", "vouch-exits 3")
        if "it executes now" in out:
            break
    c.has("the CPU stopped in the guest", out, r"^at its last exit; it executes now", r"^CPU 0: .* not in Vouch",
          r"^0x100000: host-physical 0x", r"^virtualization: SVM$", r"^ +\d+  rip [0-9a-f]{16}  0x")
    return exits(out)


def idle(s, c, before):
    c.that("the guest's shell", s.wait_serial("guest# "))
    # Its shell may be at work still, and a tick of its clock may always be.
    for _ in range(GUEST_TRIES):
        time.sleep(1)
        out = s.gdb("backtrace", "vouch-vcpu", "vouch-host", "vouch-exits", "vouch-exits 2", "vouch-npt 0x20000",
                    "vouch-npt 0xe0000", "vouch-npt 0xc0000000", "vouch-npt 1ull << 48", "vouch-npt &no_such_symbol")
        ring = re.findall(r"^ +(\d+)  rip [0-9a-f]{16}  0x[0-9a-f]{3,} (\S+)", out, re.M)
        if re.search(r"^#\d .*svm_vcpu_run \(v=", out, re.M) and ring and ring[-1][1] == "HLT":
            break
    c.has("backtrace in Vouch", out, r"^#\d .*svm_vcpu_run \(v=", r"^#\d .*cpu_turn \(p=", r"^#\d+ .*boot_start \(")
    c.has("registers of the guest", out, r"^  rip ffffffff[0-9a-f]{8} rflags", r"^  cr0 80050033 .* efer 1d01$",
          r"^  cs   0010 attr", r"^stop: STOP_NONE", r"^NMI pending: no, masked: no")
    c.that("exits are counted on", exits(out) > before >= 0, out)
    numbers = [int(n) for n, _ in ring]
    c.that("the last exits, and the last two of them", len(ring) == 34 and ring[-2:] == ring[-4:-2] and
           numbers[:32] == list(range(numbers[0], numbers[0] + 32)) and numbers[31] == exits(out) - 1, out)
    # Others may be answered where they arrive, and not be there.
    c.that("exits by name", "HLT" in {name for _, name in ring} and "?" not in {name for _, name in ring}, out)
    c.has("walk to the kernel's command line", out, r"^0x20000: host-physical 0x[0-9a-f]+, (4 KiB|2 MiB) page, writable\n"
          r"  63 6f 6e 73 .*\|console=ttyS0 qu\|$")
    c.has("walk to read-only memory", out, r"^0xe0000: host-physical 0x[0-9a-f]+, 4 KiB page, read-only$")
    c.has("walks to nowhere", out, r"^0xc0000000: not mapped \(NPT\)$", r"^0x1000000000000 is beyond", r"no_such_symbol")
    c.has("memory taken", out, r"^pages: \d+ in all, \d+ free, \d+ used \((2[5-9]\d) MiB\)$")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("image")
    a = p.parse_args()
    c = Checks()
    s = Session(os.path.abspath(a.build), os.path.abspath(a.image))
    try:
        start(s, c)
        idle(s, c, in_guest(s, c))
    finally:
        s.end()
    c.that("QEMU ends with the script", s.gone())
    return c.total.finish()


if __name__ == "__main__":
    sys.exit(main())
