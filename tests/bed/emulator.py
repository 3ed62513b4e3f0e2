# SPDX-License-Identifier: GPL-2.0-only
"""What bed.py asks of the emulator that it boots Xen in; qemu.py and bochs.py have one each."""
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

# Linux tests its own code when it boots, and loads certificates of which nobody has use here: a billion instructions.
QUICK_BOOT = "cryptomgr.notests initcall_blacklist=crypto_kdf108_init initcall_blacklist=load_system_certificate_list"


class Refused(Exception):
    """The emulator does not have what a setting asks for."""


class Emulator:
    """One run's emulator. It may change the run's settings before the run begins."""

    NAME = ""
    DEFAULTS = {}       # where they differ from bed.py's
    MATRIX = ()         # settings whose commas make several runs, besides bed.py's
    DEBUG_PORT = 0      # a byte written to this port of the host arrives outside

    def __init__(self, run):
        self.run = run
        self.settings = run.settings
        self.taken = 0
        self.settings["DEBUG_PORT"] = f"{self.DEBUG_PORT:#x}"   # for progs/tohost.c
        self.settings["QUICK_BOOT"] = QUICK_BOOT

    @classmethod
    def missing(cls, settings):
        """Why there can be no run with these settings on this machine, or None."""
        raise NotImplementedError

    @classmethod
    def one_thread(cls, settings):
        """Does it use one real CPU only, so that runs may go side by side?"""
        raise NotImplementedError

    def prepare(self, initrd):
        """Makes what it needs in the run's directory; returns its command line."""
        raise NotImplementedError

    def cpu(self):
        """The real CPU that is its only one, or None: any."""
        return idlest_cpu() if self.run.cpu is None else self.run.cpu

    def environment(self, cpu):
        """Variables for its environment. @cpu: the real CPU that it gets, or None. Settles SLOWDOWN, if it is "auto"."""
        if self.settings["SLOWDOWN"] == "auto":
            self.settings["SLOWDOWN"] = "1"     # nobody slows its clocks down
        return {}

    def limit(self):
        """How many seconds of CPU time it may take, so that what else the machine does ends no run."""
        return float(self.settings["TIMEOUT"])

    def cpu_seconds(self, process):
        """How many it has taken so far, with all its threads."""
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return self.taken   # it has exited
        self.taken = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
        return self.taken

    def last_words(self):
        """What it said when it exited."""
        return (self.run.dir / f"{self.NAME.lower()}.log").read_text(errors="replace").strip()

    def check(self):
        """Adds results of its own to the run's, after a run to the end."""

    def clean(self):
        """Removes what is not worth keeping."""

    # --- for all ---

    def xen_args(self):
        s = self.settings
        return (f"console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all "
                f"dom0_mem={s['DOM0_MEM']},max:{s['DOM0_MEM']} dom0_max_vcpus={s['DOM0_VCPUS']} "
                f"console_timestamps=boot noreboot {s['XEN_ARGS']}")

    def linux_args(self):
        return f"console=hvc0 earlyprintk=xen rdinit=/init quiet {QUICK_BOOT} {self.settings['DOM0_ARGS']}".strip()


# What slowness() measures with, and how long that may take before clocks are slowed down: 1.7 times as long as on a machine
# for which the budgets hold (0.18 s), as so much the scenarios bear, and each slower clock makes its run longer.
LOOP = "import time; start = time.monotonic(); sum(i & 3 for i in range(5_000_000)); print(time.monotonic() - start)"
LOOP_SECONDS = 0.30


def slowness(cpu):
    """How many times as long as there a program takes here and now, at least 1. @cpu: on this real CPU, or None."""
    pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
    seconds = float(subprocess.run(pin + [sys.executable, "-c", LOOP], capture_output=True, check=True).stdout)
    return max(1.0, seconds / LOOP_SECONDS)


def idlest_cpu():
    """Of those that this program may use, the one with the most idle time in a moment."""
    def idle():
        found = {}
        for line in Path("/proc/stat").read_text().splitlines():
            name, *words = line.split()
            if name.startswith("cpu") and name[3:].isdigit():
                found[int(name[3:])] = int(words[3]) + int(words[4])
        return found
    before = idle()
    time.sleep(0.5)
    after = idle()
    return max(os.sched_getaffinity(0), key=lambda cpu: after.get(cpu, 0) - before.get(cpu, 0))
