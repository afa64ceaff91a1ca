#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every packet of the remote protocol against a recording: libgdbstub's conformance suite."""
import os
import subprocess
import sys

import support

SUITE = os.path.join(os.path.dirname(__file__), "../../gdbstub/tests/conformance/conformance.py")
STUB = [support.XENREWIND, "replay", "--stdio", support.make_recording("protocol.db", 200)]
done = subprocess.run([sys.executable, SUITE, "--", *STUB], text=True, stdout=subprocess.PIPE)
print(done.stdout)
if "skipped, 0 failed" not in done.stdout or done.returncode:
    sys.exit("the recording is not served as the protocol says")
