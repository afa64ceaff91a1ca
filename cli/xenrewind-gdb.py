# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb commands for recordings of xenrewind: rewind where | goto | run | next | prev | exits | runs.

Beside what `monitor' does, they make gdb look at the registers and memory of the new position, and
every stop says which exit it is at.
"""
import gdb


def monitor(text):
    return gdb.execute(f"monitor {text}", to_string=True)


def look_anew():
    """Drop what gdb remembers of the position before."""
    gdb.execute("maintenance flush register-cache", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)


class Rewind(gdb.Command):
    """Move about in a recording: rewind where | goto N | run N | next [FILTER] | prev [FILTER] | exits | runs."""

    def __init__(self):
        super().__init__("rewind", gdb.COMMAND_RUNNING, gdb.COMPLETE_NONE, True)


class Move(gdb.Command):
    def __init__(self, name, text):
        self.__doc__ = text
        self.name = name
        super().__init__(f"rewind {name}", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        arrival = monitor(f"{self.name} {argument}").splitlines()[:1]
        look_anew()
        print("\n".join(arrival))
        gdb.execute("frame", from_tty)


class Show(gdb.Command):
    def __init__(self, name, text):
        self.__doc__ = text
        self.name = name
        super().__init__(f"rewind {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        print(monitor(f"{self.name} {argument}"), end="")


def on_stop(_event):
    try:
        print(monitor("position"), end="")
    except gdb.error:
        pass  # not connected to a recording


Rewind()
Move("goto", "Go to an exit: rewind goto N | first | last.")
Move("run", "Go to the first exit of a run: rewind run N.")
Move("next", "Go to the next exit that matches: rewind next [reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N].")
Move("prev", "Go to the exit before that matches: rewind prev [reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N].")
Show("where", "Say which exit this is, why, and what is known here.")
Show("exits", "List exits: rewind exits [FROM [COUNT]].")
Show("runs", "List the runs, or the paths that they took: rewind runs [paths].")
gdb.events.stop.connect(on_stop)
