# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the host tools share: where the programs are, how they are run, images and kernels to feed them."""

import importlib.util
import os
import signal
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("VOUCH_BUILD", os.path.join(TOP, "build")))
VOUCH = os.path.abspath(os.environ.get("VOUCH", os.path.join(BUILD, "vouch")))
BUILD_VM = os.path.abspath(os.environ.get("BUILD_VM", os.path.join(BUILD, "build_vm")))
VECTORS = os.path.join(TOP, "tests", "data", "vectors")

GOOD, REFUSED, USAGE, ENV = 0, 1, 2, 3

# `make test` says that the set-up has installed all that tests need.
COMPLETE = bool(os.environ.get("VOUCH_TEST_COMPLETE"))
GRUB = ("grub-mkrescue", "xorriso", "mformat", "/usr/lib/grub/i386-pc/boot.img", "/usr/lib/grub/x86_64-efi/efi_gop.mod")

sys.dont_write_bytecode = True
_spec = importlib.util.spec_from_file_location("make_vectors", os.path.join(VECTORS, "make_vectors.py"))
vectors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(vectors)


def missing(*wanted):
    """Those of the programs and (absolute) paths that are not here."""
    return [w for w in wanted if not (os.path.exists(w) if w.startswith("/") else shutil.which(w))]


def needs(*wanted, complete=COMPLETE):
    """For a test or a class of them: skipped without these programs and paths, but failed where all should be here."""
    lacks = missing(*wanted)
    if not lacks or not complete:
        return unittest.skipIf(lacks, "missing: " + ", ".join(lacks))

    def instead(test, *_):
        test.fail("missing: %s: tools/setup.sh --check test names the packages" % ", ".join(lacks))

    def decorate(thing):
        if not isinstance(thing, type):
            return instead
        thing.setUp = instead
        return thing
    return decorate


def read(path):
    with open(path, "rb") as f:
        return f.read()


def image(files, version=1, root="<vm>%s</vm>"):
    """A container with these (id, content) pairs, written by the generator of the vectors, not by the tools."""
    def escape(text):
        return "".join("&#%d;" % ord(c) if c in '&<>"\n\t\r' else c for c in text)
    entries = "".join('<file id="%s" index="%d"></file>' % (escape(i), n) for n, (i, _) in enumerate(files))
    return vectors.pack((root % ("<files>%s</files>" % entries)).encode(), [c for _, c in files], version)


def kernel(size=8192, protocol=0x20f, init_size=1 << 20):
    """The least that passes for a bzImage; it would not run."""
    k = bytearray(size)
    k[0x1f1] = 1
    struct.pack_into("<I", k, 0x1f4, (size - 1024) // 16)
    struct.pack_into("<H", k, 0x1fe, 0xaa55)
    k[0x200:0x202] = b"\xeb\x66"
    k[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", k, 0x206, protocol)
    k[0x211] = 1
    struct.pack_into("<I", k, 0x22c, 0x7fffffff)
    struct.pack_into("<I", k, 0x230, 0x200000)
    k[0x234] = 1
    struct.pack_into("<H", k, 0x236, 0x7f)
    struct.pack_into("<I", k, 0x238, 2047)
    struct.pack_into("<Q", k, 0x258, 0x1000000)
    struct.pack_into("<I", k, 0x260, init_size)
    return bytes(k)


def linux(more=b"", version=1, configuration="<memory>64</memory><cores count=\"1\"/><boot kernel=\"k\"/>"):
    """A container that Vouch would start: the least kernel, and a file with these bytes; or one of this configuration."""
    return image([("k", kernel()), ("more", more)], version, '<vm class="PC">' + configuration + "%s</vm>")


def refused():
    """(container, text): good ones whose guests Vouch refuses, and a part of the reason."""
    small = [("k", kernel()[:700])]
    needs = '<vm class="PC"><memory>%d</memory><cores count="1"/><boot kernel="k"/>%%s</vm>'
    return ((linux(configuration='<memory>64</memory><cores count="1"/><bioses><bios/></bioses>'
                                 '<devices><device class="NE2K" id="n"/></devices>'), "bioses: use <boot"),
            (linux(configuration='<memory>64</memory><cores count="1"/>'), "boot"),
            (image(small, root=needs % 64), "kernel"), (image(small, 0, root=needs % 64), "kernel"),
            (image([("k", kernel(init_size=1 << 30))], root=needs % 64), "MiB"))


LINUX_XML = ('<vm class="PC" name="demo"><memory>64</memory><cores count="1"/><files><file id="k" filename="k"/>'
             '<file id="i" filename="i"/></files><boot kernel="k" initrd="i" cmdline="console=ttyS0"/></vm>')


class ToolTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vouch-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def put(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return self.path(name)

    def run_tool(self, *argv, cwd=None, env=None, **more):
        return subprocess.run(argv, cwd=cwd or self.dir, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=120, **more)

    def vouch(self, *argv, **more):
        return self.run_tool(VOUCH, *argv, **more)

    def expect(self, done, status, *texts):
        """The exit status, and texts on stderr; a refusal must say something, on lines that start with our name."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)
        if status != GOOD:
            self.assertRegex(done.stderr, r"(?m)^(vouch|build_vm|\S*/vouch|\S*/build_vm): ")
        return done

    def no_leftovers(self, *allowed):
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(allowed))

    def make_policy(self, name="p.dtb"):
        """A compiled policy that asks for SHA-256."""
        self.put("p.dts", '/dts-v1/;\n/ { compatible = "vouch,policy"; version = <1>; integrity = "sha256"; };\n')
        self.expect(self.vouch("policy", "compile", "-o", name, "p.dts"), GOOD)
        return self.path(name)

    def make_linux_image(self, name="linux.img", version=1, guest="demo", cores='<cores count="1"/>'):
        self.put("k", kernel())
        self.put("i", b"initrd" * 100)
        self.put("linux.xml", LINUX_XML.replace('"demo"', '"%s"' % guest).replace('<cores count="1"/>', cores))
        self.expect(self.vouch("build", "-v", str(version), "linux.xml", "-o", name), GOOD)
        return self.path(name)

    def build_paused(self, argv, size, meddle):
        """Starts a builder that copies a file of this size first, stops it in the midst of that, calls meddle(), lets
        it go on. A loaded machine may let it get too far before it is stopped: then it is started again."""
        def nice():
            os.nice(10)
            for sig in (signal.SIGHUP, signal.SIGINT):    # which may be ignored: nohup, a job in the background
                signal.signal(sig, signal.SIG_DFL)

        for _ in range(20):
            process = subprocess.Popen(argv, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, preexec_fn=nice)
            try:
                if self.stop_while_copying(process, size):
                    meddle(process)
                    process.send_signal(signal.SIGCONT)
                    out, err = process.communicate(timeout=60)
                    return subprocess.CompletedProcess(argv, process.returncode, out, err)
            finally:
                if process.poll() is None:
                    process.kill()
                process.communicate()
                for name in os.listdir(self.dir):
                    if name.startswith(".vouch-") and process.returncode == -signal.SIGKILL:
                        os.unlink(self.path(name))
        self.fail("the builder was always too fast to be met")

    def stop_while_copying(self, process, size):
        while process.poll() is None:
            for name in os.listdir(self.dir):
                if not name.startswith(".vouch-"):
                    continue
                process.send_signal(signal.SIGSTOP)
                with open("/proc/%d/stat" % process.pid, encoding="ascii") as f:
                    while f.read().rsplit(")", 1)[1].split()[0] not in "TZ":
                        f.seek(0)
                try:
                    done = os.path.getsize(self.path(name))
                except FileNotFoundError:
                    return False
                if process.poll() is not None or done >= size:
                    return False
                if done >= 1 << 20:
                    return True
                process.send_signal(signal.SIGCONT)
        return False
