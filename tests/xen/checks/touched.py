#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""touched.py FULL.db TOUCHED.db: of two recordings of the same guest the second has a base image of
fewer pages.  Each of them is what the first has; every page that changed later, page tables that were marked
unseen aside, is among them."""
import sqlite3
import sys


def versions(path):
    """{gfn: {exit: content}} of the first run."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    pages = {}
    query = "SELECT v.gfn, v.exit, p.hash FROM page_version v JOIN page p ON p.id = v.page WHERE v.run = 1"
    for gfn, exit_id, digest in db.execute(query):
        pages.setdefault(gfn, {})[exit_id] = digest
    return pages


def main(full, touched):
    whole, part = versions(full), versions(touched)
    base = {gfn: exits[0] for gfn, exits in part.items() if 0 in exits}
    wrong = [hex(gfn) for gfn, digest in base.items() if whole.get(gfn, {}).get(0) != digest]
    if wrong:
        sys.exit(f"pages {wrong} begin otherwise")
    changed = {gfn for gfn, exits in part.items() if any(exits)}
    unknown = changed - base.keys()
    all_pages = sum(0 in exits for exits in whole.values())
    read = len(base.keys() - changed)
    print(f"{len(base)} pages of {all_pages}: {len(changed)} changed, {read} read; {len(unknown)} first known later")
    if not 0 < len(base) < all_pages / 2 or not read or len(unknown) > len(changed) / 4:
        sys.exit("that is not what a run reaches")


if __name__ == "__main__":
    main(*sys.argv[1:])
