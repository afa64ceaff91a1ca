#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two recordings of the same guest must tell the same story: same_recording.py A.db B.db

Compared, exit by exit over the exits that the guest caused: reason, qualification, addresses, every
register before and after, and every page of memory that changed.  Left out: exits of the host
(external interrupts and the like, which fall anywhere), times, and what RDTSC answered.
"""
import hashlib
import sqlite3
import sys

HOST_REASONS = (1, 7, 8, 52)
RDTSC = (16, 51)
FIELDS = ["reason", "qualification", "gpa", "gla", "intr_info", "insn_len"]


def columns(db, table, leave_out=()):
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] not in leave_out]


def story(path):
    """Yield (exit id, dict of what is compared) for each exit that the guest caused."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    hot = columns(db, "resume", ("exit", "unknown", "sysregs"))
    system = columns(db, "sysregs", ("id",))
    sysregs = {row[0]: row[1:] for row in db.execute(f"SELECT id, {','.join(system)} FROM sysregs")}
    pages = {}
    for exit_id, gfn, digest in db.execute(
        "SELECT v.exit, v.gfn, p.hash FROM page_version v JOIN page p ON p.id = v.page WHERE v.exit > 0"
    ):
        pages.setdefault(exit_id, {})[gfn] = digest
    wanted = ", ".join(
        ["e.id", "e.sysregs", "r.sysregs", "r.exit"]
        + [f"e.{name}" for name in FIELDS + hot]
        + [f"r.{name}" for name in hot]
    )
    memory = {}  # changes seen at host exits belong to the next exit of the guest
    for row in db.execute(f"SELECT {wanted} FROM exit e LEFT JOIN resume r ON r.exit = e.id ORDER BY e.id"):
        exit_id, before_sys, after_sys, has_after = row[:4]
        values = row[4:]
        memory.update(pages.get(exit_id, {}))
        fields = dict(zip(FIELDS, values))
        reason = fields["reason"] & 0xFFFF
        if reason in HOST_REASONS:
            continue
        before = dict(zip(hot, values[len(FIELDS) :]))
        after = dict(zip(hot, values[len(FIELDS) + len(hot) :]))
        if reason in RDTSC:
            after["rax"] = after["rdx"] = None
        told = {**fields, "held": has_after is not None}
        told.update({f"before {name}": value for name, value in before.items()})
        told.update({f"after {name}": value for name, value in after.items()})
        told.update({f"before {n}": v for n, v in zip(system, sysregs[before_sys])})
        if after_sys is not None:
            told.update({f"after {n}": v for n, v in zip(system, sysregs[after_sys])})
        told.update({f"page {gfn:#x}": digest.hex() for gfn, digest in memory.items()})
        memory = {}
        yield exit_id, told


def main(first, second):
    count = 0
    digest = hashlib.sha256()
    a, b = story(first), story(second)
    while True:
        x, y = next(a, None), next(b, None)
        if x is None and y is None:
            break
        if x is None or y is None:
            longer = first if y is None else second
            sys.exit(f"{longer} goes on after {count} equal exits of the guest")
        if x[1] != y[1]:
            print(f"exit {x[0]} of {first} and exit {y[0]} of {second} differ:")
            for name in sorted(x[1].keys() | y[1].keys()):
                left, right = x[1].get(name), y[1].get(name)
                if left != right:
                    print(f"  {name}: {left} / {right}")
            sys.exit(1)
        digest.update(repr(sorted(x[1].items(), key=str)).encode())
        count += 1
    if not count:
        sys.exit("no exit caused by a guest in either recording")
    print(f"{count} exits of the guest, equal in reason, registers and memory ({digest.hexdigest()[:16]})")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
