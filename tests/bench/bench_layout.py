#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many bytes an exit other layouts of the tables would take: bench_layout.py [RECORDING]

The bytes of every cell are computed from the values of real exits: 6000 of a Linux guest, or those of a
recording.  What SQLite needs for its pages (about 1 %) and what is once in a file are left out; `bench size`
says what the real tables take."""
import json
import lzma
import sqlite3
import sys
from pathlib import Path

GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rflags cr2 cr3".split()
KEPT = "rbx rsp rbp r11 r12 r13 r14 r15 cr2 cr3".split()
WORK = "rax rcx rdx rsi rdi r8 rflags".split()
SITE = (
    "rip reason qualification intr_info intr_error idt_info idt_error insn_len insn_info interruptibility"
    " entry_intr_info entry_error"
).split()
AS_TIME = ["time_ns", "tsc", "gap"]
RARE = ["gpa", "gla"]  # left out where not known
ADDRESS_REASONS = (0, 14, 0x1079)  # whose qualification is the exit's own
# The columns of `exit` after the ids, as in schema/src/columns.h and as they were in format 3; the rest follow.
FORMAT_4 = (
    "gap time_ns tsc advance after_rax after_rdx r9 after_rcx r10 sysregs gpa gla after_rbx after_rsi after_sysregs"
    " after_rdi own_qualification entries after_cr3 after_rflags after_cr2"
).split()
FORMAT_3 = (
    "time_ns tsc gap advance after_rax r9 r10 sysregs entries after_rflags gpa gla own_qualification after_rcx"
    " after_rdx after_rbx after_sysregs after_rsi after_rdi after_cr2 after_cr3"
).split()


# ---- what SQLite stores ---------------------------------------------------------------------------


def body(value):
    """Bytes of an integer's value; NULL, 0 and 1 need none."""
    if value is None or value in (0, 1):
        return 0
    magnitude = ~value if value < 0 else value
    return next((size for size, bits in ((1, 7), (2, 15), (3, 23), (4, 31), (6, 47)) if magnitude < 1 << bits), 8)


def varint(value):
    return max(1, (value.bit_length() + 6) // 7)


def cell(rowid, values):
    """A row: pointer to the cell, sizes, rowid, a header byte a column, values."""
    payload = 2 + (len(values) > 125) + len(values) + sum(map(body, values))
    return 2 + varint(payload) + varint(rowid) + payload


# ---- the exits ------------------------------------------------------------------------------------


def signed(text):
    value = int(text, 16)
    return value - (1 << 64) if value >> 63 else value


def stream():
    """The exits of the benchmarks: an empty column is as in the line before, `-` is not known."""
    with lzma.open(Path(__file__).with_name("linux-exits.csv.xz"), "rt") as file:
        names = next(file).strip().split(",")
        last = ["-"] * len(names)
        for line in file:
            last = [new or old for new, old in zip(line.rstrip("\n").split(","), last)]
            yield {name: None if value == "-" else signed(value) for name, value in zip(names, last) if name != "insn"}


def recording(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = db.execute("SELECT * FROM state ORDER BY id")
    names = [column[0] for column in rows.description]
    return (dict(zip(names, row)) for row in rows)


def prepare(exits):
    """Add what tables hold that exits do not have as such."""
    system, ids = None, {}
    for number, one in enumerate(exits, 1):
        if system is None:
            names = list(one)
            system = [name for name in names[names.index("cr0") :] if f"after_{name}" in one]
        one["sysregs"] = ids.setdefault(tuple(one[name] for name in system), len(ids) + 1)
        after = tuple(one[f"after_{name}"] for name in system)
        one["after_sysregs"] = ids.setdefault(after, len(ids) + 1) if one["has_after"] else one["sysregs"]
        if one["after_sysregs"] == one["sysregs"]:
            one["after_sysregs"] = None
        one["system"] = system
        one["entries"] = None if one["entries"] is None else one["entries"] - number
        known = one["tsc"] is not None and one["entry_tsc"] is not None
        one["gap"] = one["tsc"] - one["entry_tsc"] if known else None
        one["advance"] = one["after_rip"] - one["rip"] if one["has_after"] else 0
        own = (one["reason"] & 0xFFFF) in ADDRESS_REASONS
        one["own_qualification"] = one["qualification"] if own else None
        one["qualification"] = None if own else one["qualification"]
        for name in GENERAL:
            if not one["has_after"] or one[f"after_{name}"] == one[name]:
                one[f"after_{name}"] = None
        yield one


# ---- layouts --------------------------------------------------------------------------------------


def best_base(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    choices = (0, values[0], values[len(values) // 2], values[-1])
    return min(choices, key=lambda base: sum(body(value - base) for value in values))


def minus(value, base):
    return None if value is None or base is None else value - base


def table_of_sets(exits, names, together):
    """(id of each exit's set, bytes of the table); together: so many sets are differences from one base."""
    ids, total = {}, 0
    of = [ids.setdefault(tuple(one[name] for name in names), len(ids) + 1) for one in exits]
    sets = list(ids)
    if not together:
        return of, sum(cell(number, values) for number, values in enumerate(sets, 1))
    for begin in range(0, len(sets), together):
        group = sets[begin : begin + together]
        base = [best_base(column) for column in zip(*group)]
        total += cell(begin // together + 1, base)
        for number, values in enumerate(group, begin + 1):
            total += cell(number, [minus(value, b) for value, b in zip(values, base)])
    return of, total


def on_a_line(block):
    """Time as what it differs from a line through the first and last exit of the block, by TSC."""
    first, last = block[0], block[-1]
    slope = (last["time_ns"] - first["time_ns"]) / max(1, last["tsc"] - first["tsc"])
    return [one["time_ns"] - first["time_ns"] - round((one["tsc"] - first["tsc"]) * slope) for one in block]


def shared(exits, sets=(KEPT, WORK), order=FORMAT_4, size=256, block_column=True, together=0, line=False):
    """Bytes an exit of the tables of format 4, or as the arguments change them."""
    in_sets = {name for names in sets for name in names}
    single = [name for name in GENERAL if name not in in_sets]
    based = ["time_ns", "tsc", "entries", "gpa", "gla", "sysregs", "entry_tsc_offset", *single]
    order = [name for name in order if name in based or not name in GENERAL]
    order += [name for name in single if name not in order]
    order += [f"after_{name}" for name in GENERAL if f"after_{name}" not in order] + ["entry_tsc_offset"]
    site = table_of_sets(exits, SITE, 0)[0]
    tables = [table_of_sets(exits, names, together) for names in sets]
    total = sum(table[1] for table in tables)
    for number, begin in enumerate(range(0, len(exits), size), 1):
        block = exits[begin : begin + size]
        base = {name: best_base([one[name] for one in block]) for name in based}
        times = on_a_line(block) if line else None
        total += cell(number, [1, 0, 1, size, *base.values()])
        for i, one in enumerate(block):
            values = [site[begin + i], *([number] if block_column else []), *(of[begin + i] for of, _ in tables)]
            needed = len(values)
            for name in order:
                value = minus(one[name], base[name]) if name in base else one[name]
                if line and name == "time_ns":
                    value = times[i]
                values.append(value)
                from_zero = name == "advance" or (name in base and name not in RARE)
                if value is None and from_zero and base.get(name) is None:
                    values[-1] = 0  # of no exit of the block
                if values[-1] != (0 if from_zero else None):
                    needed = len(values)
            total += cell(begin + i + 1, values[:needed])
    return total / len(exits)


def wide(exits, unchanged_left_out):
    """One table; beside it, if registers that did not change are left out, one of system registers."""
    total, system = 0, exits[0]["system"]
    fields = [*SITE, "own_qualification", "time_ns", "tsc", "entry_tsc", "entry_tsc_offset", "entries", "gpa", "gla"]
    for number, one in enumerate(exits, 1):
        values = [one[name] for name in (*fields, *GENERAL)]
        if unchanged_left_out:
            values += [one["sysregs"], one["after_sysregs"], one["advance"], *(one[f"after_{name}"] for name in GENERAL)]
        else:
            after = [one[name] if one[f"after_{name}"] is None else one[f"after_{name}"] for name in GENERAL]
            values += [*(one[name] for name in system), one["after_rip"], *after, *(one[f"after_{name}"] for name in system)]
        total += cell(number, values)
    return total / len(exits)


def main():
    exits = list(prepare(recording(sys.argv[1]) if len(sys.argv) > 1 else stream()))
    blocks = {f"blocks of {size}": {"size": size} for size in (64, 1024)}
    layouts = {
        "one-table": lambda: wide(exits, False),
        "one-table, after only what changed, shared system registers": lambda: wide(exits, True),
        "no sets of registers, differences from the block": lambda: shared(exits, sets=()),
        "one set of all registers": lambda: shared(exits, sets=(GENERAL,)),
        "r9, r10 in kept": lambda: shared(exits, sets=([*KEPT, "r9", "r10"], WORK)),
        "r9, r10 in work": lambda: shared(exits, sets=(KEPT, [*WORK, "r9", "r10"])),
        "columns in the order of format 3": lambda: shared(exits, order=FORMAT_3),
        **{name: (lambda more=more: shared(exits, **more)) for name, more in blocks.items()},
        "format 4": lambda: shared(exits),
        "block by number, no column": lambda: shared(exits, block_column=False),
        "sets as differences from a base of 256": lambda: shared(exits, together=256),
        "time on a line through the block": lambda: shared(exits, line=True),
        "the last three": lambda: shared(exits, block_column=False, together=256, line=True),
    }
    for name, bytes_of in layouts.items():
        print(json.dumps({"name": f"layout/{name}", "value": round(bytes_of(), 1), "unit": "bytes/exit"}), flush=True)


if __name__ == "__main__":
    main()
