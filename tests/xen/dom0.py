#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a shell script in dom0 of a real Xen, in Bochs.

The script starts in /in, where FILES lie beside it.  What it leaves in /out comes back to the host, its
exit status becomes ours.  125 means that the testbed failed, 124 that the time limit was reached."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it is
import bochs  # noqa: E402
import image  # noqa: E402

HERE = Path(__file__).resolve().parent
STARTED = int(os.environ.get("XRW_STARTED", time.time()))
FAILED, TIMED_OUT = 125, 124

# Guests are fit for re-execution: RDRAND and RDSEED hidden, interrupts not delivered by the CPU alone,
# no lazily loaded FPU.  No XSAVEC for dom0's kernel: Bochs 2.7 cannot do it right (tests/xen/README.md).
# A crash ends Bochs through a triple fault.
XEN_COMMAND = (
    "xen console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning reboot=triple edd=off "
    "bootscrub=0 dom0_mem={dom0}M,max:{dom0}M hap=1 hap_1gb=0 hap_2mb=0 xpti=no spec-ctrl=no,eager-fpu "
    "cpuid=no-rdrand,no-rdseed,no-xsavec apicv=0"
)
KERNEL_COMMAND = "vmlinux console=hvc0 quiet panic=1 rodata=off clearcpuid=fsrm swiotlb=2048"
XEN_RELEASE = "4.17"
CPU, MHZ, MEMORY, DOM0_MEMORY = "corei7_haswell_4770", 50, 768, 384

MARK = b"XENREWIND-DOM0: "
CRASHES = re.compile(rb"Panic on CPU|Kernel panic|Hardware Dom0 |FATAL TRAP|Xen BUG|DOUBLE FAULT")


def say(text):
    print(f"[{time.time() - STARTED:4.0f} s] {text}", file=sys.stderr, flush=True)


class Failure(Exception):
    """Ends the run with a message and an exit status."""

    def __init__(self, text, status=FAILED):
        super().__init__(text)
        self.status = status


class Console:
    """Splits what comes from the serial port: the script's output goes to stdout as it comes, Xen's and
    the kernel's lines are only kept."""

    def __init__(self, on_mark):
        self.log = b""
        self.pending = b""
        self.on_mark = on_mark
        self.live = False

    def feed(self, data):
        self.log += data
        self.pending += data
        *lines, self.pending = self.pending.split(b"\n")
        for line in lines:
            self._line(line.rstrip(b"\r"))
        may_be_special = (b"(XEN) ", b"(d", MARK)
        quiet = not data and not any(m.startswith(self.pending[: len(m)]) for m in may_be_special)
        if self.pending and quiet and self.live and not self.pending.endswith(b"\r"):
            self._write(self.pending)
            self.pending = b""

    def _line(self, line):
        if line.startswith(MARK):
            mark = line[len(MARK) :].decode()
            self.live = mark == "up"
            self.on_mark(mark)
        elif self.live and not line.startswith(b"(XEN) "):
            self._write(line + b"\n")

    def _write(self, data):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def tail(self, count=20):
        lines = self.log.decode(errors="replace").replace("\r", "").splitlines()
        return "\n".join("    " + line for line in [line for line in lines if line.strip()][-count:])


def artefact(script, *arguments):
    """The folder of a thing that is built once; building says what it does on stderr."""
    command = [HERE / script, *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise Failure(f"{script} failed")
    return Path(result.stdout.strip())


def shared_libraries(program, **environment):
    """Paths of what the dynamic linker loads for `program`."""
    command = ["ldd", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    for line in result.stdout.splitlines():
        if "not found" in line:
            raise Failure(f"{program}: {line.strip()}")
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if match:
            yield match[1]


TOOLS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0")


def tools(root):
    """(target, file here) of Debian's toolstack and of its libraries: its own ones in a folder of their own."""
    own = root / "usr/lib/x86_64-linux-gnu"
    libraries = {Path("/lib/x86_64-linux-gnu/libgcc_s.so.1")} # opened where a thread is cancelled
    for name in TOOLS:
        program = root / f"usr/lib/xen-{XEN_RELEASE}/bin" / name
        yield f"bin/{program.name}", program
        libraries.update(map(Path, shared_libraries(program, LD_LIBRARY_PATH=str(own))))
    for library in sorted(libraries):
        yield f"usr/lib/tools/{library.name}" if library.parent == own else str(library).lstrip("/"), library


def initramfs(build, kernel, script, files, tools_root):
    cpio = image.Cpio()
    cpio.console()
    for name in ("proc", "sys", "out", "tmp", "in", "bin", "etc"):
        cpio.folder(name)
    cpio.file("init", (HERE / "init").read_bytes())
    cpio.file("bin/busybox", Path("/bin/busybox").read_bytes())
    cpio.file("vmlinux", (kernel / "vmlinux-boot").read_bytes())
    wanted = [line.rsplit(maxsplit=1) for line in listed_files(build)]
    libraries = set()
    for source, target in wanted:
        if not Path(source).exists():
            raise Failure(f"{source} is not built yet")
        cpio.file(target.lstrip("/"), Path(source).read_bytes())
        libraries.update(shared_libraries(source))
    for library in sorted(libraries):
        cpio.file(library.lstrip("/"), Path(library).read_bytes())
    for target, path in tools(tools_root) if tools_root else ():
        if str(path) not in libraries:
            cpio.file(target, path.read_bytes())
    cpio.file("etc/script", script.name.encode())
    for path in dict.fromkeys([script, *files]):
        cpio.file(f"in/{path.name}", path.read_bytes(), path.stat().st_mode & 0o777)
    return cpio.bytes()


def listed_files(build):
    """Lines `SOURCE TARGET` of what the build made for dom0."""
    if build is None:
        return []
    path = build / "testbed-files.txt"
    if not path.exists():
        raise Failure(f"{path} is missing: is {build} a configured build folder?")
    return [line for line in path.read_text().splitlines() if line.strip()]


def follow(machine, console, limit):
    """Stream until the machine ends or is not worth waiting for; says why it was given up, or None."""
    deadline = time.time() + limit
    crash_at = None
    for data in machine.serial():
        console.feed(data)
        if crash_at is None and CRASHES.search(console.log[-4096:]):
            crash_at = time.time()
        if crash_at is not None and time.time() > crash_at + 2:
            return "Xen or dom0 crashed"
        if time.time() > deadline:
            raise Failure(f"time limit: still running after {limit} s. Last lines:\n{console.tail()}", TIMED_OUT)
    return "Xen or dom0 crashed" if crash_at else None


def take_out(disk, target):
    """Unpack /out from the disk that dom0 wrote; the script's exit status, or None if it is not there."""
    try:
        with tarfile.open(disk, "r:") as tar:
            for member in tar:
                parts = Path(member.name).parts
                if member.name == "status":
                    return int(tar.extractfile(member).read())
                if parts[:1] != ("out",) or ".." in parts:
                    continue
                path = target.joinpath(*parts[1:])
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                elif member.isfile():
                    with tar.extractfile(member) as source, open(path, "wb") as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)
    except (tarfile.TarError, ValueError):
        pass
    return None


def run(args, folder):
    if args.stock_xen:
        xen = artefact("debian-source.sh", "stock-xen", args.xen_release)
    else:
        xen = artefact("build-xen.sh", args.xen_release)
    kernel = artefact("build-kernel.sh")
    tools_root = artefact("debian-source.sh", "xen-tools") / "root" if args.tools else None
    say("booting Xen in Bochs")
    started = time.time()
    image.write_image(
        folder,
        xen / "xen.gz",
        kernel / "vmlinux-boot",
        initramfs(args.build, kernel, args.script, args.files, tools_root),
        XEN_COMMAND.format(dom0=DOM0_MEMORY) + f" {args.xen_args}",
        KERNEL_COMMAND,
    )

    def on_mark(mark):
        if mark == "up":
            say(f"dom0 is up after {time.time() - started:.1f} s; running {args.script.name}")
        else:
            say("the script has ended; dom0 sends its files")

    console = Console(on_mark)
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with bochs.Machine(folder, args.cpu, args.mhz * 1_000_000, MEMORY) as machine:
            trouble = follow(machine, console, args.timeout)
    finally:
        (args.out / "serial.log").write_bytes(console.log)
    status = take_out(folder / "out.img", args.out)
    if status is None:
        reason = trouble or f"the machine ended before the script did {machine.complaint()}"
        raise Failure(f"{reason}. Last lines ({args.out}/serial.log has all):\n{console.tail()}")
    say(f"exit status {status}; run {time.time() - started:.1f} s; /out is in {args.out}")
    return status


def existing_file(text):
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path.resolve()


def parse():
    parser = argparse.ArgumentParser(
        prog="run xen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("script", type=existing_file, metavar="SCRIPT", help="shell script to run in dom0")
    parser.add_argument("files", type=existing_file, nargs="*", metavar="FILES", help="copied to /in")
    parser.add_argument("--out", type=Path, default=Path("xen-out"), help="folder for what is in /out (%(default)s)")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="seconds (%(default)s)")
    build = os.environ.get("XENREWIND_TESTBED_BUILD")
    parser.add_argument(
        "--build",
        type=Path,
        default=build and Path(build),
        help="build folder whose testbed-files.txt goes into dom0 ($XENREWIND_TESTBED_BUILD); "
        "with --xen-release R its neighbour of that name with -R appended",
    )
    parser.add_argument("--cpu", default=CPU, help="CPU model of Bochs (%(default)s)")
    parser.add_argument(
        "--mhz",
        type=int,
        default=MHZ,
        metavar="N",
        help="millions of instructions that are a second of the machine's time (%(default)s): what takes "
        "instructions takes less of its time with more, and waits take more of yours",
    )
    parser.add_argument(
        "--xen-release",
        default=XEN_RELEASE,
        metavar="R",
        help="release of Xen, with what was built for it: 4.14, 4.17 or 4.20 (%(default)s)",
    )
    parser.add_argument("--stock-xen", action="store_true", help="Debian's own Xen: no VM forks, no patches")
    parser.add_argument("--tools", action="store_true", help="with Debian's xl, xenstored and xenconsoled")
    parser.add_argument("--xen-args", default="", metavar="TEXT", help="more of Xen's command line")
    args = parser.parse_args()
    if args.tools and args.xen_release != XEN_RELEASE:
        parser.error(f"--tools: there are those of Xen {XEN_RELEASE} alone")
    if args.build and args.xen_release != XEN_RELEASE:
        args.build = args.build.with_name(f"{args.build.name}-{args.xen_release}")
    return args


def main():
    args = parse()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    try:
        with tempfile.TemporaryDirectory(prefix="xenrewind-", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            return run(args, Path(folder))
    except (Failure, bochs.Error, OSError) as error:
        print(f"xenrewind testbed: {error}", file=sys.stderr)
        return getattr(error, "status", FAILED)
    except KeyboardInterrupt:
        print("\nxenrewind testbed: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
