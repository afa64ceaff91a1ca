#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmark `runs`: runs a second of a recorded fork that is reset between them, beside a loop that records nothing.

Both run in one boot of the testbed, in interleaved pairs.  Time there is instructions, at 50 million a second."""
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def main():
    done = subprocess.run(
        [HERE / "dom0.py", "--build", sys.argv[1], "--timeout", "1200", "--out", sys.argv[1] + "/bench-runs",
         HERE / "bench-runs.sh", HERE / "dom0-lib.sh"],
        stdout=subprocess.PIPE, text=True)  # fmt: skip
    figures = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] == ["bench"]:
            figures.setdefault(words[1], []).append((float(words[3]), float(words[4])))
    for mode, pairs in figures.items():
        recorded, loop = (statistics.median(1e6 / pair[i] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        print(json.dumps({"name": f"runs/{mode}/loop", "value": loop, "unit": "runs/s"}))
        print(json.dumps({"name": f"runs/{mode}", "value": recorded, "unit": "runs/s", "ratio": ratio, "against": f"runs/{mode}/loop"}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
