# SPDX-License-Identifier: BSD-2-Clause
"""Many commands in a row over the control port, for scripts' `c` lines; docs/testing.md describes them."""

import json
import random
import re
import subprocess
import time

QUESTIONS = ("list", "info", "stats", "dump", "why", "cpus", "mem", "log", "measure")
FOR_ALL = ("list", "cpus", "mem", "log", "measure")


class DriveError(Exception):
    pass


class Control:
    """`vouch ctl` on a machine's control port, with a limit in time for all that is waited for."""

    def __init__(self, vouch, machine, limit):
        self.vouch, self.machine, self.limit = vouch, machine, limit

    def ask(self, *words):
        """The rows of the answer; an error is one."""
        done = subprocess.run([self.vouch, "ctl", "--json", "-s", self.machine.control_path, "-t", "60", *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
        text = done.stdout.decode("utf-8", "replace")
        if not done.returncode:
            return [json.loads(line) for line in text.splitlines()]
        ended = self.machine.wait_end(time.monotonic() + 1)
        if ended:
            raise DriveError("the machine ended (%s) at: %s" % (ended, " ".join(words)))
        raise DriveError("vouch ctl %s: exit status %d, and: %s" % (" ".join(words), done.returncode, text.strip()))

    def guests(self):
        return {row["guest"]["name"]: row["guest"] for row in self.ask("list") if "guest" in row}

    def free(self):
        """KiB that Vouch has to give."""
        return [row["memory"]["free_kib"] for row in self.ask("mem") if "memory" in row][0]

    def wait(self, what, seen):
        """Until seen() is neither None nor false; its value."""
        while True:
            value = seen()
            if value:
                return value
            if self.machine.ended:
                raise DriveError("the machine ended before: %s" % what)
            if time.monotonic() > self.limit:
                raise DriveError("time is up before: %s" % what)
            time.sleep(0.005)

    def said(self, name, what):
        """How often Vouch has said that of a guest, on the console: an answer to `list` takes a tenth of a second of the serial
        port's time."""
        return self.machine.raw.count(b"vouch: guest %s %s" % (name.encode(), what.encode()))

    def ask_until(self, what, *words):
        """Asks for something, and waits until Vouch says on the console that it has come."""
        name = words[1]
        before = self.said(name, what)
        self.ask(*words)
        self.wait("%s is %s" % (name, what), lambda: self.said(name, what) > before)

    def wait_state(self, name, states):
        self.wait("%s is %s" % (name, " or ".join(states)), lambda: self.guests()[name]["state"] in states)

    def question(self, rng, names):
        """Something that changes nothing; of a guest that does not run some of it is refused."""
        word = rng.choice(QUESTIONS)
        try:
            self.ask(word, *([] if word in FOR_ALL else [rng.choice(names)]))
        except DriveError as e:
            if "it does not run" not in str(e):
                raise


UP = ("running", "idle")
DOWN = ("stopped", "off")


def destroy_all(ctl, names):
    for name in names:
        if ctl.guests()[name]["state"] not in DOWN:
            ctl.ask("destroy", name)
    for name in names:
        ctl.wait_state(name, DOWN)


def end_and_start(ctl, rng, name, button):
    """One round of a guest that runs: an end of a random kind, and it runs again."""
    kind = rng.choice(("reset", "destroy", "paused reset", "paused destroy") + (("stop",) if button else ()))
    if kind.startswith("paused"):
        ctl.ask("pause", name)
        ctl.wait_state(name, ("paused",))
    if kind.endswith("reset"):
        ctl.ask_until("entered", "reset", name)
    else:
        ctl.ask_until("stopped: ", kind.split()[-1], name)
        ctl.ask_until("entered", "start", name)


def rounds(ctl, count, seed, *words):
    """Guests end and start again, so many times; with all of them gone, there is as much free memory as ever. NAME! has no power
    button."""
    rng, names = random.Random(int(seed)), [word.rstrip("!") for word in words]
    destroy_all(ctl, names)
    free, down = ctl.free(), set(names)
    for n in range(int(count)):
        name = names[n % len(names)]
        if name in down:
            ctl.ask_until("entered", "start", name)
            ctl.wait_state(name, UP)
            down.remove(name)
        if rng.random() < 0.3:
            ctl.question(rng, names)
        end_and_start(ctl, rng, name, name in words)
        if n % 20 == 19 or n + 1 == int(count):
            destroy_all(ctl, names)
            down = set(names)
            if ctl.free() != free:
                raise DriveError("after %d rounds %d KiB are free, not %d" % (n + 1, ctl.free(), free))


def clock_of(ctl, name, least=-1):
    """What a guest's clock showed last, in ms; waits until that is more than least."""
    pattern = re.compile(r"^%s\| at (\d+) ms$" % re.escape(name), re.M)

    def seen():
        said = pattern.findall(ctl.machine.text())
        return said and int(said[-1]) > least and said[-1]
    return int(ctl.wait("%s's clock is beyond %d ms" % (name, least), seen))


def pauses(ctl, count, seed, paused, other):
    """The one guest is paused so many times, each until the other one's clock has gone on; its own must have stood."""
    rng, stood = random.Random(int(seed)), 0
    first, first_other = clock_of(ctl, paused), clock_of(ctl, other)
    for _ in range(int(count)):
        ctl.ask("pause", paused)
        begin = clock_of(ctl, other)
        if rng.random() < 0.3:
            ctl.question(rng, [paused, other])
        stood += clock_of(ctl, other, begin + rng.randrange(30, 90)) - begin
        ctl.ask("resume", paused)
        time.sleep(rng.random() * 0.03)
    last = clock_of(ctl, paused, clock_of(ctl, paused))
    went, other_went = last - first, clock_of(ctl, other) - first_other
    # What is said comes late and in steps, hence the fifth.
    if went > other_went - stood * 4 // 5:
        raise DriveError("%s was paused for %d of %d ms, and its clock counted %d" % (paused, stood, other_went, went))


def idles(ctl, ms, idle, other):
    """While the other guest's clock counts so many ms, the idle one, which has halted, is charged for none of them."""
    def spent():
        guests = ctl.guests()
        return guests[idle]["cpu_ms"], guests[other]["cpu_ms"]
    (before, other_before), begin = spent(), clock_of(ctl, other)
    clock_of(ctl, other, begin + int(ms))
    after, other_after = spent()
    # A millisecond that was almost over.
    if after > before + 1:
        raise DriveError("%s had %d ms of CPU, and %d after %s ms of %s" % (idle, before, after, ms, other))
    if other_after <= other_before:
        raise DriveError("%s, which runs, had %d ms of CPU, and still has" % (other, other_before))


def questions(ctl, count, seed, *names):
    """Questions alone, to guests that run."""
    rng = random.Random(int(seed))
    for _ in range(int(count)):
        ctl.question(rng, names)


def moves(ctl, count, *names):
    """Until each of the guests has been seen to change its CPU so many times."""
    last, left = {}, dict.fromkeys(names, int(count))

    def all_moved():
        for row in ctl.ask("cpus"):
            cpu = row.get("cpu", {"guests": ""})
            for name in cpu["guests"].split(","):
                if name in left:
                    left[name] -= last.get(name, cpu["number"]) != cpu["number"]
                    last[name] = cpu["number"]
        return all(n <= 0 for n in left.values())
    ctl.wait("%s have changed their CPUs %s times" % (" and ".join(names), count), all_moved)


def drive(vouch, machine, limit, line):
    """One `c` line of a script."""
    known = {"rounds": rounds, "pauses": pauses, "questions": questions, "idles": idles, "moves": moves}
    name, *words = line.split()
    if name not in known:
        raise DriveError("nobody drives %s" % name)
    known[name](Control(vouch, machine, limit), *words)
