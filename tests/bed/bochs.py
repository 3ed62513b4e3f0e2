# SPDX-License-Identifier: GPL-2.0-only
"""Bochs: it checks what real CPUs check, and has Intel's VMX besides AMD's SVM. One thread for all emulated CPUs."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from bootdisk import HEADS, SECTORS_PER_TRACK, make_boot_disk
from emulator import BUILD, TOP, Emulator, Refused

BIOS = "/usr/share/bochs/BIOS-bochs-latest"
VIDEO_BIOS = "/usr/share/vgabios/vgabios.bin"
MOST_MEMORY = 2048      # MiB
# So many instructions are a second of emulated time, whatever the machine's speed.
INSTRUCTIONS_PER_SECOND = 100_000_000
BOOT_TIME = 1767225600  # 2026-01-01, by the emulated clock
# What Bochs says before it exits: a panic, a triple fault in the host.
FATAL = re.compile(r"Bochs is exiting with the following message:\s*(.*)")

CONFIGURATION = """\
config_interface: textconfig
display_library: nogui
cpu: model={CPU}, count={SMP}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={MEM}, host={MEM}
romimage: file={BIOS}
vgaromimage: file={VIDEO_BIOS}
pci: enabled=1, chipset=i440fx
clock: sync=none, time0={BOOT_TIME}, rtc_sync=1
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=0
ata0-master: type=disk, path={disk}, mode=flat, cylinders={cylinders}, heads={HEADS}, spt={SECTORS_PER_TRACK}, biosdetect=auto
boot: disk
floppya: type=none
speaker: enabled=0
com1: enabled=1, mode=file, dev={serial}
port_e9_hack: enabled=1
log: -
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


class Bochs(Emulator):
    NAME = "Bochs"
    DEFAULTS = {"CPU": "corei7_haswell_4770", "MEM": str(MOST_MEMORY), "DOM0_MEM": "768M"}
    MATRIX = ("CPU",)
    DEBUG_PORT = 0xE9       # it has no other; a PVH dom0's writes there end in Xen, which has the same for its guests

    def __init__(self, run):
        super().__init__(run)
        s = self.settings
        # Instructions are its clock: with the same seed two runs are the same to the last instruction.
        s["SEED"] = s["SEED"] or "1"
        for key, nothing, what in (("NET", "", "network card"), ("DISK", "0", "disk for dom0"), ("IOMMU", "none", "IOMMU"),
                                   ("ICOUNT", "", "mode with another clock than its instructions"),
                                   ("QEMU_ARGS", "", "use for arguments of QEMU")):
            if s[key] != nothing:
                raise Refused(f"Bochs has no {what} ({key}={s[key]})")
        if re.search(r"^# qemu:", self.run.scenario.read_text(), re.MULTILINE):
            raise Refused("Bochs has no use for arguments of QEMU (the scenario's \"# qemu:\" line)")
        if int(s["MEM"]) > MOST_MEMORY:
            raise Refused(f"Bochs has at most {MOST_MEMORY} MiB of memory (MEM={s['MEM']})")
        if s["CPU"] not in self.models():
            raise Refused(f"Bochs has no such CPU (CPU={s['CPU']}); it has: {' '.join(self.models())}")

    @classmethod
    def program(cls, settings):
        bochs = settings["BOCHS"]
        return str(TOP / bochs) if "/" in bochs else bochs

    @classmethod
    def missing(cls, settings):
        for what in (cls.program(settings), BIOS, VIDEO_BIOS):
            if not shutil.which(what) and not Path(what).is_file():
                return f"there is no Bochs here: no {os.path.relpath(what, TOP) if what.startswith(str(TOP)) else what}"
        return None

    @classmethod
    def one_thread(cls, settings):
        return True

    def models(self):
        """The CPUs it knows, as the names that it prints, one to a line."""
        text = subprocess.run([self.program(self.settings), "-help", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, check=False).stdout
        return re.findall(r"^([a-z]\w+)$", text, re.MULTILINE)

    def limit(self):
        """It is that much slower than QEMU."""
        return 4 * super().limit()

    def prepare(self, initrd):
        disk = self.run.dir / "boot.img"
        cylinders = make_boot_disk(disk, self.settings["XEN_FROM"], "xen " + self.xen_args(),
                                   [(BUILD / "kernel/dom0/vmlinux", "vmlinux " + self.linux_args()), (initrd, "initrd")])
        configuration = self.run.dir / "bochsrc"
        configuration.write_text(CONFIGURATION.format(
            **globals(), **self.settings, ips=INSTRUCTIONS_PER_SECOND, disk=disk, cylinders=cylinders,
            serial=self.run.dir / "serial.raw"))
        # Its standard output has what is written to the debug port.
        return ["sh", "-c", f'exec "$0" -q -f "$1" >"$2"', self.program(self.settings), configuration, self.run.dir / "link.raw"]

    def last_words(self):
        text = super().last_words()
        for line in text.splitlines()[-20:]:
            self.run.on_line("#   " + line)
        found = FATAL.findall(text)
        return found[-1] if found else ""

    def clean(self):
        (self.run.dir / "boot.img").unlink(missing_ok=True)
