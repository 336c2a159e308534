# SPDX-License-Identifier: BSD-2-Clause
"""vouch build and build_vm: byte for byte, every refusal, and no partial output."""

import os
import random
import resource
import signal
import stat
import unittest

from support import (BUILD_VM, ENV, GOOD, REFUSED, USAGE, VECTORS, VOUCH, ToolTest, read, vectors)

# test_v2.py has the bytes of version 2.
BUILDERS = {"vouch build": [VOUCH, "build", "-v", "1"], "build_vm": [BUILD_VM]}
ALL = dict(BUILDERS, **{"version 2": [VOUCH, "build"]})
SRC = os.path.join(VECTORS, "src")
BIG = 96 << 20


class Golden(ToolTest):
    def test_golden(self):
        names = sorted(os.listdir(os.path.join(VECTORS, "golden")))
        self.assertGreaterEqual(len(names), 13)
        for name in names:
            xml, version = name[:-len(".img")].split("-v")
            for label, argv in BUILDERS.items():
                with self.subTest(name=name, builder=label):
                    done = self.run_tool(*argv, xml + ".xml", "-v", version, "-o", self.path("out"), cwd=SRC)
                    self.expect(done, GOOD)
                    self.assertEqual(read(self.path("out")), read(os.path.join(VECTORS, "golden", name)))
        self.no_leftovers("out")

    def test_options_come_in_any_order_and_spelling(self):
        want = read(os.path.join(VECTORS, "golden", "one-v0.img"))
        for argv in (["-v", "0", "-o", self.path("a"), "one.xml"], ["one.xml", "-v0", "-o" + self.path("a")],
                     ["--image-version=0", "one.xml", "--output", self.path("a")]):
            for builder in BUILDERS.values():
                self.expect(self.run_tool(*builder, *argv, cwd=SRC), GOOD)
                self.assertEqual(read(self.path("a")), want)
                os.unlink(self.path("a"))

    def test_default_of_build_vm_is_version_1(self):
        self.expect(self.run_tool(BUILD_VM, "one.xml", "-o", self.path("a"), cwd=SRC), GOOD)
        self.assertEqual(read(self.path("a")), read(os.path.join(VECTORS, "golden", "one-v1.img")))

    def test_default_output(self):
        os.mkdir(self.path("d.ir"))
        for name, stem in (("x.xml", "x"), ("a.b.pal", "a.b"), ("plain", "plain"), ("d.ir/plain", "d.ir/plain")):
            for builder, suffix in ((BUILDERS["vouch build"], ".img"), (BUILDERS["build_vm"], ".dat")):
                self.put(name, "<vm/>")
                self.expect(self.run_tool(*builder, name), GOOD)
                self.assertEqual(read(self.path(stem + suffix)), vectors.pack(b"<vm></vm>", [], 1))

    def test_processing_instructions_are_warned_about(self):
        self.put("pi.xml", "<?a b?><vm/>")
        for builder in BUILDERS.values():
            self.expect(self.run_tool(*builder, "pi.xml", "-o", "out"), GOOD, "warning", "will refuse")


class Xml(ToolTest):
    def text_of(self, xml, *more):
        """The rewritten XML in the image."""
        self.put("c.xml", xml)
        self.expect(self.vouch("build", "-v1", "c.xml", "-o", "out", *more), GOOD)
        data = read(self.path("out"))
        return data[12:12 + int.from_bytes(data[8:12], "little")]

    def refuse(self, xml, *texts):
        self.put("c.xml", xml)
        for builder in BUILDERS.values():
            self.expect(self.run_tool(*builder, "c.xml", "-o", "refused"), REFUSED, "c.xml: ", *texts)
        self.assertFalse([n for n in os.listdir(self.dir) if n.startswith((".vouch", "refused"))])

    def test_not_well_formed(self):
        for xml, place in (
                ("", "line 1, column 1"),
                ("text<vm/>", "line 1, column 5"),
                ("<vm>\n <a></b>\n</vm>", "line 2, column 7"),
                ("<vm>\n<a b=c/></vm>", "line 2, column 6"),
                ("<vm>\n<a b/></vm>", "line 2, column 5"),
                ("<vm>\n<a b='1' b='2'/></vm>", "line 2, column 10"),
                ("<vm/>\n<vm/>", "line 2, column 1"),
                ("<vm/>\n\ntail", "line 3, column 1"),
                ("<vm>a & b</vm>", "line 1, column 8"),
                ("<vm>\n\n  <open></vm>", "line 3, column 11"),
                ("<vm>", "line 1, column 5"),
                ("<vm>&#0;</vm>", "line 1, column 5"),
                ("<vm>\x01</vm>", "line 1, column 5"),
                ("<vm>\v</vm>", "line 1, column 5"),
                ("<vm><!-- a -- b --></vm>", "line 1, column"),
                ("<vm><?xml version='1.0'?></vm>", "line 1, column 5"),
                ("\n<?xml version='1.0'?><vm/>", "line 2, column 1"),
                ("<vm>]]></vm>", "line 1, column"),
                ("<vm a='<'/>", "line 1, column"),
                (b"<vm>\xff</vm>", "line 1, column 5"),
                (b"<vm>\n\x00</vm>", "line 2, column 1: NUL byte")):
            with self.subTest(xml=xml):
                self.refuse(xml, place)

    def test_unknown_entities_stay_as_text(self):
        # The same with a DTD that nobody reads: expat alone would drop them from attributes without a word.
        for doctype in ("", "<!DOCTYPE vm>\n", "<!DOCTYPE vm SYSTEM 'x.dtd'>\n", "<!DOCTYPE vm SYSTEM '&u;'>"):
            for xml in ("<vm>&nbsp; &amp; &a.b-c_d:9; &\u00e9;</vm>",
                        "<vm a='&x;&lt;&amp;&#65;&#x42;&y;'>&gt;&apos;</vm>",
                        "<vm><!-- &x; --><![CDATA[&x;]]>&x;<?pi &x;?></vm>",
                        "<vm>&x;<![CDATA[<!--]]>&x;<!--<![CDATA[-->&x;</vm>",
                        "<vm>&amp;x; &lt;&x;</vm>"):
                with self.subTest(xml=doctype + xml):
                    self.put("c.xml", doctype + xml)
                    want = vectors.build((doctype + xml).encode(), {}, 1)
                    self.expect(self.vouch("build", "-v1", "c.xml", "-o", "out"), GOOD)
                    self.assertEqual(read(self.path("out")), want)
        self.assertEqual(self.text_of("<vm a='&x;'>&y;</vm>"), b'<vm a="&amp;x;">&amp;y;</vm>')

    def test_a_place_behind_an_unknown_entity(self):
        self.refuse("<vm>\n&x; &y;</wm>", "line 2, column 10: mismatched tag")
        self.refuse("<vm a='&x;'>&y;\n  &z;</wm>", "line 2, column 8: mismatched tag")
        self.refuse("<vm>&x;\n</wm>", "line 2, column 3: mismatched tag")

    def test_what_is_no_reference(self):
        for xml in ("<vm>&;</vm>", "<vm>&9;</vm>", "<vm>&x</vm>", "<vm>& x;</vm>", "<vm>&#x110000;</vm>",
                    "<vm>&#x;</vm>", "<vm a='&x'/>", "&x;<vm/>", "<vm/>&x;", "<vm &x;='1'/>"):
            self.refuse(xml, "line 1, column ")

    def test_doctype(self):
        self.assertEqual(self.text_of("<!DOCTYPE vm>\n<vm/>"), b"<vm></vm>")
        self.assertEqual(self.text_of("<!DOCTYPE vm PUBLIC 'a' 'b'>\n<vm/>"), b"<vm></vm>")
        self.refuse("<!DOCTYPE vm [<!ATTLIST vm a CDATA 'x'>]><vm/>", "internal subset")
        self.refuse("<!DOCTYPE vm []><vm/>", "internal subset")
        self.refuse("<!DOCTYPE vm [<!ENTITY a 'b'>]><vm>&a;</vm>", "internal subset")

    def test_encodings(self):
        text = "<?xml version='1.0'?><vm a='\u00e9\u20ac\U0001f600'>\r\n\u00e9</vm>"
        want = "<vm a=\"\u00e9\u20ac\U0001f600\">\n\u00e9</vm>".encode()
        self.assertEqual(self.text_of(text), want)
        self.assertEqual(self.text_of(b"\xef\xbb\xbf" + text.encode()), want)
        self.assertEqual(self.text_of(b"\xff\xfe" + text.encode("utf-16-le")), want)
        self.assertEqual(self.text_of(b"\xfe\xff" + text.encode("utf-16-be")), want)
        declared = text.replace("'1.0'", "'1.0' encoding='UTF-16'")
        self.assertEqual(self.text_of(b"\xff\xfe" + declared.encode("utf-16-le")), want)
        self.refuse(b"\xff\xfe" + "<vm/>".encode("utf-16-le") + b"\n", "invalid UTF-16 at offset 12")
        self.refuse(b"\xff\xfe" + "<vm>".encode("utf-16-le") + b"\x00\xd8" + "</vm>".encode("utf-16-le"),
                    "invalid UTF-16 at offset 10")
        self.refuse("<vm/>".encode("utf-16-le"), "line 1, column 2: NUL byte")
        self.refuse("<vm/>".encode("utf-16-be"), "line 1, column 1: NUL byte")

    def test_line_ends_in_instructions_stay(self):
        xml = b"<?t  a\r\nb \r?><vm><?u?><?t c?></vm>\n<?v\r\n\tw?>\n"
        self.assertEqual(self.text_of(xml), b"<?t a\r\nb \r?>\n<vm></vm>\n<?t c?>\n<?u?>\n<?v w?>")

    def test_size_of_the_rewritten_xml(self):
        room = (1 << 20) - len("<vm></vm>")
        self.assertEqual(len(self.text_of("<vm>" + "x" * 1000 + "</vm>")), 1009)
        # The writer's bound; whether the loader takes so long a text is its business.
        self.refuse("<vm>" + "<a></a>" * (room // 7 + 1) + "</vm>", "more than 1048576 are refused")

    def test_input_too_large(self):
        with open(self.path("c.xml"), "wb") as f:
            f.truncate((16 << 20) + 1)
        self.expect(self.vouch("build", "c.xml", "-o", "out"), REFUSED, "16777217 bytes")
        self.no_leftovers("c.xml")

    def test_rules_for_files(self):
        self.put("a", "A")
        files = "<vm>\n<files>%s</files></vm>"
        for inner, text in (
                ("<file id='x'/>", "line 2, column 22: file 0 has no filename"),
                ("<file id='x' filename=''/>", "has no filename"),
                ("<file filename='a'/>", "file 0 has no id"),
                ("<file id='' filename='a'/>", "has no id"),
                ("<file id='x' filename='a'/><file id='x' filename='a'/>", "the id 'x' is used twice"),
                ("<file id='x' filename='a'><id>x</id></file>", "attribute and as a child"),
                ("<file id='x' filename='a'><filename>a</filename></file>", "attribute and as a child"),
                ("<file id='%s' filename='a'/>" % ("i" * 256), "longer than 255 bytes"),
                ("<file id='x' filename='%s'/>" % ("f" * 4096), "longer than 4095 bytes"),
                ("".join("<file id='%d' filename='a'/>" % i for i in range(257)), "more than 256 files")):
            with self.subTest(inner=inner[:80]):
                self.refuse(files % inner, text)
        self.text_of(files % ("<file id='%s' filename='a'/>" % ("i" * 255)))
        self.text_of(files % "".join("<file id='%d' filename='a'/>" % i for i in range(256)))
        self.assertEqual(read(self.path("out"))[-256:], b"A" * 256)

    def test_a_hostile_name_does_not_reach_the_terminal(self):
        self.put("c.xml", "<vm><files><file id='x' filename='a&#x9b;2J'/></files></vm>")
        done = self.expect(self.vouch("build", "c.xml"), ENV)
        self.assertNotIn("\x9b", done.stderr)
        self.assertIn("\\xc2\\x9b2J", done.stderr)

    def test_upper_case_section_is_not_written(self):
        # The loader compares without case and would meet a file without an index.
        self.put("c.xml", "<vm><FILES><file id='x' filename='a'/></FILES></vm>")
        self.expect(self.vouch("build", "c.xml", "-o", "out"), REFUSED, "not written")
        self.no_leftovers("c.xml")
        self.expect(self.run_tool(BUILD_VM, "c.xml", "-o", "out"), GOOD, "will refuse")
        self.no_leftovers("c.xml", "out")


class Random(ToolTest):
    """Against the independent writer in make_vectors.py, on documents made from pieces."""

    NAMES = ["a", "b-c", "d.e", "x:y", "\u00e9l", "memory", "core"]
    PIECES = ["text", " ", "\n\t", "\r\n", "\r", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#10;", "&#13;", "&#x9;",
              "&#x20AC;", "&x;", "&a-b;", "\u20ac", "\U0001f600", "'", ">", "&#62;", "  two"]
    CDATA = ["<raw> & ", "]]", "\r\n", "&amp;", "", "\"x\""]

    def attributes(self, r, taken=()):
        names = [n for n in r.sample(["p", "q", "r-s", "index2", "note"], r.randrange(4)) if n not in taken]
        return "".join(" %s%s=%s%s" % (r.choice(["", " ", "\n"]), n, r.choice(["", " "]), self.quoted(r))
                       for n in names)

    def quoted(self, r):
        quote = r.choice("'\"")
        return quote + "".join(r.choice(self.PIECES) for _ in range(r.randrange(5))).replace(quote, "") + quote

    def content(self, r, depth):
        out = []
        for _ in range(r.randrange(5)):
            kind = r.randrange(8)
            if kind < 3:
                out.append(r.choice(self.PIECES).replace("]]>", ""))
            elif kind == 3:
                out.append("<![CDATA[%s]]>" % "".join(r.choice(self.CDATA) for _ in range(2)).replace("]]>", ""))
            elif kind == 4:
                out.append("<!-- %s -->" % r.choice(["gone", "<a>", "&x;", "'"]))
            elif depth < 4:
                out.append(self.element(r, r.choice(self.NAMES), depth + 1))
        return "".join(out)

    def element(self, r, name, depth):
        if r.randrange(4) == 0:
            return "<%s%s%s/>" % (name, self.attributes(r), r.choice(["", " ", "\n"]))
        return "<%s%s>%s</%s%s>" % (name, self.attributes(r), self.content(r, depth), name, r.choice(["", " "]))

    def file(self, r, n):
        name = r.choice(["a.bin", "zero.bin", "carry.bin", "c.bin"])
        index = r.choice(["", "", ' index="7"'])
        if r.randrange(3):
            return '<file%s%s id="f%d" filename="%s"/>' % (self.attributes(r), index, n, name)
        tail = r.choice(["", "<!-- x -->", " "])
        return "<file%s><filename>%s</filename><id>f%d</id>%s</file>" % (index, name, n, tail)

    def files(self, r):
        inner = "".join(self.file(r, n) + r.choice(["", "\n", "<!---->", "<other/>"]) for n in range(r.randrange(5)))
        return "<files%s>%s</files>" % (self.attributes(r), inner)

    def instruction(self, r):
        return "<?%s%s?>" % (r.choice(["one", "two", "three"]), r.choice(["", " ", " x", "  x  y ", "\r\nz", "\t<&"]))

    def document(self, r):
        pis = r.randrange(3) == 0
        misc = lambda: "".join(r.choice(["\n", "<!-- c -->", self.instruction(r) if pis else " "])
                               for _ in range(r.randrange(3)))
        out = r.choice(["", '<?xml version="1.0" encoding="UTF-8"?>']) + misc()
        out += r.choice(["", "", "<!DOCTYPE vm>", '<!DOCTYPE vm SYSTEM "vm.dtd">']) + misc()
        out += "<vm%s>%s%s%s%s</vm>" % (self.attributes(r), self.content(r, 1), self.files(r) if r.randrange(5) else "",
                                        self.instruction(r) if pis else "", self.content(r, 1))
        return out + misc()

    def test_random_documents(self):
        r = random.Random(20240613)
        for name, data in vectors.FILES.items():
            self.put(name, data)
        for n in range(400):
            xml = self.document(r)
            version = n & 1
            self.put("c.xml", xml)
            want = vectors.build(xml.encode(), vectors.FILES, version)
            builder = BUILDERS["build_vm" if n & 2 else "vouch build"]
            self.expect(self.run_tool(*builder, "c.xml", "-v", str(version), "-o", "out"), GOOD)
            self.assertEqual(read(self.path("out")), want, xml)


class Trouble(ToolTest):
    def config(self, *names):
        files = "".join("<file id='f%d' filename='%s'/>" % (i, n) for i, n in enumerate(names))
        self.put("c.xml", "<vm><files>%s</files></vm>" % files)

    def big(self, name):
        with open(self.path(name), "wb") as f:
            f.truncate(BIG)

    def both(self, status, *texts, out="out", builders=ALL):
        for builder in builders.values():
            self.expect(self.run_tool(*builder, "c.xml", "-o", out), status, *texts)

    def test_usage(self):
        self.put("c.xml", "<vm/>")
        for argv in ([], ["c.xml", "c.xml"], ["-v", "3", "c.xml"], ["-v", "", "c.xml"], ["-v", "01x", "c.xml"],
                     ["--nonsense", "c.xml"], ["c.xml", "-o"], ["c.xml", "-o", ""], ["c.xml", "-o", "d/"]):
            for builder in ALL.values():
                with self.subTest(argv=argv, builder=builder):
                    self.expect(self.run_tool(*builder, *argv), USAGE)
        self.no_leftovers("c.xml")

    def test_unreadable(self):
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("fifo"))
        for name, text in (("gone", "gone: cannot open: No such file"), ("folder", "folder: not a regular file"),
                           ("fifo", "fifo: not a regular file")):
            self.config(name)
            self.both(ENV, text, "c.xml: line 1 names that file")
        for builder in ALL.values():
            for name in ("gone", "folder", "fifo"):
                self.expect(self.run_tool(*builder, name, "-o", "out"), ENV, name)
        self.no_leftovers("c.xml", "folder", "fifo")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_permission(self):
        self.config("a")
        os.chmod(self.put("a", "A"), 0)
        self.both(ENV, "a: cannot open: Permission denied")
        self.no_leftovers("a", "c.xml")

    def test_missing_file_shows_before_anything_is_copied(self):
        self.big("big")
        self.config("big", "gone")
        self.both(ENV, "gone: cannot open")
        self.no_leftovers("big", "c.xml")

    def test_four_gib(self):
        with open(self.path("huge"), "wb") as f:
            f.truncate(1 << 32)
        self.config("huge")
        self.both(REFUSED, "huge: 4294967296 bytes", "less than 4 GiB", builders=BUILDERS)
        self.no_leftovers("c.xml", "huge")

    def meddled(self, meddle, status, text):
        self.config("big", "second")
        for builder in ALL.values():
            self.big("big")
            self.put("second", "2")
            self.put("out", "old")
            done = self.build_paused([*builder, "c.xml", "-o", "out"], BIG, meddle)
            self.expect(done, status, text)
            self.assertEqual(read(self.path("out")), b"old")
            self.assertFalse([n for n in os.listdir(self.dir) if n.startswith(".vouch")])

    def test_growing_file(self):
        def grow(_):
            with open(self.path("big"), "ab") as f:
                f.write(b"x")
        self.meddled(grow, ENV, "big: changed while")

    def test_shrinking_file(self):
        self.meddled(lambda _: os.truncate(self.path("big"), 4096), ENV, "while it was being read")

    def test_file_rewritten_in_place(self):
        def rewrite(_):
            with open(self.path("big"), "r+b") as f:
                f.write(b"x")
        self.meddled(rewrite, ENV, "big: changed while")

    def test_vanished_file(self):
        def vanish(_):
            if os.path.exists(self.path("second")):
                os.unlink(self.path("second"))
        self.big("big")
        self.config("big", "second")
        for builder in ALL.values():
            self.put("second", "2")
            self.expect(self.build_paused([*builder, "c.xml", "-o", "out"], BIG, vanish), ENV, "second: cannot open")
        self.no_leftovers("big", "c.xml")

    def test_replaced_file(self):
        def replace(_):
            self.put("new", "2")
            os.rename(self.path("new"), self.path("second"))
        self.meddled(replace, ENV, "second: changed while")

    def test_signals_leave_nothing(self):
        self.big("big")
        self.config("big")
        for builder in ALL.values():
            for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                done = self.build_paused([*builder, "c.xml", "-o", "out"], BIG, lambda p: p.send_signal(sig))
                self.assertEqual(done.returncode, -sig)
                self.no_leftovers("big", "c.xml")

    def test_disk_full(self):
        # A file size limit fails the write as a full disk does.
        self.put("a", b"a" * 10000)
        self.config("a")
        self.put("out", "old")
        for builder in ALL.values():
            done = self.run_tool(*builder, "c.xml", "-o", "out",
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
            self.expect(done, ENV, "out: cannot write: File too large")
        self.assertEqual(read(self.path("out")), b"old")
        self.no_leftovers("a", "c.xml", "out")

    def test_bad_output(self):
        self.put("c.xml", "<vm/>")
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        self.both(ENV, "cannot create", out="no/such/folder/out")
        self.both(USAGE, "not a regular file", out="fifo")
        self.both(USAGE, "not a regular file", out="folder")
        for target in ("fifo", "/proc/self/fd/1"):      # the second is a pipe to this test
            os.symlink(target, self.path("link"))
            self.both(USAGE, "link: exists and is not a regular file" if "self" in target else "not a regular", out="link")
            self.assertEqual(os.readlink(self.path("link")), target)
            os.unlink(self.path("link"))
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("fifo")).st_mode))
        self.no_leftovers("c.xml", "fifo", "folder")

    def test_output_is_an_input(self):
        self.put("a", "A")
        self.config("a")
        config = read(self.path("c.xml"))
        os.link(self.path("a"), self.path("link"))
        for out in ("a", "c.xml", "./a", "link"):
            self.both(USAGE, "is also the output file", out=out)
        self.put("x.dat", "<vm/>")
        self.expect(self.run_tool(BUILD_VM, "x.dat"), USAGE, "is also the output file")
        self.assertEqual((read(self.path("a")), read(self.path("c.xml")), read(self.path("x.dat"))),
                         (b"A", config, b"<vm/>"))

    def test_output_through_a_link(self):
        self.put("c.xml", "<vm/>")
        self.put("target", "old")
        os.symlink("target", self.path("out"))
        self.both(GOOD, builders=BUILDERS)
        self.assertTrue(os.path.islink(self.path("out")))
        self.assertEqual(read(self.path("target")), vectors.pack(b"<vm></vm>", [], 1))

    def test_permissions_of_the_output(self):
        self.put("c.xml", "<vm/>")
        for mask, want in ((0o022, 0o644), (0o077, 0o600)):
            self.expect(self.vouch("build", "c.xml", "-o", "out", preexec_fn=lambda: os.umask(mask)), GOOD)
            self.assertEqual(stat.S_IMODE(os.stat(self.path("out")).st_mode), want)
            os.unlink(self.path("out"))
