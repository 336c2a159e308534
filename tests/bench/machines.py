# SPDX-License-Identifier: BSD-2-Clause
"""One run in Bochs, whose time-stamp counter counts instructions by itself: the clock follows nothing but them."""

import os
import re
import sys
import time

from qemu import BenchError, Patience, Transcript

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from bochs import Bochs  # noqa: E402

# Instructions in a second of the machine: what a Linux that times out by it needs.
IPS = 100000000


class BochsRun(Transcript):
    """Runs until the machine is off, or until a line that begins with `last`; `hung` if that line did not come."""

    def __init__(self, iso_path, model, memory, folder, last=None, bad_msrs=False, cpus="1"):
        os.makedirs(folder, exist_ok=True)
        # Where MSRs may be unknown it complains of each, and of all that SVM does without need.
        machine = Bochs(iso_path, model, cpus, memory, folder, model != "ryzen" and not bad_msrs, IPS, bad_msrs)
        try:
            why = self.wait(machine, last and re.compile("^" + last, re.M))
        finally:
            machine.kill()
        self.text = machine.text()
        self.hung = why == "hung"
        if why not in ("poweroff", "hung") or (self.hung and not last):
            raise BenchError("Bochs failed (%s):\n%s\n%s" % (why, machine.complaints()[-2000:], self.text[-3000:]))

    @staticmethod
    def wait(machine, last):
        """How it ended; "hung": it had to be."""
        patience = Patience(machine.process.pid)
        while True:
            if last and machine.wait_text(last.search, time.monotonic() + 5):
                return "poweroff"
            why = machine.wait_end(time.monotonic() + (0 if last else 5))
            if why:
                return "hung" if last and why == "poweroff" else why
            if patience.over(len(machine.raw)):
                return "hung"
