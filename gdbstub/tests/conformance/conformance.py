#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that a stub speaks the GDB remote protocol, packet by packet.

Usage: conformance.py [--list] [-k WORD] -- COMMAND...

COMMAND is a stub on its standard input and output, started anew for each check. What it does not
advertise is not asked of it. Any stub for x86-64 will do; it needs a few steps of history or future.
"""
import sys
import traceback

import checks_breaks
import checks_basic
import checks_state
from rsp import Broken, Client

# Sent by at least one check, whatever the stub makes of it.
PACKETS = (
    "? g G p P m M X x c C s S T D k R ! vCont vCont? vKill vRun vAttach vMustReplyEmpty Hg Hc bc bs Z0 Z1 Z2 Z3 Z4 "
    "z0 z2 qSupported qC qAttached qfThreadInfo qsThreadInfo qThreadExtraInfo qOffsets qSymbol qTStatus "
    "qXfer:features qXfer:threads qXfer:memory-map qXfer:exec-file qRcmd qSearch:memory QStartNoAckMode QPassSignals "
    "QThreadEvents QNonStop vFile:setfs vFile:open vFile:pread vFile:fstat vFile:close qHostInfo qProcessInfo "
    "qMemoryRegionInfo jThreadsInfo qThreadStopInfo1 QThreadSuffixSupported QListThreadsInStopReply QEnableErrorStrings"
).split()


class Skip(Exception):
    pass


class Context:
    """What a check gets: clients, and the words for what it finds."""

    def __init__(self, command, sent):
        self.command, self.sent, self.clients = command, sent, []

    def connect(self, **options):
        return self.bare().hello(**options)

    def bare(self):
        client = Client(self.command, self.sent)
        self.clients.append(client)
        return client

    @staticmethod
    def needs(condition, what):
        if not condition:
            raise Skip(what)

    @staticmethod
    def equal(what, got, expected):
        if got != expected:
            raise Broken(f"{what}: {got!r}, not {expected!r}")

    @staticmethod
    def that(what, condition):
        if not condition:
            raise Broken(what)


def run(check, command, sent):
    context = Context(command, sent)
    try:
        check(context)
        for client in context.clients:
            client.close()
        return "ok", ""
    except Skip as skip:
        return "skip", f": {skip}"
    except Broken as broken:
        where = traceback.extract_tb(broken.__traceback__)[1]
        return "FAIL", f": {broken} (line {where.lineno})"
    finally:
        for client in context.clients:
            client.child.kill()
            client.child.wait()


def main():
    arguments, command = sys.argv[1:], []
    if "--" in arguments:
        split = arguments.index("--")
        arguments, command = arguments[:split], arguments[split + 1 :]
    checks = checks_basic.CHECKS + checks_state.CHECKS + checks_breaks.CHECKS
    if "-k" in arguments:
        word = arguments[arguments.index("-k") + 1]
        checks = [check for check in checks if word in check.__name__]
    if "--list" in arguments:
        for check in checks:
            print(f"{check.__name__}: {check.__doc__}")
        return 0
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    counts, sent = {"ok": 0, "skip": 0, "FAIL": 0}, set()
    for check in checks:
        result, why = run(check, command, sent)
        counts[result] += 1
        print(f"{result:4} {check.__name__}{why}", flush=True)
    print(f"{counts['ok']} ok, {counts['skip']} skipped, {counts['FAIL']} failed; {len(sent)} kinds of packets sent")
    missing = [packet for packet in PACKETS if packet not in sent]
    if missing and "-k" not in arguments:
        print(f"FAIL never sent: {' '.join(missing)}")
        return 1
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
