#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A recording in an editor: gdb's own DAP server (gdb -i=dap) with our commands, driven as a client of it does.

Needs a gdb that has one, as $GDB: 16.
"""
import base64
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
import unittest

from support import BASE, XENREWIND, make_recording

GDB = os.environ.get("GDB", "gdb")
SCRIPT = os.path.join(os.path.dirname(XENREWIND), "xenrewind-gdb.py")
CPUID, VMCALL, HLT = (BASE + offset for offset in (0x100, 0x600, 0x700))
DATA = BASE + 0x1000
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../gdbstub/tests/program.S"))
SECONDS = 60


class Adapter:
    """gdb as a debug adapter: requests go in, responses and events come out, all as JSON."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [GDB, "-nx", "-i=dap", "-iex", "set debuginfod enabled off", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.messages = queue.Queue()
        self.sent = 0
        self.events = []
        threading.Thread(target=self.read_all, daemon=True).start()

    def read_all(self):
        while True:
            header = self.process.stdout.readline()
            if not header:
                return
            if header.lower().startswith(b"content-length:"):
                self.process.stdout.readline()
                self.messages.put(json.loads(self.process.stdout.read(int(header.split(b":")[1]))))

    def send(self, command, **arguments):
        self.sent += 1
        text = json.dumps({"seq": self.sent, "type": "request", "command": command, "arguments": arguments}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self.process.stdin.flush()
        return self.sent

    def response(self, request):
        """The response to a request by its number; events are kept."""
        while True:
            message = self.messages.get(timeout=SECONDS)
            if message["type"] == "event":
                self.events.append(message)
            elif message["request_seq"] == request:
                return message

    def ask(self, command, **arguments):
        """The body of a response that must be a success."""
        answer = self.response(self.send(command, **arguments))
        if not answer["success"]:
            raise AssertionError(f"{command}: {answer.get('message')}")
        return answer.get("body")

    def event(self, name):
        """The body of the oldest event of that name that was not taken yet; waits for it."""
        while True:
            for message in self.events:
                if message["event"] == name:
                    self.events.remove(message)
                    return message.get("body")
            message = self.messages.get(timeout=SECONDS)
            if message["type"] == "event":
                self.events.append(message)

    def stop(self):
        """Waits for a stop: why, and what the console then says of the place."""
        reason = self.event("stopped")["reason"]
        while True:
            said = self.event("output")
            if said["category"] == "console":
                return reason, said["output"].split(":")[0]

    def stop_after(self, command, **arguments):
        self.ask(command, threadId=1, **arguments)
        return self.stop()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.process.stdout.close()


class Sessions(unittest.TestCase):
    def attach(self, target, *arguments, breakpoints=(), **more):
        adapter = Adapter("-x", SCRIPT, *arguments)
        self.addCleanup(adapter.close)
        self.capabilities = adapter.ask("initialize", adapterID="test", linesStartAt1=True)
        adapter.event("initialized")
        attached = adapter.send("attach", target=target, **more)
        adapter.ask("setInstructionBreakpoints", breakpoints=list(breakpoints))
        adapter.ask("configurationDone")
        self.assertTrue(adapter.response(attached)["success"])
        return adapter

    def recording(self, *recording, **options):
        target = f"| exec {XENREWIND} replay --stdio {make_recording(*(recording or ('small.db', 200)))}"
        adapter = self.attach(target, "-iex", "set architecture i386:x86-64", **options)
        reason, place = adapter.stop()
        self.assertEqual((reason, place.split(" of ")[0]), ("attach", "exit 1"))
        return adapter

    def pc(self, adapter):
        frames = adapter.ask("stackTrace", threadId=1)["stackFrames"]
        return int(frames[0]["instructionPointerReference"], 16)

    def test_state(self):
        adapter = self.recording()
        self.assertEqual(adapter.ask("threads")["threads"], [{"id": 1, "name": "vCPU 0"}])
        self.assertEqual(self.pc(adapter), CPUID)
        scopes = adapter.ask("scopes", frameId=0)["scopes"]
        self.assertEqual([scope["name"] for scope in scopes], ["Registers"])
        registers = adapter.ask("variables", variablesReference=scopes[0]["variablesReference"])["variables"]
        values = {register["name"]: register["value"] for register in registers}
        self.assertEqual((values["rax"], values["exit_id"]), ("1", "1"))
        self.assertEqual(values["dr0"], "<unavailable>")
        self.assertEqual(adapter.ask("evaluate", expression="$exit_reason", context="watch")["result"], "10")
        memory = adapter.ask("readMemory", memoryReference=hex(DATA + 0x30), count=8)
        self.assertEqual(int.from_bytes(base64.b64decode(memory["data"]), "little"), 0x1111)
        code = adapter.ask("disassemble", memoryReference=hex(VMCALL), instructionCount=1)["instructions"]
        self.assertEqual([insn["instruction"] for insn in code], ["vmcall"])

    def test_both_directions(self):
        """The buttons of an editor: its step, step back, continue and reverse."""
        wanted = {"instructionReference": hex(VMCALL), "condition": "$exit_id > 20"}
        adapter = self.recording(breakpoints=[wanted])
        self.assertTrue(self.capabilities["supportsStepBack"])
        walk = [
            adapter.stop_after("continue"), adapter.stop_after("continue"),
            adapter.stop_after("stepIn"), adapter.stop_after("stepBack"), adapter.stop_after("next"),
            adapter.stop_after("stepBack", granularity="instruction"), adapter.stop_after("stepBack"), adapter.stop_after("reverseContinue"), adapter.stop_after("reverseContinue"),
        ]  # fmt: skip
        self.assertEqual(
            walk,
            [("breakpoint", "exit 23 of 200"), ("breakpoint", "exit 31 of 200"), ("step", "exit 32 of 200"),
             ("breakpoint", "exit 31 of 200"), ("step", "exit 32 of 200"), ("breakpoint", "exit 31 of 200"),
             ("step", "exit 30 of 200"), ("breakpoint", "exit 23 of 200"),
             ("stopped", "exit 1 of 200")],
        )  # fmt: skip
        self.assertEqual(self.pc(adapter), CPUID)

    def test_commands_in_the_console(self):
        adapter = self.recording()
        self.assertEqual(self.pc(adapter), CPUID)
        answer = adapter.ask("evaluate", expression="rewind next reason=HLT", context="repl")["result"]
        self.assertIn("exit 8 of 200: HLT", answer)
        self.assertNotIn("Warning", answer)
        self.assertEqual(adapter.event("stopped")["reason"], "goto")
        self.assertEqual(self.pc(adapter), HLT)  # and not what was shown before
        scope = adapter.ask("scopes", frameId=0)["scopes"][0]["variablesReference"]
        values = {r["name"]: r["value"] for r in adapter.ask("variables", variablesReference=scope)["variables"]}
        self.assertEqual(values["exit_id"], "8")
        self.assertIn("exit 8 of 200", adapter.ask("evaluate", expression="monitor where", context="repl")["result"])
        adapter.ask("evaluate", expression="reverse-stepi", context="repl")
        self.assertEqual(adapter.event("stopped")["reason"], "step")
        self.assertEqual(self.pc(adapter), VMCALL)

    def test_a_watchpoint(self):
        adapter = self.recording()
        adapter.ask("evaluate", expression=f"watch *(long *) {DATA + 0x10:#x}", context="repl")
        self.assertEqual(adapter.stop_after("continue"), ("data breakpoint", "exit 5 of 200"))
        self.assertEqual(adapter.stop_after("continue"), ("data breakpoint", "exit 10 of 200"))
        self.assertEqual(adapter.stop_after("reverseContinue"), ("data breakpoint", "exit 8 of 200"))

    def test_pause_in_a_long_search(self):
        """The machine may be busy: the best of three counts."""
        adapter = self.recording("long.db", 60000, "still-open")
        adapter.ask("evaluate", expression="rewind goto last", context="repl")
        adapter.event("stopped")
        adapter.ask("evaluate", expression=f"watch *(int *) {DATA + 0x50:#x}", context="repl")
        times = []
        for _ in range(3):
            adapter.ask("reverseContinue", threadId=1)
            time.sleep(0.2)
            begun = time.monotonic()
            adapter.send("pause", threadId=1)
            self.assertIn(adapter.event("stopped")["reason"], ("pause", "signal"))
            times.append(time.monotonic() - begun)
            self.assertEqual(adapter.ask("evaluate", expression="$exit_id", context="watch")["result"], "60000")
        self.assertLess(min(times), 0.2, times)

    def example(self, folder):
        """libgdbstub's example, which has source lines: a recording here has none."""
        program = os.path.join(folder, "program.elf")
        done = subprocess.run(
            [os.environ["CC"], "-nostdlib", "-static", "-Wl,-Ttext=0x1000,-e,main,--build-id=none", "-o", program, SOURCE],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            self.skipTest(f"the program cannot be assembled: {done.stderr}")
        adapter = self.attach(f"| exec {os.environ['MACHINE']} --stdio", program=program)
        self.assertEqual(adapter.event("stopped")["reason"], "attach")
        return adapter

    def frame(self, adapter):
        frame = adapter.ask("stackTrace", threadId=1)["stackFrames"][0]
        return frame["name"], frame["line"]

    def test_breakpoints_by_function_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            adapter = self.example(folder)
            made = adapter.ask("setFunctionBreakpoints", breakpoints=[{"name": "leaf"}])["breakpoints"]
            self.assertTrue(made[0]["verified"])
            adapter.ask("continue", threadId=1)
            self.assertEqual(adapter.event("stopped")["reason"], "breakpoint")
            name, line = self.frame(adapter)
            self.assertEqual(name, "leaf")
            adapter.ask("stepIn", threadId=1)
            adapter.event("stopped")
            adapter.ask("setFunctionBreakpoints", breakpoints=[])
            wanted = {"line": line, "condition": "$rax > 0"}
            made = adapter.ask("setBreakpoints", source={"path": os.path.basename(SOURCE)}, breakpoints=[wanted])
            self.assertTrue(made["breakpoints"][0]["verified"])
            adapter.ask("reverseContinue", threadId=1)
            self.assertEqual(adapter.event("stopped")["reason"], "breakpoint")
            self.assertEqual(self.frame(adapter), ("leaf", line))
            hover = adapter.ask("evaluate", expression="$rdx", context="hover", frameId=0)
            self.assertGreater(int(hover["result"]), 0)

    def test_nothing_can_be_changed(self):
        adapter = self.recording()
        answer = adapter.response(adapter.send("setExpression", expression="$rax", value="5"))
        self.assertIn("a recording cannot be changed", answer["message"])
        self.assertEqual(adapter.ask("evaluate", expression="$rax", context="watch")["result"], "1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
