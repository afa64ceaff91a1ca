#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two recordings of the same guest must tell the same story: same_recording.py A.db B.db

Compared, exit by exit over the exits that the guest caused: reason, qualification, addresses, every
register before and after, and every page of memory that changed.  Left out: exits of the host
(external interrupts and the like, which fall anywhere), times, and what RDTSC answered.
Of SVM also CR2: VMRUN does not load it in Bochs, so it holds what dom0 left there until the guest's first page fault.
"""
import hashlib
import sqlite3
import sys

HOST_REASONS = (1, 7, 8, 52, 0x1060, 0x1061, 0x1064)  # of VMX, of SVM
RDTSC = (16, 51, 0x106E, 0x1087)
SVM = 0x1000
FIELDS = ["reason", "qualification", "gpa", "gla", "intr_info", "insn_len"]


def story(path):
    """Yield (exit id, dict of what is compared) for each exit that the guest caused."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    columns = [row[1] for row in db.execute("PRAGMA table_info(state)")]
    registers = [name for name in columns if f"after_{name}" in columns]
    pages = {}
    for exit_id, gfn, digest in db.execute(
        "SELECT v.exit, v.gfn, p.hash FROM page_version v JOIN page p ON p.id = v.page WHERE v.exit > 0"
    ):
        pages.setdefault(exit_id, {})[gfn] = digest
    wanted = ["has_after", *FIELDS, *registers, *(f"after_{name}" for name in registers)]
    memory = {}  # changes seen at host exits belong to the next exit of the guest
    for exit_id, *values in db.execute(f"SELECT id, {', '.join(wanted)} FROM state ORDER BY id"):
        memory.update(pages.get(exit_id, {}))
        told = dict(zip(wanted, values))
        reason = told["reason"] & 0xFFFF
        if reason in HOST_REASONS:
            continue
        if reason in RDTSC:
            told["after_rax"] = told["after_rdx"] = None
        if reason >= SVM:
            told["cr2"] = told["after_cr2"] = None
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
