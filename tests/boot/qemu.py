# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU: the first serial port on pipes, the second in a file, control and events through a QMP socket."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time

from machine import Machine, MachineError


# Time by instructions, of 16 ns each. While all CPUs halt, the clock jumps to the next timer, or goes as the host's does.
ICOUNT = {"counted": "shift=4,sleep=off", "paced": "shift=4,sleep=on"}


class Qemu(Machine):
    what = "QEMU"

    def __init__(self, iso, cpu, cpus, memory, extra, folder, firmware="bios", vga="none", control=False,
                 threads="single", clock="real"):
        super().__init__(folder)
        self.qmp_path = os.path.join(folder, "qmp")
        if os.path.exists(self.qmp_path):
            os.unlink(self.qmp_path)
        accel = "tcg" if cpus == "1" else "tcg,thread=" + threads
        argv = ["qemu-system-x86_64", "-accel", accel, "-cpu", cpu, "-smp", cpus, "-m", memory, "-nodefaults", "-vga", vga,
                "-display", "none", "-no-reboot", "-cdrom", iso,
                "-serial", "stdio", "-serial", self._com2(control),
                "-qmp", "unix:%s,server=on,wait=off" % self.qmp_path] + self._firmware(firmware) + extra
        if clock in ICOUNT:
            argv += ["-icount", ICOUNT[clock], "-rtc", "clock=vm"]
        self.events = []
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        bufsize=0)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.qmp = None
        try:
            self._connect()
        except OSError as e:
            self.kill()
            raise MachineError("no control socket: %s; QEMU says: %s" % (e, self.complaints())) from e

    def _com2(self, control):
        """The second serial port: a file, or the socket that `vouch ctl` talks to."""
        if not control:
            return "file:" + self.com2_path
        self.control_path = os.path.join(self.folder, "ctl")
        return "unix:%s,server=on,wait=off" % self.control_path

    def _firmware(self, kind):
        """QEMU's arguments for UEFI: OVMF and variables of this boot's own."""
        if kind == "bios":
            return []
        if kind != "uefi":
            raise MachineError("unknown firmware %s" % kind)
        variables = os.path.join(self.folder, "vars.fd")
        shutil.copyfile("/usr/share/OVMF/OVMF_VARS_4M.fd", variables)
        return ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                "-drive", "if=pflash,format=raw,file=" + variables]

    def screendump(self):
        """The path of a picture of the screen as it is now."""
        path = os.path.join(self.folder, "screen.ppm")
        self.command({"execute": "screendump", "arguments": {"filename": path}})
        return path

    def _read(self):
        while True:
            piece = self.process.stdout.read(65536)
            self.take(piece)
            if not piece:
                return

    def _connect(self):
        limit = time.monotonic() + 60
        while True:
            try:
                self.qmp = socket.socket(socket.AF_UNIX)
                self.qmp.connect(self.qmp_path)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise
                time.sleep(0.05)
        self.replies = []
        self.qmp_changed = threading.Condition()
        self.qmp_thread = threading.Thread(target=self._read_qmp, daemon=True)
        self.qmp_thread.start()
        self.command({"execute": "qmp_capabilities"})

    def _read_qmp(self):
        try:
            for line in self.qmp.makefile("r", encoding="utf-8"):
                message = json.loads(line)
                with self.qmp_changed:
                    if "event" in message:
                        self.events.append(message)
                    elif "return" in message or "error" in message:
                        self.replies.append(message)
                    self.qmp_changed.notify_all()
        except (OSError, ValueError):
            pass

    def command(self, message, timeout=60):
        """Sends a QMP command and returns its answer, or None when QEMU has ended."""
        with self.qmp_changed:
            before = len(self.replies)
            try:
                self.qmp.sendall((json.dumps(message) + "\n").encode())
            except OSError:
                return None
            self.qmp_changed.wait_for(lambda: len(self.replies) > before or not self.qmp_thread.is_alive(), timeout)
            if len(self.replies) == before:
                return None
            answer = self.replies[-1]
        if "error" in answer:
            raise MachineError("QEMU refuses %s: %s" % (message, answer["error"].get("desc")))
        return answer["return"]

    def monitor(self, line):
        return self.command({"execute": "human-monitor-command", "arguments": {"command-line": line}})

    def send(self, data):
        try:
            self.process.stdin.write(data)
        except OSError as e:
            raise MachineError("QEMU takes no more input: %s" % e) from e

    def wait_end(self, limit):
        """Why QEMU has ended: 'poweroff', 'reset' or its own word for it; None if it still runs."""
        try:
            self.process.wait(max(0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        self.reader.join(10)
        self.qmp_thread.join(10)
        for event in self.events:
            if event["event"] == "SHUTDOWN":
                reason = event["data"].get("reason", "unknown")
                return {"guest-shutdown": "poweroff", "guest-reset": "reset"}.get(reason, reason)
        return "exit status %s" % self.process.returncode

    def broke(self):
        """Has QEMU ended by itself, without the machine being switched off or reset?"""
        if self.process.poll() is None:
            return False
        self.qmp_thread.join(10)
        return not any(e["event"] == "SHUTDOWN" for e in self.events)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(10)
        if self.qmp:
            self.qmp.close()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass

    def complaints(self):
        """Less the features of the CPU model that it never has."""
        return "".join(c for c in super().complaints().splitlines(True)
                       if "TCG doesn't support requested feature" not in c)
