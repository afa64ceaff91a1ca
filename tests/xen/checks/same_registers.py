#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a recording in async or sync mode says of its exits must equal one in pause mode:
same_registers.py [--prefix] A.db PAUSE.db

Compared, exit by exit over the exits that the guest caused: reason, addresses, and each register before
and after that both know.  --prefix: A ends earlier, and memory is compared too.

Left out: MOV DR (29), which exits more often where the guest is held, as that takes the registers from it."""
import sys

from same_recording import story

sys.dont_write_bytecode = True
MOV_DR = (29, *range(0x1020, 0x1040))  # of VMX, of SVM


def guest_story(path):
    """The exits that come in every mode."""
    return (told for told in story(path) if told[1]["reason"] & 0xFFFF not in MOV_DR)


def compare(exits, told, known, with_pages):
    """Number of values compared; exits on a difference."""
    compared = 0
    for name in sorted(told.keys() | known.keys()):
        if name == "has_after" or (name.startswith("page") and not with_pages):
            continue
        if name.startswith("after") and not (told["has_after"] and known["has_after"]):
            continue
        left, right = told.get(name), known.get(name)
        # An event of stock Xen lacks these, and before an exit some registers are not known.
        if None in (left, right) and not name.startswith("after"):
            continue
        if left != right:
            sys.exit(f"exits {exits[0]} and {exits[1]} differ in {name}: {left} / {right}")
        compared += 1
    return compared


def main(path, pause_path, prefix):
    count = values = held = 0
    a, b = guest_story(path), guest_story(pause_path)
    while True:
        x, y = next(a, None), next(b, None)
        if x is None and (y is None or prefix):
            break
        if x is None or y is None:
            sys.exit(f"{pause_path if x is None else path} goes on after {count} equal exits of the guest")
        values += compare((x[0], y[0]), x[1], y[1], prefix)
        held += x[1]["has_after"]
        count += 1
    if values < 20 * count or not count:
        sys.exit(f"too little was compared: {count} exits, {values} values")
    print(f"{count} exits of the guest, {values} values equal; the state after {held} of them is known")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--prefix"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    main(*arguments, "--prefix" in sys.argv)
