# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot disk of a run: Xen, the dom0 kernel and its initramfs as memory will hold them, and the
option ROM that puts them there."""
import gzip
import stat
import struct
import subprocess
from pathlib import Path

ROM_ADDRESS = 0xD0000
LOAD_UNIT = 256 * 512  # what the ROM reads at once
MIB = 1 << 20
CYLINDER = 16 * 63 * 512  # Bochs wants whole ones


def align(value, unit):
    return -(-value // unit) * unit


class Cpio:
    """An initramfs in the making: a cpio archive of the `newc` kind."""

    def __init__(self):
        self.parts = []
        self.inode = 0
        self.folders = {"."}

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]

    def _parents(self, name):
        for folder in reversed([str(p) for p in Path(name).parents]):
            self.folder(folder)

    def folder(self, name):
        if name not in self.folders:
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o755):
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def console(self):
        """init's stdin, stdout and stderr; the kernel opens it before anything is mounted."""
        self.folder("dev")
        self._entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self.parts)


def xen_segments(path):
    """Entry point and (address, bytes, size in memory) of each segment of Xen's 32-bit ELF file."""
    elf = gzip.decompress(Path(path).read_bytes())
    if elf[:5] != b"\x7fELF\x01":
        raise ValueError(f"{path} is not a compressed 32-bit ELF file")
    entry, table = struct.unpack_from("<II", elf, 24)
    (count,) = struct.unpack_from("<H", elf, 44)
    headers = [struct.unpack_from("<8I", elf, table + 32 * i) for i in range(count)]
    load = [(pa, elf[off : off + size], room) for kind, off, _, pa, size, room, *_ in headers if kind == 1]
    return entry, load


def multiboot_info(address, command, modules):
    """The information structure, modules and strings, to be loaded at `address`.
    Source: Multiboot 0.6.96, "Boot information format"."""
    texts = address + 128 + 16 * len(modules)
    strings = b""
    table = b""
    for start, end, text in modules:
        table += struct.pack("<4I", start, end, texts + len(strings), 0)
        strings += text.encode() + b"\0"
    flags = 1 << 2 | 1 << 3  # command line, modules
    head = struct.pack("<7I", flags, 0, 0, 0, texts + len(strings), len(modules), address + 128)
    return head.ljust(128, b"\0") + table + strings + command.encode() + b"\0"


def write_image(folder, xen, kernel, initramfs, xen_command, kernel_command):
    """Write boot.img and boot.rom into `folder`; the size of the machine's use of memory is returned."""
    entry, segments = xen_segments(xen)
    base = min(address for address, _, _ in segments)
    memory = bytearray()

    def put(address, data):
        memory.extend(bytes(max(0, address - base - len(memory))))
        memory[address - base : address - base + len(data)] = data

    for address, data, _ in segments:
        put(address, data)
    info = align(max(address + room for address, _, room in segments), MIB)
    modules = []
    end = info + MIB
    for data, text in ((Path(kernel).read_bytes(), kernel_command), (initramfs, "")):
        modules.append((end, end + len(data), text))
        put(end, data)
        end = align(end + len(data), MIB)
    put(info, multiboot_info(info, xen_command, modules))

    sectors = align(len(memory), LOAD_UNIT) // 512
    memory.extend(bytes(align(len(memory), LOAD_UNIT) - len(memory)))
    memory.extend(bytes(-len(memory) % CYLINDER))
    Path(folder, "boot.img").write_bytes(memory)
    write_rom(folder, {"BASE": base, "SECTORS": sectors, "ENTRY": entry, "MBI": info})


def write_rom(folder, symbols):
    target = Path(folder, "boot.rom")
    source = Path(__file__).with_name("bootrom.S")
    command = ["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-o", target, source]
    command += ["-Wl,--build-id=none,--oformat=binary", f"-Wl,-Ttext={ROM_ADDRESS:#x}"]
    command += [f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()]
    subprocess.run(command, check=True)
    rom = bytearray(target.read_bytes().ljust(512, b"\0"))
    if len(rom) != 512:
        raise ValueError("the boot ROM has outgrown its 512 bytes")
    rom[-1] = -sum(rom[:-1]) & 0xFF  # the BIOS wants the sum to be zero
    target.write_bytes(rom)
