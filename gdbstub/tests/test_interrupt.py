#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ctrl-C in a long run, with a real debugger: how long until it has its answer. 100 ms at most.

Usage: test_interrupt.py gdb|lldb LAST ADDRESS COMMAND...
LAST is what `monitor goto' takes for the end of history, ADDRESS memory that is never written, {} in COMMAND the
path of the socket where the stub listens. Each run is one that a write to ADDRESS would stop. gdb goes both ways, lldb
(before 21) forward. The best of several counts, for the machine may be busy.
"""
import os
import pty
import queue
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TIMES = 4
LIMIT = 0.1
RUNNING = 0.3  # how long a run goes on before it is interrupted
SECONDS = 60


def find_lldb():
    names = (os.environ.get("LLDB", "lldb"), "lldb-19", "lldb-16", "lldb-15", "lldb-14")
    return next(filter(None, map(shutil.which, names)), None)


class Gdb:
    """A gdb that takes commands on its standard input."""

    def __init__(self, path, address):
        command = [os.environ.get("GDB", "gdb"), "-nx", "-q", "-iex", "set debuginfod enabled off"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout], daemon=True).start()
        self.send("set pagination off", "set confirm off", "set architecture i386:x86-64", f"target remote {path}",
                  f"watch *(int *) {address}")  # fmt: skip

    def send(self, *commands):
        self.process.stdin.write("".join(command + "\n" for command in commands))
        self.process.stdin.flush()

    def wait(self, text):
        seen = ""
        while text not in seen:
            seen += self.lines.get(timeout=SECONDS)
        return seen

    def interrupted(self, way, start):
        """Seconds from SIGINT to what gdb says of it; the run begins at start."""
        self.send(f"monitor goto {start}", "maintenance flush register-cache", "echo ready\\n", way)
        self.wait("ready")
        time.sleep(RUNNING)
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        seen = self.wait("SIGINT")
        if "history" in seen or "watchpoint" in seen:
            sys.exit(f"the run ended by itself: {seen}")
        return time.monotonic() - begun

    def close(self):
        self.send("kill", "quit")
        self.process.wait(SECONDS)


def with_gdb(path, last, address):
    client = Gdb(path, address)
    times = {way: [client.interrupted(way, start) for _ in range(TIMES)] for way, start in (("continue", "0"), ("reverse-continue", last))}
    client.close()
    return times


class Lldb:
    """An lldb at a terminal, where Ctrl-C is a key; it logs its packets with their times."""

    def __init__(self, path, address, log):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvp(find_lldb(), ["lldb", "-x", "--no-use-colors"])
        self.send(f"log enable -T -f {log} gdb-remote packets\n")
        self.send(f"process connect --plugin gdb-remote unix-connect://{path}\n")
        self.wait("stop reason")
        self.send(f"watchpoint set expression -w write -s 4 -- {address}\n")
        self.wait("resources")

    def send(self, text):
        os.write(self.terminal, text.encode())

    def wait(self, text):
        seen = b""
        while text.encode() not in seen:
            if not select.select([self.terminal], [], [], SECONDS)[0]:
                sys.exit(f"{text!r} is not in {seen.decode()}")
            seen += os.read(self.terminal, 4096)

    def interrupt(self):
        self.send("continue\n")
        self.wait("resuming")
        time.sleep(RUNNING)
        self.send("\x03")
        self.wait("stop reason = signal SIGINT")

    def close(self):
        self.send("kill\n")
        self.wait("exited")
        os.close(self.terminal)
        os.waitpid(self.process, 0)


def with_lldb(path, _last, address):
    """From lldb's log: what it shows comes a tenth of a second later, of itself."""
    with tempfile.NamedTemporaryFile("r") as log:
        client = Lldb(path, address, log.name)
        for _ in range(TIMES):
            client.interrupt()
        client.close()
        runs = log.read().split("send packet: $vCont;c")[1:]
    # The answer may be logged first: lldb reads in another thread, and logs after it has sent.
    moments = [
        [re.search(rf"^(\d+\.\d+) .*{packet}", run, re.MULTILINE) for packet in (r"sent packet: \\x03", r"read packet: \$T02")]
        for run in runs
    ]
    if len(runs) != TIMES or not all(begun and end for begun, end in moments):
        sys.exit(f"lldb was not answered {TIMES} times in {len(runs)} runs")
    return {"continue": [float(end[1]) - float(begun[1]) for begun, end in moments]}


def main(client, last, address, *command):
    if not (shutil.which(os.environ.get("GDB", "gdb")) if client == "gdb" else find_lldb()):
        print(f"{client} is not installed: skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with subprocess.Popen([part.replace("{}", path) for part in command], stdout=subprocess.DEVNULL) as server:
            try:
                while not os.path.exists(path) and server.poll() is None:
                    time.sleep(0.02)
                times = {"gdb": with_gdb, "lldb": with_lldb}[client](path, last, address)
            finally:
                server.terminate()
    for way, found in times.items():
        print(f"{client}, {way}: {', '.join(f'{1000 * seconds:.0f} ms' for seconds in found)}")
        if min(found) > LIMIT:
            sys.exit(f"{client} had no answer within {1000 * LIMIT:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
