# SPDX-License-Identifier: BSD-2-Clause
"""vouch menu: the entry, and its installation into roots of the test's own. The machine's GRUB is never touched."""

import os
import re
import shutil
import stat
import subprocess
import unittest

from support import (BUILD, COMPLETE, ENV, GOOD, REFUSED, USAGE, VECTORS, VOUCH, ToolTest, linux, missing, needs, read,
                     refused)

BUSYBOX = shutil.which("busybox") or os.path.join(BUILD, "guest", "busybox")
LIBRARY = "/usr/share/grub/grub-mkconfig_lib"
UPDATERS = ("update-grub", "grub-mkconfig")


def can_change_root():
    if missing("unshare", BUSYBOX):
        return False
    return subprocess.run(["unshare", "-r", "--root=/", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=60).returncode == 0


class MenuTest(ToolTest):
    def setUp(self):
        super().setUp()
        self.elf = self.put("some.elf", b"not really a hypervisor")
        self.good = self.put("good.img", linux(b"x" * 5000))
        self.root = self.path("root")
        os.mkdir(self.root)
        # Whoever is called by mistake says so instead of writing a menu.
        self.bin = self.updaters(self.path("bin"), 'echo "$0 $*" >>"%s"' % self.path("called"))
        self.env = dict(os.environ, PATH=self.bin + ":" + os.environ["PATH"])

    def updaters(self, folder, body):
        os.makedirs(folder)
        for name in UPDATERS:
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write("#!/bin/sh\n%s\n" % body)
            os.chmod(os.path.join(folder, name), 0o755)
        return folder

    def tearDown(self):
        self.assertFalse(os.path.exists(self.path("called")), "a menu was made anew")
        super().tearDown()

    def menu(self, *argv, **more):
        return self.vouch("menu", "-H", self.elf, *argv, env=self.env, **more)

    def accepted(self, entry):
        """GRUB's own parser has no objection; where it is not installed, no verdict."""
        if COMPLETE or not missing("grub-script-check"):
            done = self.run_tool("grub-script-check", self.put("entry.cfg", entry))
            self.assertEqual((done.returncode, done.stderr), (0, ""), entry)
        return entry


class Print(MenuTest):
    def printed(self, *argv):
        return self.accepted(self.expect(self.menu(*argv), GOOD).stdout)

    def test_entry(self):
        self.assertEqual(self.printed("-c", " console=com1  end=poweroff", "good.img", "good.img"), """\
menuentry 'Vouch' --class vouch {
	if [ "$grub_platform" = efi ]; then insmod efi_gop; insmod efi_uga; fi
	insmod multiboot2
	multiboot2 '%s' 'console=com1' 'end=poweroff'
	module2 '%s' guest
	module2 '%s' guest
	if [ "$grub_platform" = pc ]; then set gfxpayload=text; fi
}
""" % (self.elf, self.good, self.good))

    def test_guest_words(self):
        words = "weight=512 cap=50 order=2 autostart=no"
        lines = self.printed("-g", "1:" + words, "good.img", "--guest=0:", "good.img").split("\n")
        self.assertEqual([x for x in lines if x.startswith("\tmodule2")],
                         ["\tmodule2 '%s' guest " % self.good, "\tmodule2 '%s' guest %s" % (self.good, words)])
        if COMPLETE or not missing("dtc"):
            lines = self.printed("-p", self.make_policy(), "-g", "1:cap=1", "good.img", "good.img").split("\n")
            self.assertEqual([x.split("' ")[1] for x in lines if x.startswith("\tmodule2")], ["policy", "guest", "guest cap=1"])
        for argv, text in ((("0:weight=0",), "--guest: 'weight=0': weight= takes a number from 1 to 10000"),
                           (("0:cap=101",), "cap= takes"), (("0:order=x",), "order= takes"),
                           (("0:autostart=never",), "autostart= takes yes or no"), (("0:cap=1 cap=1",), "it is given twice"),
                           (("0:colour=red",), "--guest: 'colour=red': not known to this version of Vouch"),
                           (("0:cap=1\nboot",), "printable ASCII"), (("0:cap=1;boot",), "cap= takes"),
                           (("0:" + " " * 250,), "more than 249 characters"),
                           (("cap=1",), "N:WORDS is wanted"), (("-1:cap=1",), "N:WORDS is wanted"), ((":cap=1",), "N:WORDS"),
                           (("64:cap=1",), "N:WORDS is wanted"), (("1:cap=1",), "there is no guest 1"),
                           (("0:cap=1", "0:weight=1"), "guest 0 twice")):
            with self.subTest(argv=argv):
                options = [word for a in argv for word in ("-g", a)]
                self.assertEqual(self.expect(self.menu(*options, "good.img"), USAGE, text).stdout, "")

    def test_quoting(self):
        folder = self.path("a dir's $x \\ \"q\" {} ; # é")
        os.mkdir(folder)
        odd = shutil.copy(self.good, os.path.join(folder, "it's $odd\\.img"))
        os.symlink(odd, self.path("link.img"))
        lines = self.printed("--title", "It's $HOME \\ \"now\" }", "--cmdline", "it's=$x \"q\" \\ a;b",
                             "link.img").split("\n")
        self.assertEqual(lines[0], "menuentry 'It'\\''s $HOME \\ \"now\" }' --class vouch {")
        self.assertIn("\tmultiboot2 '%s' 'it'\\''s=$x' '\"q\"' '\\' 'a;b'" % self.elf, lines)
        self.assertIn("\tmodule2 '%s' guest" % odd.replace("'", "'\\''"), lines)

    def test_root(self):
        os.symlink(self.dir, self.dir + "-link")
        self.addCleanup(os.unlink, self.dir + "-link")
        for root in (self.dir, self.dir + "/", ".", self.dir + "-link"):
            lines = self.printed("--root", root, "good.img").split("\n")
            self.assertIn("\tmultiboot2 '/some.elf'", lines)
            self.assertIn("\tmodule2 '/good.img' guest", lines)
        self.assertIn("'%s'" % self.good, self.printed("--root", "/", "good.img"))
        # A name that only starts like the root is not below it.
        os.mkdir(self.path("go"))
        for root in (self.root, self.path("go")):
            done = self.expect(self.menu("-r", root, "good.img"), USAGE, "is not below " + root)
            self.assertEqual(done.stdout, "")
        self.expect(self.menu("-r", "gone", "good.img"), ENV, "gone: ")

    @needs("dtc")
    def test_policy(self):
        policy = self.make_policy()
        lines = self.printed("--policy", policy, "good.img", "good.img").split("\n")
        self.assertEqual([x for x in lines if x.startswith("\tmodule2")],
                         ["\tmodule2 '%s' policy" % policy] + ["\tmodule2 '%s' guest" % self.good] * 2)
        bad = self.put("bad.dtb", read(policy).replace(b"integrity", b"hntegrity"))
        self.assertEqual(self.expect(self.menu("-p", bad, "good.img"), REFUSED, "hntegrity: unknown property").stdout, "")
        self.expect(self.menu("-p", "gone", "good.img"), ENV, "gone: cannot open")

    def test_refusals(self):
        bad = os.path.join(VECTORS, "invalid", "hash.img")
        self.assertEqual(self.expect(self.menu("good.img", bad), REFUSED, "hash.img: refused: ").stdout, "")
        self.make_linux_image()
        self.assertEqual(self.expect(self.menu("linux.img", "linux.img"), REFUSED, "linux.img: refused: guest name is taken: "
                                     "linux.img is it too").stdout, "")
        self.expect(self.menu("gone.img"), ENV, "gone.img: cannot open")
        self.expect(self.vouch("menu", "-H", "gone.elf", "good.img"), ENV, "gone.elf: cannot open")
        line_end = self.put("a\nb.img", read(self.good))
        self.assertEqual(self.expect(self.menu(line_end), USAGE, "no GRUB configuration can name it").stdout, "")
        alone = shutil.copy(VOUCH, self.path("vouch"))
        self.expect(self.run_tool(alone, "menu", "good.img"), ENV, "no vouch.elf in", "--hypervisor")

    def test_no_hashes(self):
        v0 = self.put("v0.img", linux(version=0))
        self.expect(self.menu(v0), GOOD, "v0.img: holds no hashes", "integrity=none")
        self.assertEqual(self.expect(self.menu(v0, "-c", "integrity=none"), GOOD).stderr, "")

    def test_usage(self):
        for argv in ([], ["--install"], ["-c", "a\nb", "good.img"], ["-c", "\u00e9", "good.img"],
                     ["-t", "", "good.img"], ["-t", "a\nb", "good.img"], ["-t", "--id", "good.img"],
                     ["-t", b"\xff", "good.img"], ["--nonsense", "good.img"]):
            with self.subTest(argv=argv):
                self.assertEqual(self.expect(self.menu(*argv), USAGE).stdout, "")


class Install(MenuTest):
    def install(self, *argv, status=GOOD, texts=()):
        return self.expect(self.menu("--install", "--root", self.root, *argv), status, *texts)

    def at(self, name):
        return os.path.join(self.root, name)

    def tree(self):
        """Every file below the root: mode and content."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                found[os.path.relpath(path, self.root)] = (mode, read(path) if stat.S_ISREG(mode) else None)
        return found

    def entry(self, script=None, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GRUB_")}
        return self.run_tool("sh", script or self.at("etc/grub.d/42_vouch"), env=dict(clean, **env))

    def test_twice(self):
        odd = self.put("an $odd's\\ \"one\".img", linux(b"y"))
        argv = ("-t", "It's $Vouch", "-c", "console=com1 it's=$x", "good.img", odd, "good.img")
        self.assertIn("menu is not updated", self.install(*argv).stdout)
        first = self.tree()
        self.assertEqual(sorted(first), sorted(["etc/grub.d/42_vouch", "boot/vouch/vouch.elf", "boot/vouch/good.img",
                                                "boot/vouch/" + os.path.basename(odd)]))
        self.assertEqual(stat.S_IMODE(first["etc/grub.d/42_vouch"][0]), 0o755)
        self.assertEqual(first["boot/vouch/vouch.elf"][1], read(self.elf))
        self.assertEqual(first["boot/vouch/good.img"][1], read(self.good))
        self.assertEqual(first["boot/vouch/" + os.path.basename(odd)][1], read(odd))
        self.install(*argv)
        self.assertEqual(self.tree(), first)
        # From where it went, too.
        self.elf = self.at("boot/vouch/vouch.elf")
        self.install(*argv[:4], *(self.at("boot/vouch/" + os.path.basename(i)) for i in argv[4:]))
        self.assertEqual(self.tree(), first)

    @needs("dtc")
    def test_policy(self):
        policy = self.make_policy()
        self.put("policy.dtb", read(self.good))
        self.install("-p", policy, "policy.dtb", status=USAGE, texts=["cannot be installed under this name"])
        self.install("-p", policy, "good.img")
        self.assertEqual(read(self.at("boot/vouch/policy.dtb")), read(policy))
        lines = self.accepted(self.entry().stdout).split("\n")
        self.assertEqual([x for x in lines if x.startswith("\tmodule2")],
                         ["\tmodule2 \"$vouch\"/'policy.dtb' policy", "\tmodule2 \"$vouch\"/'good.img' guest"])

    def test_script(self):
        self.put("an $odd's\\.img", read(self.good))
        self.install("-t", "It's $Vouch", "-c", "it's=$x `y` $(z)", "good.img", "an $odd's\\.img")
        script = self.at("etc/grub.d/42_vouch")
        self.assertEqual(self.run_tool("sh", "-n", script).returncode, 0)
        done = self.entry()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.accepted(done.stdout), """\
menuentry 'It'\\''s $Vouch' --class vouch --id vouch {
	set vouch='/boot/vouch'
	if [ "$grub_platform" = efi ]; then insmod efi_gop; insmod efi_uga; fi
	insmod multiboot2
	multiboot2 "$vouch"/'vouch.elf' 'it'\\''s=$x' '`y`' '$(z)'
	module2 "$vouch"/'good.img' guest
	module2 "$vouch"/'an $odd'\\''s\\.img' guest
	if [ "$grub_platform" = pc ]; then set gfxpayload=text; fi
}
""")

    @needs(LIBRARY)
    def test_under_grub_mkconfig(self):
        """/boot/vouch on a file system of its own: with GRUB's library, over programs that know such a disk."""
        self.install("good.img")
        # The script as it is, but for where /boot/vouch is.
        text = read(self.at("etc/grub.d/42_vouch")).decode()
        self.assertEqual(text.count("dir=/boot/vouch\n"), 1)
        script = self.put("script", text.replace("dir=/boot/vouch\n", "dir=%s\n" % self.at("boot/vouch")))
        probe = self.put("probe", '#!/bin/sh\ncase "$*" in *partmap*) echo gpt;; *=abstraction*) ;; *=fs) echo ext2;;'
                                  ' *fs_uuid*) echo 0123-abcd;; *) exit 1;; esac\n')
        relpath = self.put("relpath", '#!/bin/sh\n[ "$1" = "%s" ] && echo "/it\'s/vouch"\n' % self.at("boot/vouch"))
        os.chmod(probe, 0o755)
        os.chmod(relpath, 0o755)
        env = {"GRUB_DEVICE_BOOT": "/dev/nonesuch", "pkgdatadir": os.path.dirname(LIBRARY), "grub_probe": probe,
               "grub_mkrelpath": relpath}
        done = self.entry(script, **env)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = self.accepted(done.stdout).split("\n")
        self.assertEqual(lines[0], "menuentry 'Vouch' --class vouch --id vouch {")
        self.assertIn("\tinsmod part_gpt", lines)
        self.assertRegex(done.stdout, r"(?m)^\tsearch .*0123-abcd$|^\t  search .*0123-abcd$")
        self.assertIn("\tset vouch='/it'\\''s/vouch'", lines)
        self.assertLess(lines.index("\tinsmod part_gpt"), lines.index("\tset vouch='/it'\\''s/vouch'"))
        self.assertIn("\tmultiboot2 \"$vouch\"/'vouch.elf'", lines)
        # What cannot be found out is an error, and no half entry.
        for name in ("grub_mkrelpath", "pkgdatadir"):
            done = self.entry(script, **dict(env, **{name: "/nonesuch"}))
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stdout, "")
        # Removed files take the entry with them, and not the whole menu.
        os.unlink(self.at("boot/vouch/vouch.elf"))
        done = self.entry(script, **env)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("no entry for Vouch", done.stderr)

    def test_bad_image(self):
        bad = os.path.join(VECTORS, "invalid", "hash.img")
        self.install("good.img", bad, status=REFUSED, texts=["hash.img: refused: "])
        self.assertEqual(os.listdir(self.root), [])
        for i, (data, text) in enumerate(refused()):
            name = "refused%d.img" % i
            self.put(name, data)
            self.assertEqual(self.expect(self.menu("good.img", name), REFUSED, name + ": refused: ", text).stdout, "")
            self.install("good.img", name, status=REFUSED, texts=[name + ": refused: ", text])
        self.assertEqual(os.listdir(self.root), [])
        self.install("good.img")
        before = self.tree()
        self.install(self.put("new.img", read(self.good)), bad, status=REFUSED)
        self.assertEqual(self.tree(), before)

    def test_names(self):
        os.mkdir(self.path("other"))
        self.put("other/good.img", linux(b"z"))
        self.put("vouch.elf", read(self.good))
        self.put("a\x1bb.img", read(self.good))
        for argv, text in ((["good.img", "other/good.img"], "same name"), (["vouch.elf"], "under this name"),
                           (["a\x1bb.img"], "no GRUB configuration can name it")):
            self.install(*argv, status=USAGE, texts=[text])
        self.assertEqual(os.listdir(self.root), [])

    def test_failures(self):
        self.install("gone.img", status=ENV, texts=["gone.img: cannot open"])
        self.expect(self.menu("-i", "-r", "gone", "good.img"), ENV, "gone: ")
        os.makedirs(self.at("boot"))
        self.put("root/boot/vouch", "a file")
        self.install("good.img", status=ENV)
        os.unlink(self.at("boot/vouch"))
        os.makedirs(self.at("boot/vouch/good.img"))
        self.install("good.img", status=USAGE, texts=["not a regular file"])
        # The script comes last: no entry without its files, and no temporary file stays.
        self.assertEqual(sorted(self.tree()), ["boot/vouch/vouch.elf"])

    def test_links_do_not_lead_out(self):
        """Links of a system under a root mean that system's files, never ours."""
        outside = self.path("outside")
        for link in ("boot", "etc"):
            os.mkdir(outside)
            os.symlink(outside, self.at(link))
            self.install("good.img", status=ENV, texts=["leads out of"])
            os.rmdir(outside)
            os.unlink(self.at(link))
        target = self.put("target", "precious")
        os.makedirs(self.at("etc/grub.d"))
        os.symlink(target, self.at("etc/grub.d/42_vouch"))
        os.makedirs(self.at("disk/vouch"))
        shutil.rmtree(self.at("boot"), ignore_errors=True)
        os.symlink("disk", self.at("boot"))
        self.install("good.img")
        self.assertEqual(read(target), b"precious")
        self.assertFalse(os.path.islink(self.at("etc/grub.d/42_vouch")))
        self.assertEqual(sorted(os.listdir(self.at("disk/vouch"))), ["good.img", "vouch.elf"])


@unittest.skipUnless(can_change_root(), "needs unshare with user namespaces, and busybox")
class Here(MenuTest):
    """Installation into /, where / is a folder of the test's own."""

    def setUp(self):
        super().setUp()
        for name in ("bin", "dev", "tmp"):
            os.mkdir(os.path.join(self.root, name))
        self.take(BUSYBOX, "bin/sh")
        self.take(VOUCH, "bin/vouch")
        self.take(self.elf, "bin/vouch.elf")
        self.take(self.good, "tmp/good.img")
        # All that is asked of it is to be empty, and a device is root's to make.
        self.put("root/dev/null", b"")
        for line in self.run_tool("ldd", VOUCH).stdout.split("\n") + self.run_tool("ldd", BUSYBOX).stdout.split("\n"):
            for path in re.findall(r"(/\S+) \(0x", line):
                self.take(path, path[1:])

    def take(self, path, name):
        to = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)

    def here(self, *argv):
        return self.run_tool("unshare", "-r", "--root=" + self.root, "/bin/vouch", "menu", "--install",
                             "-H", "/bin/vouch.elf", *argv, "/tmp/good.img", env={"PATH": "/bin:/sbin"})

    def test_menu_is_made(self):
        log = os.path.join(self.root, "tmp/log")
        sbin = self.updaters(os.path.join(self.root, "sbin"), 'echo "$0 $*" >>/tmp/log; echo noise')
        for root in ([], ["--root", "/"], ["--root", "/tmp/.."]):
            done = self.expect(self.here(*root), GOOD)
            self.assertEqual(done.stdout, "Installed; GRUB's menu is made anew.\n")
            self.assertEqual(read(log), b"/sbin/update-grub \n")
            os.unlink(log)
        os.unlink(os.path.join(sbin, "update-grub"))
        self.expect(self.here(), GOOD)
        self.assertEqual(read(log), b"/sbin/grub-mkconfig -o /boot/grub/grub.cfg\n")
        self.assertEqual(read(os.path.join(self.root, "boot/vouch/good.img")), read(self.good))
        self.assertEqual(read(os.path.join(self.root, "boot/vouch/vouch.elf")), read(self.elf))
        self.assertTrue(os.access(os.path.join(self.root, "etc/grub.d/42_vouch"), os.X_OK))

    def test_failures(self):
        self.expect(self.here(), ENV, "grub-mkconfig is missing", "grub2-common")
        self.assertFalse(os.path.exists(os.path.join(self.root, "boot")))
        self.updaters(os.path.join(self.root, "sbin"), "echo the reason; exit 7")
        done = self.expect(self.here(), ENV, "update-grub failed with exit status 7", "the reason")
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
