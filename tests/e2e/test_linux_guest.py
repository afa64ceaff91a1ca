#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed's Linux guest boots in the embedded source and runs its program in user mode, recorded; what lies
between the exits is executed again, every gap of it."""
import json
import os
import sqlite3
import subprocess

# Some hundred million instructions: not for a build with sanitizers where there is another.
if "XENREWIND_TESTBED_BUILD" in os.environ:
    os.environ["XENREWIND"] = os.path.join(os.environ["XENREWIND_TESTBED_BUILD"], "cli/xenrewind")

from support import path, xenrewind  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
# Where its program says that it is up: .boot_end of ../guests/linux/init.c.  Before, Linux asks the PIT for the time 22
# thousand times, to find out how fast its TSC is.
BOOT_END, TOO_MANY, IN_USER_MODE = 0x10000000, 60000, 20


def main():
    kernel = subprocess.run(
        [os.path.join(HERE, "../xen/build-kernel.sh")], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    recording = path("linux.db")
    done = xenrewind(
        "record", "--source", "machine", "--guest-memory", 40, "--initrd", os.environ["INITRD"], "--until-rip", BOOT_END,
        "--exits", TOO_MANY, "--cmdline", "nokaslr mitigations=off", "-o", recording, os.path.join(kernel, "vmlinux-boot"),
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        exits, stop = db.execute("SELECT last_exit, stop FROM run").fetchone()
        user, first = db.execute("SELECT count(*), min(id) FROM state WHERE cs & 3 = 3").fetchone()
    assert stop == "until-rip", done.stderr
    assert user >= IN_USER_MODE, f"{user} exits in user mode"
    done = xenrewind("verify", "--no-gaps", "--json", recording, timeout=500)
    result = json.loads(done.stdout)
    assert result["gaps"] == result["verdicts"]["exact"] == exits - 1, result
    print(f"{exits} exits, {user} in user mode from {first} on; {result['instructions']} instructions executed again")


main()
