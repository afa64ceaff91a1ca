#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast exits are recorded on real Xen, beside bare loops that keep nothing, on one processor in Bochs.

Rows are made afterwards where they can be: the rate is that of exits while the guest runs; "and-rows" counts
the time for rows, too.  Bochs counts instructions, so that a figure is what recorder, dom0, Xen and guest executed together; where
it went is said in thousands of instructions an exit."""
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

XEN = Path(__file__).resolve().parents[1] / "xen"
MIPS = 50e6  # instructions a second of Bochs, see tests/xen/dom0.py


def measure(build):
    with tempfile.TemporaryDirectory() as out:
        command = [XEN / "dom0.py", "--build", build, "--out", out, "--timeout", "3600"]
        command += [XEN / "bench-rate.sh", XEN / "dom0-lib.sh"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        lines = (Path(out) / "figures").read_text().splitlines()
    bare, records = {}, {}
    for line in lines:
        kind, *words = line.split()
        if kind == "bare":
            bare.setdefault(words[0], []).append((int(words[1]), float(words[2])))
        elif kind == "record":
            records.setdefault((words[0], words[1]), []).append((int(words[2]), *map(float, words[3:])))
    return bare, records


def report(name, value, unit, **more):
    print(json.dumps({"name": name, "value": value, "unit": unit, **more}), flush=True)


def thousands(seconds, exits):
    return seconds / exits * MIPS / 1000


def main(build):
    bare, records = measure(build)
    for mode, runs in bare.items():
        report(f"xen/{mode}/bare-loop", statistics.median(n / s for n, s in runs), "exits/s")
        report(f"xen/{mode}/bare-loop/all", statistics.median(thousands(s, n) for n, s in runs), "k instructions")
    for (mode, memory), runs in records.items():
        name = f"xen/{mode}/memory-{memory}"
        ratio = statistics.median(
            (n / s) / (bn / bs) for (n, s, *_), (bn, bs) in zip(runs, bare[mode])
        )
        report(
            name, statistics.median(n / s for n, s, *_ in runs), "exits/s", ratio=ratio, against=f"{mode} bare loop"
        )
        report(f"{name}/all", statistics.median(thousands(s, n) for n, s, *_ in runs), "k instructions")
        if any(rows for *_, rows in runs):
            ratio = statistics.median((n / (s + rows)) / (bn / bs) for (n, s, _, _, rows), (bn, bs) in zip(runs, bare[mode]))
            report(f"{name}/and-rows", statistics.median(n / (s + rows) for n, s, _, _, rows in runs), "exits/s",
                   ratio=ratio, against=f"{mode} bare loop")
        report(f"{name}/recorder-user", statistics.median(thousands(r[2], r[0]) for r in runs), "k instructions")
        report(f"{name}/recorder-kernel", statistics.median(thousands(r[3], r[0]) for r in runs), "k instructions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
