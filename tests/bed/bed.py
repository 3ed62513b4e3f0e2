#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""bed.py [--report] [--name NAME] SCENARIO: boots Xen in an emulator and runs one scenario in dom0.

Settings come from the environment, then from the scenario's "# bed:" header, then from DEFAULTS below (and the
emulator's, where they differ); "# qemu:" lines of the scenario are added to QEMU's arguments. Everything about the run
is kept in build/runs/NAME/:

    serial.log   Xen's and dom0's console, each line with the seconds since the start
    command      the emulator's command line
    bochsrc      Bochs' configuration
    qemu.log, bochs.log    what the emulator said
    results      the TAP lines
    iommu.trace  what QEMU saw of the IOMMU, if there is one
    files/       what the scenario saved: stream, timings, guests' consoles
    host.log     output of the helper on the host, if there is one

A run always ends: at the scenario's end mark, when Xen or dom0's kernel panics, when the emulator exits, or
after TIMEOUT seconds of its CPU time (see DEFAULTS) or as long without anything new. Results arrive over a debug port of the emulator (see progs/tohost.c), not over the
console, so that a message of Xen in the middle of a line cannot lose one.
"""
import argparse
import collections
import glob
import gzip
import itertools
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bochs import Bochs
from emulator import BUILD, TOP, Refused
from qemu import Qemu

BED = TOP / "tests" / "bed"
KIND = os.environ.get("KIND", "debug")
XEN = TOP / os.environ.get("XEN_DIR", "build/xen")   # where make has built both

DEFAULTS = {
    "XEN_FROM": str(XEN / f"source-{KIND}/xen/xen"),
    "XEN_TO": str(XEN / f"target-{KIND}/xen/xen"),
    "XEN_ARGS": "liveupdate=64M",   # added to Xen's command line
    "SMP": "1",                     # physical CPUs
    "MEM": "3072",                  # the host's memory in MiB
    "DOM0_MEM": "1024M",
    "DOM0_VCPUS": "",               # default: as many as there are CPUs
    "DOM0_ARGS": "",                # added to dom0's kernel command line
    "UPDATE": "lu",                 # lu, kexec-tools or none
    "WITHOUT": "",                  # what XEN_FROM is built with and XEN_TO may lack: xen-liveupdate stage --without
    "UPDATES": "1",                 # how many, one after the other
    "RETURNS": "",                  # PHASE:NAME,...: before each update, targets that fail there and come back (debug builds)
    "ALTERNATE": "1",               # 1: target, source, target, ...; 0: always the target
    "HVM": "0",                     # 1: dom0 has what HVM guests need (a device model, their kernel)
    "TOOLS": "",                    # 4.20: dom0 has the tools of that Xen as well, in /usr/lib/xen-4.20
    "GUEST": "pv",                  # kind of the guests that do not say another: pv, pvh, hvm
    "NET": "",                      # dom0's network card: e1000e, e1000, virtio-net, ...
    "DISK": "0",                    # MiB: dom0 has a disk (virtio), the file "disk" in the run's directory
    "FIRMWARE": "bios",             # bios, efi (Xen is started by GRUB), xen.efi (by the firmware itself)
    "IOMMU": "none",                # none, amdvi, vtd, amdvi-x2apic, vtd-x2apic: with interrupt remapping, on a machine q35
    "ICOUNT": "",                   # 0, 1, 2 ...: the deterministic mode with this shift
    "EMULATOR": "qemu",             # qemu or bochs
    "CPU": "qemu64,+svm,+npt,+rdrand",  # the emulator's model (without rdrand each xl create waits 3 s for random numbers)
    "QEMU": "",                     # default: ours, where it was built, see qemu.program()
    "ACCEL": "",                    # default: one thread for all CPUs, see Qemu.ONE_THREAD
    "MACHINE": "pc",
    "QEMU_ARGS": "",                # @RUN@ in it: the run's directory
    "BOCHS": "build/bochs/bochs",
    "BUDGET": "0",                  # CPU seconds that the run is expected to take, on a machine that does nothing else; 0: not known
    "SLOWDOWN": "1",                # the emulated machine's clocks take so many seconds for one; auto: as many as this machine needs, see emulator.slowness()
    "TIMEOUT": "300",               # CPU seconds of each of the emulator's threads; twice that if QEMU's CPUs share one; Bochs: four times
    "FILES": "",                    # put into dom0's /bed/files
    "SEED": "",                     # for scenarios with random operations; default: another one each time
    "ARGS": "",                     # words "name=value" that only the scenario itself knows
}
# A comma in the header makes one run for each of these.
MATRIX = ("SMP", "NET", "IOMMU", "UPDATE", "DOM0_VCPUS", "GUEST", "FIRMWARE")

# Before a command: it is ended when this program is, however that ends.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
EMULATORS = {"qemu": Qemu, "bochs": Bochs}
PANIC = re.compile(r"Panic on CPU|FATAL TRAP|Kernel panic|Xen BUG at|Manual reset required")
# Debug builds tell for how long an update's preparations and the like kept a CPU at most.
SLICE = re.compile(r"liveupdate: the longest slice of (.*) took (\d+) us")
# Between two looks at the clock; an instruction is a ns times two to the power of ICOUNT.
MAX_STEP_US = 500
# The scenario used a command that dom0's image does not have: what it was to check was not checked.
NO_COMMAND = re.compile(r"line \d+: (\S+): not found$")


def variants(scenario, long_run=False):
    """The settings of every run that a scenario's header asks for, as a list of dictionaries.

    "# bed: smp=1,2 mem=4096" asks for two; "# bed-long:" lines count in long runs only. With nothing but
    these there is no other run.
    """
    found = []
    lines = [m for m in (re.match(r"# bed(-long)?:(.*)", line)
                         for line in Path(scenario).read_text().splitlines()) if m]
    if lines and all(m[1] for m in lines) and not long_run:
        return []
    for m in lines:
        if m[1] and not long_run:
            continue
        words = dict(w.split("=", 1) for w in shlex.split(m[2]))
        words = {k.upper(): v for k, v in words.items()}
        unknown = words.keys() - DEFAULTS.keys()
        if unknown:
            sys.exit(f"{scenario}: unknown setting {', '.join(sorted(unknown))}")
        matrix = MATRIX + emulator_of(words).MATRIX
        choices = [[(k, x) for x in (v.split(",") if k in matrix else [v])] for k, v in words.items()]
        for combination in itertools.product(*choices):
            v = {**dict(combination), **{k: os.environ[k] for k in DEFAULTS if os.environ.get(k)}}
            if with_defaults(v) not in map(with_defaults, found):
                found.append(v)
    return found or [{k: os.environ[k] for k in DEFAULTS if os.environ.get(k)}]


def missing(settings):
    """Why a run cannot be made here, or None: what it needs was not built, as it cannot be had everywhere."""
    s = with_defaults(settings)
    needs = [s["XEN_FROM"]] + [s["XEN_TO"]] * (s["UPDATE"] != "none")
    for f in needs + [f"build/images/tools-{s['TOOLS']}.cpio"] * bool(s["TOOLS"]):
        if not (TOP / f).exists():
            return f"{f} is not there"
    return emulator_of(settings).missing(s)


def emulator_of(settings):
    """The class of the emulator that these settings name."""
    name = settings.get("EMULATOR", DEFAULTS["EMULATOR"])
    if name not in EMULATORS:
        sys.exit(f"bed: no such emulator: {name}; there is {', '.join(EMULATORS)}")
    return EMULATORS[name]


def with_defaults(settings):
    """All settings of a run."""
    return {**DEFAULTS, **emulator_of(settings).DEFAULTS, **settings}


def run_name(scenario, settings):
    """boot-smp1, tcp-smp2-e1000, dom0-smp1-bochs-ryzen: the scenario and what tells its runs apart."""
    parts = [Path(scenario).stem, "smp" + settings.get("SMP", DEFAULTS["SMP"])]
    parts += [settings[k] for k in ("FIRMWARE", "GUEST", "NET", "IOMMU", "UPDATE") if settings.get(k) and settings[k] != DEFAULTS[k]]
    parts += ["returns"] if settings.get("RETURNS") else []
    if emulator_of(settings) is not Qemu:
        settings = with_defaults(settings)
        parts += [settings["EMULATOR"], settings["CPU"]]
    return "-".join(parts)


def number_names(names):
    """The same names, of which those that were there before get a number: a, b, a-2, a-3."""
    seen = collections.Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


class HostLink:
    """Reads what dom0 sends over the debug port: lines, and files between them."""

    def __init__(self, path, files):
        self.stream = open(path, "rb")
        self.files = files
        self.data = b""
        self.incoming = None    # (name, size) of a file that is being received

    def lines(self):
        self.data += self.stream.read()
        while True:
            if self.incoming:
                name, size = self.incoming
                if len(self.data) < size:
                    return
                self.keep(Path(name).name, self.data[:size])
                self.data = self.data[size:]
                self.incoming = None
                continue
            line, newline, rest = self.data.partition(b"\n")
            if not newline:
                return
            self.data = rest
            text = line.decode("utf-8", "replace")
            if text.startswith("@file "):
                name, size = text.split()[1:3]
                self.incoming = (name, int(size))
            else:
                yield text

    def close(self):
        self.stream.close()

    def keep(self, name, data):
        """Files come packed: every byte takes an exit to the emulator."""
        (self.files / name.removesuffix(".packed")).write_bytes(
            gzip.decompress(data) if name.endswith(".packed") else data)


class SerialLog:
    """Copies the serial output to serial.log, line by line, with time stamps."""

    def __init__(self, raw, log, start):
        self.raw = open(raw, "rb")
        self.log = open(log, "w", errors="replace")
        self.start = start
        self.data = b""
        self.tail = []

    def lines(self):
        self.data += self.raw.read()
        *whole, self.data = self.data.split(b"\n")
        for line in whole:
            text = line.decode("utf-8", "replace").rstrip("\r")
            self.log.write(f"[{time.monotonic() - self.start:8.3f}] {text}\n")
            self.tail = self.tail[-24:] + [text]
            yield text
        self.log.flush()

    def close(self):
        self.raw.close()
        self.log.close()


class Run:
    """One boot of the bed. run() fills results: a list of (passed, text)."""

    def __init__(self, scenario, settings, name=None, on_line=None, cpu=None, on_progress=None):
        self.scenario = Path(scenario).resolve()
        self.settings = with_defaults(settings)
        self.settings["DOM0_VCPUS"] = self.settings["DOM0_VCPUS"] or self.settings["SMP"]
        self.emulator = emulator_of(settings)(self)
        # The deterministic mode gets the same one always.
        self.settings["SEED"] = self.settings["SEED"] or (
            "1" if self.settings["ICOUNT"] else str(random.randrange(1, 1 << 31)))
        self.name = name or run_name(scenario, settings)
        self.dir = BUILD / "runs" / self.name
        self.results = []
        self.on_line = on_line or (lambda text: None)
        self.on_progress = on_progress or (lambda seconds, text: None)
        self.cpu = cpu                      # the real CPU for the emulator, if it gets only one
        self.helper = None
        self.port = self.guest_port = 0     # on the host, for its helper; 0: no network
        self.seconds = self.cpu_seconds = 0     # by the clock; the emulator's

    # --- preparation ---

    def make_initrd(self):
        """dom0's image and, appended, what belongs to this run."""
        root = self.dir / "root"
        for d in ("bed/files", "boot", "usr/bin", "lib/x86_64-linux-gnu"):
            (root / d).mkdir(parents=True)
        s = self.settings
        for f in (BED / "dom0").iterdir():
            shutil.copy(f, root / ("init" if f.name == "init" else f"bed/{f.name}"))
        shutil.copy(self.scenario, root / "bed/scenario.sh")
        (root / "bed/settings").write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in s.items()))
        for pattern in shlex.split(s["FILES"]):
            for f in glob.glob(pattern) or [pattern]:
                shutil.copy(f, root / "bed/files")
        for f in (BUILD / "progs").iterdir():
            shutil.copy(f, root / "usr/bin")
        shutil.copytree(BUILD / "guests", root / "boot/guests")
        shutil.copy(s["XEN_FROM"], root / "boot/xen-source")
        if s["UPDATE"] != "none":
            shutil.copy(s["XEN_TO"], root / "boot/xen-target")
        shutil.copy(BUILD / "images/domu.cpio", root / "boot/domu.cpio")
        if s["HVM"] == "1":
            for f in ("hvm.grub", "hvm.disk"):
                shutil.copy(BUILD / "images" / f, root / "boot" / f)
        self.add_tools(root)
        for f in (root / "init", root / "bed/vif", root / "bed/block", root / "bed/ssh"):
            f.chmod(0o755)

        initrd = self.dir / "initrd"
        shutil.copy(BUILD / "images/dom0.cpio", initrd)
        with open(initrd, "ab") as out:
            if s["HVM"] == "1":
                out.write(b"\0" * (-out.tell() % 4))
                out.write((BUILD / "images/dm.cpio").read_bytes())
            out.write(b"\0" * (-out.tell() % 4))
            out.flush()
            # The same bytes every time, for the deterministic mode.
            subprocess.run("find . -exec touch -h -d @0 {} + && find . | LC_ALL=C sort | "
                           "cpio -o -H newc --quiet --reproducible", shell=True, cwd=root, stdout=out,
                           check=True)
            # Last: with libraries that are newer.
            if s["TOOLS"]:
                out.write(b"\0" * (-out.tell() % 4))
                out.write((BUILD / f"images/tools-{s['TOOLS']}.cpio").read_bytes())
        shutil.rmtree(root)
        return initrd

    @staticmethod
    def add_tools(root):
        tool = BUILD / "lu-tools/xen-liveupdate"
        if not tool.exists():
            return
        shutil.copy(tool, root / "usr/bin")
        listing = subprocess.run(["ldd", tool], capture_output=True, text=True, check=False,
                                 env={**os.environ, "LD_LIBRARY_PATH": str(tool.parent)}).stdout
        for path in re.findall(r"=> (/\S+)", listing):
            shutil.copy(path, root / "lib/x86_64-linux-gnu")

    # --- the run ---

    def result(self, passed, text):
        self.results.append((passed, text))
        self.on_line(("ok - " if passed else "not ok - ") + text)

    def handle(self, line):
        """One line from dom0. True at the end of the scenario."""
        if line.startswith("ok - "):
            self.result(True, line[5:])
        elif line.startswith("not ok - "):
            self.result(False, line[9:])
        elif line.startswith("@host start"):
            self.start_helper()
        elif line.startswith("@host stop"):
            self.stop_helper()
        elif line.startswith("#"):
            self.on_line(line)
        return line.startswith("@end")

    def check_slice(self, what, us):
        """Xen gives the CPU back after a millisecond; the steps in between count as many instructions in each mode."""
        s = self.settings
        limit = 1000 + (MAX_STEP_US << int(s["ICOUNT"] or 0))
        # With several CPUs, or the host's clock, the time is others' as well.
        if s["ICOUNT"] and s["SMP"] == "1" and us > limit:
            self.result(False, f"{what}: no slice takes longer than {limit} us ({us} us)")

    def start_helper(self):
        env = {**os.environ, "PORT": str(self.port), "GUEST_PORT": str(self.guest_port), "RUN_DIR": str(self.dir),
               "PROGS": str(BUILD / "progs")}
        self.helper = subprocess.Popen(
            ENDS_WITH_US + [self.scenario.with_suffix(".host")], env=env, stdin=subprocess.DEVNULL,
            stdout=open(self.dir / "host.log", "w"), stderr=subprocess.STDOUT)

    def stop_helper(self):
        """Asks the helper to end; its exit status is a result."""
        if not self.helper:
            return
        self.helper.terminate()
        try:
            status = self.helper.wait(120)
        except subprocess.TimeoutExpired:
            self.helper.kill()
            status = self.helper.wait()
        self.helper = None
        lines = (self.dir / "host.log").read_text().strip().splitlines() or [""]
        self.result(status == 0, f"helper on the host is content ({lines[-1] or f'status {status}'})")

    def watch(self, process):
        """Follows the running emulator until there is a reason to end; returns what is wrong, if anything."""
        start = time.monotonic()
        limit = self.emulator.limit()
        deadline = None     # once the end, or a panic, was seen
        last_seen = start   # anything new
        for f in ("serial.raw", "link.raw"):
            (self.dir / f).touch()
        serial = SerialLog(self.dir / "serial.raw", self.dir / "serial.log", start)
        link = HostLink(self.dir / "link.raw", self.dir / "files")
        trouble = None
        doing = "Xen and dom0 boot"
        ended = console_ended = False

        def finish_in(seconds):
            return min(deadline or float("inf"), time.monotonic() + seconds)

        def no_end():
            """Why there is no use in waiting for the end."""
            now = time.monotonic()
            if self.emulator.cpu_seconds(process) > limit:
                return f"no end after {limit:.0f} s of {self.emulator.NAME}'s CPU time"
            if now - last_seen > limit:
                return f"no end: nothing new for {limit:.0f} s"
            if now - start > 10 * limit:
                return f"no end after {10 * limit:.0f} s"
            return None

        def is_over():
            return time.monotonic() > deadline if deadline else no_end()

        while not (ended and console_ended):
            exited = process.poll() is not None
            for line in link.lines():
                last_seen = time.monotonic()
                if self.handle(line):
                    ended = True
                    deadline = finish_in(1)     # for the console's last lines
            for line in serial.lines():
                last_seen = time.monotonic()
                if PANIC.search(line) and not trouble:
                    trouble = line.strip()
                    deadline = finish_in(3)     # for the rest of the message
                elif NO_COMMAND.search(line):
                    self.result(False, f"dom0 has every command: {NO_COMMAND.search(line)[1]} is missing")
                elif SLICE.search(line):
                    self.check_slice(SLICE.search(line)[1], int(SLICE.search(line)[2]))
                elif line.startswith("bed: end"):
                    console_ended = True
                    deadline = finish_in(3)
                elif line.startswith("bed: "):
                    doing = line[5:]
            if exited or is_over():
                break
            self.on_progress(time.monotonic() - start, doing)
            time.sleep(0.02)
        if ended:
            trouble = None
        elif console_ended:
            trouble = "the end came on the console but not over the debug port: did dom0 lose its I/O ports?"
        elif not trouble:
            trouble = f"{self.emulator.NAME} exited" if exited else no_end()
        if trouble:
            for line in serial.tail:
                self.on_line("#   " + line)
        link.close()
        serial.close()
        return trouble

    def run(self):
        for what in ("XEN_FROM",) + (("XEN_TO",) if self.settings["UPDATE"] != "none" else ()):
            if not Path(self.settings[what]).exists():
                sys.exit(f"bed: {what}={self.settings[what]} does not exist")
        shutil.rmtree(self.dir, ignore_errors=True)
        (self.dir / "files").mkdir(parents=True)
        initrd = self.make_initrd()
        command = [str(word) for word in self.emulator.prepare(initrd)]
        (self.dir / "command").write_text(shlex.join(command) + "\n")
        cpu = self.emulator.cpu()
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]

        start = time.monotonic()
        with open(self.dir / f"{self.emulator.NAME.lower()}.log", "w") as log:
            process = subprocess.Popen(ENDS_WITH_US + pin + command, env={**os.environ, **self.emulator.environment(cpu)},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            trouble = self.watch(process)
            self.cpu_seconds = self.emulator.cpu_seconds(process)
        finally:
            process.kill()
            process.wait()
            if self.helper:
                self.helper.kill()
                self.helper.wait()
            initrd.unlink()
            self.emulator.clean()
        self.seconds = time.monotonic() - start
        if trouble:
            self.result(False, f"the run came to its end: {trouble} {self.emulator.last_words()}".rstrip())
        elif not self.results:
            self.result(False, "the scenario checked something")
        else:
            self.emulator.check()
        self.write_results()
        return all(passed for passed, _ in self.results)

    def write_results(self):
        lines = [f"{'ok' if passed else 'not ok'} {n} - {text}" for n, (passed, text) in enumerate(self.results, 1)]
        (self.dir / "results").write_text("\n".join(lines + [f"1..{len(lines)}", ""]))


class Progress:
    """What a run is at: a line that changes on a terminal, else a line for each new thing."""

    def __init__(self):
        self.tty = sys.stdout.isatty()
        self.shown = None

    def show(self, seconds, text):
        now = (int(seconds), text) if self.tty else text
        if now == self.shown:
            return
        self.shown = now
        print(f"\r\033[K{seconds:4.0f} s  {text[:66]}" if self.tty else f"{seconds:4.0f} s  {text}",
              end="" if self.tty else "\n", flush=True)

    def end(self):
        """Makes room for what is printed next."""
        if self.tty and self.shown:
            print("\r\033[K", end="", flush=True)
            self.shown = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("scenario")
    parser.add_argument("--name", help="directory below build/runs/ (a scenario's second run: NAME-2)")
    parser.add_argument("--report", action="store_true", help="print the scenario's report, then what failed")
    args = parser.parse_args()
    # So that the emulator is ended, too, when this program is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    passed = True
    runs = variants(args.scenario) or variants(args.scenario, True)
    names = number_names(args.name or run_name(args.scenario, settings) for settings in runs)
    for settings, name in zip(runs, names):
        progress = Progress() if args.report else None

        def show(line):
            if not args.report:
                print(line, flush=True)
            elif line.startswith(("#", "not ok")):
                progress.end()
                print(line.removeprefix("# "), flush=True)
        missing = emulator_of(settings).missing(with_defaults(settings))
        if missing:
            sys.exit(f"bed: {missing}")
        try:
            run = Run(args.scenario, settings, name, show, on_progress=progress and progress.show)
        except Refused as e:
            sys.exit(f"bed: {e}")
        passed = run.run() and passed
        if progress:
            progress.end()
        failed = sum(not ok for ok, _ in run.results)
        print(f"# {run.name}: {len(run.results) - failed} passed, {failed} failed, {run.seconds:.0f} s ({run.cpu_seconds:.0f} s of CPU time), {run.dir}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
