# SPDX-License-Identifier: BSD-2-Clause
"""Keys for the hypervisor's build: tools/trust.sh, and what the Makefile takes for TRUST."""

import base64
import os
import subprocess

from support import GOOD, TOP, VOUCH, ToolTest, read


class Trust(ToolTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("tmp"))
        self.expect(self.vouch("keygen", "k.pem"), GOOD)

    def der(self, name, pem):
        text = read(self.path(pem)).decode().splitlines()
        return self.put(name, base64.b64decode("".join(line for line in text if "-----" not in line)))

    def trust(self, *keys, tool=VOUCH):
        return self.run_tool(os.path.join(TOP, "tools", "trust.sh"), tool, *keys,
                             env=dict(os.environ, TMPDIR=self.path("tmp")))

    def bytes_of(self, done):
        """The policy in the C text."""
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        rows = [line for line in done.stdout.splitlines() if line.startswith("0x")]
        return bytes(int(b, 16) for row in rows for b in row.rstrip(",").split(","))

    def refused(self, text, *keys):
        """Without a copy, and before the tool runs."""
        done = self.trust(*keys, tool="/nonexistent/tool")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(text, done.stderr)
        self.assertNotIn("/nonexistent", done.stderr)
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_public_keys(self):
        self.assertEqual(self.bytes_of(self.trust()), b"")
        pem = self.bytes_of(self.trust("k.pub.pem"))
        self.assertEqual(pem[:4], bytes.fromhex("d00dfeed"))
        self.assertEqual(self.bytes_of(self.trust(self.der("k.pub.der", "k.pub.pem"))), pem)
        self.expect(self.vouch("keygen", "two.pem"), GOOD)
        self.assertIn(b"built-in-1\0", self.bytes_of(self.trust("k.pub.pem", "two.pub.pem")))

    def test_private_keys_are_refused(self):
        self.refused("k.pem: holds a private key", "k.pem")
        self.refused("k.pem: holds a private key", "k.pub.pem", "k.pem")
        self.put("both", read(self.path("k.pub.pem")) + read(self.path("k.pem")))
        self.refused("both: holds a private key", "both")
        self.refused("k.der: holds no public key", self.der("k.der", "k.pem"))
        self.put("pkcs8.der", bytes.fromhex("308187020100301306072a8648ce3d0201"))
        self.refused("pkcs8.der: holds no public key", "pkcs8.der")
        self.put("empty", b"")
        self.refused("empty: holds no public key", "empty")

    def make(self, *argv, **env):
        env = dict({k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "TRUST")}, **env)
        return subprocess.run(("make", "-s", *argv, "help"), cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)

    def test_empty_is_no_choice(self):
        self.assertEqual(self.make().returncode, 0)
        self.assertEqual(self.make("TRUST=k.pub.pem").returncode, 0)
        for done in (self.make("TRUST="), self.make("TRUST= "), self.make(TRUST="")):
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("TRUST is empty", done.stderr)
