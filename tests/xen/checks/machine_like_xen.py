#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""machine_like_xen.py XENREWIND KERNEL RECORDING: the embedded source against real Xen.

KERNEL, which RECORDING was made of, is recorded once more, in the engine, with the CPUID answers of
RECORDING.  Both recordings have the same exits of the guest, with the same fields, registers and memory.
What may differ is listed here, with the reason; what does is printed; anything else fails."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

program, kernel, real = sys.argv[1:]

NOT_COMPARED = {"tsc", "entry_tsc", "entry_tsc_offset", "entries"}  # time, and the host's own exits between
STATUS_FLAGS = 0x8D5
VMX_INSTRUCTIONS = ("VMXON", "VMCLEAR", "VMPTRLD", "VMPTRST", "VMREAD", "VMWRITE", "INVEPT", "INVVPID")


def explain(reason, part, name, xen, machine):
    """Why this may differ; None: it may not."""
    if name == "entry_intr_info" and not int(xen or "0", 0) >> 31 and not int(machine or "0", 0) >> 31:
        return "the VMCS field keeps what was injected last; its valid bit is clear"
    if name == "insn_info" and reason in VMX_INSTRUCTIONS and machine is None:
        return "the engine does not tell how the operands of VMX instructions are encoded"
    if name == "insn_info" and reason == "IO_INSTRUCTION" and xen and machine and not (int(xen, 0) ^ int(machine, 0)) & ~0x38000:
        return "the segment of INS, which is ES always, is left undefined"
    if name == "rflags" and xen and machine and not (int(xen, 0) ^ int(machine, 0)) & ~STATUS_FLAGS:
        return "status flags that the architecture leaves undefined (Bochs is not this host)"
    if part == "changed" and reason in ("RDTSC", "RDTSCP") and name in ("rax", "rdx"):
        return "the clock"
    if part == "changed" and machine is None and (reason == "TASK_SWITCH" or name == "dr6"):
        return "what Xen's event lacks and handling may change is not known before, so that all of it counts as changed"
    return None


def exits(recording):
    done = subprocess.run([program, "exits", "--json", "--count", "1000000", recording], stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def memory(recording, ids):
    """For each of the exits, what every page holds there, as far as it changed since the start."""
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        versions = db.execute("SELECT v.exit, v.gfn, p.hash FROM page_version v JOIN page p ON p.id = v.page WHERE v.exit > 0 ORDER BY 1").fetchall()
        base = dict(db.execute("SELECT v.gfn, p.hash FROM page_version v JOIN page p ON p.id = v.page WHERE v.exit = 0"))
    pages, at = {}, 0
    for exit_id in ids:
        while at < len(versions) and versions[at][0] <= exit_id:
            gfn, content = versions[at][1:]
            pages[gfn] = content
            if base.get(gfn) == content:
                del pages[gfn]
            at += 1
        yield dict(pages)


def compare_exit(xen, machine, explained):
    for part in ("fields", "before", "changed"):
        a, b = xen[part], machine[part]
        for name in sorted((a.keys() | b.keys()) - NOT_COMPARED):
            if a.get(name) == b.get(name):
                continue
            why = explain(xen["reason"], part, name, a.get(name), b.get(name))
            if why is None:
                sys.exit(f"exit {xen['id']} ({xen['reason']}): {part} {name}: Xen {a.get(name)}, engine {b.get(name)}")
            explained.setdefault(why, []).append(xen["id"])


with tempfile.TemporaryDirectory() as folder:
    ours = os.path.join(folder, "machine.db")
    subprocess.run(
        [program, "record", "--quiet", "--source", "machine", "--platform", "xen", "--guest-memory", "4", "--cpu-of", real,
         "--undefined-flags", "bochs", "-o", ours, kernel], check=True,
    )  # fmt: skip
    theirs, mine, explained = exits(real), exits(ours), {}
    kinds = [[(e["reason"], e["rip"]) for e in recording] for recording in (theirs, mine)]
    if kinds[0] != kinds[1]:
        at = next(i for i, pair in enumerate(zip(*kinds)) if pair[0] != pair[1]) if kinds[0][: len(kinds[1])] != kinds[1] else len(kinds[1])
        sys.exit(f"other exits from {theirs[at]['id']} on: Xen {kinds[0][at : at + 3]}, engine {kinds[1][at : at + 3]}")
    for pair in zip(theirs, mine):
        compare_exit(*pair, explained)
    different = {}
    for e, a, b in zip(theirs, memory(real, [e["id"] for e in theirs]), memory(ours, [e["id"] for e in mine])):
        for gfn in a.keys() | b.keys():
            if a.get(gfn) != b.get(gfn):
                different.setdefault(gfn, []).append(e["id"])
    for why, where in explained.items():
        print(f"{len(where)} times: {why} (exits {where[0]} to {where[-1]})")
    for gfn, where in different.items():
        print(f"page {gfn:#x} differs at {len(where)} exits, from {where[0]} to {where[-1]}")
    print(f"the same {len(theirs)} exits of the guest on Xen and in the engine")
    if different:
        sys.exit("memory differs")
