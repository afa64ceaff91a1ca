#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make-initrd.py INIT OUTPUT: an initramfs whose only program is INIT."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "xen"))
sys.dont_write_bytecode = True
import image

init, output = sys.argv[1:]
cpio = image.Cpio()
cpio.console()
cpio.file("init", Path(init).read_bytes())
Path(output).write_bytes(cpio.bytes())
