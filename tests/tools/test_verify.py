# SPDX-License-Identifier: BSD-2-Clause
"""vouch verify, and what every command has in common."""

import json
import os
import subprocess

from support import ENV, GOOD, REFUSED, USAGE, VECTORS, VOUCH, BUILD_VM, ToolTest, image, read

COMMANDS = ("build", "inspect", "verify", "keygen", "sign", "convert", "extract", "iso", "measure", "policy", "run")


class Verify(ToolTest):
    def vector(self, name):
        return os.path.join(VECTORS, name)

    def test_every_vector(self):
        with open(self.vector("index.json"), encoding="utf-8") as f:
            rows = json.load(f)
        self.assertGreaterEqual(len(rows), 50)
        for row in rows:
            with self.subTest(name=row["name"]):
                path = self.vector(row["name"])
                if row["accept"]:
                    done = self.expect(self.vouch("verify", path), GOOD)
                    self.assertIn(": good: v%d" % read(path)[7], done.stdout)
                else:
                    done = self.expect(self.vouch("verify", path), REFUSED, path + ": refused: ")
                    self.assertEqual(done.stdout, "")

    def test_levels(self):
        v0, v1 = self.vector("golden/three-v0.img"), self.vector("golden/three-v1.img")
        done = self.expect(self.vouch("verify", v0), GOOD)
        self.assertIn("3 files, 1281 bytes, holds no hashes (v0)", done.stdout)
        done = self.expect(self.vouch("verify", "--require=none", v0), GOOD)
        done = self.expect(self.vouch("verify", "--require", "checksum", v0), REFUSED, "holds no hashes (v0)")
        self.assertEqual(done.stdout, "")
        done = self.expect(self.vouch("verify", "--require", "checksum", v1), GOOD)
        self.assertIn("3 files, 1281 bytes, checksum", done.stdout)
        for level in ("", "sha512", "check", "Checksum"):
            self.expect(self.vouch("verify", "--require", level, v1), USAGE, "integrity level")

    def test_every_flipped_bit_of_the_data_is_found(self):
        good = image([("a", b"some bytes"), ("b", b"others, longer")])
        start = len(good) - len(b"some bytesothers, longer")
        for at in range(start, len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << (at % 8)
            done = self.expect(self.vouch("verify", self.put("bad", bytes(bad))), REFUSED, "does not match its hash")
            self.assertIn('"a"' if at < start + 10 else '"b"', done.stderr)

    def test_every_truncation_is_found(self):
        good = image([("a", b"some bytes")])
        for size in range(len(good)):
            self.expect(self.vouch("verify", self.put("cut", good[:size])), REFUSED)

    def test_many_images(self):
        good, bad = self.vector("golden/one-v1.img"), self.vector("invalid/hash.img")
        gone = self.path("gone")
        for argv, status in (([good, good], GOOD), ([good, bad, good], REFUSED), ([gone, good], ENV),
                             ([gone, bad, good], REFUSED), ([bad, gone], REFUSED)):
            done = self.expect(self.vouch("verify", *argv), status)
            self.assertEqual(done.stdout.count(": good: "), argv.count(good))
        self.assertEqual(self.expect(self.vouch("verify", "-q", good), GOOD).stdout, "")
        self.expect(self.vouch("verify", "-q", bad), REFUSED, "refused")

    def test_unreadable(self):
        os.mkfifo(self.path("fifo"))
        self.expect(self.vouch("verify", "fifo"), ENV, "not a regular file")
        self.expect(self.vouch("verify", "."), ENV, "not a regular file")
        self.expect(self.vouch("verify", "gone"), ENV, "gone: cannot open")

    def test_text_from_the_image_is_escaped(self):
        # The id is quoted in the refusal: C1 CSI, DEL and a fake line must not reach the terminal.
        bad = bytearray(image([("x\x9b2J\x7f\nvouch: good", b"abc")]))
        bad[-1] ^= 1
        done = self.expect(self.vouch("verify", self.put("bad", bytes(bad))), REFUSED)
        self.assertTrue(all(c == "\n" or " " <= c <= "~" for c in done.stderr), repr(done.stderr))
        self.assertEqual(done.stderr.count("\n"), 1)


class Common(ToolTest):
    def test_help_and_version(self):
        for argv in ([VOUCH], *([VOUCH, c] for c in COMMANDS), [BUILD_VM]):
            for option in ("--help", "-h"):
                done = self.expect(self.run_tool(*argv, option), GOOD)
                self.assertIn("Usage: ", done.stdout)
                self.assertEqual(done.stderr, "")
            for option in ("--version", "-V"):
                done = self.expect(self.run_tool(*argv, option), GOOD)
                self.assertRegex(done.stdout, r"\A(vouch|build_vm) \d+\.\d+\.\d+\n\Z")

    def test_usage(self):
        for argv in ([], ["nonsense"], [""], ["--nonsense"], *([c] for c in COMMANDS),
                     *([c, "--nonsense"] for c in COMMANDS), ["inspect", "a", "b"]):
            done = self.expect(self.vouch(*argv), USAGE, "--help")
            self.assertEqual(done.stdout, "")

    def test_overview_names_all_commands(self):
        out = self.vouch("--help").stdout
        for command in COMMANDS:
            self.assertRegex(out, r"(?m)^  %s " % command)

    def test_full_output_is_an_error(self):
        good = os.path.join(VECTORS, "golden", "one-v1.img")
        for argv in (["verify", good], ["--help"], ["verify", "--help"], ["--version"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([VOUCH, *argv], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            self.expect(subprocess.CompletedProcess(argv, done.returncode, "", done.stderr), ENV, "standard output")

    def test_progress_on_a_terminal(self):
        # Long enough for several lines on any machine, as version 1's hash is slow; the last one is wiped.
        with open(self.path("big"), "wb") as f:
            f.truncate(512 << 20)
        self.put("c.xml", "<vm><files><file id='x' filename='big'/></files></vm>")
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([VOUCH, "build", "-v", "1", "c.xml", "-o", "out"], cwd=self.dir,
                                   stdin=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        self.assertEqual(process.wait(60), GOOD)
        self.assertRegex(seen, rb"\r(copying|verifying): \d+ of 512 MiB \(\d+ %\) ")
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen[-80:])

    def test_no_progress_when_stderr_is_no_terminal(self):
        with open(self.path("big"), "wb") as f:
            f.truncate(48 << 20)
        self.put("c.xml", "<vm><files><file id='x' filename='big'/></files></vm>")
        self.assertEqual(self.expect(self.vouch("build", "c.xml", "-o", "out"), GOOD).stderr, "")
