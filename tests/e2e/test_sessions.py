#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole sessions of real debuggers on a recording: all that they print is compared.

Usage: test_sessions.py gdb | lldb. GDB names another gdb. UPDATE=1 rewrites what is compared with.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from support import Server, gdb_command, in_common_words, make_recording

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sessions")
LLDB = next(filter(None, map(shutil.which, ("lldb", "lldb-19", "lldb-16", "lldb-15", "lldb-14"))), None)


def run_gdb(script):
    """Commands on standard input: unlike in a script, an error does not end the session."""
    command = gdb_command(["set architecture i386:x86-64", "set trace-commands on"], batch=False)
    with open(script) as commands:
        done = subprocess.run(command, stdin=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    text = done.stdout[done.stdout.index("(gdb) ") :]
    return done.returncode, in_common_words(text)


def run_lldb(script):
    command = [LLDB, "-x", "-b", "-o", f"command source -e false {script}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    # What it says of watched values and of having detached comes whenever it likes.
    unordered = re.compile(r"$|(old|new) value:|Watchpoint \d hit:|Process 1 detached|.*command source|Executing commands")
    return done.returncode, "".join(line + "\n" for line in lines if not unordered.match(line))


def transcript(client):
    """What the client prints, with the server's address left out."""
    with Server(make_recording("session.db", 200)) as server, tempfile.NamedTemporaryFile("w") as script:
        with open(os.path.join(FOLDER, f"recording.{client}")) as source:
            commands = "".join(line for line in source if not line.startswith("#"))
        script.write(commands.replace("ADDRESS", server.address))
        script.flush()
        status, text = {"gdb": run_gdb, "lldb": run_lldb}[client](script.name)
        text = text.replace(server.address, "ADDRESS")
    if status:
        sys.exit(f"{client} ended with {status}:\n{text}")
    return text, commands.count("\n")


def main(client):
    if not (LLDB if client == "lldb" else shutil.which("gdb")):
        print(f"{client} is not installed: skipped")
        return 77
    text, commands = transcript(client)
    wanted = os.path.join(FOLDER, f"recording.{client}.expected")
    if os.environ.get("UPDATE") == "1":
        with open(wanted, "w") as file:
            file.write(text)
    with open(wanted) as file:
        differences = list(difflib.unified_diff(file.read().splitlines(), text.splitlines(), "expected", "seen", lineterm=""))
    if differences:
        sys.exit("\n".join([*differences, "the transcript differs"]))
    print(f"{client}: transcript as expected, {commands} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
