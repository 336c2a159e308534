# SPDX-License-Identifier: BSD-2-Clause
"""vouch run --emulator bochs with programs in Bochs' place: terminals, ends, what stays behind. The boot tests' Bochs is real."""

import os
import pty
import signal
import subprocess
import termios
import time
import unittest

from support import ENV, GOOD, GRUB, USAGE, VOUCH, needs, read
from test_iso import IsoTest

BOCHS = ("/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/VGABIOS-lgpl-latest",
         "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so")
# What each stand-in begins with: $conf, $serial, $log and $iso are what its configuration says.
FIND = """
while [ "$1" != -f ]; do shift; done; conf=$2
serial=$(sed -n 's/^com1:.*dev=//p' "$conf"); log=$(sed -n 's/^log: //p' "$conf")
iso=$(sed -n 's/^ata0-master:.*path=\\([^,]*\\),.*/\\1/p' "$conf")
words() { printf '%s\\nBochs is exiting with the following message:\\n%s\\n%s\\n' ===== "$1" ===== >&2; exit 1; }
"""
OFF = "words '[ACPI  ] ACPI control: soft power off'\n"
RESET = "echo '00000000000i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called' >>$log\n"


class Options(IsoTest):
    def setUp(self):
        super().setUp()
        self.linux = self.make_linux_image()

    def run_bochs(self, *argv, **more):
        return self.vouch("run", "--emulator=bochs", *argv, self.linux, **more)

    def test_configuration(self):
        lines = self.expect(self.run_bochs("--dry-run"), GOOD).stdout.split("\n")
        self.assertEqual(lines[0].split()[0], "bochs-bin")
        for line in ("memory: guest=577, host=577", "ata0-master: type=cdrom, path=ISO, status=inserted"):
            self.assertIn(line, lines)
        self.assertTrue(any(x.startswith("cpu: model=corei7_skylake_x, count=1, ") for x in lines))
        lines = self.expect(self.run_bochs("-d", "-u", "ryzen", "-n", "2", "-m", "2048"), GOOD).stdout.split("\n")
        self.assertIn("memory: guest=2048, host=2048", lines)
        self.assertTrue(any(x.startswith("cpu: model=ryzen, count=2, ") for x in lines))

    def test_refusals(self):
        self.expect(self.run_bochs("-d", "--cpu", "ryzen, count=3"), USAGE, "no name of a CPU model")
        self.expect(self.run_bochs("-d", "--cpu", ""), USAGE, "no name of a CPU model")
        self.expect(self.run_bochs("-d", "--accel", "tcg"), USAGE, "--accel is for QEMU")
        self.expect(self.run_bochs("-d", "-m", "2049"), ENV, "2049 MiB are more than the 2048 that Bochs can have")
        self.expect(self.vouch("run", "-e", "xen", self.linux), USAGE, "emulator 'xen' is none of qemu, bochs")
        self.expect(self.run_bochs(env=self.env(PATH="/nowhere")), ENV, "install the Debian package bochs")

    def test_cpu_of_qemu(self):
        argv = self.expect(self.vouch("run", "-d", "-e", "qemu", "-u", "max,-la57", self.linux), GOOD).stdout.split()
        self.assertEqual(argv[argv.index("-cpu") + 1], "max,-la57")


@needs(*GRUB, *BOCHS)
class FakeBochs(IsoTest):
    def setUp(self):
        super().setUp()
        self.linux = self.make_linux_image()
        self.argv = [VOUCH, "run", "-e", "bochs", "-H", self.elf, self.linux]

    def start(self, script):
        return self.env(PATH=self.fake(bochs_bin=FIND + script) + ":" + os.environ["PATH"])

    def run_fake(self, script, typed=""):
        return subprocess.run(self.argv, env=self.start(script), input=typed, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)

    def wait_for(self, what):
        end = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def gone(self, pid):
        try:
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                return f.read().split()[2] == "Z"
        except FileNotFoundError:
            return True

    def test_console(self):
        done = self.run_fake('cp "$iso" "%s"; echo hello >$serial; read line <$serial; echo "got $line" >$serial\n%s'
                             % (self.path("seen"), OFF), "typed\x01x\n")
        self.expect(done, GOOD, "starting Bochs (corei7_skylake_x, 1 CPU, 577M)")
        self.assertEqual(done.stdout, "hello\ngot typed\x01x\n")
        self.assertIn(b"'end=poweroff'", read(self.path("seen")))
        self.assertIn(read(self.linux), read(self.path("seen")))
        self.assertEqual(os.listdir(self.tmp), [])

    def test_much_output(self):
        done = self.run_fake("seq 1 20000 >$serial\n" + OFF)
        self.expect(done, GOOD)
        self.assertEqual(done.stdout, "".join("%d\n" % n for n in range(1, 20001)))

    def test_reset_ends_it(self):
        done = self.run_fake(RESET + "echo one >$serial; sleep 0.5; echo two >$serial\n" + RESET + "exec sleep 60\n")
        self.expect(done, GOOD)
        self.assertEqual(done.stdout, "one\ntwo\n")

    def test_bad_ends(self):
        self.expect(self.run_fake("words '[CPU0  ] exception(): 3rd (13) exception'\n"), ENV,
                    "Bochs ended: [CPU0  ] exception(): 3rd (13) exception")
        self.expect(self.run_fake("exit 0\n"), ENV, "Bochs ended and did not say why")
        self.assertEqual(os.listdir(self.tmp), [])

    def test_its_screen_is_read(self):
        done = self.run_fake("python3 -c 'import os, pty, sys; m, s = pty.openpty()\n"
                             'print("Bochs connected to screen \\"%s\\"" % os.ttyname(s), file=sys.stderr, flush=True)\n'
                             "os.write(m, b\"x\" * 1000000)'\n" + OFF)
        self.expect(done, GOOD)

    def test_not_even_kill_leaves_anything(self):
        env = self.start('ls "%s" >"%s"; echo $$ >"%s"; kill -9 $PPID; exec sleep 60\n'
                         % (self.tmp, self.path("seen"), self.path("pid")))
        done = subprocess.run(self.argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertEqual((read(self.path("seen")), os.listdir(self.tmp)), (b"", []))
        self.wait_for(lambda: self.gone(int(read(self.path("pid")))))

    def on_terminal(self, act):
        """Plays act(near end, process) while a stand-in runs that ends only when killed; returns the exit status."""
        near, far = pty.openpty()
        env = self.start('trap "" TERM; echo $$ >"%s.new"; mv "%s.new" "%s"; while :; do sleep 0.1; done\n'
                         % ((self.path("pid"),) * 3))
        before = termios.tcgetattr(far)
        process = subprocess.Popen(self.argv, env=env, stdin=far, stdout=far, stderr=far)
        try:
            self.wait_for(lambda: os.path.exists(self.path("pid")))
            self.wait_for(lambda: not termios.tcgetattr(far)[3] & termios.ECHO)
            act(near, process)
            status = process.wait(30)
            self.assertEqual(termios.tcgetattr(far), before)
            self.wait_for(lambda: self.gone(int(read(self.path("pid")))))
            self.assertEqual(os.listdir(self.tmp), [])
            return status
        finally:
            process.kill()
            process.wait()
            os.close(near)
            os.close(far)

    def test_user_ends_it(self):
        self.assertEqual(self.on_terminal(lambda near, process: os.write(near, b"\x01\x1d\x1d\x1dx")), GOOD)

    def test_signal_gives_the_terminal_back(self):
        self.assertEqual(self.on_terminal(lambda near, process: process.terminate()), -signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
