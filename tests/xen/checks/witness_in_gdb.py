# SPDX-License-Identifier: GPL-2.0-or-later
"""Run inside gdb, connected to a recording: what gdb reads at every exit must equal what the witness saw
of the held fork there (tests/xen/witness.c).  WITNESS_FILE names its dump.

Registers: gdb's view at exit n is the state before the exit was handled; the witness saw the one after.
They are compared through $resume_NAME, which gdb shows of the same exit, and directly where the exit
changed no register.  Memory: all pages, physical, at the first exit, every 64th and the last; at the others
the pages that the witness saw change and a few more.  Bytes that gdb calls unavailable are counted,
and allowed only at exits whose handling may have written memory.  So many exits must change no register:
WITNESS_UNCHANGED (20).
"""
import os
import random
import struct

import gdb

NAMES = (
    "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip rflags cr0 cr2 cr3 cr4 cs".split()
)
PAGE = 4096
MAY_WRITE = {0, 9, 18, *range(19, 28), 30, 44, 46, 47, 48, 49, 50, 53}


def monitor(text):
    return gdb.execute(f"monitor {text}", to_string=True)


def witness(path):
    """Yield (exit id, registers, changed pages) of the dump."""
    head = struct.Struct(f"<Q{len(NAMES)}QQ")
    with open(path, "rb") as dump:
        while data := dump.read(head.size):
            exit_id, *registers, npages = head.unpack(data)
            pages = {}
            for _ in range(npages):
                (gfn,) = struct.unpack("<Q", dump.read(8))
                pages[gfn] = dump.read(PAGE)
            yield exit_id, dict(zip(NAMES, registers)), pages


def number(register):
    """Value of a register as gdb shows it, None if unavailable."""
    text = gdb.parse_and_eval(f"${register}").format_string(format="x")
    return int(text, 16) & (1 << 64) - 1 if text.startswith("0x") else None


def read(address, length):
    """Bytes of memory as gdb reads it; None if any is unavailable."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address, length))
    except gdb.MemoryError:
        return None


def available_bytes(gfn):
    """What is available of a page that is not wholly so: offset -> byte."""
    found = {}
    for offset in range(0, PAGE, 64):
        block = read(gfn * PAGE + offset, 64)
        pieces = [block] if block else [read(gfn * PAGE + offset + i, 1) for i in range(64)]
        width = 64 // len(pieces)
        for index, piece in enumerate(pieces):
            for i, byte in enumerate(piece or b""):
                found[offset + index * width + i] = byte
    return found


class Mismatch(Exception):
    pass


def compare_registers(exit_id, seen):
    compared = 0
    unchanged = True
    for name in NAMES:
        after = number(f"resume_{name}")
        if after is not None:
            compared += 1
            if after != seen[name]:
                raise Mismatch(f"exit {exit_id}: resume_{name} {after:#x}, witness {seen[name]:#x}")
        gdb_name = "eflags" if name == "rflags" else name
        unchanged = unchanged and number(gdb_name) == after
    return compared, unchanged


def compare_pages(exit_id, reason, pages):
    unavailable = 0
    for gfn, content in pages.items():
        page = read(gfn * PAGE, PAGE)
        if page == content:
            continue
        if page is not None:
            offset = next(i for i in range(PAGE) if page[i] != content[i])
            raise Mismatch(f"exit {exit_id}: byte {gfn * PAGE + offset:#x} is {page[offset]:#x}, witness {content[offset]:#x}")
        known = available_bytes(gfn)
        wrong = [o for o, byte in known.items() if byte != content[o]]
        if wrong:
            raise Mismatch(f"exit {exit_id}: byte {gfn * PAGE + wrong[0]:#x} differs from the witness")
        if reason not in MAY_WRITE:
            raise Mismatch(f"exit {exit_id} (reason {reason}): page {gfn:#x} is not wholly available")
        unavailable += PAGE - len(known)
    return unavailable


def main():
    rng = random.Random(1)
    ram = {}
    totals = {"exits": 0, "registers": 0, "pages": 0, "unavailable": 0, "unchanged": 0}
    gdb.execute("set pagination off")
    monitor("physical on")
    monitor("host-exits on")
    seen = list(witness(os.environ["WITNESS_FILE"]))
    for index, (exit_id, registers, changed) in enumerate(seen):
        monitor(f"goto {exit_id}")
        gdb.execute("maintenance flush register-cache")
        gdb.execute("maintenance flush dcache")
        if number("exit_id") != exit_id:
            raise Mismatch(f"goto {exit_id} arrived at {number('exit_id')}")
        ram.update(changed)
        whole = index % 64 == 0 or index == len(seen) - 1
        pages = ram if whole else {**changed, **{g: ram[g] for g in rng.sample(sorted(ram), 4)}}
        compared, unchanged = compare_registers(exit_id, registers)
        totals["exits"] += 1
        totals["registers"] += compared
        totals["unchanged"] += unchanged
        totals["pages"] += len(pages)
        totals["unavailable"] += compare_pages(exit_id, number("exit_reason") & 0xFFFF, pages)
    enough = totals["registers"] == len(NAMES) * totals["exits"] and totals["unchanged"] >= int(os.environ.get("WITNESS_UNCHANGED", 20))
    if totals["exits"] < 100 or not enough:
        raise Mismatch(f"too little was compared: {totals}")
    print(
        "witness agrees: {exits} exits, {registers} registers, {pages} pages; {unavailable} bytes unavailable; "
        "{unchanged} exits changed no register".format(**totals)
    )


try:
    main()
    gdb.execute("quit 0")
except Mismatch as mismatch:
    print(f"MISMATCH {mismatch}")
    gdb.execute("quit 1")
