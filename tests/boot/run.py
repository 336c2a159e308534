#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots lists of images through GRUB in emulators and judges what the serial port says. docs/testing.md describes the lists.

Usage: tests/boot/run.py [--build DIR] [--only NAME,...] [--machine NAME,...] [--jobs N] LIST.cfg
"""

import argparse
import concurrent.futures
import configparser
import fnmatch
import hashlib
import itertools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
top = os.path.dirname(os.path.dirname(here))
sys.path.insert(0, here)
sys.path.insert(0, os.path.dirname(here))
import drive  # noqa: E402
import images  # noqa: E402
import iso  # noqa: E402
import results  # noqa: E402
import screen  # noqa: E402
import tpm  # noqa: E402
from bochs import Bochs  # noqa: E402
from machine import MachineError  # noqa: E402
from qemu import Qemu  # noqa: E402

# A loaded machine with two cores: VOUCH_TEST_PATIENCE multiplies all time limits.
PATIENCE = float(os.environ.get("VOUCH_TEST_PATIENCE", "1"))
TAIL = 40
UNTIL_PAUSE = 1             # seconds before a `u` line asks again
# name: emulator, CPU model. A list says in which of them a test runs.
MACHINES = {
    "qemu-svm": (Qemu, "EPYC"),
    "bochs-svm": (Bochs, "ryzen"),
    "bochs-vmx": (Bochs, "corei7_skylake_x"),
    "bochs-vmx-haswell": (Bochs, "corei7_haswell_4770"),
    "bochs-vmx-arrandale": (Bochs, "corei5_arrandale_m520"),    # 2010: the least that will do
    "bochs-no-ept": (Bochs, "core2_penryn_t9600"),
    "bochs-no-unrestricted": (Bochs, "corei5_lynnfield_750"),
    "bochs-no-vmx": (Bochs, "p4_prescott_celeron_336"),
    "bochs-no-svm": (Bochs, "athlon64_clawhammer"),
}
# These run the tests of others as well, but only if asked for by name.
STAND_IN = {"bochs-vmx-haswell": "bochs-vmx", "bochs-vmx-arrandale": "bochs-vmx"}


# What docs/testing.md describes. A misspelt key would be a check that is never made.
IMAGE_KEYS = set("kernel initrd cmdline memory files cores pins extra version security sign name image like damage policy".split())
TEST_KEYS = set("""images cmdline machines emulator-bug memory cpu cpus threads time qemu tpm nv nv-after hypervisor iso load bare
                firmware vga screen script end forbid also-forbid com2 com2-forbid control kind timeout tries measured trust
                again alike figure""".split())


class Failure(Exception):
    def __init__(self, why, passed=0, failed=1):
        super().__init__(why)
        self.passed, self.failed = passed, failed


def short(text, limit=160):
    return text if len(text) <= limit else text[:limit] + "..."


class Lists:
    """A list file: [image NAME] recipes and one section a test."""

    def __init__(self, path, build):
        self.cfg = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",), delimiters=("=",),
                                             empty_lines_in_values=False, strict=True)
        self.cfg.optionxform = str
        with open(path, encoding="utf-8") as f:
            self.cfg.read_string(f.read().replace("{build}", build).replace("{top}", top))
        self.tests = [s for s in self.cfg.sections() if not s.startswith("image ")]
        for section in self.cfg.sections():
            known = TEST_KEYS | (IMAGE_KEYS if section.startswith("image ") else set())
            unknown = set(self.cfg[section]) - known
            if section.startswith("image "):    # the tests' defaults show in each section
                unknown |= (set(self.cfg[section]) - set(self.cfg.defaults())) - IMAGE_KEYS
            if unknown:
                raise SystemExit("%s: [%s]: no such key: %s" % (path, section, ", ".join(sorted(unknown))))
        self.lock = threading.Lock()
        self.built = {}

    def recipe(self, name):
        section = "image " + name
        if not self.cfg.has_section(section):
            raise Failure("no recipe [image %s]" % name)
        recipe = dict(self.cfg[section])
        if "like" in recipe:
            recipe = dict(self.recipe(recipe["like"]), **recipe)
        return recipe

    def image(self, vouch, name, cpu, folder):
        """Path of the image; each recipe is built once a run, or once a value of {cpu} in its command line."""
        recipe = self.recipe(name)
        recipe.setdefault("name", name)
        file = name
        if "{cpu}" in recipe.get("cmdline", ""):
            recipe["cmdline"] = recipe["cmdline"].replace("{cpu}", cpu)
            file += "-" + cpu
        if "policy" in recipe:                  # {digest:IMAGE}
            recipe["policy"] = re.sub(r"\{digest:([\w-]+)\}", lambda m: images.digest(
                self.image(vouch, m.group(1), cpu, folder)), recipe["policy"])
        with self.lock:
            if file not in self.built:
                try:
                    self.built[file] = images.build(vouch, file, recipe, folder)
                except images.RecipeError as e:
                    raise Failure("image %s: %s" % (name, e)) from e
            return self.built[file]


def steps(text):
    """(mark, rest) of each script line; docs/testing.md lists the marks."""
    for line in text.splitlines():
        line = line.strip()
        if not line:
            continue
        mark, _, rest = line.partition(" ")
        if mark not in "=>%~!:?*@&x$^cu" or len(mark) != 1:
            raise Failure("script line without mark: %s" % line)
        yield mark, rest


class Moments:
    """What the guest's clock said, and this machine's clock and the emulator's CPU time when it said so."""

    def __init__(self, machine):
        self.machine, self.taken = machine, {}

    def take(self, name, guest):
        self.taken[name] = (float(guest), time.monotonic(), self.machine.cpu_seconds())

    def compare(self, kind, first, second, limit):
        (guest0, host0, cpu0), (guest1, host1, cpu1) = self.taken[first], self.taken[second]
        if kind == "ratio":                 # second to first, of figures that are no times
            low, high = map(float, limit.split("-"))
            if not low <= guest1 / guest0 <= high:
                raise Failure("ratio: %g to %g is %.2f, not %s" % (guest1, guest0, guest1 / guest0, limit))
            return
        if kind == "clock":                 # the guest's seconds against ours
            off = abs((guest1 - guest0) / (host1 - host0) - 1)
            if off > float(limit):
                raise Failure("clock: the guest counts %.2f s in %.2f s" % (guest1 - guest0, host1 - host0))
        elif kind == "idle":                # the share of a CPU that the emulator used meanwhile
            share = (cpu1 - cpu0) / (host1 - host0)
            if share > float(limit):
                raise Failure("idle: %.0f %% of a CPU used" % (100 * share))
        else:
            raise Failure("unknown comparison %s" % kind)


def check_screen(machine, text, fonts, limit):
    """Waits until a line of the screen holds text. fonts: FILE and the width of a cell."""
    name, cell = fonts.split()
    glyphs = screen.font(os.path.join(top, "build", "font", name + ".psf.gz"))
    while True:
        seen = screen.read(machine.screendump(), glyphs, int(cell))
        if any(screen.holds(line, text) for line in seen):
            return
        if machine.ended or time.monotonic() > limit:
            raise Failure("the screen lacks: %s; it shows:\n%s"
                          % (text, "\n".join(line.replace("\0", "?") for line in seen if line)))
        time.sleep(0.5)


def whole(text):
    """Its lines; one that is still on its way has no end yet."""
    return text[:text.rfind("\n") + 1]


def check_forbidden(text, forbidden, where=""):
    for regex in forbidden:
        match = re.search(regex, text, re.M)
        if match:
            raise Failure("forbidden line%s: %s" % (where, short(match.group(0))))


def run_control(vouch, machine, rest):
    """`vouch ctl` with these words; what is behind -> must be found in what it prints."""
    words, _, regex = (rest + " ").partition(" -> ")
    regex = regex.rstrip()
    done = subprocess.run([vouch, "ctl", "-s", machine.control_path, "-t", "60"] + words.split(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
    text = done.stdout.decode("utf-8", "replace")
    if (done.returncode != 0) != (regex.startswith("vouch: error: ")) or not re.search(regex, text, re.M):
        raise Failure("vouch ctl %s: exit status %d, and:\n%s" % (words, done.returncode, text))


def until_control(vouch, machine, rest, limit):
    """run_control() again and again, until what it prints is as wanted."""
    while True:
        try:
            return run_control(vouch, machine, rest)
        except Failure:
            if machine.ended or time.monotonic() > limit:
                raise
            time.sleep(UNTIL_PAUSE)


def ask(port, number, command):
    """Plays one request; the answer must be whole lines of JSON that belong to it, the last one good."""
    port.write(b"%d %s\n" % (number, command.encode()))
    while True:
        line = port.readline()
        try:
            row = json.loads(line)
        except ValueError:
            raise Failure("%s: torn, or missing: %r" % (command, line)) from None
        if row.get("v") != 1 or row.get("id") != number or "error" in row:
            raise Failure("%s, as number %d: %r" % (command, number, line))
        if "done" in row:
            return


def run_control_often(machine, rest):
    """COUNT times each of the commands, over one connection to the control port."""
    count, commands = rest.split(" ", 1)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60 * PATIENCE)
        s.connect(machine.control_path)
        with s.makefile("rwb", buffering=0) as port:
            for n in range(int(count)):
                for command in commands.split(";"):
                    ask(port, n + 1, command.strip())


def run_script(machine, script, forbidden, limit, fonts="", fixture=None, vouch=None):
    """Plays the script; returns the position in the transcript behind the last match."""
    at = 0
    moments, same = Moments(machine), {}

    def await_match(regex, wait_limit=None):
        """With wait_limit, which comes before the limit of all: None when that has come."""
        pattern = re.compile(regex, re.M)

        def seen(text):
            check_forbidden(whole(text), forbidden)
            return pattern.search(whole(text) if regex.endswith("$") else text, at)

        match = machine.wait_text(seen, min(limit, wait_limit or limit))
        if not match and wait_limit and not machine.ended and time.monotonic() < limit:
            return None
        if not match:
            why = "%s ended (%s)" % (machine.what, machine.wait_end(limit)) if machine.ended else "time is up"
            raise Failure("%s before: %s" % (why, regex))
        return match

    def type_line(text):
        machine.send(text.encode("utf-8").decode("unicode_escape").encode("latin-1") + b"\n")

    def type_until(text, regex):
        while True:
            type_line(text)
            match = await_match(regex, time.monotonic() + UNTIL_PAUSE)
            if match:
                return match.end()

    for mark, rest in steps(script):
        if mark in "=:":
            name, regex = (None, rest) if mark == "=" else rest.split(" ", 1)
            match = await_match(regex)
            at = match.end()
            if name:
                moments.take(name, match.group(1))
        elif mark == "*":
            name, count, regex = rest.split(" ", 2)
            for n in range(int(count)):
                match = await_match(regex)
                at = match.end()
                if same.setdefault(name, match.group(1)) != match.group(1):
                    raise Failure("%s was %s and is %s (number %d)" % (name, same[name], match.group(1), n + 1))
        elif mark == "u":
            kind, rest = rest.split(" ", 1)
            if kind == "$":
                until_control(vouch, machine, rest, limit)
            elif kind == ">":
                at = type_until(*rest.split(" -> ", 1))
            else:
                raise Failure("u takes > or $, not %s" % kind)
        elif mark == ">":
            type_line(rest)
        elif mark == "!":
            machine.send(rest.encode("utf-8").decode("unicode_escape").encode("latin-1"))
        elif mark == "%":
            machine.monitor(rest)
        elif mark == "$":
            run_control(vouch, machine, rest)
        elif mark == "c":
            drive.drive(vouch, machine, limit, rest)
            check_forbidden(whole(machine.text()), forbidden)
        elif mark == "^":
            run_control_often(machine, rest)
        elif mark == "~":
            time.sleep(float(rest))
        elif mark == "@":
            check_screen(machine, rest, fonts, min(limit, time.monotonic() + 20 * PATIENCE))
        elif mark == "&":
            shutil.copyfile(machine.screendump(), machine.folder + ".ppm")
        elif mark == "x":
            fixture.close()
        elif mark == "?":
            moments.compare(*rest.split())
    return at


def check_lines(text, wanted, where):
    at = 0
    for regex in wanted:
        match = re.compile(regex, re.M).search(text, at)
        if not match:
            raise Failure("%s lacks: %s" % (where, regex))
        at = match.end()


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


class Test:
    """One test on one machine."""

    def __init__(self, lists, name, machine, build, work):
        self.lists, self.on, self.build = lists, machine, build
        self.cfg = lists.cfg[name]
        self.name = name if machine == "qemu-svm" else "%s@%s" % (name, machine)
        self.folder = os.path.join(work, self.name)
        self.log = os.path.join(work, self.name + ".log")
        self.work = work
        self.bugs = self.known_bugs()
        self.shown = set()
        self.tpm = None
        self.cmdline = self.cfg.get("cmdline", "")

    def known_bugs(self):
        """The emulator's bugs that this test meets on this machine: {regex: what a CPU does}."""
        bugs = {}
        for line in lines(self.cfg.get("emulator-bug", "")):
            machines, _, rest = line.partition(": ")
            regex, arrow, silicon = rest.partition(" -> ")
            if not arrow:
                raise ValueError("emulator-bug needs 'MACHINE...: REGEX -> what a CPU does': %s" % line)
            if self.on in machines.split() or STAND_IN.get(self.on) in machines.split():
                bugs[regex] = silicon
        return bugs

    def known_bug(self, text):
        """Whether text is what a known bug of the emulator looks like."""
        for regex in self.bugs:
            if re.search(regex, text):
                self.shown.add(regex)
                return True
        return False

    def modules(self):
        """`images` lists recipes; 'RECIPE' alone, or 'RECIPE: module string' a line."""
        out = []
        for line in lines(self.cfg.get("images", "")):
            recipe, _, string = line.partition(":")
            names = recipe.split()
            for one in names:
                # "real": held to what a CPU does, also where QEMU's translator does otherwise.
                image = self.lists.image(os.path.join(self.build, "vouch"), one,
                                         "tcg" if MACHINES[self.on][0] is Qemu else "real",
                                         os.path.join(self.work, "images"))
                out.append((image, string.strip()))
        return out

    def prediction(self):
        """What `vouch measure` says of the boot: its JSON, and with `log` the SHA-256 of the event log. `measured` names the
        images that start, where some are refused; `trust` the keys that the hypervisor is built with."""
        modules, started = self.modules(), self.cfg.get("measured")
        guests = [path for path, string in modules if string != "policy"]
        if started not in (None, "-"):
            guests = [path for path in guests if os.path.basename(path)[:-len(".img")] in started.split()]
        log = os.path.join(self.folder, "predicted.log")
        argv = [os.path.join(self.build, "vouch"), "measure", "--json", "--cmdline", self.cfg.get("cmdline", ""),
                "--event-log", log, "--banks", ",".join(tpm.BANKS) if "tpm" in self.cfg else "sha256"]
        argv += [word for path, string in modules if string == "policy" for word in ("--policy", path)]
        argv += [word for path in self.cfg.get("trust", "").split() for word in ("--trust", path)]
        done = subprocess.run(argv + guests, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300)
        if done.returncode:
            raise Failure("vouch measure: exit status %d" % done.returncode)
        with open(log, "rb") as f:
            return dict(json.loads(done.stdout), log=hashlib.sha256(f.read()).hexdigest())

    def script(self):
        """The script; {tao:N} in it is what `vouch measure` calls the guest at place N, its kernel, initrd and image; {log}
        the SHA-256 of the event log that it foretells."""
        text = self.cfg.get("script", "")
        if "{tao:" not in text and "{log}" not in text:
            return text
        foretold = self.prediction()
        return re.sub(r"\{tao:(\d+)\}", lambda m: re.escape(foretold["guests"][int(m.group(1))]["tao_image"]),
                      text.replace("{log}", foretold["log"]))

    def indices(self, key):
        """{index: (count, plain)} of a list's key: INDEX=COUNT, or INDEX=plain."""
        pairs = [word.split("=") for word in self.cfg.get(key, "").split()]
        return {int(index, 0): (0 if count == "plain" else int(count), count == "plain") for index, count in pairs}

    def check_tpm(self, machine):
        """What the boot left in its TPM. QEMU is killed, so that it can't switch the TPM off, and swtpm is asked."""
        if machine.ended:
            raise Failure("%s has ended, and its TPM with it: use end = kill" % machine.what)
        machine.kill()
        foretold, connection = self.prediction(), self.tpm.connect()
        try:
            for bank in tpm.BANKS:
                for number, want in foretold[bank].items():
                    got = connection.pcr(bank, int(number))
                    if number == "13" and self.cfg.get("measured") == "-":
                        want = "0" * len(want)
                    if got != want:
                        raise Failure("PCR %s (%s) is %s, foretold was %s" % (number, bank, got, want))
            for index, (count, _) in self.indices("nv-after").items():
                if connection.counter(index) != count:
                    raise Failure("NV counter %#x is %d, not %d" % (index, connection.counter(index), count))
        finally:
            connection.close()

    def hypervisor(self):
        """The bytes of vouch.elf, with the load tweaks of this test."""
        with open(self.cfg.get("hypervisor", os.path.join(self.build, "vouch.elf")), "rb") as f:
            elf = f.read()
        return iso.patch_load(elf, self.cfg.get("load", "").split())

    def vouch_iso(self, path):
        elf = os.path.join(self.folder, "vouch.elf")
        with open(elf, "wb") as f:
            f.write(self.hypervisor())
        argv = [os.path.join(self.build, "vouch"), "iso", "-H", elf, "-o", path, "-c", self.cmdline]
        modules = self.modules()
        argv += [word for path, string in modules if string == "policy" for word in ("--policy", path)]
        done = subprocess.run(argv + [path for path, string in modules if string != "policy"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        if done.returncode:
            raise Failure("vouch iso: " + done.stdout.decode("utf-8", "replace"))
        return path

    def make_iso(self):
        if self.cfg.get("iso") == "vouch":
            return self.vouch_iso(os.path.join(self.folder, "boot.iso"))
        path = os.path.join(self.folder, "boot.iso")
        if "bare" in self.cfg:
            iso.make(path, self.folder, None, "", [(self.cfg["bare"], self.cmdline)])
            return path
        iso.make(path, self.folder, self.hypervisor(), self.cmdline, self.modules())
        return path

    def judge_end(self, machine, forbidden, limit):
        end = self.cfg.get("end", "poweroff")
        if end == "kill":
            return
        reason = None
        while reason is None and time.monotonic() < limit:
            check_forbidden(whole(machine.text()), forbidden)
            reason = machine.wait_end(min(limit, time.monotonic() + 1))
        if reason is None:
            raise Failure("%s still runs, %s expected" % (machine.what, end))
        if reason != end:
            raise Failure("%s ended by %s, %s expected" % (machine.what, reason, end))

    def judge_counts(self, text):
        """Test kernels report line by line; their own sum must agree."""
        good, failures = len(re.findall(r"^PASS: ", text, re.M)), re.findall(r"^FAIL: .*", text, re.M)
        bad = [line for line in failures if not self.known_bug(line)]
        sums = re.findall(r"^SUMMARY: (\d+) passed, (\d+) failed", text, re.M)
        for line in bad:
            print("     %s: %s" % (self.name, line))
        if not sums:
            raise Failure("no SUMMARY line")
        passed, told = sum(int(s[0]) for s in sums), sum(int(s[1]) for s in sums)
        failed = told - len(failures) + len(bad)
        if bad or failed:
            failed = max(failed, len(bad))
            raise Failure("%d checks of the guest failed" % failed, passed, failed)
        if not passed or good != passed or told != len(failures):
            raise Failure("the guest's sum (%d passed, %d failed) disagrees with its lines (%d and %d)"
                          % (passed, told, good, len(failures)))
        return passed

    def judge(self, machine, limit):
        forbidden = lines(self.cfg.get("forbid", "")) + lines(self.cfg.get("also-forbid", ""))
        run_script(machine, self.script(), forbidden, limit, self.cfg.get("screen", ""), self.tpm,
                   os.path.join(self.build, "vouch"))
        self.judge_end(machine, forbidden, limit)
        text = machine.text()
        check_forbidden(text, forbidden)
        com2 = machine.com2()
        check_lines(com2, lines(self.cfg.get("com2", "")), "com2")
        check_forbidden(com2, lines(self.cfg.get("com2-forbid", "")), " on com2")
        if self.tpm and self.tpm.runs():
            self.check_tpm(machine)
        return self.judge_counts(text) if self.cfg.get("kind") == "guest" else 1

    def start(self, path):
        emulator, cpu = MACHINES[self.on]
        cpu, cpus, memory = self.cfg.get("cpu", cpu), self.cfg.get("cpus", "1"), self.cfg.get("memory", "512")
        if emulator is Bochs:
            # Under SVM Bochs calls every exit an error.
            return Bochs(path, cpu, cpus, memory, self.folder, cpu_errors=self.on != "bochs-svm", control="control" in self.cfg)
        extra = shlex.split(self.cfg.get("qemu", ""))
        if "tpm" in self.cfg:
            self.tpm = tpm.Tpm(self.cfg["tpm"], self.folder)
            if "nv" in self.cfg:
                self.tpm.prepare(self.indices("nv"))
            extra += self.tpm.arguments()
        return Qemu(path, cpu, cpus, memory, extra, self.folder,
                    self.cfg.get("firmware", "bios"), self.cfg.get("vga", "none"), "control" in self.cfg,
                    self.cfg.get("threads", "single"), self.clock())

    def clock(self):
        """What QEMU's time is: `counted` for test kernels, with which nobody outside keeps time, else `real` or what is said."""
        clock = self.cfg.get("time", "counted" if self.cfg.get("kind") == "guest" and "tpm" not in self.cfg else "real")
        if clock not in ("counted", "paced", "real"):
            raise Failure("time is counted, paced or real, not %s" % clock)
        return "real" if "-icount" in self.cfg.get("qemu", "") else clock

    def verdict(self, passed, failed, why, seconds):
        """(passed, failed, known bugs, message). A known bug that no longer shows is a failure: the list is wrong."""
        known = ""
        if why and not failed - 1 and self.known_bug(why):
            why, passed, failed = None, 0, 0
        for regex in self.bugs:
            if regex in self.shown:
                known += "\n     known bug of the emulator: %s; a CPU: %s" % (regex, self.bugs[regex])
            elif why is None:
                why, failed = "the known bug of the emulator does not show: %s" % regex, 1
        if why is None:
            word = "PASS" if passed else "KNOWN"
            return passed, 0, len(self.shown), "%s %s (%d s)%s" % (word, self.name, seconds, known)
        tail = "\n".join("  | " + line for line in self.tail())
        return passed, failed, 0, "FAIL %s: %s (%d s; transcript: %s)\n%s" % (self.name, why, seconds, self.log, tail)

    def boot(self):
        """(passed, failed, why it failed, whether the emulator itself broke) of one boot."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        machine, why, passed, failed, broke = None, None, 0, 0, False
        try:
            path = self.make_iso()
            machine = self.start(path)
            slow = 3 if isinstance(machine, Bochs) else 1
            limit = time.monotonic() + float(self.cfg.get("timeout", "120")) * PATIENCE * slow
            passed = self.judge(machine, limit)
        except (Failure, MachineError, iso.IsoError, screen.ScreenError, tpm.TpmError,
                drive.DriveError, OSError,
                subprocess.SubprocessError, re.error, ValueError) as e:
            why = str(e) or type(e).__name__
            passed, failed = getattr(e, "passed", 0), getattr(e, "failed", 1)
            broke = machine is not None and machine.broke()
        finally:
            if machine:
                machine.kill()
                self.keep(machine)
            if self.tpm:
                self.tpm.close()
                self.tpm = None
        shutil.rmtree(self.folder, ignore_errors=True)
        return passed, failed, why, broke

    def boot_again(self):
        """(passed, failed, why, what to tell) of a second boot, with other options, whose lines must be those of the first."""
        first, self.cmdline = self.transcript(), self.cfg["again"]
        passed, failed, why, _ = self.boot()
        second = self.transcript()
        if why:
            return passed, failed, "with %s: %s" % (self.cmdline, why), ""
        said = [re.findall(self.cfg["alike"], text, re.M) for text in (first, second)]
        if not said[0] or said[0] != said[1]:
            differ = [pair for pair in itertools.zip_longest(*said) if pair[0] != pair[1]]
            return 0, 1, "with %s something else is said: %s" % (self.cmdline, differ[:3]), ""
        figures = [re.search(self.cfg["figure"], text, re.M) for text in (first, second)]
        if None in figures:
            return 0, 1, "no figure to compare", ""
        one, two = (int(m.group(1)) for m in figures)
        return passed, failed, None, "\n     %d lines alike; %d to %d with %s: %.2f" % (len(said[0]), one, two, self.cmdline,
                                                                                   two / one)

    def run(self):
        """(passed, failed, known bugs, message) of this test."""
        begin = time.monotonic()
        for left in reversed(range(int(self.cfg.get("tries", "1")))):
            passed, failed, why, broke = self.boot()
            if not broke or not left:
                break
            print("     %s: the emulator itself broke: %s; once more" % (self.name, short(why)), flush=True)
        told = ""
        if why is None and "again" in self.cfg:
            passed, failed, why, told = self.boot_again()
        passed, failed, known, message = self.verdict(passed, failed, why, time.monotonic() - begin)
        return passed, failed, known, message + told

    def keep(self, machine):
        with open(self.log, "w", encoding="utf-8") as f:
            f.write(machine.text())
            for title, text in (("com2", machine.com2()), (machine.what, machine.complaints())):
                if text.strip():
                    f.write("\n--- %s ---\n%s" % (title, text))

    def transcript(self):
        try:
            with open(self.log, encoding="utf-8") as f:
                return f.read()
        except OSError:
            return ""

    def tail(self):
        return self.transcript().splitlines()[-TAIL:]


def choose(lists, only, machine):
    """(test, machine) pairs. With tests and machines named, these are used even where the list does not say so."""
    for word in only.split(",") if only else []:
        if not fnmatch.filter(lists.tests, word):
            raise SystemExit("no test is called %s" % word)
    names = [n for n in lists.tests if not only or any(fnmatch.fnmatch(n, w) for w in only.split(","))]
    pairs = []
    for name in names:
        listed = lists.cfg[name].get("machines", "qemu-svm").split()
        if machine and only:
            listed = machine.split(",")
        elif machine:
            listed = [m for m in machine.split(",")
                      if m in listed or (STAND_IN.get(m) in listed and "cpu" not in lists.cfg[name])]
        for m in listed:
            if m not in MACHINES:
                raise SystemExit("%s: no machine %s; there are %s" % (name, m, ", ".join(MACHINES)))
            pairs.append((name, m))
    return pairs


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--only", default="", help="names or patterns (fnmatch), separated by commas")
    p.add_argument("--machine", default="", help="of %s, separated by commas" % ", ".join(MACHINES))
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--list", action="store_true")
    p.add_argument("cfg")
    a = p.parse_args()
    build = os.path.abspath(a.build)
    part = os.path.basename(os.path.dirname(os.path.abspath(a.cfg)))
    lists = Lists(a.cfg, build)
    chosen = choose(lists, a.only, a.machine)
    if a.list or not chosen:
        print("\n".join("%s on %s" % pair for pair in chosen) or "no such test")
        return 0 if chosen else 2
    work = os.path.join(build, "tests", part)
    os.makedirs(os.path.join(work, "images"), exist_ok=True)
    total = results.Counter(part + " tests")
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        jobs = [pool.submit(Test(lists, name, machine, build, work).run) for name, machine in chosen]
        for job in concurrent.futures.as_completed(jobs):
            passed, failed, known, message = job.result()
            print(message, flush=True)
            total.add(passed, failed, known)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
