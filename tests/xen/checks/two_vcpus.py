#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of `tour spin-two`: two_vcpus.py FOLDER.

Each vCPU counts its rounds in memory, and writes the count to a port of its own: so each has to be seen
counting without a gap, and at an exit with memory the count in memory is what the vCPU has just written."""
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

COUNTERS = ("spin_rounds", "second_rounds")
IO = 30
HOST = (1, 7, 8, 52)
PORTS = (0x1234, 0x1235)


def exits(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    return db.execute("SELECT id, vcpu, basic_reason, qualification, rax, has_after FROM state ORDER BY id").fetchall()


def check_order(path):
    """Exits of the guest by vCPU, each in its own order."""
    seen = [0, 0]
    last = [None, None]
    for exit_id, vcpu, reason, qualification, rax, _ in exits(path):
        if reason != IO:
            continue
        if qualification >> 16 != PORTS[vcpu]:
            sys.exit(f"{path}: exit {exit_id} is of vCPU {vcpu}, and of port {qualification >> 16:#x}")
        count = rax & 0xFF
        if last[vcpu] is not None and count != (last[vcpu] + 1) & 0xFF:
            sys.exit(f"{path}: exit {exit_id}: vCPU {vcpu} counts {count} after {last[vcpu]}")
        last[vcpu] = count
        seen[vcpu] += 1
    if min(seen) < 10:
        sys.exit(f"{path}: exits of the two: {seen}")
    return seen


def check_memory(program, path):
    """What gdb shows: as threads, each at its own exits alone, with memory as of then."""
    wanted = [row for row in exits(path) if row[2] == IO and row[5]][:40]
    script = [f"file {os.environ['GUEST_TOUR']}", "set pagination off", "set scheduler-locking on"]
    for exit_id, vcpu, *_ in wanted:
        script += [
            f"monitor goto {exit_id}",
            "maintenance flush register-cache",
            f"thread {vcpu + 1}",
            f'printf "AT {exit_id} %d %d\\n", (int)($rax & 0xff), (int)({COUNTERS[vcpu]} & 0xff)',
            f"thread {2 - vcpu}",
            "print $rip",
        ]
    first, thread = wanted[0][0], wanted[0][1] + 1
    script += [f"monitor goto {first}", "maintenance flush register-cache", f"thread {thread}"]
    script += ["stepi", 'printf "STEP %d %d\\n", $_thread, $exit_id'] * 5
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as file:
        file.write("\n".join(script))
        file.flush()
        command = [program, "replay", path, "--gdb", "--", "-nx", "-batch", "-x", file.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"AT (\d+) (\d+) (\d+)", result.stdout)
    if [int(at) for at, *_ in found] != [row[0] for row in wanted]:
        sys.exit(f"{path}: gdb shows {len(found)} of {len(wanted)} exits\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    for at, rax, memory in found:
        if rax != memory:
            sys.exit(f"{path}: exit {at}: the vCPU has written {rax}, memory says {memory}")
    if result.stdout.count("<unavailable>") < len(wanted):
        sys.exit(f"{path}: the other vCPU's registers are to be unavailable\n{result.stdout[-2000:]}")
    steps = [(int(t), int(at)) for t, at in re.findall(r"STEP (\d+) (\d+)", result.stdout)]
    own = [row[0] for row in exits(path) if row[1] == thread - 1 and row[0] > first and row[2] not in HOST]
    if steps != [(thread, at) for at in own[:5]]:
        sys.exit(f"{path}: steps of thread {thread} end at {steps}, not at {own[:5]}\n{result.stdout[-1000:]}")
    return len(wanted)


def main(program, folder):
    for name in ("pause", "async", "frames", "plain", "running"):
        first, second = check_order(folder / f"{name}.db")
        print(f"{name}: vCPU 0 has written {first} times, vCPU 1 {second} times, each in order")
    for name in ("pause", "frames"):
        print(f"{name}: memory and registers agree at {check_memory(program, folder / f'{name}.db')} exits")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
