# SPDX-License-Identifier: MIT
"""A client of the GDB remote protocol that checks the form of everything it receives."""
import os
import re
import select
import subprocess
import time

SECONDS = 30
GDB13 = (
    "multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    "QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386"
)
LLDB19 = "xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+"


class Broken(Exception):
    """The stub did what the protocol does not allow."""


def escape(body):
    return re.sub(rb"[#$}*]", lambda m: b"}" + bytes([m.group()[0] ^ 0x20]), body)


def frame(body):
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


def decode(wire):
    """The body of a frame: run lengths written out, escapes undone."""
    flat = bytearray()
    at = 0
    while at < len(wire):
        if wire[at] != ord("*"):
            flat.append(wire[at])
            at += 1
            continue
        if not flat or at + 1 >= len(wire) or not 32 <= wire[at + 1] <= 126:
            raise Broken(f"a run length that is none: {wire!r}")
        flat += bytes([flat[-1]]) * (wire[at + 1] - 29)
        at += 2
    out = bytearray()
    at = 0
    while at < len(flat):
        if flat[at] == ord("}"):
            if at + 1 >= len(flat):
                raise Broken(f"an escape of nothing: {wire!r}")
            out.append(flat[at + 1] ^ 0x20)
            at += 2
        else:
            out.append(flat[at])
            at += 1
    return bytes(out)


class Client:
    """A stub as a child process that speaks on its standard input and output."""

    def __init__(self, command, sent):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.sent = sent  # names of all packets that were sent, for the whole suite
        self.buffer = b""
        self.acks = True
        self.features = {}

    def close(self):
        self.child.stdin.close()
        try:
            status = self.child.wait(5)
        except subprocess.TimeoutExpired:
            status = 0  # it stays for the next client
        self.child.stdout.close()
        if status:
            raise Broken(f"the stub ended with {status}")

    # ---- bytes ----

    def raw(self, data):
        self.child.stdin.write(data)

    def receive(self, seconds=SECONDS):
        """Some more bytes into the buffer; False when none come."""
        if not select.select([self.child.stdout], [], [], seconds)[0]:
            return False
        more = os.read(self.child.stdout.fileno(), 1 << 16)
        if not more:
            raise Broken(f"the stub has gone; what came last: {self.buffer[-200:]!r}")
        self.buffer += more
        return True

    def silent(self, seconds=0.2):
        """Nothing comes for a while."""
        while self.receive(seconds):
            pass
        rest, self.buffer = self.buffer, b""
        if rest:
            raise Broken(f"unexpected: {rest[:200]!r}")

    def take(self, size):
        deadline = time.monotonic() + SECONDS
        while len(self.buffer) < size:
            if time.monotonic() > deadline or not self.receive():
                raise Broken(f"no answer; so far {self.buffer!r}")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def frame(self):
        """The next frame, as it is on the wire."""
        if self.take(1) != b"$":
            raise Broken("a frame begins with $")
        body = b""
        while not body.endswith(b"#"):
            body += self.take(1)
        body = body[:-1]
        digits = self.take(2)
        if b"$" in body or not re.fullmatch(rb"[0-9a-f]{2}", digits):
            raise Broken(f"malformed frame {body!r}#{digits!r}")
        if sum(body) & 0xFF != int(digits, 16):
            raise Broken(f"wrong checksum of {body!r}")
        return body

    # ---- packets ----

    def send(self, body):
        body = body.encode() if isinstance(body, str) else body
        name = re.match(rb"[qQvj]\w+(:[\w-]+(?=:))?\??|H.|b.|[Zz].|.?", body, re.S).group()
        self.sent.add(name.decode("latin-1"))
        self.raw(frame(escape(body)))
        if self.acks and self.take(1) != b"+":
            raise Broken(f"{body!r} was not acknowledged")

    def reply(self):
        body = decode(self.frame())
        if self.acks:
            self.raw(b"+")
        return body

    def ask(self, body):
        """Sends a packet; its reply as text (Latin-1: byte for byte)."""
        self.send(body)
        return self.reply().decode("latin-1")

    def run(self, body):
        """A packet that runs the target, or a monitor command: what was printed, and the reply."""
        self.send(body)
        printed = ""
        while True:
            reply = self.reply().decode("latin-1")
            if not re.fullmatch(r"O([0-9a-f]{2})+", reply):
                return printed, reply
            printed += bytes.fromhex(reply[1:]).decode("latin-1")

    def hello(self, offers=GDB13, acks=False):
        for feature in self.ask(f"qSupported:{offers}").split(";"):
            name, _, value = feature.partition("=")
            self.features[name.rstrip("+") if not value else name] = value or name.endswith("+")
        if not acks and self.has("QStartNoAckMode"):
            if self.ask("QStartNoAckMode") != "OK":
                raise Broken("QStartNoAckMode was refused")
            self.acks = False
        return self

    def has(self, feature):
        return bool(self.features.get(feature))

    # ---- what replies mean ----

    def document(self, what, annex="", step=None):
        """A whole qXfer document, read in pieces."""
        text, step = "", step or 0x1000
        while True:
            piece = self.ask(f"qXfer:{what}:read:{annex}:{len(text):x},{step:x}")
            if piece[:1] not in ("m", "l") or len(piece) > step + 1:
                raise Broken(f"{what}: a piece that is none: {piece[:60]!r}")
            text += piece[1:]
            if piece[0] == "l":
                return text
            if len(piece) == 1:
                raise Broken(f"{what}: no end")

    def registers(self):
        """The register block, in hex."""
        return self.ask("g")


def parse_stop(reply):
    """The signal and the keys of a stop reply T."""
    found = re.fullmatch(r"T([0-9a-f]{2})((?:[^:;]+:[^;]*;)*)", reply)
    if not found:
        raise Broken(f"not a stop reply: {reply!r}")
    keys = dict(part.split(":", 1) for part in found.group(2).split(";") if part)
    return int(found.group(1), 16), keys


def is_error(reply):
    return re.fullmatch(r"E([0-9a-f]{2}|\..+|[0-9a-f]{2};([0-9a-f]{2})+)", reply, re.S) is not None
