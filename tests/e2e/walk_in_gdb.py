# SPDX-License-Identifier: GPL-2.0-or-later
"""Run inside gdb, connected to a recording: print `walk WAY EXIT DIGEST' for each exit, forward and back.

The digest is of all registers and of up to 32 guest-physical pages of those that ever changed.
"""
import hashlib
import random

import gdb

PAGES = 32
PAGE_BYTES = 4096


def monitor(text):
    return gdb.execute(f"monitor {text}", to_string=True)


def changed_pages():
    """Guest pages that changed in the run, chosen the same way each time."""
    rows = monitor("sql SELECT DISTINCT gfn FROM page_version WHERE exit > 0 ORDER BY gfn LIMIT 900").split()[1:]
    pages = [int(row) for row in rows if row.isdigit()]
    return sorted(random.Random(1).sample(pages, min(PAGES, len(pages))))


def read_page(page):
    try:
        return bytes(gdb.selected_inferior().read_memory(page * PAGE_BYTES, PAGE_BYTES))
    except gdb.MemoryError:  # in part: byte by byte, with ?? for what is not known
        return monitor(f"phys {page * PAGE_BYTES:#x} {PAGE_BYTES}").encode()


def digest(pages):
    state = hashlib.sha256(gdb.execute("maintenance print raw-registers", to_string=True).encode())
    for page in pages:
        state.update(read_page(page))
    return state.hexdigest()


def exit_id():
    return int(gdb.parse_and_eval("$exit_id"))


def walk(way, command, pages):
    while True:
        here = exit_id()
        print("walk", way, here, digest(pages))
        gdb.execute(command, to_string=True)
        if exit_id() == here:
            break


monitor("physical on")
some = changed_pages()
walk("forward", "stepi", some)
walk("back", "reverse-stepi", some)
print("walk done")
