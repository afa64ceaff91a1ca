#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of several runs: the list of them, where two part, and gdb on any of them."""
import json
import os
import subprocess
import unittest

from support import Server, gdb, path, xenrewind

RUNS = 13  # the last one is cut off


def recording():
    if not os.path.exists(path("runs.db")):
        subprocess.run([os.environ["MAKE_RUNS"], path("runs.db"), str(RUNS)], check=True)
    return path("runs.db")


class Runs(unittest.TestCase):
    def test_list(self):
        lines = xenrewind("runs", recording()).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["run", "exits", "path", "as", "run", "input", "stopped"])
        rows = [line.split() for line in lines[1 : RUNS + 1]]
        self.assertEqual([row[0] for row in rows], [str(n) for n in range(1, RUNS + 1)])
        self.assertEqual(rows[0][3:], ["new", "guest-idle"])
        self.assertEqual(rows[2][3:], ["new", "number-3", "until-reason"])
        self.assertEqual(rows[4][3:5], ["1", "number-5"])
        self.assertEqual(rows[5][3:5], ["3", "number-6"])
        self.assertIn("not yet, or cut off", lines[RUNS])
        self.assertEqual(len({row[2] for row in rows[:-1]}), 2)

    def test_paths(self):
        lines = xenrewind("runs", "--paths", recording()).stdout.splitlines()
        self.assertEqual(lines[0], "13 runs, 2 paths; 1 not ended, or cut off")
        self.assertEqual([line.split()[:3] for line in lines[2:]], [["8", "1", "7"], ["4", "3", "6"]])

    def test_json(self):
        got = json.loads(xenrewind("runs", "--json", recording()).stdout)
        self.assertEqual((got["count"], len(got["runs"]), len(got["paths"])), (RUNS, RUNS, 2))
        self.assertEqual(got["runs"][6]["same_as"], 1)
        self.assertEqual(got["runs"][6]["input"], [{"name": "number-7", "gva": "0x2000", "bytes": 8}])
        self.assertEqual((got["runs"][-1]["path"], got["runs"][-1]["same_as"]), (None, None))
        self.assertEqual([(one["runs"], one["first"]) for one in got["paths"]], [(8, 1), (4, 3)])

    def test_info_says_where_the_others_are(self):
        self.assertIn("and 10 more runs: `xenrewind runs' lists them", xenrewind("info", recording()).stdout)

    def test_called_wrongly(self):
        for arguments in (["runs"], ["runs", "--nonsense", recording()], ["diff", recording()], ["diff", recording(), 1], ["diff", recording(), 1, "x"]):
            with self.subTest(arguments):
                self.assertEqual(xenrewind(*arguments).returncode, 2)
        self.assertEqual(xenrewind("runs", path("missing.db")).returncode, 1)


class Diff(unittest.TestCase):
    def row(self, text, label):
        """The last row of that label: its mark, and both sides."""
        lines = [line for line in text.splitlines() if line[2:].startswith(label + " ")]
        return lines[-1][0], *lines[-1][2 + len(label) :].split(None, 1)

    def test_where_they_part(self):
        text = xenrewind("diff", recording(), 2, 3).stdout
        self.assertIn("where they part, after 4 exits of the same path", text)
        self.assertEqual(self.row(text, "reason"), ("*", "IO_INSTRUCTION", "VMCALL"))
        self.assertEqual(self.row(text, "instruction"), ("*", "out", "0xe9, al" + " " * 33 + "vmcall"))
        self.assertEqual(self.row(text, "rip"), ("*", "0x1200", "0x1100"))
        self.assertEqual(self.row(text, "rbx"), ("*", "0x2", "0x3"))
        self.assertEqual(self.row(text, "rax"), (" ", "0x0", "0x0"))
        self.assertEqual(self.row(text, "input"), ("*", "number-2", "number-3"))

    def test_registers_that_differ_before(self):
        got = json.loads(xenrewind("diff", "--json", recording(), 2, 3).stdout)
        self.assertEqual((got["runs"], got["common"], got["parted"]), ([2, 3], 4, True))
        self.assertEqual([one["rip"] for one in got["exits"]], ["0x1200", "0x1100"])
        self.assertEqual([one["before"]["rbx"] for one in got["registers_differ"]], ["0x2", "0x3"])
        self.assertEqual({one["rip"] for one in got["registers_differ"]}, {"0x1008"})

    def test_the_same_path(self):
        got = json.loads(xenrewind("diff", "--json", recording(), 2, 5).stdout)
        self.assertEqual((got["common"], got["parted"]), (6, False))
        self.assertIn("both took the same path: 6 exits", xenrewind("diff", recording(), 2, 5).stdout)
        self.assertIn("no register differs", xenrewind("diff", recording(), 4, 4).stdout)

    def test_one_that_has_no_more(self):
        got = json.loads(xenrewind("diff", "--json", recording(), 1, RUNS).stdout)
        self.assertEqual((got["common"], got["parted"], got["exits"][1]), (2, True, None))
        self.assertIn("none: the run has ended", xenrewind("diff", recording(), 1, RUNS).stdout)

    def test_no_such_run(self):
        done = xenrewind("diff", recording(), 1, 99)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no run 99; the recording has 13", done.stderr)


class Gdb(unittest.TestCase):
    """Memory and registers of each run are its own."""

    def ask(self, *commands, run=None):
        with Server(recording(), *(("--run", str(run)) if run else ())) as server:
            return gdb(server.address, *commands)

    def test_replay_of_a_run(self):
        text = self.ask("stepi 2", "p $rbx", "x/gx 0x2000", "x/gx 0x3000", "x/gx 0x7000", "monitor position", run=5)
        for words in ("$1 = 5", "0x2000:\t0x0000000000000005", "0x7000:\t0x0000000000001007"):
            self.assertIn(words, text)

    def test_monitor_run(self):
        text = self.ask(
            "monitor run 6", "maintenance flush register-cache", "maintenance flush dcache", "x/gx 0x2000", "stepi 3",
            "p $rbx", "stepi 9", "monitor run 1", "maintenance flush register-cache", "maintenance flush dcache",
            "x/gx 0x2000", "p $rbx", "monitor run 99", "monitor run x",
        )  # fmt: skip
        for words in ("0x2000:\t0x0000000000000006", "$1 = 6", "last of run 6", "0x2000:\t0x0000000000001002", "$2 = 0", "there is no run 99", "usage: monitor run N"):
            self.assertIn(words, text)

    def test_goto_an_exit_of_another_run(self):
        text = self.ask("monitor goto 10", "maintenance flush dcache", "x/gx 0x2000", "monitor where")
        self.assertIn("0x2000:\t0x0000000000000002", text)
        self.assertIn("exit 10 of 13 (run 2)", text)

    def test_monitor_runs(self):
        text = self.ask("monitor runs", "monitor runs paths", "monitor runs x")
        self.assertRegex(text, r"(?m)^ +12 +5 +[0-9a-f]{16} +3  number-12 +until-reason")
        self.assertIn("13 runs, 2 paths", text)
        self.assertIn("usage: monitor runs", text)

    def test_watch_in_another_run(self):
        text = self.ask("monitor run 4", "maintenance flush register-cache", "maintenance flush dcache", "watch *(long *)0x3000", "continue", "continue")
        self.assertRegex(text, r"Old value = 20\nNew value = 21")


if __name__ == "__main__":
    unittest.main()
