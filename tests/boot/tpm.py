# SPDX-License-Identifier: BSD-2-Clause
"""A TPM for a boot: swtpm, which stays when its QEMU is killed, so that what the boot left in it can be read afterwards."""

import array
import os
import signal
import socket
import struct
import subprocess
import time

BANKS = {"sha1": 4, "sha256": 11, "sha384": 12, "sha512": 13}
SET_DATAFD, INIT = 16, 2
NO_SESSIONS, SESSIONS = 0x8001, 0x8002
OWNER = 0x40000001
# TPM 2.0 Part 3: an empty password; a counter anyone may read and increment.
PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
COUNTER, PLAIN = 0x02060016, 0x02060006


class TpmError(Exception):
    pass


class Tpm:
    def __init__(self, kind, folder):
        if kind not in ("tis", "crb"):
            raise TpmError("no kind of TPM: %s" % kind)
        self.kind, self.state = kind, os.path.join(folder, "tpm")
        os.makedirs(self.state)
        self.log = open(os.path.join(folder, "swtpm-output"), "wb")
        # A relative path: a socket's may have 107 bytes.
        self.path = os.path.join(os.path.relpath(self.state), "sock")
        self.process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.state, "--ctrl",
                                         "type=unixio,path=" + self.path], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        limit = time.monotonic() + 30
        while not os.path.exists(self.path):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise TpmError("swtpm did not start: exit status %s" % self.process.returncode)
            time.sleep(0.05)

    def arguments(self):
        """QEMU's."""
        return ["-chardev", "socket,id=tpmsock,path=" + self.path, "-tpmdev", "emulator,id=tpm0,chardev=tpmsock",
                "-device", "tpm-%s,tpmdev=tpm0" % self.kind]

    def runs(self):
        """False: a script has ended it."""
        return not self.log.closed

    def connect(self):
        limit = time.monotonic() + 30
        while True:
            try:
                return Connection(self.path)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise
                time.sleep(0.1)

    def prepare(self, indices):
        """Before the boot. {index: (count, plain)}: NV counters that stand at count; plain: an ordinary index."""
        c = self.connect()
        c.power_on()
        for index, (count, plain) in indices.items():
            c.define(index, PLAIN if plain else COUNTER)
            for _ in range(0 if plain else count):
                c.command(SESSIONS, 0x134, struct.pack(">II", index, index) + PASSWORD)
        c.command(NO_SESSIONS, 0x145, b"\0\0")          # shut down
        c.close()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Connection:
    """Speaks to swtpm by itself (docs: swtpm_ioctls(3)): nothing of Vouch or QEMU is in between."""

    def __init__(self, path):
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(30)
        self.control.connect(path)
        self.data, theirs = socket.socketpair()
        self.data.settimeout(30)
        self.control.sendmsg([struct.pack(">I", SET_DATAFD)],
                             [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
        theirs.close()
        self.result()

    def result(self):
        answer = self.control.recv(4)
        if answer != bytes(4):
            raise TpmError("swtpm's control answers %s" % answer.hex())

    def power_on(self):
        self.control.sendall(struct.pack(">II", INIT, 0))
        self.result()
        self.command(NO_SESSIONS, 0x144, b"\0\0")

    def command(self, tag, code, body):
        """Sends a command; what follows the head of its answer, parameters without sessions."""
        self.data.sendall(struct.pack(">HII", tag, 10 + len(body), code) + body)
        answer = self.data.recv(4096)
        _, size, rc = struct.unpack_from(">HII", answer)
        if size != len(answer) or rc:
            raise TpmError("command %#x: answer %s" % (code, answer.hex()))
        if tag == NO_SESSIONS:
            return answer[10:]
        length, = struct.unpack_from(">I", answer, 10)
        return answer[14:14 + length]

    def define(self, index, attributes):
        self.command(SESSIONS, 0x12A, struct.pack(">I", OWNER) + PASSWORD
                     + struct.pack(">HHIHIHH", 0, 14, index, 11, attributes, 0, 8))

    def counter(self, index):
        answer = self.command(SESSIONS, 0x14E, struct.pack(">II", index, index) + PASSWORD + struct.pack(">HH", 8, 0))
        return struct.unpack(">HQ", answer)[1]

    def pcr(self, bank, number):
        """Hexadecimal."""
        bits = bytearray(3)
        bits[number // 8] |= 1 << number % 8
        answer = self.command(NO_SESSIONS, 0x17E, struct.pack(">IHB", 1, BANKS[bank], 3) + bits)
        count, size = struct.unpack_from(">IH", answer, 14)
        if count != 1 or len(answer) != 20 + size:
            raise TpmError("PCR %d: %s" % (number, answer.hex()))
        return answer[20:].hex()

    def close(self):
        self.data.close()
        self.control.close()
