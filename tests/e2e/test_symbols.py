#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbol file that a recording names, in gdb: found, moved as the kernel was, served to who needs it."""
import shutil
import sqlite3
import subprocess
import unittest

from support import BASE, Server, gdb, make_recording, path, xenrewind

DATA = BASE + 0x1000


class Symbols(unittest.TestCase):
    """A symbol file that the recording names, of a kernel that moved by 0x200000."""

    SLIDE = 0x200000
    SOURCE = """
        .text
        .globl entry_SYSCALL_64, linux_banner, do_cpuid
        .type do_cpuid, @function
        entry_SYSCALL_64: .fill 0x100, 1, 0x90
        do_cpuid: .byte 0x0f, 0xa2
        .size do_cpuid, 2
        .fill 0x1e, 1, 0x90
        linux_banner: .fill 64, 1, {nop}
        .data
        .globl data_there
        data_there: .long 1
        .section .other, "aw", @progbits
        .globl other_there
        other_there: .long 1
        .section .note.GNU-stack, "", @progbits
    """

    def setUp(self):
        self.recording = path("symbols.db")
        shutil.copy(make_recording("small.db", 200), self.recording)
        with sqlite3.connect(self.recording) as db:
            db.execute("INSERT INTO meta(key, value) VALUES ('symbol_file', 'vmlinux')")

    def link(self, nop):
        source = path("vmlinux.S")
        with open(source, "w") as out:
            out.write(self.SOURCE.format(nop=nop))
        linked = BASE - self.SLIDE
        command = ["gcc", "-nostdlib", "-static", "-Wl,--build-id=none", f"-Wl,-Ttext={linked:#x}",
                   f"-Wl,-Tdata={linked + 0x1000:#x}", f"-Wl,--section-start=.other={linked + 0x2000:#x}"]  # fmt: skip
        subprocess.run([*command, "-Wl,-e,entry_SYSCALL_64", "-o", path("vmlinux"), source], check=True)

    def test_plain_gdb_loads_and_moves_them(self):
        """No file is named in gdb: it hears of it, and is told how far it moved."""
        self.link(nop="0x90")
        with Server(self.recording) as server:
            text = gdb(server.address, "info symbol $pc", "p &data_there", "p &other_there", "monitor kaslr")
        self.assertIn("do_cpuid in section .text", text)
        self.assertIn(f"(<data variable, no debug info> *) {DATA:#x}", text)
        self.assertIn(f"(<data variable, no debug info> *) {DATA + 0x1000:#x}", text)
        self.assertIn("kernel moved by 0x200000 (from LSTAR, and its text stands there)", text)

    def test_gdb_started_by_the_program(self):
        self.link(nop="0x90")
        done = xenrewind("replay", self.recording, "--gdb", "--", "-nx", "-batch", "-ex", "info symbol $pc", "-ex", "rewind kaslr")
        self.assertIn("do_cpuid in section .text", done.stdout, done.stderr)
        self.assertIn("kernel moved by 0x200000", done.stdout)

    def test_symbols_of_another_kernel_are_not_moved(self):
        self.link(nop="0x91")
        with Server(self.recording) as server:
            text = gdb(server.address, "info symbol $pc", "monitor kaslr")
        self.assertNotIn("do_cpuid", text)
        self.assertIn("another kernel", text)

    def test_who_comes_from_elsewhere_reads_it_here(self):
        """A server that other machines can reach; no other file is served."""
        self.link(nop="0x90")
        with Server(self.recording, listen="0.0.0.0:0") as server:
            text = gdb(server.address, "info symbol $pc", "remote get /etc/passwd /dev/null", f"remote get {path('vmlinux')} {path('copy')}")
        self.assertIn("vmlinux from remote target", text)
        self.assertIn("do_cpuid in section .text", text)
        self.assertRegex(text, "(?i)No such file")
        with open(path("vmlinux"), "rb") as one, open(path("copy"), "rb") as other:
            self.assertEqual(one.read(), other.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
