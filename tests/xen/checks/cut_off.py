#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What faults left behind in dom0 opens on the host, and says how it ended: cut_off.py XENREWIND FOLDER"""
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

# file -> (closed, stop reason)
FILES = {
    "exits.db": (True, "exits"),
    "seconds.db": (True, "seconds"),
    "reason.db": (True, "until-reason"),
    "crash.db": (True, "guest-end"),
    "interrupted.db": (True, "interrupted"),
    "killed.db": (False, ""),
    "full.db": (False, ""),
}


def main(program, folder):
    for name, (closed, stop) in FILES.items():
        path = Path(folder) / name
        told = json.loads(subprocess.run([program, "info", "--json", path], check=True, capture_output=True).stdout)
        run = told["runs"][0]
        if told["closed"] is not closed or (run["stop"] or "") != stop:
            sys.exit(f"{name}: closed {told['closed']}, stop '{run['stop']}'; expected {closed}, '{stop}'")
        with sqlite3.connect(path) as db:
            ((check,),) = db.execute("PRAGMA integrity_check")
            count, last = db.execute("SELECT count(*), max(id) FROM exit").fetchone()
        if check != "ok" or count != last or count < 10:
            sys.exit(f"{name}: {check}, {count} exits, the last is {last}")
        print(f"{name}: {count} exits, {'closed' if closed else 'cut off'} {stop}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
