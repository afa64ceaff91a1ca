#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libgdbstub's own tests of the protocol, against a recording: every packet, and round trips of a step."""
import os
import subprocess
import sys

import support

TESTS = os.path.join(os.path.dirname(__file__), "../../gdbstub/tests")
SUITE = os.path.join(TESTS, "conformance/conformance.py")
STUB = [support.XENREWIND, "replay", "--stdio", support.make_recording("protocol.db", 200)]
done = subprocess.run([sys.executable, SUITE, "--", *STUB], text=True, stdout=subprocess.PIPE)
print(done.stdout)
if "skipped, 0 failed" not in done.stdout or done.returncode:
    sys.exit("the recording is not served as the protocol says")
sys.exit(subprocess.run([sys.executable, os.path.join(TESTS, "test_round_trips.py"), *STUB]).returncode)
