#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lldb on a recording: connecting without a search of memory, state, both directions, the monitor."""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import BASE, Server, make_recording

LLDB = next(filter(None, map(shutil.which, ("lldb", "lldb-19", "lldb-16", "lldb-15", "lldb-14"))), None)
CPUID, OUT, RDMSR, VMCALL = (BASE + offset for offset in (0x100, 0x200, 0x300, 0x600))
DATA = BASE + 0x1000


def strip(text):
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


class Sessions(unittest.TestCase):
    def setUp(self):
        self.server = Server(make_recording("small.db", 200)).__enter__()
        self.addCleanup(self.server.__exit__)

    def lldb(self, *commands):
        """What lldb prints for each command, connected: a list; and the packets that it sent."""
        with tempfile.NamedTemporaryFile("w+", suffix=".packets") as packets, tempfile.NamedTemporaryFile("w") as script:
            lines = ["settings set stop-disassembly-display never", f"log enable -f {packets.name} gdb-remote packets",
                     f"process connect --plugin gdb-remote connect://{self.server.address}", *commands]  # fmt: skip
            script.write("\n".join(lines) + "\n")
            script.flush()
            done = subprocess.run(
                [LLDB, "-x", "-b", "-o", f"command source -e false {script.name}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
            )  # fmt: skip
            sent = re.findall(r"send packet: \$(.*?)#..", packets.read())
        parts = re.split(r"^\(lldb\) (.*)$", done.stdout, flags=re.M)
        answers = dict(zip(parts[1::2], map(strip, parts[2::2])))
        return answers, sent

    def test_it_connects_without_a_search_of_memory(self):
        answers, sent = self.lldb("thread list", "detach")
        self.assertIn(f"{CPUID:#018x}", answers["thread list"])
        self.assertIn("vCPU 0", answers["thread list"])
        reads = [int(packet[1:].split(",")[0], 16) for packet in sent if re.match(r"[mx][0-9a-f]+,[1-9a-f]", packet)]
        strange = [f"{at:#x}" for at in reads if not BASE <= at < BASE + 0x4000 and at > 0x10000]
        self.assertEqual(strange, [], sent)

    def test_state(self):
        answers, _ = self.lldb(
            "register read rip rax cr3 exit_id exit_reason", "register read dr0", f"memory read -f x -s 8 -c 1 {DATA + 0x30:#x}",
            f"memory read -f x -s 1 -c 1 {BASE + 0x5000:#x}", f"memory region {CPUID:#x}", f"memory region {BASE + 0x5000:#x}",
            "memory region 0",
        )  # fmt: skip
        registers = answers["register read rip rax cr3 exit_id exit_reason"]
        for name, value in (("rip", CPUID), ("rax", 1), ("cr3", 0x1000), ("exit_id", 1), ("exit_reason", 10)):
            self.assertRegex(registers, rf"{name} = 0x0*{value:x}\b")
        self.assertIn("error: unavailable", answers["register read dr0"])
        self.assertIn("0x0000000000001111", answers[f"memory read -f x -s 8 -c 1 {DATA + 0x30:#x}"])
        self.assertIn("error: memory read failed", answers[f"memory read -f x -s 1 -c 1 {BASE + 0x5000:#x}"])
        self.assertRegex(answers[f"memory region {CPUID:#x}"], rf"\[{BASE:#018x}-{BASE + 0x1000:#018x}\) rwx")
        self.assertRegex(answers[f"memory region {BASE + 0x5000:#x}"], r"---")
        self.assertRegex(answers["memory region 0"], r"\[0x0+-0x0000008000000000\) ---")

    def test_both_directions(self):
        answers, _ = self.lldb(
            f"breakpoint set --address {VMCALL:#x}", "continue", "register read exit_id", "breakpoint delete -f",
            "process plugin packet monitor goto 1", "thread step-inst", "register read rip", "process plugin packet send bs",
            "process plugin packet send bc", "process plugin packet send vCont;c", "process plugin packet monitor position", "detach",
        )  # fmt: skip
        self.assertIn("breakpoint 1.1", answers["continue"])
        self.assertRegex(answers["register read exit_id"], "0x0+7$")
        self.assertRegex(answers["process plugin packet send bs"], r"T05.*thread:p1\.1;threads:p1\.1;")
        self.assertRegex(answers["process plugin packet send bc"], "replaylog:begin;")
        self.assertRegex(answers["process plugin packet send vCont;c"], "replaylog:end;")
        self.assertIn("exit 200 of 200", answers["process plugin packet monitor position"])

    def test_a_watchpoint(self):
        watch = f"watchpoint set expression -w write -s 8 -- {DATA + 0x10:#x}"
        answers, _ = self.lldb(watch, "continue", "register read exit_id", "detach")
        self.assertIn("Watchpoint created", answers[watch])
        self.assertIn("watchpoint 1", answers["continue"])
        self.assertRegex(answers["register read exit_id"], "0x0+5$")

    def test_reconnecting(self):
        self.lldb("thread step-inst", "detach")
        answers, _ = self.lldb("register read exit_id")
        self.assertRegex(answers["register read exit_id"], "0x0+2$")

    def test_what_is_refused(self):
        answers, _ = self.lldb("register write rax 5", f"memory write {DATA:#x} 1", "register read rax")
        self.assertIn("error:", answers["register write rax 5"])
        self.assertIn("error:", answers[f"memory write {DATA:#x} 1"])
        self.assertRegex(answers["register read rax"], "0x0+1$")


if __name__ == "__main__":
    if not LLDB:
        print("lldb is not installed: skipped")
        sys.exit(77)
    unittest.main(verbosity=2)
