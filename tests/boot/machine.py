# SPDX-License-Identifier: BSD-2-Clause
"""What all test machines have in common: the transcript of the first serial port, the second port's file, an end."""

import os
import re
import threading
import time

ANSI = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|[=>78])")


class MachineError(Exception):
    pass


class Machine:
    """Subclasses start self.process and set `ended` when no more output comes."""

    what = "machine"        # the emulator, for messages

    def __init__(self, folder):
        self.folder = folder
        self.com2_path = os.path.join(folder, "com2")
        if os.path.exists(self.com2_path):
            os.unlink(self.com2_path)
        self.errors = open(os.path.join(folder, "emulator-stderr"), "wb")
        self.raw = bytearray()
        self.changed = threading.Condition()
        self.ended = False

    def take(self, piece):
        """Output of the first serial port; empty at its end."""
        with self.changed:
            if piece:
                self.raw += piece
            else:
                self.ended = True
            self.changed.notify_all()

    def text(self):
        """The first serial port so far, without carriage returns and terminal sequences."""
        return ANSI.sub("", self.raw.decode("latin-1").replace("\r", ""))

    def com2(self):
        try:
            with open(self.com2_path, "rb") as f:
                return ANSI.sub("", f.read().decode("latin-1").replace("\r", ""))
        except OSError:
            return ""

    def cpu_seconds(self):
        """CPU time the emulator has used; 0 when it has ended."""
        try:
            with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return 0.0

    def wait_text(self, test, limit):
        """Waits until test(text) is true; returns its value, or None at the limit or when the machine has ended."""
        while True:
            with self.changed:
                ended, size = self.ended, len(self.raw)
            value = test(self.text())
            if value or ended:
                return value or None
            left = limit - time.monotonic()
            if left <= 0:
                return None
            with self.changed:
                self.changed.wait_for(lambda: self.ended or len(self.raw) != size, min(left, 1))

    control_path = None     # the control port's socket, if there is one

    def monitor(self, line):
        raise MachineError("%s has no monitor for: %s" % (self.what, line))

    def screendump(self):
        raise MachineError("%s shows no picture of its screen" % self.what)

    def broke(self):
        """Has the emulator itself failed? Only where it can be told from a machine that ends."""
        return False

    def complaints(self):
        """What the emulator wrote to its standard error."""
        with open(self.errors.name, encoding="utf-8", errors="replace") as f:
            return f.read()
