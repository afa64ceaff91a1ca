#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same guest on two releases of Xen must exit alike: same_across_releases.py A.db B.db

Compared, exit by exit over the exits that the guest caused: reason, qualification, addresses, and every
register before and after.  What the releases answer differently is listed below, and must differ there; the
guest keeps digests and counts of the answers in a few registers, and writes its verdict from them.
"""
import sys

from same_recording import story

sys.dont_write_bytecode = True
CPUID, VMCALL, RDMSR, WRMSR = 10, 18, 31, 32
UNKNOWN_MSR = 0x12345

# What is asked for: reason, register, its value; what of the answer differs; why.
ANSWERS = [
    (CPUID, "rax", 0x80000008, "after_rbx", "features that the older release does not know"),
    (CPUID, "rax", 0x40000001, "after_rax", "the version of Xen"),
    (VMCALL, "rax", 17, "after_rax", "the version of Xen"),
    (RDMSR, "rcx", UNKNOWN_MSR, "after_rip", "Xen 4.14 lets guests at MSRs that it does not know"),
    (WRMSR, "rcx", UNKNOWN_MSR, "after_rip", "the same"),
]
# Where tour keeps what it made of them.
KEPT = {"rbx", "rdx", "rsi", "rdi", "r14"}


def expected(told):
    """What differs at this exit itself."""
    return {
        name
        for reason, register, value, name, _ in ANSWERS
        if told["reason"] & 0xFFFF == reason and told[register] == value
    }


def main(first, second):
    values = differences = 0
    met = set()
    a, b = list(story(first)), list(story(second))
    if len(a) != len(b):
        sys.exit(f"{first} has {len(a)} exits of the guest, {second} has {len(b)}")
    for (n, x), (m, y) in zip(a, b):
        answer = expected(x)
        names = [name for name in x if not name.startswith("page")]
        differing = {name for name in names if x[name] != y[name]}
        kept = {name for name in differing if name.removeprefix("after_") in KEPT}
        wrong = differing - kept - answer
        if wrong or (kept and not met and not answer):
            sys.exit(f"exits {n} and {m} (reason {x['reason']}) differ in {', '.join(sorted(wrong | kept))}")
        met |= {(x["reason"], name) for name in answer & differing}
        values += len(names)
        differences += len(differing)
    missing = [why for reason, _, _, name, why in ANSWERS if (reason, name) not in met]
    if missing:
        sys.exit(f"not seen to differ: {'; '.join(missing)}")
    if not a or differences > values / 100:
        sys.exit(f"{len(a)} exits: {differences} of {values} values differ")
    print(f"{len(a)} exits of the guest alike; of {values} values {differences} differ, as the releases do")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
