# SPDX-License-Identifier: BSD-2-Clause
"""vouch ctl against a socket that answers as Vouch's control port does, or does not."""

import json
import os
import socket
import subprocess
import threading
import time
import unittest

from support import ENV, GOOD, REFUSED, USAGE, VOUCH, ToolTest


class Port(threading.Thread):
    """One end of the serial line: answers(command) gives the rows, or an error's text, or raw bytes."""

    def __init__(self, path, answers, first=b"", version=1, piece=7, pause=0):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.answers, self.first, self.version, self.piece = answers, first, version, piece
        self.pause = pause
        self.heard = []
        self.start()

    def line(self, number, **what):
        return (json.dumps(dict(v=self.version, id=number, **what), separators=(",", ":")) + "\r\n").encode()

    def reply(self, text):
        number, _, command = text.partition(" ")
        number = int(number)
        if command == "hello":
            return self.line(number, vouch={"protocol": self.version}) + self.line(number, done=True)
        answer = self.answers(command)
        if isinstance(answer, bytes):
            return answer
        if isinstance(answer, str):
            return self.line(number, error=answer)
        return b"".join(self.line(number, **{kind: row}) for kind, row in answer) + self.line(number, done=True)

    def run(self):
        with self.listener:
            conn, _ = self.listener.accept()
        with conn:
            try:
                self.talk(conn)
            except OSError:
                pass

    def talk(self, conn):
        conn.sendall(self.first)
        for text in conn.makefile("r", encoding="ascii"):
            if not text.strip():
                continue
            self.heard.append(text.strip().partition(" ")[2])
            data = self.reply(text.strip())
            for i in range(0, len(data), self.piece):
                conn.sendall(data[i:i + self.piece])
                if self.pause:
                    time.sleep(self.pause)
            if data == b"":
                return


GUESTS = [("guest", {"number": 0, "name": "web", "state": "running", "memory_kib": 131072}),
          ("guest", {"number": 1, "name": "database", "state": "stopped", "memory_kib": 64})]


class Ctl(ToolTest):
    def port(self, answers, **more):
        return Port(self.path("s"), answers, **more)

    def ctl(self, *argv, **more):
        return self.vouch("ctl", "-s", "s", *argv, **more)

    def test_table(self):
        port = self.port(lambda command: GUESTS)
        done = self.expect(self.ctl("list"), GOOD)
        self.assertEqual(done.stdout, "number  name      state    memory_kib\n"
                                      "     0  web       running      131072\n"
                                      "     1  database  stopped          64\n")
        self.assertEqual(port.heard, ["hello", "list"])

    def test_list_lines_and_words(self):
        port = self.port(lambda command: [("info", {"name": "web", "starts": 2, "memory_kib": 64}), ("line", {"text": "a"}),
                                          ("line", {"text": "b \\ \"c\" \u001b[2J"})], piece=1000)
        done = self.expect(self.ctl("info", "web"), GOOD)
        self.assertEqual(done.stdout, "name:             web\nstarts:           2\nmemory_kib:       64\n"
                                      "a\nb \\ \"c\" \\x1b[2J\n")
        self.assertEqual(port.heard[1:], ["info web"])

    def test_json(self):
        self.port(lambda command: GUESTS)
        done = self.expect(self.ctl("--json", "list"), GOOD)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["guest"] for row in rows[:2]], [row for _, row in GUESTS])
        self.assertEqual((len(rows), rows[2]["done"], rows[2]["v"]), (3, True, 1))
        self.assertEqual(len({row["id"] for row in rows}), 1)

    def test_nothing_to_say(self):
        port = self.port(lambda command: [])
        self.assertEqual(self.expect(self.ctl("pause", "web"), GOOD).stdout, "")
        self.assertEqual(port.heard[1:], ["pause web"])

    def test_refused(self):
        self.port(lambda command: "no such guest")
        self.expect(self.ctl("destroy", "nobody"), REFUSED, "error: no such guest")

    def test_noise_before(self):
        noise = (b"half a line\x00\xff\xfe[[[[{\r\n{\"v\":1,\"id\":0,\"error\":\"x\"}\r\n{\"v\":1,\"id\":1,\"done\":true}\r\n"
                 b"\n\n[1]\n7\n{\"guest\":{\"name\":\"forged\"}}\nno end ")
        self.port(lambda command: GUESTS, first=noise + b"\n")
        self.assertEqual(self.expect(self.ctl("list"), GOOD).stdout.count("\n"), 3)

    def test_other_version(self):
        port = self.port(lambda command: GUESTS, version=2)
        self.expect(self.ctl("destroy", "web"), ENV, "version 2 of the protocol")
        self.assertEqual(port.heard, ["hello"])

    def test_no_answer(self):
        self.port(lambda command: b"garbage\n")
        done = self.expect(self.ctl("-t", "1", "list"), ENV, "no answer: time is up")
        self.assertEqual(done.stdout, "")

    def test_noise_gives_no_more_time(self):
        for noise in (b"garbage\n", b"{\"v\":1,\"id\":1,\"done\":true}\n", b"no end "):
            with self.subTest(noise=noise):
                self.endless(noise)

    def endless(self, noise):
        """Whoever answers never falls silent, but says nothing to us."""
        path = self.path("endless")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)

        def babble():
            conn, _ = listener.accept()
            conn.settimeout(20)
            end = time.monotonic() + 20
            try:
                while time.monotonic() < end:
                    conn.sendall(noise)
                    time.sleep(0.02)
            except OSError:
                pass
            conn.close()

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        begin = time.monotonic()
        self.expect(self.vouch("ctl", "-s", path, "-t", "1", "list"), ENV, "no answer: time is up")
        self.assertLess(time.monotonic() - begin, 15)
        thread.join(30)
        listener.close()
        os.unlink(path)

    def test_slow_lines(self):
        """Each line of the answer has its own time."""
        begin = time.monotonic()
        self.port(lambda command: GUESTS * 3, piece=40, pause=0.15)
        self.assertEqual(self.expect(self.ctl("-t", "2", "list"), GOOD).stdout.count("\n"), 7)
        self.assertGreater(time.monotonic() - begin, 2)

    def test_closed(self):
        self.port(lambda command: b"")
        self.expect(self.ctl("list"), ENV, "no answer")

    def test_endless_line(self):
        self.port(lambda command: b"x" * 200000, piece=4096)
        self.expect(self.ctl("list"), ENV, "a line without an end")

    def test_no_socket(self):
        self.expect(self.ctl("list"), ENV, "s: cannot connect: No such file")
        self.put("f", "")
        self.expect(self.vouch("ctl", "-s", "f", "list"), ENV, "cannot connect")
        self.expect(self.vouch("ctl", "-s", "x" * 200, "list"), ENV, "too long for a socket")

    def test_usage(self):
        for argv, text in ((["list"], "no --socket"), (["-s", "s"], "no command"), (["-s", "s", ""], "is empty"),
                           (["-s", "s", "-t", "0", "list"], "timeout '0'"), (["-s", "s", "-t", "1x", "list"], "timeout"),
                           (["-s", "s", "a\nb"], "printable ASCII"), (["-s", "s", "dump", "w\u00e9b"], "printable ASCII"),
                           (["-s", "s", "x" * 141], "longer than 140"), (["-s", "s", "-q", "list"], "")):
            with self.subTest(argv=argv):
                self.expect(self.vouch("ctl", *argv), USAGE, text)

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("needs /dev/full")
        self.port(lambda command: GUESTS)
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([VOUCH, "ctl", "-s", "s", "list"], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, ENV)


if __name__ == "__main__":
    unittest.main()
