#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run every ```sql block of a document on a recording with the plain sqlite3 shell.

Each block must run without an error and give at least one row (with --allow-empty: or none).
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile


def blocks(document):
    """(line number, SQL) of each block."""
    with open(document, encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start()) + 2, match.group(1)


def failure(recording, sql, allow_empty):
    """Why the block fails, or None."""
    shell = subprocess.run(
        ["sqlite3", "-init", os.devnull, "-batch", "-bail", "-noheader", "-readonly", recording],
        input=sql, capture_output=True, text=True, timeout=120, check=False)
    errors = [line for line in shell.stderr.splitlines() if not line.startswith("-- Loading")]
    if shell.returncode or errors:
        return f"{shell.returncode}: {' '.join(errors)}"
    if not shell.stdout.strip() and not allow_empty:
        return "no rows"
    return None


def check(document, recording, allow_empty, least):
    count = failed = 0
    for line, sql in blocks(document):
        count += 1
        why = failure(recording, sql, allow_empty)
        if why:
            failed += 1
            print(f"{document}:{line}: {why}\n{sql}", file=sys.stderr)
    print(f"{count - failed} of {count} queries of {document} answered by {recording}")
    if count < least:
        print(f"{document} has {count} queries, fewer than {least}", file=sys.stderr)
    return 1 if failed or count < least else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document")
    parser.add_argument("recording", nargs="?")
    parser.add_argument("--make", metavar="PROGRAM", help="makes a recording to run them on")
    parser.add_argument("--allow-empty", action="store_true", help="a query may give no rows")
    parser.add_argument("--least", type=int, default=15, help="queries that there must be")
    arguments = parser.parse_args()
    if arguments.make:
        with tempfile.TemporaryDirectory() as folder:
            recording = os.path.join(folder, "tour.db")
            subprocess.run([arguments.make, recording], check=True)
            return check(arguments.document, recording, arguments.allow_empty, arguments.least)
    if not arguments.recording:
        parser.error("give a RECORDING or --make PROGRAM")
    return check(arguments.document, arguments.recording, arguments.allow_empty, arguments.least)


if __name__ == "__main__":
    sys.exit(main())
