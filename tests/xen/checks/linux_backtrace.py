#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""At an exit of the Linux guest, gdb shows how the kernel got there: linux_backtrace.py XENREWIND RECORDING

The exit is the last OUT of the recording, by which the kernel prints a line that init wrote to its log.
"""
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

BUILD_KERNEL = Path(__file__).resolve().parent.parent / "build-kernel.sh"
WAY = ["xenboot_write_console", "console_unlock", "vprintk_emit", "devkmsg_write", "vfs_write", "do_syscall_64"]


def main(program, recording):
    kernel = subprocess.run([BUILD_KERNEL], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
        (exit_id,) = db.execute("SELECT max(id) FROM exits WHERE reason = 'IO_INSTRUCTION'").fetchone()
    command = [program, "replay", recording, "--gdb", "--", "-nx", "-batch", os.path.join(kernel, "vmlinux")]
    for text in (f"rewind goto {exit_id}", "backtrace", f"print (char *) $rsi"):
        command += ["-ex", text]
    output = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \(", output, re.MULTILINE)
    found = [name for name in frames if name in WAY]
    if found != WAY:
        sys.exit(f"expected {WAY} in this order, found {found} in:\n{output}")
    if not re.search(r'"init: round \d+\\r?\\?n?', output):
        sys.exit(f"the text that is being printed is not readable:\n{output}")
    print(f"exit {exit_id}: " + " <- ".join(found))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
