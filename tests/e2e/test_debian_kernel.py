#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own kernel boots in the embedded source, from its entry point to its attempt to mount a root
file system; every byte that it prints is an exit in the recording."""
import os
import sqlite3
import subprocess
import sys

# A boot is 1.4 billion instructions: not for a build with sanitizers where there is another.
if "XENREWIND_TESTBED_BUILD" in os.environ:
    os.environ["XENREWIND"] = os.path.join(os.environ["XENREWIND_TESTBED_BUILD"], "cli/xenrewind")

from support import path, xenrewind  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
DATA, LINE_CONTROL = 0x3F8, 0x3FB
DIVISOR_LATCH = 0x80


def kernel():
    found = subprocess.run(
        [os.path.join(HERE, "../xen/debian-source.sh"), "linux-image"], stdout=subprocess.PIPE, text=True, check=False
    )
    if found.returncode:
        print("skipped: Debian's kernel cannot be downloaded")
        sys.exit(SKIPPED)
    return os.path.join(found.stdout.strip(), "vmlinux")


def printed(recording):
    """What went out of the serial port, by the recorded exits alone."""
    text, latch = bytearray(), False
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT port, value FROM io WHERE direction = 'out' AND port IN (?, ?) ORDER BY id", (DATA, LINE_CONTROL))
        for port, value in rows:
            if port == LINE_CONTROL:
                latch = bool(value & DIVISOR_LATCH)
            elif not latch:
                text.append(value & 0xFF)
    return bytes(text)


def main():
    console, recording = path("console"), path("debian.db")
    done = xenrewind(
        "record", "--source", "machine", "--guest-memory", "512", "--memory", "none", "--seconds", "500",
        "--cmdline", "console=ttyS0,115200 nokaslr panic=1", "--console", console, "-o", recording, kernel(), timeout=560,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the guest rebooted" in done.stderr, done.stderr
    with open(console, "rb") as file:
        text = file.read()
    for line in (b"Linux version 6.1", b"Unable to mount root fs on unknown-block", b"Rebooting in 1 seconds"):
        assert line in text, f"{line} is not in {text[-2000:]}"
    assert printed(recording) == text, "the recorded OUTs are not what was printed"
    print(f"{len(text)} bytes printed; {done.stderr.strip()}")


main()
