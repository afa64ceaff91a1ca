#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several clients of the example target, one after the other, over a Unix socket.

Usage: test_clients.py MACHINE
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

GDB = os.environ.get("GDB", "gdb")
SECONDS = 20


def connect(path):
    deadline = time.monotonic() + SECONDS
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(SECONDS)
        try:
            client.connect(path)
            return client
        except OSError:
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def frame(body):
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


def ask(client, body):
    """Sends a packet and returns the body of the reply, which it acknowledges."""
    client.sendall(frame(body))
    got = b""
    while b"#" not in got or len(got) < got.index(b"#") + 3:
        piece = client.recv(4096)
        if not piece:
            raise EOFError(f"closed after {got!r}")
        got += piece
    client.sendall(b"+")
    return got[got.index(b"$") + 1 : got.index(b"#")]


def gdb(path, *commands):
    args = [GDB, "-nx", "-q", "-batch", "-ex", "set style enabled off"]
    for command in (f"target remote {path}", *commands):
        args += ["-ex", command]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    text = done.stdout + done.stderr
    return text.replace("Reached end of recorded history; stopping", "No more reverse-execution history")  # gdb 16


def expect(what, text, *wanted):
    for want in wanted:
        if want not in text:
            sys.exit(f"{what}: {want!r} is not in:\n{text}")
    print(f"{what}: as expected")


def scenario(path):
    text = gdb(path, "break *0x1009", "continue", "break *0x1018", "detach")
    expect("first gdb stops at its breakpoint", text, "Breakpoint 1, 0x0000000000001009",
           "[Inferior 1 (process 1) detached]")

    text = gdb(path, "print $steps", "continue", "detach")
    expect("second gdb finds the position, and no breakpoints of the first", text,
           "$1 = 3", "No more reverse-execution history", "0x000000000000102d")

    with connect(path) as client:
        client.sendall(frame(b"Z0,1006,1") + b"$m1000,")
    with connect(path) as client:
        client.sendall(b"\x03" * 1000 + b"garbage#$")
    with connect(path) as client:
        reply = ask(client, b"bc").decode()
        expect("a vanished client leaves nothing behind", reply, "T05", "replaylog:begin")
        client.sendall(frame(b"k"))
        if client.recv(16) not in (b"+", b""):
            sys.exit("k was answered")

    text = gdb(path, "stepi", "print $steps", "kill")
    expect("gdb after a kill", text, "$1 = 1")


def main():
    machine = sys.argv[1]
    if not shutil.which(GDB):
        print("gdb is not installed: skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "gdb.sock")
        with subprocess.Popen([machine, path]) as server:
            try:
                scenario(path)
                if server.poll() is not None:
                    sys.exit(f"the server ended with {server.returncode}")
            finally:
                server.terminate()
    return 0


sys.exit(main())
