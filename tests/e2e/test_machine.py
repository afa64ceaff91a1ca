#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of the embedded engine: recorded without Xen, re-executed, walked, and refused when they are wrong."""
import json
import os
import sqlite3
import unittest

from support import path, xenrewind

TOUR = os.environ["TOUR"]


def record(name, *options, kernel=TOUR, **run):
    return xenrewind("record", "--source", "machine", "-o", path(name), *options, kernel, **run)


def recorded(name="tour.db"):
    """The tour of a guest like a fork of Xen, made once."""
    if not os.path.exists(path(name)):
        done = record(name, "--platform", "xen", "--guest-memory", "4", "--symbols", TOUR)
        assert done.returncode == 0, done.stderr
    return path(name)


def select(recording, sql):
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


class Recording(unittest.TestCase):
    def test_tour_ends_as_on_xen(self):
        info = json.loads(xenrewind("info", "--json", recorded()).stdout)
        run = info["runs"][0]
        self.assertEqual((run["source"], run["mode"]), ("machine", "machine"))
        self.assertEqual(run["stop"], "guest-end")
        self.assertEqual(run["stop_detail"], "the guest powered off")
        kinds = dict(select(recorded(), "SELECT reason, count(*) FROM exits GROUP BY 1"))
        self.assertEqual(kinds["CPUID"], 24)
        self.assertEqual(kinds["TASK_SWITCH"], 2)
        self.assertEqual(kinds["VMCALL"], 6)
        self.assertEqual(kinds["IO_INSTRUCTION"], 28)

    def test_twice_the_same(self):
        again = record("again.db", "--platform", "xen", "--guest-memory", "4")
        self.assertEqual(again.returncode, 0, again.stderr)
        for table in ("state", "registers", "page_version"):
            columns = "*" if table == "page_version" else None
            if columns is None:
                names = [row[1] for row in select(recorded(), f"PRAGMA table_info({table})")]
                columns = ", ".join(f'"{n}"' for n in names if not n.startswith("time"))
            sql = f"SELECT {columns} FROM {table}"
            self.assertEqual(select(recorded(), sql), select(path("again.db"), sql), table)

    def test_console(self):
        done = record("console.db", "--platform", "xen", "--guest-memory", "4", "--console", "-", "--quiet")
        self.assertEqual((done.returncode, done.stdout), (0, "tour\n"))

    def test_cpu_of_a_recording(self):
        with sqlite3.connect(path("other-cpu.db")) as db:
            with sqlite3.connect(recorded()) as source:
                source.backup(db)
            leaf = db.execute("SELECT id FROM cpuid WHERE leaf = 0x80000008").fetchone()[0]
            db.execute("UPDATE exit SET after_rax = 0x3024 WHERE id = ?", (leaf,))
        done = record("as-there.db", "--platform", "xen", "--guest-memory", "4", "--cpu-of", path("other-cpu.db"), "--undefined-flags", "bochs")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(select(path("as-there.db"), "SELECT eax FROM cpuid WHERE leaf = 0x80000008"), [(0x3024,)])

    def test_limits(self):
        done = record("ten.db", "--guest-memory", "4", "--exits", "10", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["exits"], 10)
        # A guest that runs for ever without exits still ends in time: the PC has no Xen to find.
        done = record("spin.db", "--guest-memory", "4", "--cmdline", "spin", "--seconds", "1", "--platform", "xen", "--memory", "end")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("seconds", json.loads(xenrewind("info", "--json", path("spin.db")).stdout)["runs"][0]["stop"])

    def test_triple_fault(self):
        done = record("triple.db", "--platform", "xen", "--guest-memory", "4", "--cmdline", "triple-fault")
        self.assertIn("triple fault", done.stderr)
        self.assertEqual(select(path("triple.db"), "SELECT reason FROM exits ORDER BY id DESC LIMIT 1"), [("TRIPLE_FAULT",)])


class Verify(unittest.TestCase):
    def test_every_gap_is_exact(self):
        done = xenrewind("verify", "--json", recorded())
        result = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, result["differences"])
        self.assertGreater(result["gaps"], 160)
        self.assertEqual(result["verdicts"]["exact"], result["gaps"])
        self.assertGreater(result["instructions"], 10000)

    def test_side_file(self):
        gaps = path("side.gaps")
        self.assertEqual(xenrewind("verify", "--gaps", gaps, "--quiet", recorded()).returncode, 0)
        rows = select(gaps, "SELECT exit, instructions, verdict FROM gap ORDER BY exit")
        self.assertEqual([row[0] for row in rows], list(range(1, len(rows) + 1)))
        self.assertEqual({row[2] for row in rows}, {"exact"})

    def changed(self, name, *statements):
        """What differs in a recording that was altered."""
        copy = path(name)
        with open(recorded(), "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        with sqlite3.connect(copy) as db:
            for statement in statements:
                db.execute(*statement)
        return json.loads(xenrewind("verify", "--no-gaps", "--json", copy).stdout)["differences"]

    def test_the_fpu_is_carried_on_where_it_was_not_recorded(self):
        self.assertEqual(self.changed("no-fpu.db", ("DELETE FROM context WHERE kind = 'fxsave'",)), [])

    def test_an_old_fpu_image_is_found(self):
        """Its control word is that of a CPU after reset, where the guest had long set another."""
        exit_id, data = select(recorded(), "SELECT exit, data FROM context WHERE kind = 'fxsave' ORDER BY exit DESC LIMIT 1")[0]
        old = b"\x40\x00" + data[2:]
        found = self.changed("old-fpu.db", ("UPDATE context SET data = ? WHERE kind = 'fxsave' AND exit = ?", (old, exit_id)))
        self.assertEqual(found[0]["exit"], exit_id - 1)
        self.assertEqual(found[0]["verdict"], "arrived")
        self.assertIn("x87 control", found[0]["detail"])

    def test_a_changed_register_is_found(self):
        """The recording says that the guest went on with another answer to CPUID than it did."""
        copy = path("changed.db")
        with open(recorded(), "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        exit_id = select(copy, "SELECT id FROM exits WHERE reason = 'CPUID' LIMIT 1 OFFSET 5")[0][0]
        with sqlite3.connect(copy) as db:
            db.execute("UPDATE exit SET after_rdx = 1234 WHERE id = ?", (exit_id,))
        done = xenrewind("verify", "--no-gaps", "--json", copy)
        result = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1)
        wrong = {gap["exit"]: gap for gap in result["differences"]}
        self.assertEqual(wrong[exit_id]["verdict"], "diverged")
        self.assertIn("recorded", wrong[exit_id]["detail"])

    def test_part_and_threads(self):
        one = json.loads(xenrewind("verify", "--no-gaps", "--json", "--all", "--threads", "1", recorded()).stdout)
        two = json.loads(xenrewind("verify", "--no-gaps", "--json", "--all", "--threads", "2", recorded()).stdout)
        self.assertEqual(one["all"], two["all"])
        part = json.loads(xenrewind("verify", "--no-gaps", "--json", "--all", "--from", "50", "--to", "60", recorded()).stdout)
        self.assertEqual(part["all"], one["all"][49:60])


class Refused(unittest.TestCase):
    def check(self, done, status, *words):
        self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertLessEqual(len(done.stderr.splitlines()), 3)

    def test_kernels(self):
        with open(path("text"), "w") as file:
            file.write("no kernel\n")
        self.check(record("no.db", kernel=path("nothing")), 1, "nothing", "No such file")
        self.check(record("no.db", kernel=path("text")), 1, "not an ELF file", "unpacked")
        self.check(record("no.db", "--initrd", path("nothing")), 1, "nothing")
        self.check(record("no.db", "--guest-memory", "2", "--initrd", TOUR, "--cmdline", "x" * 5000), 1, "command line")
        self.assertFalse(os.path.exists(path("no.db")))

    def test_options(self):
        self.check(record("no.db", "--guest-memory", "1"), 2, "--guest-memory")
        self.check(record("no.db", "--platform", "amiga"), 2, "pc or xen")
        self.check(record("no.db", "--parent", "1"), 2, "domains of Xen")
        self.check(xenrewind("record", "--source", "machine"), 2, "one kernel")
        self.check(xenrewind("record", "--source", "vax", TOUR), 2, "xen or machine")
        self.check(xenrewind("record", "--parent", "1", "--platform", "pc"), 2, "--source machine")

    def test_what_cannot_be_verified(self):
        record("end.db", "--platform", "xen", "--guest-memory", "4", "--memory", "end")
        self.check(xenrewind("verify", path("end.db")), 1, "memory at each exit")
        self.check(xenrewind("verify", "--run", "7", recorded()), 1, "no run 7")
        self.check(xenrewind("verify", path("text-that-is-not-there")), 1, "text-that-is-not-there")


if __name__ == "__main__":
    unittest.main()
