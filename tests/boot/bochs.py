# SPDX-License-Identifier: BSD-2-Clause
"""One Bochs without a display: the first serial port on a socket, the second in a file, ends read off its log.

Made for Debian's build, which has the debugger in it and draws the screen on a pseudo terminal of its own.
"""

import os
import re
import socket
import subprocess
import threading
import time
import tty

from machine import Machine, MachineError

CONFIG = """config_interface: textconfig
display_library: term
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs={bad_msrs}
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
vga: extension=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
com2: enabled=1, {com2}
clock: sync=none, time0=1767225600
log: {log}
panic: action=fatal
error: action=report, {cpu_errors}
info: action=report, {cpu_info}
debug: action=ignore
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, iodebug=0
speaker: enabled=0
pci: enabled=1, chipset=i440fx
"""
# Instructions in a second of the machine: with fewer its waits are over sooner, with more it does more before a time-out.
IPS = 20000000
POWER_OFF = "[ACPI  ] ACPI control: soft power off"
MESSAGE = "Bochs is exiting with the following message:\n"


class Relay:
    """A UNIX socket for `vouch ctl`, one client at a time, before the TCP socket that Bochs makes of a serial port."""

    def __init__(self, path):
        self.path = path
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(path)
        self.unix.listen(1)
        self.ended, self.client = False, None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            serial, _ = self.tcp.accept()
            threading.Thread(target=self._read, args=(serial,), daemon=True).start()
            while not self.ended:
                client, _ = self.unix.accept()
                self.client = client
                with client:
                    self._pass_on(client, serial)
                self.client = None
        except OSError:
            pass

    @staticmethod
    def _pass_on(client, serial):
        try:
            while piece := client.recv(4096):
                serial.sendall(piece)
        except OSError:
            pass

    def _read(self, serial):
        """What nobody listens to is lost, as on a line without a receiver."""
        try:
            while piece := serial.recv(4096):
                client = self.client
                try:
                    if client:
                        client.sendall(piece)
                except OSError:
                    pass
        except OSError:
            pass

    def close(self):
        self.ended = True
        for one in (self.unix, self.tcp):
            one.close()


class Bochs(Machine):
    what = "Bochs"

    def __init__(self, iso, cpu, cpus, memory, folder, cpu_errors=True, ips=IPS, bad_msrs=False, control=False):
        super().__init__(folder)
        self.log_path = os.path.join(folder, "bochs-log")
        self.screen_fd, self.conn, self.relay = None, None, None
        listener = socket.create_server(("127.0.0.1", 0))
        com2 = "mode=file, dev=" + self.com2_path
        for_each = ", ".join("cpu%d={0}" % n for n in range(int(cpus)))
        if control:
            self.control_path = os.path.join(folder, "ctl")
            self.relay = Relay(self.control_path)
            com2 = "mode=socket-client, dev=127.0.0.1:%d" % self.relay.port
        with open(os.path.join(folder, "bochsrc"), "w", encoding="utf-8") as f:
            f.write(CONFIG.format(cpu=cpu, cpus=cpus, ips=ips, bad_msrs=int(bad_msrs), memory=memory, iso=iso,
                                  com2=com2, port=listener.getsockname()[1], log=self.log_path,
                                  cpu_errors=for_each.format("report" if cpu_errors else "ignore"),
                                  cpu_info=for_each.format("ignore")))
        with open(os.path.join(folder, "bochs-rc"), "w", encoding="ascii") as f:
            f.write("c\n")
        argv = ["bochs-bin", "-q", "-f", f"{folder}/bochsrc", "-rc", f"{folder}/bochs-rc"]
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=self.errors, env=dict(os.environ, TERM="vt100"),
                                            start_new_session=True)
            self._accept(listener)
        finally:
            listener.close()
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._read, self._watch_log, self._drain_screen)]
        for thread in self.threads:
            thread.start()

    def _accept(self, listener):
        limit = time.monotonic() + 60
        listener.settimeout(0.2)
        while not self.conn:
            try:
                self.conn, _ = listener.accept()
                self.conn.settimeout(None)
            except socket.timeout:
                if self.process.poll() is not None or time.monotonic() > limit:
                    self.kill()
                    raise MachineError("Bochs did not start: %s" % self.complaints()) from None

    def _read(self):
        while True:
            try:
                piece = self.conn.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                self.process.wait()     # so that its reason can be told as soon as `ended` is seen
            self.take(piece)
            if not piece:
                return

    def _watch_log(self):
        """Bochs cannot end at a reset: end it when one is seen."""
        while self.process.poll() is None:
            if self._was_reset():
                self.process.kill()
                return
            time.sleep(0.2)

    def _was_reset(self):
        """Whether the log tells of a second reset, the first being the start."""
        return self._log().count("[SYS   ] bx_pc_system_c::Reset(") > 1

    def _drain_screen(self):
        """Bochs writes the screen to a pseudo terminal and would wait for ever when that is full."""
        while self.process.poll() is None:
            try:
                if self.screen_fd is None:
                    match = re.search(r'Bochs connected to screen "([^"]+)"', super().complaints())
                    if not match:
                        time.sleep(0.05)
                        continue
                    self.screen_fd = os.open(match.group(1), os.O_RDWR | os.O_NOCTTY)
                    tty.setraw(self.screen_fd)
                if not os.read(self.screen_fd, 65536):
                    return
            except OSError:
                return

    def _log(self):
        try:
            with open(self.log_path, encoding="latin-1") as f:
                return f.read()
        except OSError:
            return ""

    def send(self, data):
        try:
            self.conn.sendall(data)
        except OSError as e:
            raise MachineError("Bochs takes no more input: %s" % e) from e

    def wait_end(self, limit):
        """Why Bochs has ended: 'poweroff', 'reset' or its last words; None if it still runs."""
        try:
            self.process.wait(max(0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        # Looked up in the log, for Bochs may be over before it could be ended: its BIOS starts anew after the reset
        # and at times gives up by itself ("Keyboard error:21").
        if self._was_reset():
            return "reset"
        words = super().complaints().partition(MESSAGE)[2].partition("\n")[0]
        if words.startswith(POWER_OFF):
            return "poweroff"
        return words or "exit status %s" % self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.conn:
            for thread in self.threads:
                thread.join(10)
            self.conn.close()
        if self.relay:
            self.relay.close()
        if self.screen_fd is not None:
            os.close(self.screen_fd)

    def complaints(self):
        """What its log calls a panic or an error, and its last words."""
        log = [line for line in self._log().splitlines() if re.match(r"\d+[pe]\[", line)]
        words = super().complaints().partition(MESSAGE)[2]
        return "\n".join(log[-40:] + ([words] if words else []))
