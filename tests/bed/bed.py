#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""bed.py [--report] [--name NAME] SCENARIO: boots Xen in QEMU and runs one scenario in dom0.

Settings come from the environment, then from the scenario's "# bed:" header, then from DEFAULTS
below; "# qemu:" lines of the scenario are added to QEMU's arguments. Everything about the run is kept in build/runs/NAME/:

    serial.log   Xen's and dom0's console, each line with the seconds since the start
    command      QEMU's command line
    results      the TAP lines
    iommu.trace  what QEMU saw of the IOMMU, if there is one
    files/       what the scenario saved: stream, timings, guests' consoles
    host.log     output of the helper on the host, if there is one

A run always ends: at the scenario's end mark, when Xen or dom0's kernel panics, when QEMU exits, or
after TIMEOUT seconds (see DEFAULTS). Results arrive over a debug port of QEMU (see progs/tohost.c), not over the
console, so that a message of Xen in the middle of a line cannot lose one.
"""
import argparse
import collections
import gzip
import itertools
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
BED = TOP / "tests" / "bed"
KIND = os.environ.get("KIND", "debug")

DEFAULTS = {
    "XEN_FROM": str(BUILD / f"xen/source-{KIND}/xen/xen"),
    "XEN_TO": str(BUILD / f"xen/target-{KIND}/xen/xen"),
    "XEN_ARGS": "liveupdate=64M",   # added to Xen's command line
    "SMP": "1",                     # physical CPUs
    "MEM": "3072",                  # the host's memory in MiB
    "DOM0_MEM": "1024M",
    "DOM0_VCPUS": "",               # default: as many as there are CPUs
    "DOM0_ARGS": "",                # added to dom0's kernel command line
    "UPDATE": "lu",                 # lu, kexec-tools or none
    "UPDATES": "1",                 # how many, one after the other
    "ALTERNATE": "1",               # 1: target, source, target, ...; 0: always the target
    "HVM": "0",                     # 1: dom0 has what HVM guests need (a device model, their kernel)
    "GUEST": "pv",                  # kind of the guests that do not say another: pv, pvh, hvm
    "NET": "",                      # dom0's network card: e1000e, e1000, virtio-net, ...
    "DISK": "0",                    # MiB: dom0 has a disk (virtio), the file "disk" in the run's directory
    "IOMMU": "none",                # none, amdvi, vtd, amdvi-x2apic, vtd-x2apic: with interrupt remapping, on a machine q35
    "ICOUNT": "",                   # 0, 1, 2 ...: the deterministic mode with this shift
    "QEMU": "qemu-system-x86_64",
    "ACCEL": "",                    # default: see choose_accel()
    "MACHINE": "pc",
    "CPU": "qemu64,+svm,+npt",
    "QEMU_ARGS": "",                # @RUN@ in it: the run's directory
    "TIMEOUT": "300",               # wall seconds; twice that if CPUs share a thread
    "FILES": "",                    # put into dom0's /bed/files
    "SEED": "",                     # for scenarios with random operations; default: another one each time
    "ARGS": "",                     # words "name=value" that only the scenario itself knows
}
# A comma in the header makes one run for each of these.
MATRIX = ("SMP", "NET", "IOMMU", "UPDATE", "DOM0_VCPUS", "GUEST")

DEBUG_PORT = 0x2E0
# Reachable from the host's loopback when NET is set: this port of dom0, and of a guest on dom0's bridge.
GUEST_PORT = 7000
GUEST_ADDRESS = "10.0.2.16"
PANIC = re.compile(r"Panic on CPU|FATAL TRAP|Kernel panic|Xen BUG at|Manual reset required")
# The scenario used a command that dom0's image does not have: what it was to check was not checked.
NO_COMMAND = re.compile(r"line \d+: (\S+): not found$")
NICS = {"virtio-net": "virtio-net-pci,disable-legacy=on"}
# Machine, device and Xen's argument; which events QEMU notes in iommu.trace: those that switch something on
# or off (the last word of a line is the state, and these bits of it), and those that are a fault.
IOMMUS = {
    "amdvi": ("q35", "amd-iommu,intremap=on", "", {"amdvi_control_status": 1},
              ("amdvi_page_fault", "amdvi_dte_get_fail", "amdvi_invalid_dte", "amdvi_get_pte_hwerror",
               "amdvi_mode_invalid", "amdvi_evntlog_fail", "amdvi_completion_wait_fail", "amdvi_err",
               "amdvi_unhandled_command", "amdvi_ir_err", "amdvi_ir_target_abort")),
    "vtd": ("q35,kernel-irqchip=off", "intel-iommu,intremap=on,caching-mode=off", "iommu=no-sharept",
            {"vtd_dmar_enable": 1, "vtd_ir_enable": 1},
            ("vtd_dmar_fault", "vtd_frr_new", "vtd_warn_invalid_qi_tail", "vtd_warn_ir_vector",
             "vtd_warn_ir_trigger")),
}
# The same with Xen in x2APIC mode: QEMU's TCG knows it since release 9, so this needs another QEMU and CPU, too.
IOMMUS["amdvi-x2apic"] = (IOMMUS["amdvi"][0], IOMMUS["amdvi"][1] + ",xtsup=on", *IOMMUS["amdvi"][2:])
IOMMUS["vtd-x2apic"] = (IOMMUS["vtd"][0], IOMMUS["vtd"][1] + ",eim=on", *IOMMUS["vtd"][2:])


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
        choices = [[(k, x) for x in (v.split(",") if k in MATRIX else [v])] for k, v in words.items()]
        for combination in itertools.product(*choices):
            v = {**dict(combination), **{k: os.environ[k] for k in DEFAULTS if os.environ.get(k)}}
            if v not in found:
                found.append(v)
    return found or [{k: os.environ[k] for k in DEFAULTS if os.environ.get(k)}]


def qemu_args(scenario):
    """What a scenario's "# qemu:" lines add to QEMU's command line."""
    return " ".join(re.findall(r"^# qemu:(.*)", Path(scenario).read_text(), re.MULTILINE))


def run_name(scenario, settings):
    """boot, boot-smp2, tcp-smp2-e1000: the scenario and what tells its runs apart."""
    parts = [Path(scenario).stem, "smp" + settings.get("SMP", DEFAULTS["SMP"])]
    parts += [settings[k] for k in ("GUEST", "NET", "IOMMU", "UPDATE") if settings.get(k) and settings[k] != DEFAULTS[k]]
    return "-".join(parts)


def number_names(names):
    """The same names, of which those that were there before get a number: a, b, a-2, a-3."""
    seen = collections.Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def has_qemu(settings):
    """A QEMU that a scenario names by its path below the project is there only if it could be fetched."""
    qemu = settings.get("QEMU", "")
    return "/" not in qemu or (TOP / qemu).exists()


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

    def keep(self, name, data):
        """Files come packed: every byte takes an exit to QEMU."""
        (self.files / name.removesuffix(".packed")).write_bytes(
            gzip.decompress(data) if name.endswith(".packed") else data)


class SerialLog:
    """Copies QEMU's serial output to serial.log, line by line, with time stamps."""

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


class Run:
    """One boot of the bed. run() fills results: a list of (passed, text)."""

    def __init__(self, scenario, settings, name=None, on_line=None, cpu=None, on_progress=None):
        self.scenario = Path(scenario).resolve()
        self.settings = {**DEFAULTS, **settings}
        self.settings["DOM0_VCPUS"] = self.settings["DOM0_VCPUS"] or self.settings["SMP"]
        self.settings["ACCEL"] = self.settings["ACCEL"] or self.choose_accel()
        # The deterministic mode gets the same one always.
        self.settings["SEED"] = self.settings["SEED"] or (
            "1" if self.settings["ICOUNT"] else str(random.randrange(1, 1 << 31)))
        self.name = name or run_name(scenario, settings)
        self.dir = BUILD / "runs" / self.name
        self.results = []
        self.on_line = on_line or (lambda text: None)
        self.on_progress = on_progress or (lambda seconds, text: None)
        self.cpu = cpu                      # the real CPU that is QEMU's, if it gets only one
        self.helper = None
        self.port = self.guest_port = 0     # on the host, for its helper; 0: no network
        self.seconds = 0

    # --- preparation ---

    def choose_accel(self):
        """A thread for each emulated CPU if there is a real one free for it, else one for all.

        Sharing costs half of the speed. A CPU that spins for a lock whose holder's thread does not
        run costs nearly all of it: a run takes ten times as long.
        """
        if self.settings["ICOUNT"]:
            return "tcg"
        return "tcg,thread=" + ("multi" if int(self.settings["SMP"]) <= idle_cpus() + 0.5 else "single")

    def pin(self):
        """With one emulated CPU, or one thread for all, QEMU gets one real CPU: the idlest, if not another was chosen.

        It notes a pending interrupt in a word that its SVM emulation changes without the lock, by one
        instruction. On two real CPUs one of two changes may get lost, and the emulated CPU halts for ever with
        an interrupt pending. That is as likely with a thread for each of several CPUs, but half of their speed would be
        too high a price.
        """
        if int(self.settings["SMP"]) > 1 and "thread=single" not in self.settings["ACCEL"]:
            return []
        return ["taskset", "-c", str(idlest_cpu() if self.cpu is None else self.cpu)]

    def make_initrd(self):
        """dom0's image and, appended, what belongs to this run."""
        root = self.dir / "root"
        for d in ("bed/files", "boot/guests", "usr/bin", "lib/x86_64-linux-gnu"):
            (root / d).mkdir(parents=True)
        s = self.settings
        for f in (BED / "dom0").iterdir():
            shutil.copy(f, root / ("init" if f.name == "init" else f"bed/{f.name}"))
        shutil.copy(self.scenario, root / "bed/scenario.sh")
        (root / "bed/settings").write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in s.items()))
        for f in shlex.split(s["FILES"]):
            shutil.copy(f, root / "bed/files")
        for f in (BUILD / "progs").iterdir():
            shutil.copy(f, root / "usr/bin")
        for f in (BUILD / "guests").glob("*"):
            shutil.copy(f, root / "boot/guests")
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

    def qemu_command(self, initrd):
        s = self.settings
        iommu = []
        nic = NICS.get(s["NET"], s["NET"])
        if s["IOMMU"] != "none":
            s["MACHINE"], device, xen_arg, switches, faults = IOMMUS[s["IOMMU"]]
            s["XEN_ARGS"] = f"{s['XEN_ARGS']} {xen_arg}".strip()
            iommu = ["-device", device, "-D", f"{self.dir}/iommu.trace"]
            for event in (*switches, *faults):
                iommu += ["-trace", event]
            # Device models take whatever is in slot 2 for Intel's graphics.
            nic += ",addr=3" + (",iommu_platform=on" if "virtio" in nic else "")
        xen_args = (f"console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all "
                    f"dom0_mem={s['DOM0_MEM']},max:{s['DOM0_MEM']} dom0_max_vcpus={s['DOM0_VCPUS']} "
                    f"console_timestamps=boot noreboot {s['XEN_ARGS']}")
        linux_args = f"console=hvc0 earlyprintk=xen rdinit=/init quiet {s['DOM0_ARGS']}".strip()
        command = [str(TOP / s["QEMU"]) if "/" in s["QEMU"] else s["QEMU"], "-name", f"lu-{self.name}", "-accel", s["ACCEL"], "-machine", s["MACHINE"],
                   "-cpu", s["CPU"], "-m", s["MEM"], "-smp", s["SMP"], "-display", "none",
                   "-monitor", "none", "-no-reboot",
                   "-kernel", s["XEN_FROM"], "-append", xen_args,
                   "-initrd", f"{BUILD}/kernel/dom0/vmlinux {linux_args},{initrd}",
                   "-serial", f"file:{self.dir}/serial.raw",
                   "-chardev", f"file,id=link,path={self.dir}/link.raw",
                   "-device", f"isa-debugcon,iobase={DEBUG_PORT:#x},chardev=link"] + iommu
        if s["DISK"] != "0":
            command += ["-drive", f"if=virtio,format=raw,file={self.dir}/disk"]
        if s["NET"]:
            self.port, self.guest_port = free_port(), free_port()
            command += ["-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{self.port}-:{GUEST_PORT},"
                                   f"hostfwd=udp:127.0.0.1:{self.port}-:{GUEST_PORT},"
                                   f"hostfwd=tcp:127.0.0.1:{self.guest_port}-{GUEST_ADDRESS}:{GUEST_PORT}",
                        "-device", f"{nic},netdev=net0,romfile="]
        else:
            command += ["-nic", "none"]
        if s["ICOUNT"]:
            command += ["-icount", f"shift={s['ICOUNT']},sleep=off", "-seed", "1",
                        "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
        return command + [word.replace("@RUN@", str(self.dir)) for word in shlex.split(f"{s['QEMU_ARGS']} {qemu_args(self.scenario)}")]

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

    def start_helper(self):
        env = {**os.environ, "PORT": str(self.port), "GUEST_PORT": str(self.guest_port), "RUN_DIR": str(self.dir),
               "PROGS": str(BUILD / "progs")}
        self.helper = subprocess.Popen(
            [self.scenario.with_suffix(".host")], env=env, stdin=subprocess.DEVNULL,
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

    def watch(self, qemu):
        """Follows a running QEMU until there is a reason to end; returns what is wrong, if anything."""
        start = time.monotonic()
        # One thread for all CPUs: half of the speed.
        limit = float(self.settings["TIMEOUT"]) * (2 if "thread=single" in self.settings["ACCEL"] else 1)
        deadline = start + limit
        for f in ("serial.raw", "link.raw"):
            (self.dir / f).touch()
        serial = SerialLog(self.dir / "serial.raw", self.dir / "serial.log", start)
        link = HostLink(self.dir / "link.raw", self.dir / "files")
        trouble = None
        doing = "Xen and dom0 boot"
        ended = console_ended = False

        def finish_in(seconds):
            return min(deadline, time.monotonic() + seconds)

        while not (ended and console_ended):
            exited = qemu.poll() is not None
            for line in link.lines():
                if self.handle(line):
                    ended = True
                    deadline = finish_in(1)     # for the console's last lines
            for line in serial.lines():
                if PANIC.search(line) and not trouble:
                    trouble = line.strip()
                    deadline = finish_in(3)     # for the rest of the message
                elif NO_COMMAND.search(line):
                    self.result(False, f"dom0 has every command: {NO_COMMAND.search(line)[1]} is missing")
                elif line.startswith("bed: end"):
                    console_ended = True
                    deadline = finish_in(3)
                elif line.startswith("bed: "):
                    doing = line[5:]
            if exited or time.monotonic() > deadline:
                break
            self.on_progress(time.monotonic() - start, doing)
            time.sleep(0.02)
        if ended:
            trouble = None
        elif console_ended:
            trouble = "the end came on the console but not over the debug port: did dom0 lose its I/O ports?"
        elif not trouble:
            trouble = "QEMU exited" if exited else f"no end after {limit:.0f} s"
        if trouble:
            for line in serial.tail:
                self.on_line("#   " + line)
        return trouble

    def run(self):
        for what in ("XEN_FROM",) + (("XEN_TO",) if self.settings["UPDATE"] != "none" else ()):
            if not Path(self.settings[what]).exists():
                sys.exit(f"bed: {what}={self.settings[what]} does not exist")
        shutil.rmtree(self.dir, ignore_errors=True)
        (self.dir / "files").mkdir(parents=True)
        initrd = self.make_initrd()
        if self.settings["DISK"] != "0":
            with open(self.dir / "disk", "wb") as disk:
                disk.truncate(int(self.settings["DISK"]) << 20)
        command = self.qemu_command(initrd)
        (self.dir / "command").write_text(shlex.join(command) + "\n")

        start = time.monotonic()
        with open(self.dir / "qemu.log", "w") as log:
            # QEMU dies with this program, however that ends.
            qemu = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + self.pin() + command,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            trouble = self.watch(qemu)
        finally:
            qemu.kill()
            qemu.wait()
            if self.helper:
                self.helper.kill()
                self.helper.wait()
            initrd.unlink()
        self.seconds = time.monotonic() - start
        if trouble:
            message = (self.dir / "qemu.log").read_text().strip()
            self.result(False, f"the run came to its end: {trouble} {message}".rstrip())
        elif not self.results:
            self.result(False, "the scenario checked something")
        elif self.settings["IOMMU"] != "none":
            self.check_iommu()
        self.write_results()
        return all(passed for passed, _ in self.results)

    def check_iommu(self):
        """What QEMU saw of the IOMMU: once switched on, was it so to the end, and without a fault?"""
        _, _, _, switches, faults = IOMMUS[self.settings["IOMMU"]]
        on, off, seen = dict.fromkeys(switches, 0), [], []
        for line in (self.dir / "iommu.trace").read_text(errors="replace").splitlines():
            event, *words = line.split()
            if event in switches:
                state = int(words[-1], 0) & switches[event]
                if on[event] and not state:
                    off.append(line)
                on[event] = max(on[event], state)
            elif event in faults:
                seen.append(line)
        never = [event for event in switches if not on[event]]
        self.result(not never, f"QEMU saw the IOMMU being switched on{''.join(': not ' + e for e in never)}")
        self.result(not off, f"and never off again{''.join(': ' + line for line in off[:1])}")
        self.result(not seen, f"QEMU saw no fault of the IOMMU{''.join(': ' + line for line in seen[:3])}")

    def write_results(self):
        lines = [f"{'ok' if passed else 'not ok'} {n} - {text}" for n, (passed, text) in enumerate(self.results, 1)]
        (self.dir / "results").write_text("\n".join(lines + [f"1..{len(lines)}", ""]))


def idle_cpus():
    """How many of this machine's CPUs are idle, measured over a moment."""
    def times():
        return [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    before = times()
    time.sleep(0.5)
    spent = [b - a for a, b in zip(before, times())]
    return os.cpu_count() * (spent[3] + spent[4]) / max(sum(spent), 1)    # idle, waiting for a disk


def idlest_cpu():
    """Of those that this program may use, the one with the most idle time in a moment."""
    def idle():
        found = {}
        for line in Path("/proc/stat").read_text().splitlines():
            name, *words = line.split()
            if re.fullmatch(r"cpu\d+", name):
                found[int(name[3:])] = int(words[3]) + int(words[4])
        return found
    before = idle()
    time.sleep(0.5)
    after = idle()
    return max(os.sched_getaffinity(0), key=lambda cpu: after.get(cpu, 0) - before.get(cpu, 0))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
    # So that QEMU is ended, too, when this program is.
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
        run = Run(args.scenario, settings, name, show, on_progress=progress and progress.show)
        passed = run.run() and passed
        if progress:
            progress.end()
        failed = sum(not ok for ok, _ in run.results)
        print(f"# {run.name}: {len(run.results) - failed} passed, {failed} failed, {run.seconds:.0f} s, {run.dir}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
