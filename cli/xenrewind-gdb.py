# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb commands for recordings of xenrewind: `help rewind', when, and checkpoints by number.

Beside what `monitor' does, they make gdb look at the registers and memory of the new position, and
every stop says which exit it is at.  gdb's own checkpoint, restart and the like, which need a process
that can fork, are replaced.
"""
import gdb

FILTER = "[reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N]"

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
    """Drop what gdb remembers of the position before; older versions know the first by another name."""
    for command in ("maintenance flush register-cache", "flushregs", "maintenance flush dcache"):
        try:
            gdb.execute(command, to_string=True)
        except gdb.error:
            pass


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
        print(monitor("position"), end="")
    except gdb.error:
        pass  # not connected to a recording


Rewind()
for row in MOVES:
    Move(*row)
for row in SHOWS:
    Show(*row)
gdb.events.stop.connect(on_stop)
