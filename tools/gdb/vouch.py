# SPDX-License-Identifier: BSD-2-Clause
"""gdb commands that show a Vouch running in QEMU: vouch-host, vouch-vcpu, vouch-exits, vouch-npt.

    gdb -x tools/gdb/vouch.py build/vouch.elf -ex 'target remote :1234'

They read physical memory through QEMU's gdb stub, so they work wherever the CPU was stopped: in Vouch or in the guest,
whose page tables do not map Vouch. They change nothing. `make debug` sets all this up.
"""

import os
import re

import gdb

DIRECT_MAP = 0xFFFF800000000000
DIRECT_MAP_SIZE = 1 << 46
LOAD_STEP = 2 << 20
LOAD_LIMIT = 4 << 30
NOTE_HEADER = 16            # of a build ID's note: three words and "GNU\0"
HPA_MASK = 0x000FFFFFFFFFF000
U64 = (1 << 64) - 1
REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
LEAF_NAMES = ["4 KiB", "2 MiB", "1 GiB"]

here = os.path.dirname(os.path.abspath(__file__))


class Physical:
    """Within `with`, gdb's memory accesses are physical."""

    def mode(self, on):
        try:
            answer = gdb.execute("maint packet Qqemu.PhyMemMode:%d" % on, to_string=True)
        except gdb.error as e:
            raise gdb.GdbError("not connected to QEMU (%s): use 'target remote', or 'make debug'" % e) from e
        if '"OK"' not in answer:
            raise gdb.GdbError("the target has no physical memory mode: is it QEMU?")

    def __enter__(self):
        self.mode(1)

    def __exit__(self, *exc):
        self.mode(0)


def read_physical(hpa, size):
    with Physical():
        try:
            return bytes(gdb.selected_inferior().read_memory(hpa, size))
        except gdb.MemoryError:
            return None


def symbol(name):
    try:
        return int(gdb.parse_and_eval("(unsigned long)&%s" % name)) & U64
    except gdb.error as e:
        raise gdb.GdbError("no symbol %s: load vouch.elf first ('file build/vouch.elf')" % name) from e


class Image:
    """Where the loader put the image. Its build ID in memory shows the place, and that it is this vouch.elf."""

    found = None

    def __init__(self):
        self.start, self.end = symbol("image_start"), symbol("image_end")
        self.note = symbol("build_id_start") - self.start + NOTE_HEADER
        ids = [o.build_id for o in gdb.objfiles() if o.build_id]
        if not ids:
            raise gdb.GdbError("this vouch.elf has no build ID")
        self.build_id = bytes.fromhex(ids[0])
        last = Image.found
        if last is None or not self.at(last):
            Image.found = None
            with Physical():
                Image.found = next((a for a in range(0, LOAD_LIMIT, LOAD_STEP) if self.match(a)), None)
        self.base = Image.found
        if self.base is None:
            raise gdb.GdbError("Vouch is not in memory: not loaded yet, or another build than this vouch.elf")

    def match(self, base):
        try:
            seen = gdb.selected_inferior().read_memory(base + self.note, len(self.build_id))
        except gdb.MemoryError:
            return False
        return bytes(seen) == self.build_id

    def at(self, base):
        with Physical():
            return self.match(base)

    def hpa(self, va):
        if self.start <= va < self.end:
            return va - self.start + self.base
        if DIRECT_MAP <= va < DIRECT_MAP + DIRECT_MAP_SIZE:
            return va - DIRECT_MAP
        raise gdb.GdbError("0x%x lies neither in the image nor in the direct map" % va)

    def read(self, va, type_name, used_by=None):
        """The object at one of Vouch's virtual addresses, as a copy. Both vendors have types of one name: used_by is a function."""
        kind = gdb.lookup_type(type_name, gdb.lookup_global_symbol(used_by).symtab.static_block()) if used_by else \
            gdb.lookup_type(type_name)
        data = read_physical(self.hpa(va), kind.sizeof)
        if data is None:
            raise gdb.GdbError("cannot read %s at 0x%x" % (type_name, va))
        return gdb.Value(data, kind)

    def string(self, va, limit=64):
        data = read_physical(self.hpa(va), limit) or b""
        return data.split(b"\0")[0].decode("latin-1")


def number(value):
    return int(value) & U64


def text(value):
    """A char array."""
    size = value.type.sizeof
    return bytes(int(value[i]) & 0xFF for i in range(size)).split(b"\0")[0].decode("latin-1")


class State:
    """The boot CPU's root structures, read anew for each command."""

    def __init__(self):
        self.image = Image()
        self.area = symbol("boot_area")
        self.pcpu = self.image.read(self.area, "struct pcpu")
        self.host_at = number(self.pcpu["host"])
        if number(self.pcpu["self"]) != self.area or not self.host_at:
            raise gdb.GdbError("Vouch has not begun: its boot CPU is not set up yet ('hbreak vouch_main', 'continue')")

    def host(self):
        return self.image.read(self.host_at, "struct host")

    def vcpu(self):
        at = number(self.pcpu["vcpu"])
        if not at:
            raise gdb.GdbError("no guest is in the CPU")
        return self.image.read(at, "struct vcpu")

    def vm(self, vcpu):
        return self.image.read(number(vcpu["vm"]), "struct vm")

    def in_vouch(self):
        """True if the CPU executes Vouch: on its stack, in its text."""
        rsp, rip = (number(gdb.parse_and_eval(r)) for r in ("(unsigned long)$rsp", "(unsigned long)$rip"))
        size = 0x10000
        return self.image.start <= rip < self.image.end and self.area <= rsp <= self.area + size


def exit_names():
    """SVM_EXIT_* as the source names them."""
    names = {}
    try:
        with open(os.path.join(here, "../../arch/x86/svm/vmcb.h"), encoding="utf-8") as f:
            for name, code in re.findall(r"^#define SVM_EXIT_(\w+)\s+(0x[0-9a-f]+)u", f.read(), re.M):
                names[int(code, 16)] = name
    except OSError:
        pass
    return names


def exit_text(names, code, info1, info2):
    name = names.get(code & 0xFFFFFFFF, "?")
    if name == "IOIO":
        return "IOIO       %s port 0x%x, %d bytes%s" % ("in" if info1 & 1 else "out", info1 >> 16 & 0xFFFF,
                                                      info1 >> 4 & 7, ", string" if info1 & 4 else "")
    if name == "MSR":
        return "MSR        %s" % ("write" if info1 & 1 else "read")
    if name == "NPF":
        kind = "fetch" if info1 & 16 else "write" if info1 & 2 else "read"
        return "NPF        %s, guest-physical 0x%x" % (kind, info2)
    return "%-10s info1 0x%x, info2 0x%x" % (name, info1, info2)


class Host(gdb.Command):
    """vouch-host: the machine as Vouch found it, its memory, its modules."""

    def __init__(self):
        super().__init__("vouch-host", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        s = State()
        h = s.host()
        boot, p, pages = h["boot"], h["platform"], h["pages"]
        print("image at 0x%x, build ID %s" % (s.image.base, s.image.build_id.hex()))
        print("loader: %s; command line: '%s'" % (text(boot["loader"]), text(boot["cmdline"])))
        print("CPU 0: APIC ID %d, %s; %d CPU(s) in MADT" % (number(s.pcpu["apic_id"]), "in Vouch" if s.in_vouch() else
              "not in Vouch (a guest, or a boot loader)", number(p["cpu_count"])))
        hvm = number(h["hvm"])
        name = s.image.string(number(s.image.read(hvm, "struct hvm_ops")["name"])) if hvm else "not chosen yet"
        print("virtualization: %s" % name)
        print("TSC %d kHz, %s; LAPIC 0x%x, IOAPIC 0x%x; %d physical address bits" % (
            number(p["tsc_khz"]), "invariant" if p["tsc_invariant"] else "not invariant", number(p["lapic_hpa"]),
            number(p["ioapic_hpa"]), number(p["phys_bits"])))
        total, free = number(pages["total_frames"]), number(pages["free_frames"])
        print("pages: %d in all, %d free, %d used (%d MiB)" % (total, free, total - free, (total - free) >> 8))
        for i in range(number(boot["module_count"])):
            m = boot["module"][i]
            print("module %d: 0x%x, %d bytes, '%s'" % (i, number(m["start"]["v"]), number(m["len"]), text(m["string"])))


class Vcpu(gdb.Command):
    """vouch-vcpu: the guest in the CPU: its registers at the last exit, what is pending, whether it is halted."""

    def __init__(self):
        super().__init__("vouch-vcpu", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        s = State()
        v = s.vcpu()
        vm = s.vm(v)
        hw = s.image.read(number(v["hw"]), "struct vcpu_hw", "svm_vcpu_run")
        c = s.image.read(number(hw["vmcb"]), "struct vmcb")
        print("guest %s, vCPU %d: %d exits, %s" % (text(vm["name"]), number(v["id"]), number(v["exits"]),
              "halted" if v["halted"] else "running"))
        print("stop: %s %s" % (vm["stop"]["kind"], text(vm["stop"]["text"])))
        print("at its last exit%s:" % ("" if s.in_vouch() else "; it executes now, 'info registers' has its live state"))
        print("  rip %016x rflags %08x cpl %d" % (number(c["rip"]), number(c["rflags"]), number(c["cpl"])))
        for i in range(0, 16, 4):
            print("  " + " ".join("%-3s %016x" % (REGISTERS[j], number(v["gpr"][j])) for j in range(i, i + 4)))
        print("  cr0 %08x cr2 %016x cr3 %016x cr4 %08x efer %x" % tuple(number(c[n]) for n in
              ("cr0", "cr2", "cr3", "cr4", "efer")))
        for name in ("cs", "ss", "ds", "es", "fs", "gs", "tr", "gdtr", "idtr"):
            seg = c[name]
            print("  %-4s %04x attr %03x limit %08x base %016x" % (name, number(seg["sel"]), number(seg["attr"]),
                  number(seg["limit"]), number(seg["base"])))
        self.pending(s, v, hw, c)

    def pending(self, s, v, hw, c):
        if hw["event"]["valid"]:
            print("to be injected: vector 0x%x, type %d" % (number(hw["event"]["vector"]), number(hw["event"]["type"])))
        lapic = s.image.read(number(v["lapic"]), "struct lapic")
        for name, first in (("requested (IRR)", 0x20), ("in service (ISR)", 0x10)):
            vectors = ["0x%x" % b for b in range(256) if number(lapic["reg"][first + b // 32]) >> b % 32 & 1]
            print("interrupts %s: %s" % (name, " ".join(vectors) or "none"))
        print("NMI pending: %s, masked: %s; interrupt shadow: %s" % tuple("yes" if x else "no" for x in (
            v["nmi_pending"], hw["nmi_masked"], number(c["int_state"]) & 1)))


class Exits(gdb.Command):
    """vouch-exits [N]: the last N exits of the guest in the CPU, oldest first (as many as Vouch keeps)."""

    def __init__(self):
        super().__init__("vouch-exits", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        s = State()
        v = s.vcpu()
        size = v["ring"].type.range()[1] + 1
        wanted = int(gdb.parse_and_eval(argument)) if argument.strip() else size
        count = number(v["exits"])
        names = exit_names()
        for i in range(max(0, count - max(0, min(size, wanted))), count):
            r = v["ring"][i % size]
            code, info1, info2, rip = (number(r[n]) for n in ("code", "info1", "info2", "rip"))
            print("%8d  rip %016x  0x%03x %s" % (i, rip, code, exit_text(names, code, info1, info2)))


class Npt(gdb.Command):
    """vouch-npt GPA: the nested-table walk of a guest-physical address, and the memory at its end."""

    def __init__(self):
        super().__init__("vouch-npt", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument.strip():
            raise gdb.GdbError("which guest-physical address? vouch-npt GPA")
        gpa = number(gdb.parse_and_eval(argument))
        s = State()
        nested = s.image.read(number(s.vm(s.vcpu())["nested"]), "struct nested")
        fmt = s.image.read(number(nested["fmt"]), "struct nested_format")
        if gpa >> 48:
            raise gdb.GdbError("0x%x is beyond the tables' 48 bits" % gpa)
        table = number(nested["root"]["v"])
        for level in (3, 2, 1, 0):
            at = table + (gpa >> (12 + 9 * level) & 0x1FF) * 8
            data = read_physical(at, 8)
            if data is None:
                raise gdb.GdbError("no memory at 0x%x: the tables are damaged" % at)
            entry = int.from_bytes(data, "little")
            print("level %d: entry at 0x%x = 0x%016x" % (level, at, entry))
            if not entry & number(fmt["present"]):
                print("0x%x: not mapped (%s)" % (gpa, s.image.string(number(fmt["name"]))))
                return
            if level == 0 or entry & number(fmt["large"]):
                return self.leaf(gpa, entry, level, bool(entry & number(fmt["write"])))
            table = entry & HPA_MASK

    def leaf(self, gpa, entry, level, writable):
        size = 1 << (12 + 9 * level)
        hpa = (entry & HPA_MASK & ~(size - 1)) | (gpa & (size - 1))
        print("0x%x: host-physical 0x%x, %s page, %s" % (gpa, hpa, LEAF_NAMES[level] if level < 3 else "512 GiB",
              "writable" if writable else "read-only"))
        data = read_physical(hpa, min(16, 0x1000 - (hpa & 0xFFF))) or b""
        print("  %s  |%s|" % (data.hex(" "), "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in data)))


for command in (Host, Vcpu, Exits, Npt):
    command()
# What gdb caches must not outlive the guest's next step.
# struct host is larger than the default allows.
gdb.execute("set max-value-size unlimited")
gdb.execute("set stack-cache off")
gdb.execute("set code-cache off")
