#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A step costs gdb its stop reply and what it asks at every stop whatever the stub: no registers.

Usage: test_round_trips.py STUB-COMMAND...; the stub speaks on standard input and output.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

STEPS = 5
# At each stop gdb looks for a breakpoint instruction at the pc, whether threads came or went, and at the stack.
ALLOWED = re.compile(r"vCont;s.*|bs|Hcp?[0-9a-f.]+|qXfer:threads:read::0,[0-9a-f]+|[mx][0-9a-f]+,1|[mx][0-9a-f]+,40")


def steps(command):
    """The packets that gdb sent for each step, from its own log."""
    gdb = os.environ.get("GDB", "gdb")
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        stub = "exec " + " ".join(map(shlex.quote, command))
        lines = ["set architecture i386:x86-64", f"set remotelogfile {log}", f"target remote | {stub}"]
        lines += ["stepi"] * STEPS + ["reverse-stepi"] * STEPS + ["detach"]
        arguments = [argument for line in lines for argument in ("-ex", line)]
        subprocess.run(
            [gdb, "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False,
        )  # fmt: skip
        found = []
        with open(log, encoding="latin-1") as lines:
            for line in lines:
                packet = re.match(r"w \$(.*)#..$", line)
                if not packet or packet[1] == "vCont?" or packet[1].startswith("QPassSignals"):
                    continue
                if re.match(r"(vCont;s|bs$)", packet[1]):
                    found.append([])
                if found:
                    found[-1].append(packet[1])
        return found


def main():
    if not shutil.which(os.environ.get("GDB", "gdb")):
        print("gdb is not installed: skipped")
        return 77
    found = steps(sys.argv[1:])
    if len(found) != 2 * STEPS or sum(step[0] == "bs" for step in found) != STEPS:
        sys.exit(f"not {STEPS} steps each way: {found}")
    for step in found:
        wrong = [packet for packet in step if not ALLOWED.fullmatch(packet) and not packet.startswith(("D", "z"))]
        if wrong:
            sys.exit(f"beside what it always asks gdb needed {wrong} in {step}")
    print(f"packets a step: forward {len(found[1])}, back {len(found[STEPS + 1])}; no registers among them")
    return 0


sys.exit(main())
