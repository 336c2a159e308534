# SPDX-License-Identifier: BSD-2-Clause
"""
`make bench`: measures Vouch in instructions, under QEMU's -icount, and writes the figures into docs/performance.md.
Deterministic as far as the emulator is; no figure is a limit, nothing here can fail but the measurement itself.
"""

import argparse
import os
import random
import re
import subprocess
import sys

import binary
import peer
from qemu import FIXED, BenchError, Run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
import images  # noqa: E402
import iso  # noqa: E402

LINUX_MEMORY = 256
LINUX_CMDLINE = "console=ttyS0 quiet nokaslr"
BIG_IMAGE = 64 << 20
PROTECTED_ENTRY = 0x100000      # where QEMU's loader puts a kernel, and enters it
BEGIN, END = "<!-- made by `make bench` -->", "<!-- end of what `make bench` made -->"
TIMING = r"timing: \S+ copy (\d+) hash (\d+) zero (\d+) wait (\d+) rest (\d+) of (\d+) ticks, guest TSC (\d+)"


def millions(n):
    return "%.2f" % (n / 1e6)


def percent(part, whole):
    return "%.2f %%" % (100.0 * part / whole)


def table(head, rows):
    """The lines of a table in Markdown."""
    lines = ["| %s |" % " | ".join(head), "|%s" % (" --- |" * len(head))]
    return lines + ["| %s |" % " | ".join(str(c) for c in row) for row in rows]


class Bench:
    def __init__(self, build, work):
        self.build, self.work = build, work
        self.elf = os.path.join(build, "vouch.elf")
        self.vouch_range = binary.address_range(self.elf)
        self.plugin = os.path.join(build, "bench", "count.so")
        self.init = os.path.join(build, "bench", "init")
        self.exits_kernel = os.path.join(build, "tests", "guest", "exits.bzimage")
        self.linux = os.path.join("build", "guest", "vmlinuz")
        self.initrd = os.path.join(work, "initrd.gz")
        with open(self.initrd, "wb") as f:
            f.write(peer.small_initrd(self.init))
        with open(self.init, "rb") as f:
            self.init_entry = int.from_bytes(f.read()[24:32], "little")

    def run(self, args, marks=()):
        return Run(args, self.plugin, self.vouch_range, marks)

    def run_vouch(self, name, recipe, marks=()):
        print("bench: %s in Vouch" % name, flush=True)
        image = images.build(os.path.join(self.build, "vouch"), name, recipe, self.work)
        path = os.path.join(self.work, name + ".iso")
        with open(self.elf, "rb") as f:
            iso.make(path, self.work, f.read(), "console=com1 loglevel=debug end=poweroff", [(image, "")])
        run = self.run(["-m", "512", "-cdrom", path], marks)
        run.find(r"^vouch: guest %s stopped: powered off" % name)
        return run

    def big_image(self):
        """An image of exactly 64 MiB: the kernel that measures exits, and noise as its initrd."""
        fill = os.path.join(self.work, "fill")
        size = BIG_IMAGE - os.path.getsize(self.exits_kernel) - 4096
        for _ in range(2):
            with open(fill, "wb") as f:
                f.write(random.Random(1).randbytes(size))
            recipe = {"kernel": self.exits_kernel, "initrd": fill, "memory": "128", "cmdline": "expect=vouch"}
            path = images.build(os.path.join(self.build, "vouch"), "large", recipe, self.work)
            size += BIG_IMAGE - os.path.getsize(path)
        return recipe

    def linux_in_vouch(self):
        with open(self.linux, "rb") as f:
            entry = int.from_bytes(f.read(0x260)[0x258:0x260], "little")  # pref_address: where Vouch puts it
        run = self.run_vouch("linux", {"kernel": self.linux, "initrd": self.initrd, "memory": str(LINUX_MEMORY),
                                       "cmdline": LINUX_CMDLINE}, (entry, self.init_entry))
        return run, run.between(entry, self.init_entry, False)

    def linux_bare(self):
        print("bench: linux in the bare emulator", flush=True)
        run = self.run(["-m", str(LINUX_MEMORY), "-kernel", self.linux, "-initrd", self.initrd, "-append",
                        LINUX_CMDLINE], (PROTECTED_ENTRY, self.init_entry))
        return run.between(PROTECTED_ENTRY, self.init_entry, True)[1]

    def peer_kvm(self):
        print("bench: linux and exits in KVM", flush=True)
        path = os.path.join(self.work, "kvm.cpio")
        with open(self.initrd, "rb") as f:
            small = f.read()
        with open(path, "wb") as f:
            f.write(peer.kvm_initrd(self.linux, "build/guest/busybox", small, self.exits_kernel, LINUX_CMDLINE,
                                    LINUX_MEMORY, self.work))
        run = self.run(["-m", "1024", "-kernel", self.linux, "-initrd", path, "-append",
                        "console=ttyS0 quiet nokaslr mitigations=off"], (PROTECTED_ENTRY, self.init_entry))
        return run, run.between(PROTECTED_ENTRY, self.init_entry, True)[1]


def timing(run):
    return [int(n) for n in run.find(TIMING).groups()]


def exits(run):
    return {name: int(n) / 100.0 for name, n in re.findall(r"^EXIT: (\S+) (\d+)$", run.text, re.M)}


def start_section(large, linux):
    rows = []
    for title, run in (("image of 64 MiB, guest of 128 MiB", large), ("Linux: 14 MiB, guest of 256 MiB", linux)):
        copy, digest, zero, wait, rest, whole, _ = timing(run)
        work = whole - wait
        rows += [(title, "copy", millions(copy), percent(copy, work)),
                 ("", "hash", millions(digest), percent(digest, work)),
                 ("", "zeroing the guest's memory", millions(zero), percent(zero, work)),
                 ("", "**the rest**", millions(rest), percent(rest, work)),
                 ("", "all work", millions(work), ""), ("", "waiting for clocks, not work", millions(wait), "")]
    head = ("", "", "million instructions", "of the work")
    return ["### From Vouch's entry to the guest's", ""] + table(head, rows)


def boot_section(run, vouch, bare, kvm):
    inside, outside = vouch
    whole = inside + outside
    ticks = int(run.find(r"^INIT-TSC ([0-9a-f]{16})$").group(1), 16) - timing(run)[-1]
    rows = [("Vouch, the guest", millions(outside), ""), ("Vouch, itself", millions(inside), percent(inside, whole)),
            ("Vouch, both", millions(whole), "%+.2f %% against bare" % (100.0 * (whole - bare) / bare)),
            ("the same by the guest's TSC, time halted included", millions(ticks), ""),
            ("KVM: the guest, Linux and QEMU", millions(kvm), "%+.2f %% against bare" % (100.0 * (kvm - bare) / bare)),
            ("bare emulator", millions(bare), "")]
    return ["### Linux, from its first instruction to /init", ""] + table(("", "million instructions", ""), rows)


def histogram_section(run):
    text = run.find(r"^vouch: debug: guest linux: (\d+) exits\n((?:vouch: debug:   .*\n)+)")
    kinds = re.findall(r"(\S+) (\d+)", re.sub(r"vouch: debug:", "", text.group(2)))
    return ["### Exits of the whole of that run: %s" % text.group(1), ""] + table(("kind", "exits"), kinds)


def size_section(bench, run):
    own, library = binary.text_sizes(bench.elf + ".map")
    kept = run.find(r"memory: \S+ has (\d+) KiB, and (\d+) KiB for")
    rows = [("text of Vouch", "%.1f KiB" % (own / 1024)),
            ("text of newlib, expat, mbedTLS, libfdt, libgcc", "%.1f KiB" % (library / 1024)),
            ("memory a guest takes beside its %d MiB" % (int(kept.group(1)) >> 10), "%s KiB" % kept.group(2))]
    return ["### Size", ""] + table(("", ""), rows)


def exit_section(vouch, kvm):
    ours, theirs = exits(vouch), exits(kvm)
    rows = [(name.replace("-", " "), "%.0f" % cost, "%.0f" % theirs[name] if name in theirs else "",
             "%.2f" % (cost / theirs[name]) if theirs.get(name) else "") for name, cost in ours.items()]
    return ["### What one exit costs", ""] + table(("", "Vouch", "KVM", "ratio"), rows)


def first_line(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip()


def how_section(bench, compiler):
    return ["Measured with %s," % first_line("qemu-system-x86_64", "--version"),
            "Vouch built by %s, guest Linux %s." % (first_line(compiler, "--version"),
                                                         peer.kernel_release(bench.linux)),
            "", "```", "make bench",
            "qemu-system-x86_64 %s \\" % " ".join(FIXED[:8]), "    %s \\" % " ".join(FIXED[8:]),
            "    -plugin count.so,low=VOUCH,high=VOUCH_END,mark=FIRST,mark=INIT \\",
            "    -m 512 -cdrom vouch.iso", "```"]


def write(path, lines):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise BenchError("%s lacks the marks of the part to be written" % path)
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(head + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + tail)
    os.replace(path + ".new", path)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    p.add_argument("--compiler", default="gcc")
    p.add_argument("--out", default="docs/performance.md")
    a = p.parse_args()
    work = os.path.join(a.build, "bench", "work")
    os.makedirs(work, exist_ok=True)
    bench = Bench(a.build, work)
    large = bench.run_vouch("large", bench.big_image())
    linux, boot = bench.linux_in_vouch()
    bare = bench.linux_bare()
    kvm, kvm_boot = bench.peer_kvm()
    sections = [how_section(bench, a.compiler), start_section(large, linux), boot_section(linux, boot, bare, kvm_boot),
                histogram_section(linux), size_section(bench, linux), exit_section(large, kvm)]
    lines = "\n\n".join("\n".join(s) for s in sections).splitlines()
    write(a.out, lines)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, images.RecipeError, iso.IsoError, OSError, subprocess.SubprocessError) as e:
        print("bench: %s" % e, file=sys.stderr)
        sys.exit(1)
