#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings with random bytes changed: every command ends with 0 or 1, never by a signal or a sanitizer.

XRW_TEST_SEED repeats a run.
"""
import os
import random
import subprocess
import sys
import time

from support import BASE, XENREWIND, make_recording, path

ROUNDS = 40
CHANGES = (1, 3, 20, 200)


def packet(text):
    return f"${text}#{sum(text.encode()) & 255:02x}"


def monitor(text):
    return "qRcmd," + text.encode().hex()


# What a client may ask: look, step, search both ways, list.
SESSION = "".join(
    map(
        packet,
        ["?", "g", "vCont;s:1", "g", f"m{BASE + 0x1000:x},40", f"Z2,{BASE + 0x1010:x},8", "vCont;c", "bc",
         f"z2,{BASE + 0x1010:x},8", f"Z0,{BASE + 0x200:x},1", "vCont;c", "bs", monitor("where"), monitor("exits"),
         monitor("info"), monitor("phys 0x11000 100"), monitor("goto 30"), "g", "D"],
    )
)  # fmt: skip


def damage(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice(CHANGES)):
        content[rng.randrange(100, len(content))] = rng.randrange(256)
    return content


def main():
    seed = int(os.environ.get("XRW_TEST_SEED", time.time()))
    print(f"XRW_TEST_SEED={seed}", flush=True)
    rng = random.Random(seed)
    with open(make_recording("whole.db", 60), "rb") as file:
        whole = file.read()
    harmed, ends = path("harmed.db"), {0: 0, 1: 0}
    for _ in range(ROUNDS):
        with open(harmed, "wb") as file:
            file.write(damage(whole, rng))
        for command in (["info"], ["exits"], ["exits", "--json"], ["replay", "--stdio"]):
            done = subprocess.run(
                [XENREWIND, *command, harmed], input=SESSION if "--stdio" in command else "",
                capture_output=True, text=True, errors="replace", timeout=60,
            )  # fmt: skip
            if done.returncode not in ends or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
                sys.exit(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
            if done.returncode and not done.stderr.startswith("xenrewind: "):
                sys.exit(f"{command} failed without a word: {done.stderr!r}")
            ends[done.returncode] += 1
    if not all(ends.values()):
        sys.exit(f"the damage was never noticed, or always: {ends}")
    print(f"{ends[0]} commands did their work, {ends[1]} refused")


if __name__ == "__main__":
    main()
