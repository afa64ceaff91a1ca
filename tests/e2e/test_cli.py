#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what it prints, how it fails, what it says then."""
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import unittest

from support import BASE, XENREWIND, Server, gdb, make_recording, path, xenrewind


def copy(name):
    """A copy of the small recording that a test may harm."""
    shutil.copy(make_recording("small.db", 200), path(name))
    return path(name)


class Cli(unittest.TestCase):
    def assert_fails(self, done, *words, code=1):
        """Failed with one or two lines on standard error that hold the words; no crash."""
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertLessEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def assert_each_fails(self, file, *words):
        """Every command that reads a recording refuses this one."""
        for command in (["info"], ["exits"], ["replay"], ["replay", "--stdio"], ["replay", "--gdb"]):
            with self.subTest(command):
                self.assert_fails(xenrewind(*command, file, stdin=subprocess.DEVNULL), "xenrewind: ", *words)


class Help(Cli):
    def test_help_and_version(self):
        for arguments in (["--help"], ["help"], ["help", "replay"], ["replay", "--help"], ["info", "--help"], ["exits", "--help"], ["runs", "--help"], ["diff", "--help"], ["check", "--help"], ["index", "--help"], ["writes", "--help"], ["record", "--help"], ["doctor", "--help"]):
            with self.subTest(arguments):
                done = xenrewind(*arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.startswith("usage: xenrewind"))
                self.assertLessEqual(max(map(len, done.stdout.splitlines())), 96)
        self.assertRegex(xenrewind("--version").stdout, r"^xenrewind \d+\.\d+\.\d+ ")

    def test_doctor_without_xen(self):
        if os.path.exists("/proc/xen"):
            self.skipTest("this is a Xen domain")
        done = xenrewind("doctor")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn("not a Xen host: it cannot record, but can replay", done.stdout)
        done = xenrewind("doctor", "--json")
        self.assertEqual(done.returncode, 1)
        report = json.loads(done.stdout)
        self.assertEqual((report["xen"], report["can_record"]), (False, False))
        self.assertEqual([check["state"] for check in report["checks"]], ["missing"])

    def test_called_wrongly(self):
        small = make_recording("small.db", 200)
        for arguments in (
            [], ["nonsense"], ["help", "nonsense"], ["info"], ["info", small, small], ["info", "--nonsense", small], ["exits"],
            ["exits", "--reason", "NONSENSE", small], ["exits", "--from", "x", small], ["exits", "--rip", "zz", small],
            ["exits", "--rip", "2-1", small], ["exits", "--vcpu", "-1", small], ["exits", "--register", "rax", small], ["exits", "--register", "xyz=1", small],
            ["exits", "--register", "rax=1x", small], ["index"], ["index", small], ["index", small, "xyz"], ["replay"], ["replay", "--run", "x", small],
            ["replay", "--stdio", "--gdb", small], ["replay", small, "--", "-batch"],
            ["doctor", "--nonsense"], ["doctor", "x"], ["doctor", "--parent"], ["doctor", "--parent", ""], ["doctor", "--parent", "0"], ["doctor", "--parent", "32752"],
        ):  # fmt: skip
            with self.subTest(arguments):
                done = xenrewind(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertNotEqual(done.stderr, "")


class Info(Cli):
    def test_text(self):
        text = xenrewind("info", make_recording("small.db", 200)).stdout
        for words in ("closed          cleanly", "exits           200", "the guest that never was", "mode pause"):
            self.assertIn(words, text)
        self.assertRegex(text, r"(?m)^ +25 +10 CPUID$")
        self.assertRegex(text, rf"(?m)^ +25  {BASE + 0x600:#x}  vmcall$")
        self.assertRegex(text, r"(?m)^  memory +exact at every exit")

    def test_json(self):
        got = json.loads(xenrewind("info", "--json", make_recording("small.db", 200)).stdout)
        self.assertEqual((got["exits"], got["resumes"], got["closed"]), (200, 200, True))
        self.assertEqual(sum(reason["exits"] for reason in got["reasons"]), 200)
        self.assertEqual((got["runs"][0]["first_exit"], got["runs"][0]["last_exit"]), (1, 200))
        self.assertEqual(len(got["top_rips"]), 8)

    def test_cut_off(self):
        text = xenrewind("info", make_recording("open.db", 50, "still-open")).stdout
        self.assertIn("no: still being written, or cut off", text)
        self.assertIn("exits 1 to 50", text)


class Exits(Cli):
    def list(self, *arguments):
        done = xenrewind("exits", *arguments, make_recording("small.db", 200))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [int(line.split()[0]) for line in done.stdout.splitlines()[1:]]

    def test_filters(self):
        guests = [n for n in range(1, 201) if n % 8 != 4]
        self.assertEqual(self.list(), guests)
        self.assertEqual(self.list("--host"), list(range(1, 201)))
        self.assertEqual(self.list("--reason", "cpuid"), list(range(1, 201, 8)))
        self.assertEqual(self.list("--reason", "10", "--from", "2", "--count", "2"), [9, 17])
        self.assertEqual(self.list("--rip", f"{BASE + 0x600:x}-{BASE + 0x700:x}", "--count", "4"), [7, 8, 15, 16])
        self.assertEqual(self.list("--vcpu", "1"), [])

    def test_values_of_registers(self):
        """With and without an index the exits are those that SQL finds."""
        indexed = copy("indexed.db")
        done = xenrewind("index", indexed, "rax", "rbx", "rax")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertIn("whole", xenrewind("check", indexed).stdout)
        with sqlite3.connect(f"file:{indexed}?mode=ro", uri=True) as db:
            values = {reg: db.execute(f"SELECT {reg} FROM state WHERE id = 77").fetchone()[0] for reg in ("rax", "rbx", "r9")}
            for reg, value in values.items():
                wanted = [row[0] for row in db.execute(f"SELECT id FROM state WHERE {reg} = ? ORDER BY id", [value])]
                for file in (indexed, make_recording("small.db", 200)):
                    done = xenrewind("exits", "--host", "--register", f"{reg}={value & (1 << 64) - 1:#x}", file)
                    self.assertEqual([int(line.split()[0]) for line in done.stdout.splitlines()[1:]], wanted)
        self.assert_fails(xenrewind("index", indexed, "r9"), "no index by r9")
        self.assert_fails(xenrewind("index", path("nonsense.db"), "rax"), "nonsense.db")

    def test_json_is_one_object_a_line(self):
        done = xenrewind("exits", "--json", "--host", make_recording("small.db", 200))
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["id"] for row in rows], list(range(1, 201)))
        self.assertEqual(rows[0]["changed"], {"rax": "0x306c3", "rip": f"{BASE + 0x102:#x}"})
        self.assertEqual(rows[1]["operands"], "OUT port 0xe9 size 1 value 0x2")
        self.assertEqual(rows[6]["fields"]["reason"], "0x12")

    def test_a_closed_pipe_is_no_error(self):
        long = make_recording("long.db", 60000, "still-open")
        done = subprocess.run(
            f"'{XENREWIND}' exits '{long}' | head -2 >/dev/null; echo ${{PIPESTATUS[0]}}",
            shell=True, executable="/bin/bash", capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        self.assertEqual(done.stderr, "")
        self.assertIn(done.stdout.strip(), ("0", "141"))

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([XENREWIND, "exits", make_recording("small.db", 200)], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assert_fails(done, "cannot write the output")

    def test_texts_of_a_stranger_cannot_steer_the_terminal(self):
        harmed = copy("escape.db")
        with sqlite3.connect(harmed) as db:
            db.execute("UPDATE meta SET value = char(27) || '[2J' WHERE key = 'guest_name'")
            db.execute("UPDATE insn SET text = char(27) || 'c'")
        for command in ("info", "exits"):
            self.assertNotIn("\x1b", xenrewind(command, harmed).stdout)


class Writes(Cli):
    """The data page of make_recording.c: COUNTER changes at every fifth exit, ONCE at exit 33."""

    def test_text_and_physical(self):
        done = xenrewind("writes", "--physical", make_recording("small.db", 200), "11020")
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout + done.stderr)
        self.assertIn("exit 32 to 33: 0x0000000000000000 -> 0x000000000000dead; by the guest", done.stdout)

    def test_json(self):
        recording = make_recording("small.db", 200)
        done = xenrewind("writes", "--json", "--bytes", "1", "--count", "4", recording, f"{BASE + 0x1010:x}")
        changes = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([change["new"] for change in changes], ["05", "0a", "0f", "14"])
        self.assertEqual([change["newer"] // 5 for change in changes], [1, 2, 3, 4])

    def test_called_wrongly(self):
        recording = make_recording("small.db", 200)
        for arguments in ([recording], [recording, "xyz"], ["--bytes", "0", recording, "0"], ["--run", "x", recording, "0"]):
            self.assert_fails(xenrewind("writes", *arguments), "xenrewind writes: ", code=2)
        self.assert_fails(xenrewind("writes", "--run", "9", recording, "0"), "no run 9")


class Check(Cli):
    def test_whole(self):
        done = xenrewind("check", make_recording("small.db", 200))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("200 exits", done.stdout)
        self.assertTrue(done.stdout.endswith(": whole\n"))

    def test_damaged(self):
        file = copy("checked.db")
        with sqlite3.connect(file) as db:
            db.execute("DELETE FROM exit WHERE id = 77")
        done = xenrewind("check", "--json", file)
        self.assertEqual(done.returncode, 1)
        told = json.loads(done.stdout)
        self.assertFalse(told["whole"])
        self.assertTrue(any("exits are missing" in problem for problem in told["problems"]))


class Record(Cli):
    def test_called_wrongly(self):
        for arguments in ([], ["--nonsense"], ["--parent", "1", "--exits", "x"]):
            with self.subTest(arguments):
                self.assertEqual(xenrewind("record", *arguments, cwd=path("")).returncode, 2)

    @unittest.skipIf(os.path.exists("/proc/xen/capabilities"), "this host has Xen")
    def test_a_host_without_xen(self):
        done = xenrewind("record", "--parent", "1", "-o", path("no-xen.db"))
        self.assert_fails(done, "Xen")
        self.assertFalse(os.path.exists(path("no-xen.db")))


class Domains(Cli):
    def record(self, name, **environment):
        return xenrewind("record", "--parent", name, "-o", path("named.db"), env={**os.environ, **environment})

    @unittest.skipIf(os.path.exists("/proc/xen"), "this is a Xen domain")
    def test_by_name(self):
        fake = {"LD_LIBRARY_PATH": os.environ["FAKE_XENSTORE"], "ASAN_OPTIONS": "detect_leaks=0"}
        self.assert_fails(self.record("victim", **fake), "not a Xen host")
        self.assert_fails(self.record("vict", **fake), "no domain is called vict")
        self.assert_fails(self.record("twin", **fake), "2 domains are called twin")
        self.assert_fails(self.record("victim", FAKE_XENSTORE_DEAD="1", **fake), "xenstore does not answer")
        self.assert_fails(self.record("victim", FAKE_XENSTORE_SILENT="1", **fake), "xenstore does not answer")
        self.assertFalse(os.path.exists(path("named.db")))


class BadRecordings(Cli):
    def test_missing(self):
        self.assert_each_fails(path("missing.db"), "missing.db")

    def test_a_folder(self):
        self.assert_each_fails(os.path.dirname(path("x")))

    def test_not_a_recording(self):
        for name, content in (("empty.db", b""), ("text.db", b"hello\n" * 1000), ("zeros.db", bytes(8192))):
            with open(path(name), "wb") as file:
                file.write(content)
            self.assert_each_fails(path(name), name)

    def test_another_database(self):
        with sqlite3.connect(path("other.db")) as db:
            db.execute("CREATE TABLE exit (id INTEGER)")
        self.assert_each_fails(path("other.db"), "other.db")

    def test_a_newer_version(self):
        newer = copy("newer.db")
        with sqlite3.connect(newer) as db:
            db.execute("PRAGMA user_version = 999")
        self.assert_each_fails(newer, "999")

    def test_truncated(self):
        cut = copy("cut.db")
        os.truncate(cut, os.path.getsize(cut) // 3)
        self.assert_each_fails(cut, "cut.db")

    def test_no_such_run(self):
        self.assert_fails(xenrewind("replay", "--stdio", "--run", 7, make_recording("small.db", 200)), "no run 7")

    def test_no_exits(self):
        self.assert_fails(xenrewind("replay", "--stdio", make_recording("none.db", 0)), "no exit")

    def test_a_damaged_row_met_later(self):
        """gdb gets an error and goes on; the server lives."""
        harmed = copy("row.db")
        with sqlite3.connect(harmed) as db:
            db.execute("UPDATE exit SET d_sysregs = 999999 WHERE id = 20 OR id = 21")
            db.execute("UPDATE page SET data = x'00ff00ff', encoding = 2 WHERE id = (SELECT page FROM page_version WHERE gfn = 16)")
        with Server(harmed) as server:
            text = gdb(server.address, "stepi 30", f"x/i {BASE + 0x100:#x}", "monitor goto 30", "monitor position", "monitor goto 21", "monitor exits 18 5")
        self.assertIn("Cannot access memory", text)
        self.assertIn("exit 30 of 200", text)
        self.assertNotIn("exit 21 of 200", text)
        self.assertIn("xenrewind:", server.errors)
        self.assertNotIn("Sanitizer", server.errors)


class Listening(Cli):
    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            where = f"127.0.0.1:{taken.getsockname()[1]}"
            done = xenrewind("replay", "--listen", where, make_recording("small.db", 200))
        self.assert_fails(done, where, "in use", "--listen")

    def test_unix_socket_in_use_or_left_over(self):
        small = make_recording("small.db", 200)
        with Server(small, listen=f"unix:{path('s')}"):
            self.assert_fails(xenrewind("replay", "--listen", f"unix:{path('s')}", small), "in use")
        self.assertFalse(os.path.exists(path("s")))
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(path("s"))
        with Server(small, listen=f"unix:{path('s')}") as server:
            self.assertEqual(server.address, path("s"))

    def test_a_file_in_the_way_is_kept(self):
        with open(path("kept"), "w") as file:
            file.write("mine")
        self.assert_fails(xenrewind("replay", "--listen", f"unix:{path('kept')}", make_recording("small.db", 200)), "no socket")
        with open(path("kept")) as file:
            self.assertEqual(file.read(), "mine")

    def test_wrong_addresses(self):
        for where in ("nonsense", "127.0.0.1:x", "127.0.0.1:", "host.invalid:1", "unix:", "unix:" + "x" * 200, "256.0.0.1:1",
                      "127.0.0.1:65536", "65536", "127.0.0.1:000080"):
            with self.subTest(where):
                self.assert_fails(xenrewind("replay", "--listen", where, make_recording("small.db", 200)))

    def test_loopback_is_the_default_and_others_are_warned_of(self):
        small = make_recording("small.db", 200)
        for listen, address in (("0", "127.0.0.1:"), (":0", "127.0.0.1:"), ("localhost:0", ""), ("[::1]:0", "[::1]:")):
            if listen == "[::1]:0" and not os.path.exists("/proc/net/if_inet6"):
                continue
            with Server(small, listen=listen) as server:
                self.assertTrue(server.address.startswith(address))
            self.assertEqual(server.errors, "")
        with Server(small, listen="0.0.0.0:0") as server:
            pass
        self.assertRegex(server.errors, "warning: .* other machines")


if __name__ == "__main__":
    unittest.main(verbosity=2)
