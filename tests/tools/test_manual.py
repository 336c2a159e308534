# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: clean for man, and true to --help to the last option."""

import os
import re
import subprocess

from support import BUILD_VM, TOP, VOUCH, ToolTest, needs

PAGES = {name: os.path.join(TOP, "docs", "man", name + ".1") for name in ("vouch", "build_vm")}
COMMANDS = ("build", "inspect", "verify", "keygen", "sign", "convert", "extract", "iso", "menu", "measure", "policy",
            "run", "ctl")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[A-Za-z])(?![\w-])")


def plain(page):
    """Text of a page without roff's fonts, line for line."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"\\f.", "", text).replace("\\-", "-")
    return re.sub(r'(?m)^\.(B|I|BR|BI|RB|RI|IR|IB) |"', "", text)


def documented(text):
    """The options that have an entry of their own: the lines after .TP that start with a hyphen."""
    entries = re.findall(r"(?m)^\.TP\n(-.*)$", text)
    return {o for e in entries for o in OPTION.findall(re.sub(r"\s+", " ", e))}


class Manual(ToolTest):
    def offered(self, *argv):
        """What --help lists: the indented lines that start with a hyphen."""
        out = self.run_tool(*argv, "--help").stdout
        lines = [re.split(r"  +", line.strip())[0] for line in out.split("\n") if line.startswith("  -")]
        self.assertGreaterEqual(len(lines), 2)
        return {o for line in lines for o in OPTION.findall(line)}

    def test_vouch(self):
        text = plain(PAGES["vouch"])
        common = documented(text[text.index(".SH COMMON OPTIONS"):text.index(".SH COMMANDS")])
        self.assertEqual(common, self.offered(VOUCH))
        parts = re.split(r"(?m)^\.SS vouch (\w+) .*$", text[text.index(".SH COMMANDS"):text.index(".SH EXIT STATUS")])
        sections = dict(zip(parts[1::2], parts[2::2]))
        self.assertEqual(sorted(sections), sorted(COMMANDS))
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertEqual(documented(sections[command]) | common, self.offered(VOUCH, command))

    def test_build_vm(self):
        self.assertEqual(documented(plain(PAGES["build_vm"])), self.offered(BUILD_VM))

    def test_synopsis_names_no_option_that_is_not_there(self):
        text = plain(PAGES["vouch"])
        synopsis = text[text.index(".SH SYNOPSIS"):text.index(".SH DESCRIPTION")]
        for part in re.split(r"(?m)^vouch ", synopsis)[1:]:
            command = part.split()[0]
            self.assertLessEqual(set(OPTION.findall(part)), self.offered(VOUCH, command))

    def test_path_names_each_program(self):
        """That the sources ask for: spawn_need(NAME, PACKAGE), a name or a macro's; and menu's two updaters, in arrays."""
        folder, sought = os.path.join(TOP, "tools"), set()
        for name in os.listdir(folder):
            if name.endswith(".c"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    source = f.read()
                macros = dict(re.findall(r'(?m)^#define (\w+) +"([^"]+)"', source))
                for word in re.findall(r"spawn_need\(([^,]+),", source):
                    sought.add(macros.get(word, word.strip('"')))
        sought = sought - {"argv[0]"} | {"update-grub", "grub-mkconfig"}
        self.assertLessEqual({"dtc", "bochs-bin", "qemu-system-x86_64"}, sought)
        text = plain(PAGES["vouch"])
        entry = text[text.index("PATH\nWhere") + len("PATH\nWhere"):text.index("are looked for.")]
        self.assertEqual(set(re.findall(r"[a-z][\w-]+", entry)) - {"and"}, sought)

    def test_version(self):
        version = self.vouch("--version").stdout.split()[1]
        for page in PAGES.values():
            with open(page, encoding="utf-8") as f:
                self.assertIn("Vouch %s" % version, f.read())

    @needs("man")
    def test_clean(self):
        for page in PAGES.values():
            done = subprocess.run(["man", "--warnings=all", "-l", page],
                                  env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="90"),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("EXIT STATUS", done.stdout)
