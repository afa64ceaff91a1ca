# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine in Bochs: starts it, follows its serial port, and ends it in every case."""
import subprocess
import time
from pathlib import Path

CONFIG = """\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, gameport=0
config_interface: textconfig
display_library: rfb, options="timeout=0"
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
cpu: model={cpu}, count=1, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
optromimage1: file=boot.rom, address=0xd0000
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=946684800
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=boot.img, mode=flat
ata0-slave: type=disk, path=out.img, mode=flat
com1: enabled=1, mode=file, dev=serial.log
port_e9_hack: enabled=0
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""
OUT_DISK_BYTES = 8192 * 16 * 63 * 512  # sparse: costs what is written


class Error(Exception):
    """Bochs cannot be run here; the text says why and what to do."""


def private_network():
    """The command that runs another one without a network: Bochs' display listens on every address, with
    no password."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return command
    raise Error(
        "cannot make a network namespace, and without one Bochs' display would listen on the network.\n"
        "Run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)."
    )


class Machine:
    """One run of Bochs in `folder`, which holds boot.img and boot.rom.  Use in a `with` statement: at its
    end Bochs is dead."""

    def __init__(self, folder, cpu, ips, memory):
        self.folder = Path(folder)
        self.command = private_network()
        config = CONFIG.format(cpu=cpu, ips=ips, memory=memory)
        (self.folder / "bochsrc").write_text(config)
        (self.folder / "debugger").write_text("continue\n")  # Debian's Bochs has it built in
        with open(self.folder / "out.img", "wb") as disk:
            disk.truncate(OUT_DISK_BYTES)

    def __enter__(self):
        # The session of its own keeps the terminal's Ctrl-C from Bochs' debugger; the death signal ends
        # Bochs if we are killed.
        command = [*self.command, "setpriv", "--pdeathsig", "KILL"]
        command += ["bochs-bin", "-q", "-f", "bochsrc", "-rc", "debugger"]
        with open(self.folder / "bochs.out", "wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def serial(self, interval=0.05):
        """Yield what the serial port sends, b"" every `interval` seconds when it is quiet; ends with Bochs."""
        position = 0
        path = self.folder / "serial.log"
        ended = False
        while not ended:
            ended = self.process.poll() is not None
            data = b""
            if path.exists():
                with open(path, "rb") as log:
                    log.seek(position)
                    data = log.read()
            position += len(data)
            yield data
            if not data and not ended:
                time.sleep(interval)

    def complaint(self):
        """The last words of Bochs itself."""
        text = ""
        for name in ("bochs.log", "bochs.out"):
            path = self.folder / name
            if path.exists():
                text += path.read_text(errors="replace")
        lines = [line for line in text.splitlines() if "PANIC" in line or "rror" in line]
        return "\n".join(lines[-5:])
