# SPDX-License-Identifier: BSD-2-Clause
"""vouch iso and vouch run, up to the door of GRUB and QEMU: the boot tests go through it."""

import os
import shutil
import signal
import socket
import subprocess
import time

from support import ENV, GOOD, GRUB, REFUSED, USAGE, VECTORS, VOUCH, ToolTest, linux, needs, read, refused


class IsoTest(ToolTest):
    def setUp(self):
        super().setUp()
        self.elf = self.put("some.elf", b"not really a hypervisor")
        self.good = self.put("good.img", linux(b"x" * 5000))
        self.tmp = self.path("tmp")
        os.mkdir(self.tmp)

    def env(self, **more):
        return dict(os.environ, TMPDIR=self.tmp, **more)

    def fake(self, **programs):
        """A PATH of shell scripts, and what they need."""
        folder = self.path("bin")
        os.makedirs(folder, exist_ok=True)
        for name, body in programs.items():
            path = os.path.join(folder, name.replace("_", "-").replace("x86-64", "x86_64"))
            with open(path, "w") as f:
                f.write("#!/bin/sh\n" + body)
            os.chmod(path, 0o755)
        return folder


@needs(*GRUB)
class Iso(IsoTest):
    def from_iso(self, iso, name):
        out = self.path("extracted")
        if os.path.exists(out):
            os.unlink(out)
        subprocess.run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", name, out], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        return read(out)

    def test_content(self):
        odd = self.put("an odd=na\\me,'\".img", linux(b"y"))
        os.symlink(odd, self.path("link.img"))
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, "--cmdline", "console=com1  it's=$x \"q\" \\",
                               "-g", "1:weight=9 order=1", "good.img", "link.img", odd, env=self.env()), GOOD)
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/vouch.elf"), read(self.elf))
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest0.img"), read(self.good))
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest1.img"), read(odd))
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest2.img"), read(odd))
        lines = self.from_iso(self.path("x.iso"), "/boot/grub/grub.cfg").decode().split("\n")
        self.assertIn("set timeout=0", lines)
        self.assertIn("multiboot2 /boot/vouch.elf 'console=com1' 'it'\\''s=$x' '\"q\"' '\\'", lines)
        self.assertEqual([x for x in lines if x.startswith("module2")],
                         ["module2 /boot/guest%d.img guest%s" % (i, " weight=9 order=1" * (i == 1)) for i in range(3)])
        self.assertEqual(os.listdir(self.tmp), [])

    @needs("dtc")
    def test_policy(self):
        policy = self.make_policy("it's=a\\policy.dtb")
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, "--policy", policy, "good.img"), GOOD)
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/policy.dtb"), read(policy))
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest0.img"), read(self.good))
        lines = self.from_iso(self.path("x.iso"), "/boot/grub/grub.cfg").decode().split("\n")
        self.assertEqual([x for x in lines if x.startswith("module2")],
                         ["module2 /boot/policy.dtb policy", "module2 /boot/guest0.img guest"])
        os.unlink(self.path("x.iso"))
        for argv in (["iso", "-o", "x.iso", "-H", self.elf], ["run", "-d"]):
            self.expect(self.vouch(*argv, "-p", "good.img", "good.img"), REFUSED, "not a flattened device tree")
            self.expect(self.vouch(*argv, "-p", "gone", "good.img"), ENV, "gone: cannot open")
        self.assertFalse(os.path.exists(self.path("x.iso")))

    def test_boots(self):
        # El Torito and the hybrid boot sector: what firmware looks for.
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, "good.img"), GOOD)
        data = read(self.path("x.iso"))
        self.assertEqual(data[510:512], b"\x55\xaa")
        self.assertIn(b"EL TORITO SPECIFICATION", data[17 * 2048:18 * 2048])
        # The boot catalogue, whose place the record names: default entry for a BIOS, then a section for UEFI (ef).
        at = int.from_bytes(data[17 * 2048 + 0x47:17 * 2048 + 0x4b], "little") * 2048
        self.assertEqual((data[at], data[at + 1], data[at + 32]), (1, 0, 0x88))
        self.assertEqual((data[at + 64], data[at + 65], data[at + 96]), (0x91, 0xef, 0x88))
        lines = self.from_iso(self.path("x.iso"), "/boot/grub/grub.cfg").decode().split("\n")
        self.assertIn('if [ "$grub_platform" = efi ]; then insmod efi_gop; insmod efi_uga; fi', lines)
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/grub/x86_64-efi/efi_gop.mod"),
                         read("/usr/lib/grub/x86_64-efi/efi_gop.mod"))

    def test_bad_images_are_warned_about(self):
        bad = os.path.join(VECTORS, "invalid", "hash.img")
        v0 = self.put("v0.img", linux(version=0))
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, bad, v0), GOOD, "hash.img: Vouch will refuse",
                    "v0.img: holds no hashes", "integrity=none")
        self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest0.img"), read(bad))
        done = self.vouch("iso", "-o", "x.iso", "-H", self.elf, "-c", "integrity=none", v0, "good.img")
        self.assertEqual(self.expect(done, GOOD).stderr, "")
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, self.make_linux_image(), "linux.img"), GOOD,
                    "linux.img: Vouch will refuse this image: guest name is taken: ", "linux.img is it too")
        for i, (data, text) in enumerate(refused()):
            name = "refused%d.img" % i
            self.put(name, data)
            self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, name), GOOD,
                        "%s: Vouch will refuse this image: " % name, text)
            self.assertEqual(self.from_iso(self.path("x.iso"), "/boot/guest0.img"), data)

    def test_failures(self):
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, "gone.img"), ENV, "gone.img: cannot open")
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", "gone.elf", "good.img"), ENV, "gone.elf: cannot open")
        self.expect(self.vouch("iso", "-o", "no/x.iso", "-H", self.elf, "good.img"), ENV, "no/x.iso: cannot create")
        self.no_leftovers("some.elf", "good.img", "tmp")

    def test_inputs_are_not_replaced(self):
        before = {name: read(self.path(name)) for name in ("some.elf", "good.img")}
        for out in before:
            self.expect(self.vouch("iso", "-o", out, "-H", self.elf, "good.img"), USAGE, "%s: is also the output file" % out)
        self.make_policy("p.dtb")
        self.expect(self.vouch("iso", "-o", "p.dtb", "-p", "p.dtb", "-H", self.elf, "good.img"), USAGE, "is also the output")
        self.assertEqual({name: read(self.path(name)) for name in before}, before)
        self.no_leftovers("some.elf", "good.img", "p.dts", "p.dtb", "tmp")

    def test_failing_grub(self):
        self.put("x.iso", "old")
        bin = self.fake(grub_mkrescue="echo the reason; exit 7\n", xorriso="exit 0\n")
        done = self.vouch("iso", "-o", "x.iso", "-H", self.elf, "good.img", env=self.env(PATH=bin + ":/bin:/usr/bin"))
        self.expect(done, ENV, "grub-mkrescue failed with exit status 7", "the reason")
        bin = self.fake(grub_mkrescue="exit 0\n")
        done = self.vouch("iso", "-o", "x.iso", "-H", self.elf, "good.img", env=self.env(PATH=bin + ":/bin:/usr/bin"))
        self.expect(done, ENV, "left no ISO")
        self.assertEqual(read(self.path("x.iso")), b"old")
        self.assertEqual(os.listdir(self.tmp), [])
        self.no_leftovers("bin", "good.img", "some.elf", "tmp", "x.iso")

    # Leaves what grub-mkrescue leaves, a link to what is not its own, and with it a child that would write to the ISO late.
    LITTER = """
mkdir -p "$TMPDIR/grub.1/boot"; echo junk >"$TMPDIR/grub.1/boot/junk"; ln -s '%(dir)s/precious' "$TMPDIR/grub.1/link"
while [ "$1" != -o ]; do shift; done
echo half >"$2"
"""

    def litter(self, more):
        os.mkdir(self.path("precious"))
        self.put("precious/file", "data")
        bin = self.fake(grub_mkrescue=(self.LITTER + more) % {"dir": self.dir}, xorriso="exit 0\n")
        return self.env(PATH=bin + ":" + os.environ["PATH"])

    def check_litter(self, *allowed):
        self.assertEqual(os.listdir(self.tmp), [])
        self.assertEqual(read(self.path("precious/file")), b"data")
        self.no_leftovers("bin", "good.img", "precious", "some.elf", "tmp", *allowed)

    def test_litter_of_failing_grub(self):
        self.expect(self.vouch("iso", "-o", "x.iso", "-H", self.elf, "good.img", env=self.litter("exit 1\n")), ENV)
        self.check_litter()

    def test_litter_of_grub_that_is_ended(self):
        env = self.litter("""(while [ -e '%(dir)s/started' ]; do sleep 0.05; done; sleep 0.2; echo late >"$2") &
touch '%(dir)s/started'; exec sleep 60
""")
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=sig):
                process = subprocess.Popen([VOUCH, "iso", "-o", "x.iso", "-H", self.elf, "good.img"], env=env, cwd=self.dir,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                           preexec_fn=lambda: signal.signal(sig, signal.SIG_DFL))
                end = time.monotonic() + 30
                while not os.path.exists(self.path("started")):
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.01)
                process.send_signal(sig)
                self.assertEqual(process.communicate(timeout=30)[1], b"")
                self.assertEqual(process.returncode, -sig)
                os.unlink(self.path("started"))
                time.sleep(0.5)
                self.check_litter()

    def test_an_ignored_signal_ends_nothing(self):
        env = self.litter("kill -HUP $PPID; kill -INT $PPID; sleep 0.2\n")
        done = self.run_tool("sh", "-c", "trap '' HUP INT; exec \"$0\" \"$@\"", VOUCH, "iso", "-o", "x.iso", "-H", self.elf,
                             "good.img", env=env)
        self.expect(done, GOOD)
        self.assertEqual(read(self.path("x.iso")), b"half\n")
        self.check_litter("x.iso")


class Environment(IsoTest):
    def test_missing_programs(self):
        empty = self.fake()
        for argv, text in ((["iso", "-o", "x.iso"], "grub-common"), (["run"], "qemu-system-x86")):
            img = self.make_linux_image()
            done = self.vouch(*argv, "-H", self.elf, img, env=self.env(PATH=empty))
            self.expect(done, ENV, "install the Debian package " + text)
        done = self.vouch("iso", "-o", "x.iso", "-H", self.elf, img,
                          env=self.env(PATH=self.fake(grub_mkrescue="exit 0")))
        self.expect(done, ENV, "install the Debian package xorriso")
        done = self.vouch("iso", "-o", "x.iso", "-H", self.elf, img,
                          env=self.env(PATH=self.fake(grub_mkrescue="exit 0", xorriso="exit 0")))
        self.expect(done, ENV, "install the Debian package mtools")

    def test_missing_hypervisor(self):
        alone = shutil.copy(VOUCH, self.path("vouch"))
        self.expect(self.run_tool(alone, "iso", "-o", "x.iso", "good.img"), ENV, "no vouch.elf in", "--hypervisor")

    def test_usage(self):
        for argv in (["iso", "good.img"], ["iso", "-o", "x.iso"], ["iso", "-o", "x.iso", "-c", "a\nb", "good.img"],
                     ["iso", "-o", "x.iso", "-c", "\u00e9", "good.img"], ["run", "--cpus", "0", "good.img"],
                     ["run", "--cpus", "256", "good.img"], ["run", "--cpus", "two", "good.img"],
                     ["run", "--memory", "0", "good.img"], ["run", "--memory", "-1", "good.img"],
                     ["run", "--memory", "99999999999999999999", "good.img"], ["run", "--accel", "xen", "good.img"],
                     ["run", "-c", "\x1b[2J", "good.img"]):
            with self.subTest(argv=argv):
                self.expect(self.vouch(*argv), USAGE)


class Run(IsoTest):
    def setUp(self):
        super().setUp()
        self.linux = self.make_linux_image()

    def dry(self, *argv):
        return self.expect(self.vouch("run", "--dry-run", *argv), GOOD).stdout.split()

    def test_machine(self):
        argv = self.dry("--accel", "tcg", self.linux)
        self.assertEqual(argv[0], "qemu-system-x86_64")
        for option, value in (("-accel", "tcg"), ("-smp", "1"), ("-m", "577M"), ("-cdrom", "ISO"),
                              ("-serial", "mon:stdio"), ("-echr", "29")):
            self.assertEqual(argv[argv.index(option) + 1], value)
        self.assertIn("-no-reboot", argv)
        self.assertEqual(argv[argv.index("-cpu") + 1].split(",")[0], "EPYC")
        argv = self.dry("-a", "kvm", "-n", "4", "-m", "3000", self.linux)
        for option, value in (("-accel", "kvm"), ("-cpu", "host"), ("-smp", "4"), ("-m", "3000M")):
            self.assertEqual(argv[argv.index(option) + 1], value)

    def test_dry_run_is_for_a_shell(self):
        for name in ("a b'$x;\"q\"\\ctl", "a*b", "~c", "#", "plain-./_@%+=:9"):
            line = self.expect(self.vouch("run", "--dry-run", "--cpu", name, "-C", name, self.linux), GOOD).stdout
            done = self.run_tool("sh", "-c", "HOME=/nonesuch; printf '%s\n' " + line)
            words = done.stdout.split("\n")
            self.assertEqual(words[words.index("-cpu") + 1], name)
            self.assertEqual(words[-2], "unix:%s,server=on,wait=off" % name)
            self.assertEqual("'" in line, not name.startswith("plain"), line)
        self.assertIn(" -cpu '' ", self.expect(self.vouch("run", "-d", "--cpu", "", self.linux), GOOD).stdout)

    def test_memory_counts_all_guests(self):
        argv = self.dry(self.linux, *(self.make_linux_image(g + ".img", guest=g) for g in ("second", "third")))
        self.assertEqual(argv[argv.index("-m") + 1], "%dM" % (512 + 3 * (64 + 1)))

    def test_pins(self):
        image = self.make_linux_image("pinned.img", cores='<cores count="2"><core target_cpu="1"/><core target_cpu="3"/></cores>')
        for argv, text in (([], "core 0 asks for CPU 1, and the machine gets CPUs 0 to 0; --cpus=2 makes it"),
                           (["-n", "3"], "core 1 asks for CPU 3, and the machine gets CPUs 0 to 2; --cpus=4 makes it")):
            self.assertEqual(self.expect(self.vouch("run", "-d", *argv, image), REFUSED, "pinned.img: refused: ", text).stdout, "")
        self.dry("-n", "4", image)

    def test_kvm_only_with_nested_svm(self):
        argv = self.dry(self.linux)
        try:
            with open("/sys/module/kvm_amd/parameters/nested", encoding="ascii") as f:
                nested = f.read(1) in "1Y"
        except OSError:
            nested = False
        usable = nested and os.access("/dev/kvm", os.R_OK | os.W_OK)
        self.assertEqual(argv[argv.index("-accel") + 1], "kvm" if usable else "tcg")

    def test_bad_images(self):
        self.expect(self.vouch("run", "-d", os.path.join(VECTORS, "invalid", "hash.img")), REFUSED, "does not match")
        self.expect(self.vouch("run", "-d", os.path.join(VECTORS, "golden", "one-v1.img")), REFUSED,
                    "one-v1.img: refused")
        self.expect(self.vouch("run", "-d", "gone.img"), ENV, "gone.img: cannot open")
        for i, (data, text) in enumerate(refused()):
            name = "refused%d.img" % i
            self.put(name, data)
            self.assertEqual(self.expect(self.vouch("run", "-d", self.linux, name), REFUSED, name + ": refused: ", text).stdout,
                             "")
        self.assertEqual(self.expect(self.vouch("run", "-d", self.linux, self.linux), REFUSED,
                                     "refused: guest name is taken", "is it too").stdout, "")
        v0 = self.put("v0.img", linux(version=0))
        self.expect(self.vouch("run", "-d", v0), GOOD, "v0.img: holds no hashes", "integrity=none")
        self.assertEqual(self.expect(self.vouch("run", "-d", "-c", "integrity=none", v0), GOOD).stderr, "")


@needs(*GRUB)
class FakeQemu(IsoTest):
    def setUp(self):
        super().setUp()
        self.linux = self.make_linux_image()

    def start(self, script):
        bin = self.fake(qemu_system_x86_64=script)
        return self.env(PATH=bin + ":" + os.environ["PATH"])

    def test_iso_is_given_and_does_not_stay(self):
        env = self.start('while [ "$1" != -cdrom ]; do shift; done; cp "$2" "%s"; echo guest says hello\n'
                         % self.path("seen"))
        done = self.expect(self.vouch("run", "-H", self.elf, self.linux, env=env), GOOD, "Ctrl-] X")
        self.assertEqual(done.stdout, "guest says hello\n")
        self.assertIn(b"'end=poweroff'", read(self.path("seen")))
        self.assertIn(read(self.linux), read(self.path("seen")))
        self.assertEqual(os.listdir(self.tmp), [])

    def test_control(self):
        done = self.expect(self.vouch("run", "-d", "-H", self.elf, "--control", "/x/ctl", self.linux), GOOD)
        self.assertTrue(done.stdout.endswith(" -serial unix:/x/ctl,server=on,wait=off\n"))
        env = self.start('while [ "$1" != -cdrom ]; do shift; done; cp "$2" "%s"\n' % self.path("seen"))
        self.expect(self.vouch("run", "-H", self.elf, "-C", "ctl", "-c", "end=halt", self.linux, env=env), GOOD)
        self.assertIn(b"'end=halt' 'control=com2'", read(self.path("seen")))
        self.expect(self.vouch("run", "-H", self.elf, "-C", "a,b", self.linux), USAGE, "without commas")
        self.expect(self.vouch("run", "-e", "bochs", "-H", self.elf, "-C", "a", self.linux), USAGE, "for QEMU")

    def test_control_deletes_nothing_but_sockets(self):
        precious = self.put("precious", "data")
        os.symlink(precious, self.path("link"))
        os.mkdir(self.path("folder"))
        for name in ("precious", "link", "folder"):
            self.expect(self.vouch("run", "-H", self.elf, "-C", name, self.linux, env=self.start("rm -rf %s\n" % name)),
                        USAGE, name + ": exists and is no socket", "--control")
        self.assertEqual(read(precious), b"data")
        self.expect(self.vouch("run", "-d", "-C", "precious/below", self.linux), ENV, "precious/below: cannot make")
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(self.path("old"))
        self.expect(self.vouch("run", "-H", self.elf, "-C", "old", self.linux, env=self.start("exit 0\n")), GOOD)

    def test_not_even_kill_leaves_anything(self):
        env = self.start('ls "%s" >"%s"; kill -9 $PPID; exec sleep 60\n' % (self.tmp, self.path("seen")))
        done = self.vouch("run", "-H", self.elf, self.linux, env=env)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertEqual(read(self.path("seen")), b"")
        self.assertEqual(os.listdir(self.tmp), [])

    def test_status(self):
        done = self.vouch("run", "-H", self.elf, self.linux, env=self.start("exit 5\n"))
        self.expect(done, ENV, "qemu-system-x86_64 failed with exit status 5")
        done = self.vouch("run", "-H", self.elf, self.linux, env=self.start("kill -9 $$\n"))
        self.expect(done, ENV, "ended by signal 9")
        self.assertEqual(os.listdir(self.tmp), [])

    def test_signal_ends_qemu_too(self):
        env = self.start('echo $$ >"%s.new"; mv "%s.new" "%s"; exec sleep 60\n' % ((self.path("pid"),) * 3))
        process = subprocess.Popen([VOUCH, "run", "-H", self.elf, self.linux], env=env, cwd=self.dir,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not os.path.exists(self.path("pid")):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        process.terminate()
        self.assertEqual(process.wait(30), -signal.SIGTERM)
        self.assertEqual(os.listdir(self.tmp), [])
        pid = int(read(self.path("pid")))
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                if f.read().split()[2] == "Z":
                    break
            time.sleep(0.01)
        else:
            self.assertFalse(os.path.exists("/proc/%d" % pid), "QEMU outlived vouch run")
