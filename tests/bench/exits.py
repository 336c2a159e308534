# SPDX-License-Identifier: BSD-2-Clause
"""What one exit costs: the table of kinds and machines, its goals, and the comparison with the committed one."""

import re

from qemu import BenchError

# name: what the bare loop (bare.c) must read there; otherwise the machine does not count as the goals suppose.
BARE_LOOP = {"QEMU SVM": 61, "Bochs SVM": 62, "Bochs VMX": 77, "Bochs VMX -apicv": 77}
BARE_SLACK = 2
WORSE = 1.02
HEAD = ("exit", "machine", "Vouch", "mitigations=off", "to the bare loop", "KVM", "to KVM", "Xen", "to Xen", "goal")

CPUID = (122, 77, 96, 96)
PLAIN = (150, 93, 115, 115)
X2APIC = (190, 155, 190, 190)
MMIO = (450, 310, 385, 385)
PORT = (175, 175, 165, 165)
# What tests/guest/exits.c prints: what it is called here, the goals on the machines in the order above.
KINDS = {
    "CPUID": ("CPUID", CPUID),
    "hypercall": ("unknown hypercall", PLAIN),
    "RDMSR-APIC_BASE": ("RDMSR of APIC_BASE", PLAIN),
    "RDMSR-EFER": ("RDMSR of EFER", PLAIN),
    "WRMSR-TSC_AUX": ("WRMSR of TSC_AUX", PLAIN),
    "WRMSR-EFER": ("WRMSR of EFER", None),
    "x2APIC-EOI": ("x2APIC EOI", X2APIC),
    "self-IPI": ("x2APIC ICR, self-IPI", X2APIC),
    "TSC-deadline": ("WRMSR of TSC_DEADLINE", X2APIC),
    "x2APIC-TPR-read": ("x2APIC TPR read", None),
    "x2APIC-TPR-write": ("x2APIC TPR write", None),
    "self-IPI-taken": ("self-IPI, taken, its EOI", None),
    "LAPIC-TPR-read": ("LAPIC TPR read", MMIO),
    "LAPIC-TPR-write": ("LAPIC TPR write", MMIO),
    "LAPIC-EOI": ("LAPIC EOI write", MMIO),
    "IN-PIC": ("IN from the PIC", PORT),
    "IN-UART": ("IN from the UART", PORT),
    "IN-PM": ("IN from the PM timer", PORT),
    "IN-unclaimed": ("IN from nobody", None),
    "OUT-80": ("OUT to port 80h", None),
    "OUT-UART": ("OUT of a character to the UART", None),
    "OUTS-UART": ("REP OUTSB of 16 characters to it", None),
    "WBINVD": ("WBINVD", None),
    "MOV-CR8": ("MOV to CR8", None),
    "MOV-CR0": ("MOV to CR0", None),
    "MOV-CR3": ("MOV to CR3", None),
    "wake-up": ("timer to wake-up, delay", None),
    "wake-work": ("HLT to timer wake-up, work", None),
    "wake-beside": ("timer to wake-up beside a busy guest, delay", None),
    "beside-work": ("HLT to wake-up beside a busy guest, work outside guests", None),
}
# From the deadline to the handler, by the guest's clock; and the instructions from HLT to the handler, which only
# QEMU's plugin can count. There is no loop of which one round could be had, and no figure with mitigations=off.
WAKE_UP, WAKE_WORK, BESIDE, BESIDE_WORK = "wake-up", "wake-work", "wake-beside", "beside-work"
WAKE_UPS = 32           # as exits.c and beside.c have it
WAKE_SHARE = 0.25       # the goal is a part of KVM's
NO_LOOP = (WAKE_UP, WAKE_WORK, BESIDE, BESIDE_WORK)
COUNTED = (WAKE_WORK, BESIDE_WORK)


def figures(run):
    """{name: instructions}, a fraction where rounds differ."""
    found = {name: int(n) / 100.0 for name, n in re.findall(r"^(?:\w+\| )?EXIT: (\S+) (\d+)$", run.text, re.M)}
    if not found:
        raise BenchError("no figures in:\n%s" % run.text[-3000:])
    return found


# What tests/guest/kick.c prints: the state of the CPU that is interrupted.
KICKS = {"running": "runs, without an exit", "halted": "is halted"}


def kicks(run):
    """{state: [least, mean, most] instructions}."""
    found = {state: [int(n) for n in numbers] for state, *numbers in
             re.findall(r"^KICK: (\w+) (\d+) (\d+) (\d+)$", run.text, re.M)}
    if set(found) != set(KICKS):
        raise BenchError("no figures of kicks in:\n%s" % run.text[-3000:])
    return found


def bare_loop(machine, run):
    cost, wanted = figures(run)["bare-loop"], BARE_LOOP[machine]
    if abs(cost - wanted) > BARE_SLACK:
        raise BenchError("%s: the bare loop takes %.2f instructions a round and not %d: all ratios are void"
                         % (machine, cost, wanted))
    return cost


def kinds(machine):
    return [name for name in KINDS if name not in COUNTED or machine == "QEMU SVM"]


def check_complete(machine, found, loops_only=False):
    """What is missing was not measured and must not pass for unchanged."""
    missing = [name for name in kinds(machine) if name not in found and not (loops_only and name in NO_LOOP)]
    if missing:
        raise BenchError("%s: no figure in Vouch for: %s" % (machine, " ".join(missing)))


def goal(name, i, theirs):
    if name == WAKE_WORK:
        return "%.0f" % (theirs * WAKE_SHARE) if theirs else ""
    return str(KINDS[name][1][i]) if KINDS[name][1] else ""


def beside(cost, theirs):
    return ("%.0f" % theirs, "%.2f" % (cost / theirs)) if theirs else ("", "")


def row(name, i, machine, bare, vouch, plain, kvm, xen):
    cost, theirs = vouch[name], kvm.get(name)
    without = "" if name in NO_LOOP else "%.0f" % plain[name]
    # Waking up is no loop, and the bare loop no measure for it.
    ratio = "" if name in NO_LOOP else "%.1f" % (cost / bare)
    return (KINDS[name][0], machine, "%.0f" % cost, without, ratio, *beside(cost, theirs), *beside(cost, xen.get(name)),
            goal(name, i, theirs))


def rows(bare, vouch, plain, kvm, xen):
    """bare: {machine: instructions}; the others: {machine: {name: instructions}}. plain: with mitigations=off. What a peer
    did not get to is blank."""
    for machine in BARE_LOOP:
        check_complete(machine, vouch[machine])
        check_complete(machine, plain[machine], True)
    return [row(name, i, machine, bare[machine], vouch[machine], plain[machine], kvm.get(machine, {}), xen.get(machine, {}))
            for name in KINDS for i, machine in enumerate(BARE_LOOP) if name in kinds(machine)]


def committed(path):
    """{(label, machine): ([instructions, those with mitigations=off], the goal or "")} from the table in a page."""
    with open(path, encoding="utf-8") as f:
        cells = [[c.strip() for c in line.strip("|\n").split("|")] for line in f if line.startswith("|")]
    found = {(c[0], c[1]): ([float(n) for n in c[2:4] if n], c[-1]) for c in cells if len(c) == len(HEAD) and c[1] in BARE_LOOP}
    if not found:
        raise BenchError("%s has no table of exits" % path)
    return found


def judge(what, cost, was, path):
    """A line on what is worse or much better, or None; and whether all is well. Tables are rounded to whole instructions."""
    text = "%s: %.1f instructions, %.0f in %s" % (what, cost, was, path)
    if cost > was * WORSE + 0.5:
        return "WORSE: " + text, False
    return ("better: " + text if cost * WORSE + 0.5 < was else None), True


def judge_goal(what, cost, aim):
    """No table makes a goal less: those of KINDS hold whatever is written there, only KVM's share has to be taken from it."""
    if aim and cost > float(aim) + 0.5:
        return "OVER ITS GOAL: %s: %.1f instructions, %s are allowed" % (what, cost, aim), False
    return None, True


def compare(path, vouch, plain):
    """Lines on what differs from the committed table or misses its goal; and whether all is well."""
    table, found = committed(path), []
    for i, machine in enumerate(BARE_LOOP):
        check_complete(machine, vouch[machine])
        check_complete(machine, plain[machine], True)
        for found_in, column, suffix in ((vouch, 0, ""), (plain, 1, " with mitigations=off")):
            for name in kinds(machine):
                if column and name in NO_LOOP:
                    continue
                label, aims = KINDS[name]
                what, cost = "%s on %s%s" % (label, machine, suffix), found_in[machine][name]
                costs, aim = table.get((label, machine), ([], ""))
                if column >= len(costs):
                    raise BenchError("%s has no figure for %s: run make bench" % (path, what))
                found += [judge(what, cost, costs[column], path), judge_goal(what, cost, aims[i] if aims else aim)]
    return [line for line, _ in found if line], all(good for _, good in found)
