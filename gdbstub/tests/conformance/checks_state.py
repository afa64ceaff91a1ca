# SPDX-License-Identifier: MIT
"""Registers, memory, searching, the monitor."""
import re
import xml.etree.ElementTree as ElementTree

from rsp import GDB13, is_error, parse_stop

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def layout(client):
    """(number, name, hex digits, offset in the block) of each register."""
    root = ElementTree.fromstring(client.document("features", "target.xml"))
    rows, number, offset = [], 0, 0
    for reg in root.iter("reg"):
        number = int(reg.get("regnum", number))
        digits = int(reg.get("bitsize")) // 4
        rows.append((number, reg.get("name"), digits, offset))
        number, offset = number + 1, offset + digits
    return rows


def pc_of(client):
    value = client.ask("p10")
    return int(bytes.fromhex(value)[::-1].hex(), 16)


@check
def each_register_is_its_part_of_the_block(t):
    """g is all of p, register by register, in the layout of the target description."""
    client = t.connect()
    rows, block = layout(client), client.registers()
    t.equal("length of the block", len(block), rows[-1][3] + rows[-1][2])
    for number, name, digits, offset in rows:
        value = client.ask(f"p{number:x}")
        t.that(f"{name}: {value}", re.fullmatch(rf"([0-9a-f]{{{digits}}}|x{{{digits}}})", value))
        t.equal(name, block[offset : offset + digits], value)
    for wrong in (f"p{rows[-1][0] + 1:x}", "p", "px", "pffffffffffffffff", "p10000000000000000", "p0,"):
        t.that(wrong, is_error(client.ask(wrong)))


@check
def stop_replies_carry_registers(t):
    """? is a stop reply; what it says of registers is what p says, and it names a thread."""
    client = t.connect()
    signal, keys = parse_stop(client.ask("?"))
    t.that(f"signal {signal}", signal in (0, 2, 5))
    for key, value in keys.items():
        if re.fullmatch(r"[0-9a-f]+", key):
            t.equal(f"register {key}", value, client.ask(f"p{key}"))
    t.that("pc is among them", "10" in keys)
    t.equal(f"thread {keys.get('thread')}", client.ask(f"T{keys.get('thread')}"), "OK")
    allowed = {"thread", "core", "watch", "rwatch", "awatch", "swbreak", "hwbreak", "replaylog"}
    t.that(f"keys {set(keys)}", all(key in allowed or re.fullmatch(r"[0-9a-f]+", key) for key in keys))


@check
def registers_are_written_or_refused(t):
    """P and G do what they say, or are an error and change nothing; malformed ones are errors."""
    client = t.connect()
    before = client.registers()
    digits = client.ask("p0")
    reply = client.ask("P0=" + "5a" * (len(digits) // 2))
    t.that(f"P: {reply}", reply in ("OK", "") or is_error(reply))
    t.equal("P took effect", client.ask("p0") != digits, reply == "OK")
    reply = client.ask("G" + before)
    t.that(f"G: {reply}", reply == "OK" or is_error(reply))
    if reply == "OK":
        t.equal("as before", client.registers(), before)
    wrong = ("P0", "P0=", "P0=zz", "P0=1", "P0=" + "0" * 300, "Pfff=00", "P", "P=00", "G", "G00", f"G{before}00")
    for body in wrong:
        t.that(f"{body[:20]}: {client.ask(body)}", is_error(client.ask(body)))


@check
def memory_is_read_in_both_ways(t):
    """m in hex, x in binary behind a b; the same bytes; what is not there is an error or less."""
    client = t.connect()
    pc = pc_of(client)
    text = client.ask(f"m{pc:x},8")
    t.that(f"m: {text}", re.fullmatch(r"([0-9a-f]{2}){1,8}", text))
    if client.has("binary-upload"):
        t.equal("x", client.ask(f"x{pc:x},8"), "b" + bytes.fromhex(text).decode("latin-1"))
        t.equal("the probe x ADDR,0", client.ask(f"x{pc:x},0"), "b")
        t.that("x malformed", is_error(client.ask("x")) and is_error(client.ask("x1")) and is_error(client.ask("x1,z")))
    else:
        t.that("x", client.ask(f"x{pc:x},0") in ("", "OK"))
    size = int(client.features["PacketSize"], 16)
    t.that("no more than a packet", len(client.ask(f"m{pc:x},{size * 4:x}")) <= size)
    t.that("the top of memory", len(client.ask("mffffffffffffffff,100")) <= 4)
    t.that("nothing there", is_error(client.ask("mfff7ffffffff0000,8")))
    for wrong in ("m", "m1", "m1,", "m,1", "mz,1", "m1,1,1", "m10000000000000000,1", "m0,10000000000000000"):
        t.that(wrong, is_error(client.ask(wrong)))


@check
def memory_is_written_or_refused(t):
    """M and X take the bytes or say why not; the probe X ADDR,0 is answered; lengths must agree."""
    client = t.connect()
    pc = pc_of(client)
    before = client.ask(f"m{pc:x},2")
    t.that("the probe", client.ask(f"X{pc:x},0:") in ("OK", ""))
    for body in (f"M{pc:x},2:{before}", f"X{pc:x},2:{bytes.fromhex(before).decode('latin-1')}"):
        reply = client.ask(body.encode("latin-1"))
        t.that(f"{body[0]}: {reply}", reply in ("OK", "") or is_error(reply))
    t.equal("as before", client.ask(f"m{pc:x},2"), before)
    for wrong in ("M", "M1,1", "M1,1:", "M1,1:0", "M1,1:zz", "M1,2:00", "M1,1:0000", "X1,2:a", "X1,1:ab", "X", "X1",
                  "Mffffffffffffffff,2:0000", "Xffffffffffffffff,2:ab"):  # fmt: skip
        t.that(wrong, is_error(client.ask(wrong)))


@check
def memory_is_searched(t):
    """qSearch:memory finds what m reads, with escapes, and not what is not there."""
    client = t.connect()
    pc = pc_of(client)
    there = bytes.fromhex(client.ask(f"m{pc:x},20"))
    t.needs(client.ask(f"qSearch:memory:{pc:x};1;".encode() + there[:1]) != "", "no qSearch")
    size, pattern = len(there), there[len(there) // 2 :]
    found = client.ask(f"qSearch:memory:{pc:x};{size:x};".encode() + pattern)
    t.equal("found", found, f"1,{pc + there.find(pattern):x}")
    t.equal("at its start", client.ask(f"qSearch:memory:{pc:x};{size:x};".encode() + there), f"1,{pc:x}")
    t.equal("not there", client.ask(f"qSearch:memory:{pc:x};{size:x};".encode() + b"#$}*\xed"), "0")
    t.equal("longer than the range", client.ask(f"qSearch:memory:{pc:x};{size - 1:x};".encode() + there), "0")
    for wrong in ("qSearch:memory", "qSearch:memory:", "qSearch:memory:1", "qSearch:memory:1;2", "qSearch:memory:1;2;"):
        t.that(wrong, is_error(client.ask(wrong)))
    t.that("nothing there", is_error(client.ask("qSearch:memory:fff7ffffffff0000;100;a")))


@check
def monitor_commands(t):
    """qRcmd: help is there; what is unknown says so; hex must be whole."""
    client = t.connect()
    text, reply = client.run("qRcmd," + b"help".hex())
    t.needs(reply != "", "no monitor")
    t.that(f"help: {reply}", reply == "OK" and text.endswith("\n"))
    text, reply = client.run("qRcmd," + b"no-such-command".hex())
    t.that("unknown", (reply == "OK" and text) or is_error(reply))
    new = t.connect(offers=GDB13 + ";error-message+")
    text, reply = new.run("qRcmd," + b"no-such-command".hex())
    t.that("unknown, to a new client", is_error(reply) or text)
    for wrong in ("qRcmd,6", "qRcmd,zz", "qRcmd,686"):
        t.that(wrong, is_error(client.ask(wrong)))
