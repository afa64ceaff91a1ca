# SPDX-License-Identifier: MIT
"""Framing, negotiation, documents, threads, sessions."""
import json
import re
import xml.etree.ElementTree as ElementTree

from rsp import GDB13, LLDB19, Broken, frame, is_error, parse_stop

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


# ---- framing ----


@check
def packets_are_acknowledged(t):
    """A good packet gets + and a frame, a bad one - and nothing else."""
    client = t.bare()
    client.raw(frame(b"qC"))
    t.equal("acknowledgment", client.take(1), b"+")
    first = client.frame()
    client.raw(b"-")
    t.equal("the frame again", client.frame(), first)
    client.raw(b"+$qC#00")
    t.equal("a bad checksum", client.take(1), b"-")
    client.silent()
    client.raw(b"$qC#zz")
    t.equal("a checksum that is none", client.take(1), b"-")
    t.that("alive", client.ask("qC").startswith("QC"))


@check
def refusals_are_not_answered_for_ever(t):
    """A client that sends nothing but - does not get the frame without end."""
    client = t.bare()
    client.raw(frame(b"qC"))
    client.take(1)
    client.frame()
    client.raw(b"-" * 200)
    while client.receive(0.3):
        pass
    t.that(f"{client.buffer.count(b'$')} frames", client.buffer.count(b"$") < 50)
    client.buffer = b""
    client.raw(b"+")
    t.that("alive", client.ask("qC").startswith("QC"))


@check
def without_acknowledgments(t):
    """QStartNoAckMode: no more + from either side, and no checksums are looked at."""
    client = t.connect()
    client.raw(frame(b"qC") + b"$qC#00")
    t.equal("both replies", client.frame(), client.frame())
    client.silent()


@check
def bytes_come_as_they_like(t):
    """One at a time, several packets at once, noise in between, a packet that breaks off."""
    client = t.connect()
    whole = client.ask("qC")
    for byte in frame(b"qC"):
        client.raw(bytes([byte]))
    t.equal("byte by byte", client.reply().decode(), whole)
    client.raw(frame(b"qC") * 3)
    for _ in range(3):
        t.equal("three at once", client.reply().decode(), whole)
    client.raw(b"noise\r\n+++" + frame(b"qC"))
    t.equal("after noise", client.reply().decode(), whole)
    client.raw(b"$half a pack" + frame(b"qC"))
    t.equal("after half a packet", client.reply().decode(), whole)
    client.raw(b"\x03" * 50)
    client.silent()
    t.equal("after Ctrl-C with nothing to interrupt", client.ask("qC"), whole)


@check
def too_long_a_packet_is_refused(t):
    """More than PacketSize gets an error or nothing, and the next packet is understood."""
    client = t.connect()
    size = int(client.features["PacketSize"], 16)
    client.send(b"m" + b"1" * (size + 100))
    t.that("an error", is_error(client.reply().decode()))
    t.that("alive", client.ask("qC").startswith("QC"))


# ---- negotiation ----

KNOWN = set(
    "PacketSize QPassSignals QCatchSyscalls QProgramSignals QSetWorkingDir QStartupWithShell QEnvironmentHexEncoded "
    "QEnvironmentReset QEnvironmentUnset QStartNoAckMode multiprocess QNonStop ConditionalTracepoints "
    "ConditionalBreakpoints BreakpointCommands ReverseContinue ReverseStep QAgent QAllow QDisableRandomization swbreak "
    "hwbreak fork-events vfork-events exec-events vContSupported QThreadEvents QThreadOptions no-resumed memory-tagging "
    "error-message binary-upload qXfer:features:read qXfer:threads:read qXfer:memory-map:read qXfer:exec-file:read "
    "qXfer:auxv:read qXfer:libraries:read qXfer:libraries-svr4:read qXfer:siginfo:read qXfer:siginfo:write".split()
)


@check
def features_are_known_ones(t):
    """qSupported: names that gdb parses, a packet size, and only what the client offered."""
    client = t.connect()
    t.that("PacketSize", int(client.features["PacketSize"], 16) >= 0x200)
    unknown = set(client.features) - KNOWN
    t.that(f"unknown features {unknown}", not unknown)
    silent = t.connect(offers="")
    for name in ("multiprocess", "swbreak", "hwbreak", "error-message", "no-resumed", "memory-tagging"):
        t.that(f"{name} without an offer", not silent.has(name))
    t.that("unknown offers", t.bare().ask("qSupported:nonsense+;a=b;;=;+;-;x?").startswith("PacketSize"))


@check
def unknown_packets_get_an_empty_reply(t):
    """vMustReplyEmpty above all."""
    client = t.connect()
    for body in ("vMustReplyEmpty", "qTStatus", "QUnknown:1", "qUnknown", "vUnknown;1", "", "bx", "jUnknown", "_M1"):
        t.equal(body, client.ask(body), "")
    t.that("QNonStop:1 is refused", client.ask("QNonStop:1") in ("", "OK") or is_error(client.ask("QNonStop:1")))


@check
def small_questions(t):
    """qAttached, qSymbol, QPassSignals, QThreadEvents, qOffsets."""
    client = t.connect()
    t.that("qAttached:1", client.ask("qAttached:1") in ("0", "1"))
    t.that("qAttached", client.ask("qAttached") in ("0", "1"))
    t.that("qSymbol::", client.ask("qSymbol::") in ("", "OK"))
    t.that("QPassSignals", client.ask("QPassSignals:e;10;14;17;1a;1b;1c;21;24;25;2c;4c;97;") in ("", "OK"))
    events = client.ask("QThreadEvents:1")
    t.that("QThreadEvents", events == "OK" if client.has("QThreadEvents") else events in ("", "OK"))
    offsets = client.ask("qOffsets")
    form = r"Text=[0-9a-f]+;Data=[0-9a-f]+(;Bss=[0-9a-f]+)?|TextSeg=[0-9a-f]+(;DataSeg=[0-9a-f]+)?|"
    t.that(f"qOffsets: {offsets}", re.fullmatch(form, offsets))


# ---- documents ----


@check
def the_target_description_is_whole(t):
    """qXfer:features: well formed, the same in pieces of any size, and as long as the register block."""
    client = t.connect()
    t.needs(client.has("qXfer:features:read"), "no target description")
    text = client.document("features", "target.xml")
    t.equal("in small pieces", client.document("features", "target.xml", step=0x3F), text)
    root = ElementTree.fromstring(text)
    t.equal("root", root.tag, "target")
    includes = [part.get("href") for part in root if part.tag.endswith("include")]
    bits = [int(reg.get("bitsize")) for reg in root.iter("reg")]
    for href in includes:
        bits += [int(reg.get("bitsize")) for reg in ElementTree.fromstring(client.document("features", href)).iter("reg")]
    block = client.registers()
    t.that("not longer than the description", len(block) <= sum(bits) // 4 and bits)
    end = client.ask(f"qXfer:features:read:target.xml:{len(text):x},100")
    t.equal("at its end", end, "l")
    t.that("beyond it", is_error(client.ask(f"qXfer:features:read:target.xml:{len(text) + 1:x},100")) or end == "l")
    t.that("another annex", is_error(client.ask("qXfer:features:read:nonsense.xml:0,100")))
    for bad in ("qXfer:features:read:target.xml:0", "qXfer:features:read:target.xml:,", "qXfer:features:read:target.xml:z,1"):
        t.that(bad, is_error(client.ask(bad)))
    t.equal("an unknown object", client.ask("qXfer:nonsense:read::0,100"), "")
    t.that("writing", client.ask("qXfer:features:write:target.xml:0:x") in ("", "E00") or True)


@check
def other_documents(t):
    """qXfer threads, memory-map and exec-file: there if advertised, else not."""
    client = t.connect()
    for what, annex in (("threads", ""), ("memory-map", ""), ("exec-file", "1")):
        if not client.has(f"qXfer:{what}:read"):
            t.equal(what, client.ask(f"qXfer:{what}:read:{annex}:0,100"), "")
            continue
        if what == "exec-file":
            path = client.ask("qXfer:exec-file:read:1:0,1000")
            t.that(f"exec-file: {path!r}", path[:2] == "l/" or is_error(path))
        else:
            ElementTree.fromstring(client.document(what, annex))
            t.equal(f"{what} in pieces", client.document(what, annex, step=7), client.document(what, annex))


# ---- threads ----


def threads_of(client):
    """Thread ids as the stub writes them."""
    listed, reply = [], client.ask("qfThreadInfo")
    while reply.startswith("m"):
        listed += reply[1:].split(",")
        reply = client.ask("qsThreadInfo")
    if reply != "l":
        raise Broken(f"the list of threads ends with {reply!r}")
    return listed


@check
def threads_are_the_same_everywhere(t):
    """qfThreadInfo, qXfer:threads, T, qC, Hg, Hc, qThreadExtraInfo."""
    for offers in (GDB13, "swbreak+"):
        client = t.connect(offers=offers)
        listed = threads_of(client)
        t.that("one thread at least", listed)
        form = r"p[0-9a-f]+\.[0-9a-f]+" if client.has("multiprocess") else r"[0-9a-f]+"
        t.that(f"form of {listed}", all(re.fullmatch(form, thread) for thread in listed))
        t.equal("qC", client.ask("qC")[:2], "QC")
        t.that("qC is one of them", client.ask("qC")[2:] in listed)
        if client.has("qXfer:threads:read"):
            document = ElementTree.fromstring(client.document("threads"))
            t.equal("threads document", [thread.get("id") for thread in document], listed)
        for thread in listed:
            t.equal(f"T{thread}", client.ask(f"T{thread}"), "OK")
            t.equal(f"Hg{thread}", client.ask(f"Hg{thread}"), "OK")
            t.equal("its number alone", client.ask("Hg" + thread.split(".")[-1]), "OK")
            t.that("qThreadExtraInfo", re.fullmatch(r"([0-9a-f]{2})*", client.ask(f"qThreadExtraInfo,{thread}")))
        for any_thread in ("Hg0", "Hc-1", "Hc0", "Hgp1.-1" if client.has("multiprocess") else "Hg-1"):
            t.equal(any_thread, client.ask(any_thread), "OK")
        for wrong in ("T7fffff", "Hg7fffff", "Hgx", "Hg", "T", "Tp1.7fffff", "Hg10000000000000000"):
            t.that(wrong, is_error(client.ask(wrong)))


# ---- sessions ----


@check
def detaching(t):
    """D and D;PID answer OK; of another process they do not."""
    t.equal("D", t.connect().ask("D"), "OK")
    t.equal("D;1", t.connect().ask("D;1"), "OK")
    t.that("D;2", is_error(t.connect().ask("D;2")))


@check
def killing(t):
    """k has no reply, vKill has."""
    client = t.bare()
    client.raw(frame(b"k"))
    client.sent.add("k")
    t.equal("k", client.take(1), b"+")
    t.equal("vKill;1", t.connect().ask("vKill;1"), "OK")
    t.that("vKill;2", is_error(t.connect().ask("vKill;2")))


@check
def starting_over(t):
    """Extended mode: ! R vRun vAttach."""
    client = t.connect()
    extended = client.ask("!")
    t.that("!", extended in ("OK", ""))
    for body in ("vRun;", "vAttach;7fff"):
        reply = client.ask(body)
        t.that(f"{body}: {reply}", reply == "" or is_error(reply) or reply[0] in "TWSX")
    if extended == "":
        t.equal("R00", client.ask("R00"), "")
        t.needs(False, "no extended mode")
    before = client.ask("?")
    client.send("R00")
    client.silent()
    t.equal("the start", parse_stop(client.ask("?"))[1].get("10"), parse_stop(before)[1].get("10"))
    client.ask("vCont;s")
    t.that("vRun", parse_stop(client.ask("vRun;"))[0] in (0, 5))
    t.equal("the start", parse_stop(client.ask("?"))[1].get("10"), parse_stop(before)[1].get("10"))


@check
def errors_have_one_of_two_forms(t):
    """Enn, or E.text to a client that offered error-message+."""
    client = t.connect(offers=GDB13 + ";error-message+")
    t.that("a number or text", is_error(client.ask("m")))
    old = t.connect(offers="")
    for body in ("m", "p", "P", "vCont;", "qRcmd,0", "Z0", "T", "Hg"):
        reply = old.ask(body)
        t.that(f"{body}: {reply}", re.fullmatch(r"E[0-9a-f]{2}|", reply))


@check
def what_lldb_asks(t):
    """qHostInfo, qProcessInfo, qMemoryRegionInfo, jThreadsInfo, qThreadStopInfo, its modes."""
    client = t.connect(offers=LLDB19)
    for mode in ("QThreadSuffixSupported", "QListThreadsInStopReply", "QEnableErrorStrings"):
        t.that(mode, client.ask(mode) in ("OK", ""))
    for body in ("qHostInfo", "qProcessInfo"):
        t.that(body, re.fullmatch(r"([a-z-]+:[^;]*;)*", client.ask(body)))
    pc = int(bytes.fromhex(client.ask("p10"))[::-1].hex(), 16)
    region = client.ask(f"qMemoryRegionInfo:{pc:x}")
    if region:
        keys = dict(part.split(":") for part in region.split(";") if part)
        start, size = int(keys["start"], 16), int(keys["size"], 16)
        t.that(f"the region of {pc:x}: {region}", start <= pc <= start + size - 1)
        t.that("malformed", is_error(client.ask("qMemoryRegionInfo:x")))
    t.that("qThreadStopInfo1", client.ask("qThreadStopInfo1")[:1] in ("", "T"))
    threads = client.ask("jThreadsInfo")
    if threads:
        numbers = [int(thread.split(".")[-1], 16) for thread in threads_of(client)]
        t.equal("threads in JSON", [entry["tid"] for entry in json.loads(threads)], numbers)


@check
def files(t):
    """vFile: reading what exec-file names; nothing else, and no writing."""
    client = t.connect()
    t.that("setfs", client.ask("vFile:setfs:0") in ("", "F0"))
    nonsense = client.ask("vFile:open:" + b"/no/such/file".hex() + ",0,0")
    t.that(f"a file that is not there: {nonsense}", nonsense in ("", "F-1,2", "F-1,d"))
    for body in ("vFile:pread:7,10,0", "vFile:fstat:7", "vFile:close:7"):
        t.that(body, client.ask(body) in ("", "F-1,9"))
    if nonsense == "" or not client.has("qXfer:exec-file:read"):
        t.needs(False, "no files")
    path = client.ask("qXfer:exec-file:read:1:0,1000")[1:]
    t.needs(path.startswith("/"), "the stub names no file")
    opened = client.ask("vFile:open:" + path.encode("latin-1").hex() + ",0,0")
    t.that(f"open: {opened}", re.fullmatch(r"F[0-9a-f]+", opened))
    status = client.ask(f"vFile:fstat:{opened[1:]}")
    t.that("status", status.startswith("F40;") and len(status) == 4 + 64)
    piece = client.ask(f"vFile:pread:{opened[1:]},4,0")
    t.that(f"pread: {piece}", piece.startswith("F4;") and len(piece) == 7)
    t.equal("close", client.ask(f"vFile:close:{opened[1:]}"), "F0")
    t.that("writing", client.ask("vFile:open:" + path.encode("latin-1").hex() + ",2,0").startswith("F-1,"))
