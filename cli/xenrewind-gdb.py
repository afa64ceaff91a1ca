# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb commands for recordings of xenrewind: `help rewind', when, and checkpoints by number.

Beside what `monitor' does, they make gdb look at the registers and memory of the new position, and
every stop says which exit it is at.  gdb's own checkpoint, restart and the like, which need a process
that can fork, are replaced.  In gdb's DAP server steps go by exit, and back, for which it has no requests.
"""
import sys

import gdb

# The server behind `gdb -i=dap'; None in any other gdb.
DAP = sys.modules.get("gdb.dap.server")

# Its requests that step, here by exit: what is at a source line between two exits is not known.
DAP_MOVES = (
    ("next", "stepi"),
    ("stepIn", "stepi"),
    ("stepBack", "reverse-stepi"),
    ("reverseContinue", "reverse-continue"),
)

# What that keeps of a stop, and clears when the machine runs on.
DAP_CACHES = (
    ("gdb.dap.frames", "_clear_frame_ids"),
    ("gdb.dap.scopes", "clear_scopes"),
    ("gdb.dap.varref", "clear_vars"),
    ("gdb.dap.globalvars", "clear"),
)

FILTER = "[reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N] [REGISTER=N]"

# Name, the monitor command that it is, what it does.
MOVES = (
    ("rewind goto", "goto", "Go to an exit: rewind goto N | first | last."),
    ("rewind run", "run", "Go to the first exit of a run: rewind run N."),
    ("rewind next", "next", f"Go to the next exit that matches: rewind next {FILTER}."),
    ("rewind prev", "prev", f"Go to the exit before that matches: rewind prev {FILTER}."),
    ("restart", "restart", "Go to a checkpoint: restart N."),
)
SHOWS = (
    ("rewind where", "where", "Say which exit this is, why, and what is known here."),
    ("rewind list", "exits", "List exits: rewind list [FROM [COUNT]]."),
    ("rewind exits", "exits", "List exits: rewind exits [FROM [COUNT]]."),
    ("rewind runs", "runs", "List the runs, or the paths that they took: rewind runs [paths]."),
    ("rewind info", "info", "Say what was recorded, and how."),
    ("rewind sql", "sql", "Ask the recording: rewind sql SELECT ...."),
    ("rewind kaslr", "kaslr", "Say by how much the kernel was moved at boot."),
    ("when", "position", "Say which exit this is, in one line."),
    ("checkpoint", "checkpoint", "Remember this place by a number: checkpoint [NOTE]."),
    ("info checkpoints", "checkpoints", "List the places that were remembered."),
    ("delete checkpoint", "drop", "Forget a checkpoint: delete checkpoint N."),
)


def monitor(text):
    return gdb.execute(f"monitor {text}", to_string=True)


def look_anew():
    """Drop what gdb remembers of the position before, and what its DAP server does."""
    gdb.execute("maintenance flush register-cache", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)
    if DAP:
        for module, function in DAP_CACHES:
            getattr(sys.modules.get(module), function, lambda _event: None)(None)
        thread = gdb.selected_thread().global_num
        DAP.send_event("stopped", {"reason": "goto", "threadId": thread, "allThreadsStopped": True})


class Rewind(gdb.Command):
    """Move about in a recording, and ask it: `help rewind' lists how."""

    def __init__(self):
        super().__init__("rewind", gdb.COMMAND_RUNNING, gdb.COMPLETE_NONE, True)


class Show(gdb.Command):
    """A monitor command under a name of its own."""

    kind = gdb.COMMAND_STATUS

    def __init__(self, name, command, text):
        self.__doc__ = text
        self.command = command
        super().__init__(name, self.kind)

    def invoke(self, argument, from_tty):
        print(monitor(f"{self.command} {argument}"), end="")


class Move(Show):
    """One that moves: gdb looks anew, and shows the frame there."""

    kind = gdb.COMMAND_RUNNING

    def invoke(self, argument, from_tty):
        answer = monitor(f"{self.command} {argument}").splitlines()
        look_anew()
        print("\n".join(answer[:1]))
        gdb.execute("frame", from_tty)


def on_stop(_event):
    try:
        text = monitor("position")
    except gdb.error:
        return  # not connected to a recording
    if DAP:
        DAP.send_event("output", {"category": "console", "output": text})
    else:
        print(text, end="")


def add_dap_request(name, command):
    """A DAP request that moves, made like gdb's own, which it replaces."""
    from gdb.dap.events import exec_and_expect_stop
    from gdb.dap.state import set_thread

    DAP._commands.pop(name, None)

    @DAP.request(name, response=False)
    def move(*, threadId: int, **args):
        set_thread(threadId)
        exec_and_expect_stop(command)


Rewind()
for row in MOVES:
    Move(*row)
for row in SHOWS:
    Show(*row)
gdb.events.stop.connect(on_stop)
if DAP:
    try:
        for row in DAP_MOVES:
            add_dap_request(*row)
        DAP.capability("supportsStepBack")(add_dap_request)
    except (AttributeError, ImportError):
        print("The DAP server of this gdb is another than 16's: no steps back but by commands.")
