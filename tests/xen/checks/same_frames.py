#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory at the frames of a recording equals that of one with memory at every exit:
same_frames.py FRAMES.db EVERY_EXIT.db.  The guest must be one whose runs are alike."""
import sqlite3
import sys

AS_OF = """SELECT v.gfn, p.hash FROM (SELECT gfn, max(exit), page FROM page_version WHERE exit <= ? GROUP BY gfn) v
JOIN page p ON p.id = v.page"""


def main(frames, exits):
    a, b = (sqlite3.connect(f"file:{path}?mode=ro", uri=True) for path in (frames, exits))
    compared = pages = 0
    for (exit_id,) in a.execute("SELECT exit FROM memory_frame ORDER BY exit"):
        x, y = dict(a.execute(AS_OF, (exit_id,))), dict(b.execute(AS_OF, (exit_id,)))
        wrong = sorted(gfn for gfn in x.keys() | y.keys() if x.get(gfn) != y.get(gfn))
        if wrong:
            sys.exit(f"exit {exit_id}: page {wrong[0]:#x} differs, and {len(wrong) - 1} more")
        compared += 1
        pages += len(x)
    if not pages:
        sys.exit(f"{frames} has no memory frame")
    print(f"{compared} frames, {pages} pages equal")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
