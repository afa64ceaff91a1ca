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
    out = pathlib.Path(sys.argv[1]) / "bench-runs"
    (out / "figures").unlink(missing_ok=True)
    done = subprocess.run(
        [HERE / "dom0.py", "--build", sys.argv[1], "--timeout", "3000", "--out", out, HERE / "bench-runs.sh", HERE / "dom0-lib.sh"],
        stdout=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        return done.returncode
    figures = {}
    # Not from the console, where Xen's messages about guests that crash are mixed in.
    for line in (out / "figures").read_text().splitlines():
        mode, _, recorded, loop = line.split()
        figures.setdefault(mode, []).append((float(recorded), float(loop)))
    for mode, pairs in figures.items():
        recorded, loop = (statistics.median(1e6 / pair[i] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        print(json.dumps({"name": f"runs/{mode}/loop", "value": loop, "unit": "runs/s"}))
        print(json.dumps({"name": f"runs/{mode}", "value": recorded, "unit": "runs/s", "ratio": ratio, "against": f"runs/{mode}/loop"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
