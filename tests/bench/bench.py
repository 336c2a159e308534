# SPDX-License-Identifier: BSD-2-Clause
"""
`make bench`: measures Vouch in instructions, in QEMU under -icount and in Bochs, beside the bare loop and KVM, and
writes the figures into docs/performance.md. Fails only if a measurement does, or if the bare loop does not read what
it must.

`make bench-check` (--check): measures what exits cost in Vouch anew and fails if one is worse than the committed table.
"""

import argparse
import gzip
import os
import random
import re
import subprocess
import sys

import binary
import exits
import peer
from machines import BochsRun
from qemu import FIXED, BenchError, Run

# Behind our own folder, which has a qemu.py as well.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
import images  # noqa: E402
import iso  # noqa: E402
from machine import MachineError  # noqa: E402

# Machine: Bochs' model of a CPU (none: QEMU), the vendor's part of KVM, what Linux needs there on its command line.
MACHINES = {"QEMU SVM": (None, "amd", ""), "Bochs SVM": ("ryzen", "amd", " clearcpuid=221"),
            "Bochs VMX": ("corei7_skylake_x", "intel", "")}
LINUX_MEMORY = 256
LINUX_CMDLINE = "console=ttyS0 quiet nokaslr"
KVM_CMDLINE = "console=ttyS0 quiet nokaslr mitigations=off"
BUSYBOX = "build/guest/busybox"
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
        self.wake = binary.symbols(self.exits_kernel.replace(".bzimage", ".elf"), "exits_hlt", "exits_handler")
        self.linux = os.path.join("build", "guest", "vmlinuz")
        self.initrd = os.path.join(work, "initrd.gz")
        with open(self.initrd, "wb") as f:
            f.write(peer.small_initrd(self.init))
        with open(self.init, "rb") as f:
            self.init_entry = int.from_bytes(f.read()[24:32], "little")

    def run(self, args, marks=()):
        return Run(args, self.plugin, self.vouch_range, marks)

    def vouch_iso(self, name, recipe):
        image = images.build(os.path.join(self.build, "vouch"), name, recipe, self.work)
        path = os.path.join(self.work, name + ".iso")
        with open(self.elf, "rb") as f:
            iso.make(path, self.work, f.read(), "console=com1 loglevel=debug end=poweroff", [(image, "")])
        return path

    def run_vouch(self, name, recipe, machine="QEMU SVM", marks=()):
        print("bench: %s in Vouch on %s" % (name, machine), flush=True)
        path, model = self.vouch_iso(name, recipe), MACHINES[machine][0]
        if model:
            run = BochsRun(path, model, "512", self.work)
        else:
            run = self.run(["-m", "512", "-cdrom", path], marks)
        run.find(r"^vouch: guest %s stopped: powered off" % name)
        return run

    def exits_in_vouch(self, machine):
        recipe = {"kernel": self.exits_kernel, "memory": "128", "cmdline": "expect=vouch"}
        return self.figures(self.run_vouch("exits", recipe, machine, self.wake))

    def figures(self, run):
        found = exits.figures(run)
        if isinstance(run, Run):
            found[exits.WAKE_WORK] = run.mean_between(*self.wake, exits.WAKE_UPS)
        return found

    def bare_loop(self, machine):
        print("bench: bare loop on %s" % machine, flush=True)
        kernel, model = os.path.join(self.build, "bench", "bare.bzimage"), MACHINES[machine][0]
        if not model:
            return exits.bare_loop(machine, self.run(["-m", "512", "-kernel", kernel]))
        path = os.path.join(self.work, "bare.iso")
        iso.make(path, self.work, None, "", [(kernel, "")])
        return exits.bare_loop(machine, BochsRun(path, model, "512", self.work))

    def exits_in_kvm(self, machine):
        """For Bochs; on QEMU peer_kvm() does it."""
        print("bench: exits in KVM on %s" % machine, flush=True)
        model, vendor, extra = MACHINES[machine]
        initrd, path = os.path.join(self.work, "kvm.gz"), os.path.join(self.work, "kvm.iso")
        with open(initrd, "wb") as f:
            f.write(gzip.compress(peer.kvm_initrd(self.linux, BUSYBOX, self.exits_kernel, self.work, vendor), mtime=0))
        iso.make(path, self.work, None, "", [(self.linux, KVM_CMDLINE + extra)], initrd)
        run = BochsRun(path, model, "1024", self.work, "KVM-DONE", True)
        if run.hung:
            print("bench: KVM on %s did not come to its end:\n%s" % (machine, run.text[-3000:]), flush=True)
        return self.figures(run)

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

    def linux_recipe(self):
        return {"kernel": self.linux, "initrd": self.initrd, "memory": str(LINUX_MEMORY), "cmdline": LINUX_CMDLINE}

    def linux_in_vouch(self):
        with open(self.linux, "rb") as f:
            entry = int.from_bytes(f.read(0x260)[0x258:0x260], "little")  # pref_address: where Vouch puts it
        run = self.run_vouch("linux", self.linux_recipe(), marks=(entry, self.init_entry))
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
            f.write(peer.kvm_initrd(self.linux, BUSYBOX, self.exits_kernel, self.work,
                                    linux=(small, LINUX_CMDLINE, LINUX_MEMORY)))
        run = self.run(["-m", "1024", "-kernel", self.linux, "-initrd", path, "-append", KVM_CMDLINE],
                       (PROTECTED_ENTRY, self.init_entry, *self.wake))
        return run, run.between(PROTECTED_ENTRY, self.init_entry, True)[1]


def timing(run):
    return [int(n) for n in run.find(TIMING).groups()]


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


def histogram_section(runs):
    """runs: {machine: run of Linux}."""
    lines = ["### Exits of the whole of that run"]
    for machine, run in runs.items():
        text = run.find(r"^vouch: debug: guest linux: (\d+) exits\n((?:vouch: debug:   .*\n)+)")
        kinds = re.findall(r"(\S+) (\d+)", re.sub(r"vouch: debug:", "", text.group(2)))
        lines += ["", "On %s: %s." % (machine, text.group(1)), ""] + table(("kind", "exits"), kinds)
    return lines


def size_section(bench, run):
    own, library = binary.text_sizes(bench.elf + ".map")
    kept = run.find(r"memory: \S+ has (\d+) KiB, and (\d+) KiB for")
    rows = [("text of Vouch", "%.1f KiB" % (own / 1024)),
            ("text of newlib, expat, mbedTLS, libfdt, libgcc", "%.1f KiB" % (library / 1024)),
            ("memory a guest takes beside its %d MiB" % (int(kept.group(1)) >> 10), "%s KiB" % kept.group(2))]
    return ["### Size", ""] + table(("", ""), rows)


def exit_section(bare, vouch, kvm):
    loops = ", ".join("%s %.2f" % (machine, cost) for machine, cost in bare.items())
    return (["### What one exit costs", "", "The bare loop: %s." % loops, ""] +
            table(exits.HEAD, exits.rows(bare, vouch, kvm)))


def first_line(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("utf-8", "replace").splitlines()[0].strip()


def bochs_version():
    return "Bochs " + first_line("dpkg-query", "-W", "-f", "${Version}\n", "bochs")


def how_section(bench, compiler):
    return ["Measured with %s and %s," % (first_line("qemu-system-x86_64", "--version"), bochs_version()),
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


def measure(bench, compiler):
    """The lines of the page."""
    bare = {machine: bench.bare_loop(machine) for machine in MACHINES}
    vouch = {machine: bench.exits_in_vouch(machine) for machine in MACHINES}
    large = bench.run_vouch("large", bench.big_image())
    linux, boot = bench.linux_in_vouch()
    linuxes = {"QEMU SVM": linux, "Bochs VMX": bench.run_vouch("linux", bench.linux_recipe(), "Bochs VMX")}
    bare_boot = bench.linux_bare()
    kvm_run, kvm_boot = bench.peer_kvm()
    kvm = {machine: bench.exits_in_kvm(machine) if MACHINES[machine][0] else bench.figures(kvm_run)
           for machine in MACHINES}
    sections = [how_section(bench, compiler), exit_section(bare, vouch, kvm), start_section(large, linux),
                boot_section(linux, boot, bare_boot, kvm_boot), histogram_section(linuxes), size_section(bench, linux)]
    return "\n\n".join("\n".join(s) for s in sections).splitlines()


def check(bench, path):
    for machine in MACHINES:
        bench.bare_loop(machine)
    lines, good = exits.compare(path, {machine: bench.exits_in_vouch(machine) for machine in MACHINES})
    print("\n".join(lines + ["bench-check: %s" % ("passed" if good else "FAILED")]))
    return 0 if good else 1


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build")
    p.add_argument("--compiler", default="gcc")
    p.add_argument("--out", default="docs/performance.md")
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    work = os.path.join(a.build, "bench", "work")
    os.makedirs(work, exist_ok=True)
    bench = Bench(a.build, work)
    if a.check:
        return check(bench, a.out)
    lines = measure(bench, a.compiler)
    write(a.out, lines)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, MachineError, images.RecipeError, iso.IsoError, OSError, subprocess.SubprocessError) as e:
        print("bench: %s" % e, file=sys.stderr)
        sys.exit(1)
