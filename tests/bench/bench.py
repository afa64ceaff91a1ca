#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run benchmarks of the release build, and print their figures as a table or as JSON."""
import argparse
import json
import pathlib
import shlex
import subprocess
import sys


def benches(build):
    """name -> command, from what CMake listed."""
    for line in (build / "benches.txt").read_text().splitlines():
        if line.strip():
            name, *command = shlex.split(line)
            yield name, command


def lines_of(name, command, failed):
    """The JSON objects that a benchmark prints, as they come."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        failed.append(name)


def print_row(row):
    against = f"{row['ratio']:6.3g} x {row['against']}" if "ratio" in row else ""
    print(f"{row['name']:40} {row['value']:12.6g} {row['unit']:16} {against}".rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="run bench", description=__doc__)
    parser.add_argument("name", nargs="*", help="benchmarks to run (all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    known = dict(benches(options.build))
    if options.list:
        print("\n".join(known))
        return 0
    for name in options.name:
        if name not in known:
            parser.error(f"there is no benchmark {name}; there are: {', '.join(known)}")
    failed = []
    for name in options.name or known:
        for row in lines_of(name, known[name], failed):
            print(json.dumps(row), flush=True) if options.json else print_row(row)
    for name in failed:
        print(f"bench: {name} failed", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
