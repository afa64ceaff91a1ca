#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of many runs: each run's stop and path is what its input says.  runs.py XENREWIND FOLDER"""
import json
import sqlite3
import subprocess
import sys

# What `tour input` does for each letter: the reason of the exit, and what ends the run.
REASONS = {"c": "CPUID", "o": "IO_INSTRUCTION", "m": "MSR_READ", "v": "VMCALL", "w": "WBINVD"}


def expected(text):
    """The exits of the guest's own, and how Xen says that it ended."""
    exits = []
    for letter in text:
        if letter == "x":
            return exits + ["TRIPLE_FAULT"], "the guest rebooted"
        exits += [REASONS[letter]] if letter in REASONS else []
    return exits + ["VMCALL"], "the guest powered off"


def check(condition, text):
    if not condition:
        sys.exit(f"FAIL: {text}")


def own_exits(db, run):
    """Reasons of a run's exits, but those that are the host's or ask for a page."""
    rows = db.execute("SELECT reason FROM exits WHERE run = ? ORDER BY id", (run,))
    return [reason for (reason,) in rows if reason not in ("EPT_VIOLATION", "EXTERNAL_INTERRUPT", "PENDING_VIRT_INTR")]


def check_thousand(db):
    paths = {}
    for run, stop, detail, path in db.execute("SELECT id, stop, stop_detail, path_hex FROM runs").fetchall():
        (text,) = db.execute("SELECT CAST(data AS TEXT) FROM input WHERE run = ?", (run,)).fetchone()
        exits, end = expected(text)
        check((stop, detail) == ("guest-end", end), f"run {run} ({text}): {stop}: {detail}")
        check(own_exits(db, run) == exits, f"run {run} ({text}): {own_exits(db, run)}")
        # The same instruction at the same place: the guest's own exits of `cs` and `c` are alike.
        check(paths.setdefault(path, exits) == exits, f"run {run} ({text}) has the path of {paths[path]}")
    runs = db.execute("SELECT count(*) FROM run").fetchone()[0]
    check(len(paths) == len({tuple(exits) for exits in paths.values()}), "one way has two paths")
    print(f"{runs} runs, {len(paths)} paths: each run stopped where its input says")


def check_base_is_stored_once(db):
    (base,) = db.execute("SELECT count(*) FROM page_version WHERE run = 0").fetchone()
    (own,) = db.execute("SELECT max(n) FROM (SELECT count(*) AS n FROM page_version WHERE run > 0 AND exit = 0 GROUP BY run)").fetchone()
    check(base >= 1024 and own <= 4, f"base image {base} pages, {own} more in a run")


def check_same(db):
    """Runs with the same input are the same in every register and page; the first brings more pages in."""
    seen = set()
    for (run,) in db.execute("SELECT id FROM run").fetchall():
        rows = db.execute(
            "SELECT * FROM (SELECT basic_reason, rip, rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, rflags, after_rip, after_rax FROM state"
            " WHERE run = ? AND basic_reason NOT IN (1, 7, 48) ORDER BY id)", (run,)).fetchall()  # fmt: skip
        pages = db.execute(
            "SELECT v.gfn, v.page FROM page_version v WHERE v.run = ? AND v.exit = (SELECT max(exit) FROM page_version u"
            " WHERE u.run = v.run AND u.gfn = v.gfn) ORDER BY v.gfn", (run,)).fetchall()  # fmt: skip
        seen.add((tuple(rows), tuple(pages)))
    check(len(seen) == 1, f"{len(seen)} different runs of one input")


def check_ends(db):
    got = [tuple(row) for row in db.execute("SELECT stop, stop_detail, same_as FROM runs ORDER BY id")]
    check([row[0] for row in got] == ["guest-end", "guest-end", "guest-idle", "guest-end", "until-reason"], got)
    check([row[2] for row in got] == [1, 2, 3, 1, 5], got)


def check_interrupted(db):
    stops = [stop for (stop,) in db.execute("SELECT stop FROM run ORDER BY id")]
    check(len(stops) > 1 and set(stops[:-1]) == {"guest-end"}, stops)
    check(stops[-1] in ("interrupted", "guest-end"), stops)


def main():
    program, folder = sys.argv[1:]
    for name, checks in {"thousand": [check_thousand, check_base_is_stored_once], "again": [check_same, check_base_is_stored_once], "ends": [check_ends], "interrupted": [check_interrupted]}.items():  # fmt: skip
        file = f"{folder}/{name}.db"
        listed = json.loads(subprocess.run([program, "runs", "--json", file], capture_output=True, check=True, text=True).stdout)
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
            check(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{name}.db is damaged")
            check(listed["count"] == db.execute("SELECT count(*) FROM run").fetchone()[0], name)
            for one in checks:
                one(db)
    print("the runs are right")


if __name__ == "__main__":
    main()
