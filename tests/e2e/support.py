# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share: recordings, a server, gdb in batch mode."""
import atexit
import os
import re
import shutil
import subprocess
import tempfile

XENREWIND = os.environ["XENREWIND"]
MAKE_RECORDING = os.environ["MAKE_RECORDING"]
BASE = 0xFFFFFFFF80000000
FOLDER = tempfile.mkdtemp(prefix="xenrewind-e2e-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def path(name):
    return os.path.join(FOLDER, name)


def make_recording(name, *arguments):
    """A recording of make_recording.c, made once for each name."""
    if not os.path.exists(path(name)):
        subprocess.run([MAKE_RECORDING, path(name), *map(str, arguments)], check=True)
    return path(name)


def xenrewind(*arguments, **options):
    """Run to the end; the result has returncode, stdout, stderr."""
    options = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([XENREWIND, *map(str, arguments)], **options)


class Server:
    """`xenrewind replay` on a free port; .address is what gdb's `target remote` takes."""

    def __init__(self, recording, *options, listen="127.0.0.1:0"):
        self.errors = None  # what it said on standard error, once it has ended
        self.process = subprocess.Popen(
            [XENREWIND, "replay", "--listen", listen, *options, recording],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        found = re.search(r"listening at (\S+)", line)
        if not found:
            raise AssertionError(f"no address in {line!r}: {self.process.communicate()}")
        self.address = found.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.errors is not None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        self.errors = self.process.communicate(timeout=30)[1]
        if self.process.returncode:
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.errors}")


def gdb_command(commands, *arguments, batch=True):
    command = ["gdb", "-nx", "-q", *(["-batch"] if batch else []), "-iex", "set debuginfod enabled off"]
    for text in ("set pagination off", "set confirm off", "set width 0", *commands):
        command += ["-ex", text]
    return command + list(arguments)


def gdb(address, *commands, timeout=120):
    """What gdb prints for the commands, connected to address: one text."""
    command = gdb_command(["set architecture i386:x86-64", f"target remote {address}", *commands])
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    return in_common_words(done.stdout)


def in_common_words(text):
    """What gdb 16 says in other words than gdb 13."""
    text = re.sub(
        r"Reached end of recorded history; stopping\.\n(Following forward execution will be added to history|"
        r"Backward execution from here not possible)\.", "No more reverse-execution history.", text,
    )  # fmt: skip
    text = re.sub(r"Error in testing condition for breakpoint \d+:", "Error in testing breakpoint condition:", text)
    text = text.replace("remote failure reply 'E.", "remote failure reply '")
    return re.sub(r"^Protocol error with Rcmd: (.*)\.$", r"\1", text, flags=re.M)
