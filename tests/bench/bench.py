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
import xen
from kept import Kept
from machines import BochsRun
from qemu import FIXED, BenchError, Run, Transcript

# Behind our own folder, which has a qemu.py as well.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
import images  # noqa: E402
import iso  # noqa: E402
from machine import MachineError  # noqa: E402

# Machine: Bochs' model of a CPU (none: QEMU), the vendor's part of KVM (none: not measured there), what Linux needs on its
# command line, what Vouch gets on its. Linux finds its FPU state broken when it uses XSAVES or XSAVEC (323, 321) on Bochs'
# ryzen, and its programs then copy zeros; MWAITX (221) never ends there.
MACHINES = {"QEMU SVM": (None, "amd", "", ""), "Bochs SVM": ("ryzen", "amd", " clearcpuid=221,321,323", ""),
            "Bochs VMX": ("corei7_skylake_x", "intel", "", ""),
            "Bochs VMX -apicv": ("corei7_skylake_x", None, "", " features=-apicv")}
PLAIN = " mitigations=off"
# What /init does then, and what the table calls it.
THENS = {"": "boot", "sleeps": "100 sleeps", "forks": "500 processes"}
HISTOGRAMS = {machine: ("", "sleeps", "forks") for machine in ("QEMU SVM", "Bochs SVM", "Bochs VMX")}
BOOT_SHARE = 1 / 3
# Where KVM's kicks are measured: on two CPUs in QEMU, of which one is executed at a time, its Linux gets nowhere.
KVM_KICKS = ("Bochs VMX",)
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
        self.plugin = os.path.join(build, "bench", "count.so")
        self.init = os.path.join(build, "bench", "init")
        self.bare = os.path.join(build, "bench", "bare.bzimage")
        self.exits_kernel = os.path.join(build, "tests", "guest", "exits.bzimage")
        self.wake = binary.symbols(self.exits_kernel.replace(".bzimage", ".elf"), "exits_hlt", "exits_handler")
        self.beside_kernel = os.path.join(build, "tests", "guest", "beside.bzimage")
        self.beside = binary.symbols(self.beside_kernel.replace(".bzimage", ".elf"), "beside_hlt", "beside_handler")
        self.kernels = {"exits": self.exits_kernel, "beside": self.beside_kernel}
        self.kick_kernel = os.path.join(build, "tests", "guest", "kick.bzimage")
        self.linux = os.path.join("build", "guest", "vmlinuz")
        self.initrd = os.path.join(work, "initrd.gz")
        with open(self.initrd, "wb") as f:
            f.write(peer.small_initrd(self.init))
        with open(self.init, "rb") as f:
            self.init_entry = int.from_bytes(f.read()[24:32], "little")

    def run(self, args, marks=()):
        return Run(args, self.plugin, marks)

    def vouch_iso(self, recipes, options=""):
        """recipes: {name: recipe}, in the order of their starts."""
        made = [(images.build(os.path.join(self.build, "vouch"), name, recipe, self.work), "")
                for name, recipe in recipes.items()]
        path = os.path.join(self.work, "-".join(recipes) + ".iso")
        with open(self.elf, "rb") as f:
            iso.make(path, self.work, f.read(), "console=com1 loglevel=debug end=poweroff" + options, made)
        return path

    def run_vouch(self, recipes, machine="QEMU SVM", marks=(), extra="", cpus="1"):
        model, options = MACHINES[machine][0], MACHINES[machine][3] + extra
        print("bench: %s in Vouch on %s%s" % (", ".join(recipes), machine, extra), flush=True)
        path = self.vouch_iso(recipes, options)
        if model:
            run = BochsRun(path, model, "512", self.work, cpus=cpus)
        else:
            run = self.run(["-m", "512", "-smp", cpus, "-cdrom", path], marks)
        for name in recipes:
            run.find(r"^vouch: guest %s stopped: powered off" % name)
        return run

    def exits_in_vouch(self, machine, extra=""):
        recipe = {"kernel": self.exits_kernel, "memory": "128", "cmdline": "expect=vouch"}
        return self.figures(self.run_vouch({"exits": recipe}, machine, self.wake, extra))

    def beside_in_vouch(self, machine):
        recipes = {"busy": {"kernel": self.beside_kernel, "memory": "64", "cmdline": "expect=vouch be=busy"},
                   "beside": {"kernel": self.beside_kernel, "memory": "64", "cmdline": "expect=vouch"}}
        run = self.run_vouch(recipes, machine, self.beside, " consoles=prefix")
        run.find(r"(?s)guest beside stopped: .*guest busy stopped: ")     # the one was busy up to the end of the other
        return self.beside_figures(run)

    def kicks_in_vouch(self, machine):
        cpu = "real" if MACHINES[machine][0] else "tcg"
        recipe = {"kernel": self.kick_kernel, "memory": "64", "cores": "2",
                  "cmdline": "expect=vouch running=99999 halted=99999 cpu=" + cpu}
        return exits.kicks(self.run_vouch({"kick": recipe}, machine, cpus="2"))

    def kicks_in_kvm(self, machine):
        print("bench: kicks in KVM on %s" % machine, flush=True)
        run = self.kvm_in_bochs(machine, {"kick": self.kick_kernel}, peer.KICKS, "2")
        return exits.kicks(run)

    def beside_figures(self, run):
        found = exits.figures(run)
        if isinstance(run, Run):
            found[exits.BESIDE_WORK] = run.mean_between(*self.beside, exits.WAKE_UPS, True)
        return {name: found[name] for name in (exits.BESIDE, exits.BESIDE_WORK) if name in found}

    def figures(self, run):
        found = exits.figures(run)
        if isinstance(run, Run):
            found[exits.WAKE_WORK] = run.mean_between(*self.wake, exits.WAKE_UPS)
        return found

    def kvm_figures(self, run):
        found = self.figures(run)
        if exits.BESIDE in found:
            found.update(self.beside_figures(run))
        return found

    def bare_loop(self, machine):
        print("bench: bare loop on %s" % machine, flush=True)
        model = MACHINES[machine][0]
        if not model:
            return exits.bare_loop(machine, self.run(["-m", "512", "-kernel", self.bare]))
        path = os.path.join(self.work, "bare.iso")
        iso.make(path, self.work, None, "", [(self.bare, "")])
        return exits.bare_loop(machine, BochsRun(path, model, "512", self.work))

    def kvm_in_bochs(self, machine, kernels, guests, cpus="1"):
        model, vendor, extra, _ = MACHINES[machine]
        initrd, path = os.path.join(self.work, "kvm.gz"), os.path.join(self.work, "kvm.iso")
        with open(initrd, "wb") as f:
            f.write(gzip.compress(peer.kvm_initrd(self.linux, BUSYBOX, self.work, vendor, kernels, guests=guests), mtime=0))
        iso.make(path, self.work, None, "", [(self.linux, KVM_CMDLINE + extra)], initrd)
        run = BochsRun(path, model, "1024", self.work, "KVM-DONE", True, cpus)
        if run.hung:
            print("bench: KVM on %s did not come to its end:\n%s" % (machine, run.text[-3000:]), flush=True)
        return run

    def exits_in_kvm(self, machine):
        """For Bochs; on QEMU peer_kvm() does it."""
        print("bench: exits in KVM on %s" % machine, flush=True)
        return self.kvm_figures(self.kvm_in_bochs(machine, self.kernels, peer.MEASURES))

    def exits_in_xen(self):
        """On QEMU, as the only guest, which is dom0. Its own RDTSC exits: two of them are in each figure."""
        print("bench: exits in Xen on QEMU SVM", flush=True)
        kernel, path = os.path.join(self.work, "dom0.elf"), os.path.join(self.work, "xen.iso")
        with open(kernel, "wb") as f:
            f.write(xen.dom0(self.exits_kernel, "expect=xen"))
        with gzip.open(xen.fetch(self.work)) as f:
            iso.make(path, self.work, f.read(), xen.CMDLINE, [(kernel, "")])
        return exits.figures(Run(xen.MACHINE + ["-cdrom", path], self.plugin, debug_exit=True))

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

    def linux_recipe(self, then=""):
        """then: what /init does after the boot (init.S)."""
        return {"kernel": self.linux, "initrd": self.initrd, "memory": str(LINUX_MEMORY),
                "cmdline": (LINUX_CMDLINE + " " + then).strip()}

    def linux_in_vouch(self):
        with open(self.linux, "rb") as f:
            entry = int.from_bytes(f.read(0x260)[0x258:0x260], "little")  # pref_address: where Vouch puts it
        run = self.run_vouch({"linux": self.linux_recipe()}, marks=(entry, self.init_entry))
        return run, run.between(entry, self.init_entry, True, 0)

    def linux_bare(self):
        print("bench: linux in the bare emulator", flush=True)
        run = self.run(["-m", str(LINUX_MEMORY), "-kernel", self.linux, "-initrd", self.initrd, "-append",
                        LINUX_CMDLINE], (PROTECTED_ENTRY, self.init_entry))
        return run.between(PROTECTED_ENTRY, self.init_entry, False)

    def peer_kvm(self):
        print("bench: linux and exits in KVM", flush=True)
        path = os.path.join(self.work, "kvm.cpio")
        with open(self.initrd, "rb") as f:
            small = f.read()
        with open(path, "wb") as f:
            f.write(peer.kvm_initrd(self.linux, BUSYBOX, self.work, "amd", self.kernels,
                                    (small, LINUX_CMDLINE, LINUX_MEMORY)))
        run = self.run(["-m", "1024", "-kernel", self.linux, "-initrd", path, "-append", KVM_CMDLINE],
                       (PROTECTED_ENTRY, self.init_entry, *self.wake, *self.beside))
        return run, run.between(PROTECTED_ENTRY, self.init_entry, True)


def kick_section(vouch, kvm):
    """vouch, kvm: {machine: {state: [least, mean, most]}}."""
    rows = [(what, machine, *found[state], *(kvm[machine][state] if machine in kvm else ("", "", "")),
             "%.2f" % (found[state][1] / kvm[machine][state][1]) if machine in kvm else "")
            for state, what in exits.KICKS.items() for machine, found in vouch.items()]
    head = ("interrupt to another CPU", "machine", "Vouch, least", "mean", "most", "KVM, least", "mean", "most", "mean to mean")
    return ["### From one vCPU's ICR to another's handler", ""] + table(head, rows)


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
    """vouch, bare, kvm: (instructions of the host, of the guest, entries)."""
    ticks = int(run.find(r"^INIT-TSC ([0-9a-f]{16})$").group(1), 16) - timing(run)[-1]
    alone = sum(bare[:2])
    rows = [(name, millions(guest), millions(host), runs, "%.0f" % (host / runs),
             "%+.2f %%" % (100.0 * (host + guest - alone) / alone))
            for name, (host, guest, runs) in (("Vouch", vouch), ("KVM", kvm))]
    rows.append(("bare emulator", millions(alone), "", "", "", ""))
    share = vouch[0] / kvm[0]
    if share > BOOT_SHARE:
        raise BenchError("Linux's boot: Vouch spends %.3f of what KVM spends, %.3f is allowed" % (share, BOOT_SHARE))
    head = ("", "million instructions of the guest", "million outside it", "exits", "outside it an exit",
            "all, against bare")
    return (["### Linux, from its first instruction to /init", ""] + table(head, rows) +
            ["", "Vouch spends %.3f of what KVM spends; a third is allowed. By the guest's TSC, time halted included, it is "
             "%s million." % (share, millions(ticks))])


def exit_kinds(run):
    """{kind: exits} of the guest linux."""
    text = run.find(r"^vouch: debug: guest linux: \d+ exits\n((?:vouch: debug:   .*\n)+)")
    found = re.findall(r"(\S+) (\d+)", re.sub(r"vouch: debug:", "", text.group(1)))
    return {kind: int(n) for kind, n in found}


def histogram_section(runs):
    """runs: {machine: {what /init does: run of Linux}}."""
    lines = ["### Exits by kind", "", "Of Linux from its first instruction to power-off; of 100 sleeps of 10 ms and of 500 "
             "processes that are started and end, without the boot, which is not always the same."]
    for machine, parts in runs.items():
        counts = {then: exit_kinds(run) for then, run in parts.items()}
        boot = counts[""]
        kinds = sorted(set().union(*counts.values()), key=lambda k: (-boot.get(k, 0), k))
        rest = [(k, *(max(0, c.get(k, 0) - (boot.get(k, 0) if then else 0)) for then, c in counts.items()))
                for k in kinds]
        rest.append(("all", *(sum(column) for column in list(zip(*rest))[1:])))
        lines += ["", "On %s:" % machine, ""] + table(("kind", *(THENS[then] for then in counts)), rest)
    return lines


def size_section(bench, run):
    own, library = binary.text_sizes(bench.elf + ".map")
    kept = run.find(r"memory: \S+ has (\d+) KiB, and (\d+) KiB for")
    rows = [("text of Vouch", "%.1f KiB" % (own / 1024)),
            ("text of newlib, expat, mbedTLS, libfdt, libgcc", "%.1f KiB" % (library / 1024)),
            ("memory a guest takes beside its %d MiB" % (int(kept.group(1)) >> 10), "%s KiB" % kept.group(2))]
    return ["### Size", ""] + table(("", ""), rows)


def exit_section(bare, vouch, plain, kvm, peer_xen):
    loops = ", ".join("%s %.2f" % (machine, cost) for machine, cost in bare.items())
    return (["### What one exit costs", "", "The bare loop: %s." % loops, ""] +
            table(exits.HEAD, exits.rows(bare, vouch, plain, kvm, peer_xen)))


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
            "    -plugin count.so,mark=FIRST,mark=INIT \\",
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


def measure(bench, compiler, kept):
    """The lines of the page."""
    mine = [bench.elf, bench.exits_kernel, bench.init, bench.linux]
    both = [bench.elf, bench.beside_kernel]
    theirs = [bench.beside_kernel] + mine[1:]

    def linux(machine, then):
        return bench.run_vouch({"linux": bench.linux_recipe(then)}, machine).text

    def linux_boot():
        run, boot = bench.linux_in_vouch()
        return run.text, boot

    def kvm_on_qemu():
        run, boot = bench.peer_kvm()
        return bench.kvm_figures(run), boot

    bare = {m: kept.part("bare loop on " + m, [bench.bare], lambda m=m: bench.bare_loop(m)) for m in MACHINES}
    vouch = {m: kept.part("exits on " + m, mine, lambda m=m: bench.exits_in_vouch(m)) for m in MACHINES}
    for m in MACHINES:
        vouch[m].update(kept.part("beside on " + m, both, lambda m=m: bench.beside_in_vouch(m)))
    plain = {m: kept.part("exits without mitigations on " + m, mine, lambda m=m: bench.exits_in_vouch(m, PLAIN))
             for m in MACHINES}
    large = kept.part("large", mine, lambda: bench.run_vouch({"large": bench.big_image()}).text)
    text, boot = kept.part("linux", mine, linux_boot)
    linuxes = {m: {then: Transcript(kept.part("linux %s on %s" % (then, m), mine, lambda m=m, t=then: linux(m, t)))
                   for then in thens} for m, thens in HISTOGRAMS.items()}
    bare_boot = kept.part("linux in the bare emulator", theirs, bench.linux_bare)
    figures, kvm_boot = kept.part("KVM on QEMU SVM", theirs, kvm_on_qemu)
    kvm = {m: kept.part("KVM on " + m, theirs, lambda m=m: bench.exits_in_kvm(m))
           for m in MACHINES if MACHINES[m][0] and MACHINES[m][1]}
    kvm["QEMU SVM"] = figures
    kicks = {m: kept.part("kicks on " + m, [bench.elf, bench.kick_kernel], lambda m=m: bench.kicks_in_vouch(m)) for m in MACHINES}
    kvm_kicks = {m: kept.part("kicks in KVM on " + m, [bench.kick_kernel, bench.linux], lambda m=m: bench.kicks_in_kvm(m))
                 for m in KVM_KICKS}
    xens = {"QEMU SVM": kept.part("Xen", theirs, bench.exits_in_xen)}
    run = Transcript(text)
    sections = [how_section(bench, compiler), exit_section(bare, vouch, plain, kvm, xens),
                kick_section(kicks, kvm_kicks),
                start_section(Transcript(large), run), boot_section(run, boot, bare_boot, kvm_boot),
                histogram_section(linuxes), size_section(bench, run)]
    return "\n\n".join("\n".join(s) for s in sections).splitlines()


def check(bench, path):
    for machine in MACHINES:
        bench.bare_loop(machine)
    found, plain = ({machine: bench.exits_in_vouch(machine, extra) for machine in MACHINES} for extra in ("", PLAIN))
    for machine in MACHINES:
        print("bench: wake-up beside a busy guest on %s" % machine, flush=True)
        found[machine].update(bench.beside_in_vouch(machine))
    lines, good = exits.compare(path, found, plain)
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
    kept = Kept(os.path.join(work, "kept.json"))
    lines = measure(bench, a.compiler, kept)
    write(a.out, lines)
    kept.forget()
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, MachineError, images.RecipeError, iso.IsoError, OSError, subprocess.SubprocessError) as e:
        print("bench: %s" % e, file=sys.stderr)
        sys.exit(1)
