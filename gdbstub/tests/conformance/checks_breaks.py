# SPDX-License-Identifier: MIT
"""Running in both directions, the ends of history, breakpoints with conditions and commands."""
from checks_state import pc_of
from rsp import is_error, parse_stop

CHECKS = []
STEPS = 6


def check(function):
    CHECKS.append(function)
    return function


def stop(client, body):
    return parse_stop(client.run(body)[1])[1]


def pc(keys):
    return int(bytes.fromhex(keys["10"])[::-1].hex(), 16)


def history(t, client):
    """Goes to the start; the pcs of the first steps."""
    t.needs(client.has("ReverseStep") and client.has("ReverseContinue"), "not reversible")
    t.equal("back to the start", stop(client, "bc").get("replaylog"), "begin")
    places = [pc_of(client)]
    for _ in range(STEPS):
        places.append(pc(stop(client, "vCont;s:p1.1")))
    return places


def far(t, client, places):
    """A place of the first steps that is not met before its step, with how many steps that is."""
    for steps in range(2, STEPS + 1):
        if places[steps] not in places[:steps]:
            return steps, places[steps]
    return t.needs(False, "the target stays in one place")


@check
def vcont_is_offered_whole(t):
    """vCont? lists c C s S, without all of which gdb does not use it."""
    client = t.connect()
    reply = client.ask("vCont?")
    t.needs(reply != "", "no vCont")
    t.that(reply, reply.startswith("vCont;") and set("cCsS") <= set(reply[6:].split(";")))
    t.that("malformed", all(is_error(client.ask(body)) for body in ("vCont;", "vCont;x", "vCont;s:", "vCont;C", "vCont;s:p9")))


@check
def all_ways_to_step_are_one(t):
    """vCont;s, vCont;S05, s, S05 and vCont;r of an empty range each make one step."""
    expected = None
    for body in ("vCont;s:p1.1", "vCont;s:p1.1;c:p1.-1", "vCont;S05:p1.1", "vCont;s", "s", "S05", "vCont;r1,1:p1.1"):
        client = t.connect()
        keys = stop(client, body)
        expected = expected or keys
        t.equal(body, keys, expected)
        t.equal("as ? says", parse_stop(client.ask("?"))[1].get("10"), keys.get("10"))
    client = t.connect()
    for body in ("s1000", "c1000", "S", "C", "Czz", "S5;1000"):
        t.that(body, is_error(client.ask(body)))


@check
def steps_back_undo_steps(t):
    """bs after s is the same place, registers and all; as many times as one likes."""
    client = t.connect()
    places = history(t, client)
    blocks = [client.registers()]
    for place in places[-2::-1]:
        t.equal("a step back", pc(stop(client, "bs")), place)
        blocks.append(client.registers())
    for block in blocks[-2::-1]:
        stop(client, "vCont;s:p1.1")
        t.equal("registers there", client.registers(), block)
    t.that("arguments", is_error(client.ask("bs;1")) and is_error(client.ask("bc;1")))
    t.that("another name", client.ask("bs1") == client.ask("bcd") == "")


@check
def history_ends(t):
    """At both ends steps and continues say replaylog, and stay."""
    client = t.connect()
    places = history(t, client)
    for body in ("bc", "bs", "bs", "bc"):
        keys = stop(client, body)
        t.equal(body, (keys.get("replaylog"), pc(keys)), ("begin", places[0]))
    for body in ("vCont;c:p1.-1", "vCont;s:p1.1", "c", "C05", "s"):
        keys = stop(client, body)
        t.equal(body, keys.get("replaylog"), "end")
    t.that("the signal is no fault", parse_stop(client.run("c")[1])[0] in (0, 5))
    t.that("back from the end", "replaylog" not in stop(client, "bs"))


@check
def breakpoints_are_hit_in_both_directions(t):
    """With the pc on them; where the run starts: at once forward, not at all backward."""
    for kind, word in (("0", "swbreak"), ("1", "hwbreak")):
        client = t.connect()
        places = history(t, client)
        steps, place = far(t, client, places)
        if client.ask(f"Z{kind},{place:x},1") == "":
            continue
        stop(client, "bc")
        while pc_of(client) != places[0]:
            stop(client, "bc")
        keys = stop(client, "vCont;c:p1.-1")
        t.equal("forward", (pc(keys), keys.get(word)), (place, ""))
        t.equal("forward, starting there", stop(client, "vCont;c:p1.-1"), keys)
        t.equal("a step starting there", stop(client, "vCont;s:p1.1").get(word), None)
        keys = stop(client, "bc")
        t.equal("backward", (pc(keys), keys.get(word)), (place, ""))
        keys = stop(client, "bc")
        t.equal("backward, starting there", keys.get("replaylog"), "begin")
        t.equal("removed", client.ask(f"z{kind},{place:x},1"), "OK")
        t.equal("and again", client.ask(f"z{kind},{place:x},1"), "OK")
        t.equal("not hit any more", stop(client, "vCont;c:p1.-1").get("replaylog"), "end")
        del steps


@check
def breakpoints_are_parsed_strictly(t):
    """Malformed ones are errors, unknown types unsupported; repetition is fine; memory does not show them."""
    client = t.connect()
    here = pc_of(client)
    bytes_here = client.ask(f"m{here:x},4")
    for _ in range(3):
        t.equal("once more", client.ask(f"Z0,{here:x},1"), "OK")
    t.equal("memory", client.ask(f"m{here:x},4"), bytes_here)
    t.equal("Z9", client.ask(f"Z9,{here:x},1"), "")
    for wrong in ("Z", "Z0", "Z0,", "Z0,1", "Z0,1,", "Z0,x,1", "z0,1", "Z0,1,1,", "Z0,10000000000000000,1", "Z2,1000,0",
                  "Z2,ffffffffffffffff,2"):  # fmt: skip
        t.that(wrong, is_error(client.ask(wrong)))
    for watch in ("Z2,{:x},4", "Z3,{:x},4", "Z4,{:x},4"):
        reply = client.ask(watch.format(here))
        t.that(f"{watch}: {reply}", reply in ("OK", "") or is_error(reply))
    t.that("z2", client.ask(f"z2,{here:x},4") in ("OK", ""))


@check
def thousands_of_breakpoints(t):
    """As many as a client likes, or an error; the stub lives."""
    client = t.connect()
    replies = {client.ask(f"Z0,{0x100000 + 16 * i:x},1") for i in range(3000)}
    t.that(f"{replies}", all(reply == "OK" or is_error(reply) for reply in replies))
    t.that("alive", client.ask("qC").startswith("QC"))


@check
def conditions_are_checked_here(t):
    """A false one passes over the breakpoint in both directions, a true one and nonsense stop."""
    client = t.connect()
    t.needs(client.has("ConditionalBreakpoints"), "no conditions")
    _, place = far(t, client, history(t, client))
    stop(client, "bc")
    for code, hit in (("220027", False), ("220127", True), ("2205220227", True), ("ff", True), ("210000", True)):
        insert, remove = f"Z0,{place:x},1;X{len(code) // 2:x},{code}", f"z0,{place:x},1"
        for way, body, onward in (("forward", "vCont;c:p1.-1", "vCont;c:p1.-1"), ("backward", "bc", "bc")):
            t.equal(insert, client.ask(insert), "OK")
            keys = stop(client, body)
            t.equal(f"{code} {way}", (pc(keys) == place, "replaylog" in keys), (hit, not hit))
            t.equal(remove, client.ask(remove), "OK")
            t.that("to the end", "replaylog" in stop(client, onward))
    two = f"Z0,{place:x},1;X3,220027X3,220127"
    t.equal("two", client.ask(two), "OK")
    t.equal("one of two suffices", pc(stop(client, "vCont;c:p1.-1")), place)
    for wrong in (";", ";X", ";X3,22", ";X3", ";Xffffffffffffffff,22", ";X3,22002z", ";Y1,00"):
        t.that(wrong, is_error(client.ask(f"Z0,{place:x},1{wrong}")))


@check
def commands_print_and_go_on(t):
    """A breakpoint with commands prints each time it is met, and does not stop."""
    client = t.connect()
    t.needs(client.has("BreakpointCommands"), "no commands")
    places = history(t, client)
    _, place = far(t, client, places)
    format_ = b"met %d\\n\0"
    code = bytes.fromhex("22072200220034") + b"\x01" + len(format_).to_bytes(2, "big") + format_ + b"\x27"
    t.equal("Z0", client.ask(f"Z0,{place:x},1;cmds:0,X{len(code):x},{code.hex()}"), "OK")
    stop(client, "bc")
    printed, reply = client.run("vCont;c:p1.-1")
    t.equal("forward", parse_stop(reply)[1].get("replaylog"), "end")
    times = printed.count("met 7\n")
    t.that(f"forward: {printed!r}", times and printed.count("\n") >= times)
    printed, reply = client.run("bc")
    t.equal("backward", parse_stop(reply)[1].get("replaylog"), "begin")
    t.equal(f"as many times backward: {printed!r}", printed.count("met 7\n"), times)
    for wrong in (";cmds:", ";cmds:0", ";cmds:0,", ";cmds:0,X", ";cmds:x,X1,27", ";cmds:0,X2,27"):
        t.that(wrong, is_error(client.ask(f"Z0,{place:x},1{wrong}")))
