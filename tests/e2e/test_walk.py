#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Walk all exits of a recording in gdb, forward by stepi and back by reverse-stepi.

Every exit that is the guest's must be visited exactly once each way, in order, with the same
registers and memory.  test_walk.py [RECORDING]; without one, on a recording made for it.
"""
import os
import sqlite3
import subprocess
import sys

import support

HOST_REASONS = (1, 7, 8, 52, 0x1060, 0x1061, 0x1064)  # of VMX, of SVM
GUEST = (
    f"reason & 0xffff NOT IN {HOST_REASONS}"
    " AND NOT (reason & 0xffff = 0 AND coalesce(intr_info, 0) >> 8 & 7 = 2)"
)


def expected(recording):
    """Numbers of the exits of run 1 that the guest caused, by SQL alone."""
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        return [row[0] for row in db.execute(f"SELECT id FROM state WHERE run = 1 AND {GUEST} ORDER BY id")]


def walk(recording):
    """What walk_in_gdb.py saw: a list of (way, exit id, digest)."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "walk_in_gdb.py")
    command = support.gdb_command([f"target remote | exec {support.XENREWIND} replay --stdio '{recording}'"])
    with open(os.devnull) as nothing:
        done = subprocess.run(
            command + ["-x", script], stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("walk ")]
    if not lines or lines[-1] != ["walk", "done"]:
        sys.exit(f"the walk did not end: {done.stdout[-2000:]}")
    return [(way, int(exit_id), digest) for _, way, exit_id, digest in lines[:-1]]


def main(recording):
    wanted = expected(recording)
    steps = walk(recording)
    there = [step[1:] for step in steps if step[0] == "forward"]
    back = [step[1:] for step in steps if step[0] == "back"]
    if [exit_id for exit_id, _ in there] != wanted:
        sys.exit(f"forward: visited {len(there)} exits, not each of {len(wanted)} once and in order")
    if [exit_id for exit_id, _ in back] != wanted[::-1]:
        sys.exit(f"back: visited {len(back)} exits, not each of {len(wanted)} once and in order")
    for (exit_id, digest), (_, other) in zip(there, reversed(back)):
        if digest != other:
            sys.exit(f"exit {exit_id}: registers or memory differ between the two ways")
    if len({digest for _, digest in there}) != len(there):
        sys.exit("two exits look the same, the number of the exit included: nothing was compared")
    print(f"{len(there)} exits visited once each way, with identical registers and memory")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else support.make_recording("walk.db", 400))
