#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""verified.py XENREWIND RECORDING EXACT ARRIVED [USER GAPS]: re-execute a recording made on real Xen.

At least EXACT percent of its gaps are exact, undefined flags aside, and ARRIVED percent arrive at the next
exit with equal general registers.  Every gap that is not exact has a cause.  There are at least GAPS, and at least
USER exits were taken in user mode, and the first was not."""
import json
import sqlite3
import subprocess
import sys

program, recording, exact, arrived, *extent = sys.argv[1:]
least_user, least_gaps = map(int, extent or (0, 0))
done = subprocess.run([program, "verify", "--json", "--no-gaps", recording], capture_output=True, text=True, check=False)
if not done.stdout:
    sys.exit(done.stderr)
result = json.loads(done.stdout)
for gap in result["differences"]:
    print(f"gap {gap['exit']}: {gap['verdict']}, {gap['instructions']} instructions, {gap['cause']}: {gap['detail']}")
gaps, verdicts = result["gaps"], result["verdicts"]
good = verdicts["exact"] + verdicts["flags"]
there = good + verdicts["arrived"]
print(
    f"{gaps} gaps, {result['instructions']} instructions in {result['seconds']:.1f} s: "
    f"{100 * good / gaps:.2f} % exact ({verdicts['flags']} with other undefined flags), {100 * there / gaps:.2f} % arrive; "
    f"in {result['hypervisor_wrote']} the hypervisor wrote memory as well"
)
unexplained = [gap["exit"] for gap in result["differences"] if gap["cause"] == "unknown"]
with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
    in_user, first = db.execute("SELECT count(*), min(id) FROM state WHERE cs & 3 = 3").fetchone()
print(f"{in_user} exits in user mode" + (f", the first is {first}" if in_user else ""))
if in_user < least_user or (least_user and first == 1):
    sys.exit(f"the recording does not go from the kernel into user mode as far as asked for ({least_user} exits)")
if gaps < least_gaps:
    sys.exit(f"the recording is shorter than asked for ({least_gaps} gaps)")
if 100 * good < float(exact) * gaps or 100 * there < float(arrived) * gaps:
    sys.exit("fewer than asked for")
if unexplained:
    sys.exit(f"no cause is known for gaps {unexplained}")
