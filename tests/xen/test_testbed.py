#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed keeps its promises: files, output and exit status come out of dom0 whole, a run that hangs,
crashes or is interrupted says so, and nothing is left behind."""
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

DOM0 = Path(__file__).resolve().with_name("dom0.py")

GOOD = """
echo from stdout; echo from stderr >&2
cat data.bin /vmlinux > /out/big
md5sum < /out/big > /out/sum
mkdir -p '/out/a folder/b'; echo x > '/out/a folder/b/c'
[ "$(echo $(grep -cE '^flags.* (rdrand|rdseed)' /proc/cpuinfo))" = 0 ] || exit 99
exit 42
"""


class Testbed(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        (self.folder / "tmp").mkdir()
        self.out = self.folder / "out"

    def start(self, text, *options):
        script = self.folder / "script.sh"
        script.write_text(text)
        command = [DOM0, "--out", self.out, *options, script]
        environment = dict(os.environ, TMPDIR=str(self.folder / "tmp"))
        if "data" in text:
            (self.folder / "data.bin").write_bytes(bytes(range(256)) * 4000 + b"odd")
            command.append(self.folder / "data.bin")
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def finish(self, process):
        output, errors = process.communicate(timeout=300)
        self.assertEqual(list((self.folder / "tmp").iterdir()), [], "temporary files are left")
        return output, errors

    def test_files_output_and_status(self):
        process = self.start(GOOD)
        output, errors = self.finish(process)
        self.assertEqual(process.returncode, 42, errors)
        self.assertEqual(output.split("\n")[:2], ["from stdout", "from stderr"])
        big = (self.out / "big").read_bytes()
        self.assertTrue(big.startswith(bytes(range(256)) * 4000 + b"odd\x7fELF"))
        self.assertEqual((self.out / "sum").read_text().split()[0], hashlib.md5(big).hexdigest())
        self.assertEqual((self.out / "a folder/b/c").read_text(), "x\n")
        log = (self.out / "serial.log").read_text()
        self.assertRegex(log, "Support for HVM VMs: EAGER_FPU")
        self.assertRegex(log, "Hardware Assisted Paging .HAP. detected")
        shell_after = float(re.search(r"dom0 is up after ([0-9.]+) s", errors)[1])
        self.assertLess(shell_after, 60, "dom0 takes far too long to boot")

    def test_hang_ends_with_a_message(self):
        process = self.start("echo waiting; while :; do sleep 1; done", "--timeout", "25")
        output, errors = self.finish(process)
        self.assertEqual(process.returncode, 124, errors)
        self.assertIn("waiting", output)
        self.assertIn("time limit: still running after 25", errors)

    def test_crash_of_dom0_is_told(self):
        process = self.start("echo c > /proc/sysrq-trigger; kill -9 1; sleep 1; kill -SEGV 1; sleep 100", "--timeout", "60")
        _, errors = self.finish(process)
        self.assertEqual(process.returncode, 125, errors)
        self.assertIn("crashed", errors)

    def test_interrupt_leaves_nothing(self):
        process = self.start("echo data; echo up; sleep 1000")
        self.assertEqual(process.stdout.readline(), "data\n")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        process.send_signal(signal.SIGINT)
        _, errors = self.finish(process)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("interrupted", errors)
        self.assertFalse(Path(f"/proc/{children[0]}").exists(), "Bochs is still running")

    def test_display_is_not_on_the_network(self):
        process = self.start("echo up; sleep 1000")
        process.stdout.readline()
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        try:
            self.assertNotEqual(os.readlink(f"/proc/{child}/ns/net"), os.readlink("/proc/self/ns/net"))
            links = Path(f"/proc/{child}/net/dev").read_text().splitlines()[2:]
            self.assertEqual([line.split(":")[0].strip() for line in links], ["lo"])
        finally:
            process.send_signal(signal.SIGTERM)
            self.finish(process)
        self.assertEqual(process.returncode, 143)


if __name__ == "__main__":
    unittest.main(verbosity=2)
