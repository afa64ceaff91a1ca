#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libgdbstub's test of Ctrl-C with real debuggers, in the longest search there is: a recording without an index.

Usage: test_interrupt.py gdb | lldb
"""
import os
import subprocess
import sys

import support

TEST = os.path.join(os.path.dirname(__file__), "../../gdbstub/tests/test_interrupt.py")
NEVER_WRITTEN = hex(support.BASE + 0x1050)
recording = support.make_recording("long.db", 60000, "still-open")
server = [support.XENREWIND, "replay", "--listen", "unix:{}", recording]
sys.exit(subprocess.run([sys.executable, TEST, sys.argv[1], "last", NEVER_WRITTEN, *server]).returncode)
