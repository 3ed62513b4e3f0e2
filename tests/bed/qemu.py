# SPDX-License-Identifier: GPL-2.0-only
"""QEMU, with its software emulation."""
import re
import shlex
import shutil
import socket
from pathlib import Path

from emulator import BUILD, TOP, Emulator, slowness
from espdisk import make_esp

# Reachable from the host's loopback when NET is set: this port of dom0, and of a guest on dom0's bridge.
GUEST_PORT = 7000
GUEST_ADDRESS = "10.0.2.16"
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
# The same with Xen in x2APIC mode: QEMU's TCG knows it since release 9, so this needs another QEMU and CPU, too. Debian's
# SeaBIOS would look for a disk behind that one's SATA controller for 32 s.
IOMMUS["amdvi-x2apic"] = (IOMMUS["amdvi"][0] + ",sata=off", IOMMUS["amdvi"][1] + ",xtsup=on", *IOMMUS["amdvi"][2:])
IOMMUS["vtd-x2apic"] = (IOMMUS["vtd"][0] + ",sata=off", IOMMUS["vtd"][1] + ",eim=on", *IOMMUS["vtd"][2:])

# Firmware, and the variables that come with it: each run has its own.
OVMF = Path("/usr/share/OVMF")
FIRMWARES = ("bios", "efi", "xen.efi")

# The distribution's QEMU with our patches (mk/qemu/), with which guests can rely on its SVM.
OURS = BUILD / "qemu-svm/qemu-system-x86_64"


def program(settings):
    """The QEMU that a run names; if it names none ours, where it was built, else the distribution's."""
    name = settings["QEMU"] or (OURS if OURS.exists() else "qemu-system-x86_64")
    return str(TOP / name) if "/" in str(name) else name


class Qemu(Emulator):
    NAME = "QEMU"
    DEBUG_PORT = 0x2E0      # not 0x402: firmware writes there
    # A thread for each emulated CPU (thread=multi) is for runs about what CPUs do at the same time, on a machine that does
    # nothing else: while one spins for a lock whose holder's thread does not run, a run takes ten times as long.
    ONE_THREAD = "tcg,thread=single"

    def __init__(self, run):
        super().__init__(run)
        self.settings["ACCEL"] = self.settings["ACCEL"] or ("tcg" if self.settings["ICOUNT"] else self.ONE_THREAD)

    @classmethod
    def missing(cls, settings):
        """One that a scenario names by its path below the project is there only if it could be fetched."""
        qemu = program(settings)
        return None if shutil.which(qemu) else f"there is no {qemu}"

    @classmethod
    def one_thread(cls, settings):
        return settings["SMP"] == "1" or "thread=multi" not in settings["ACCEL"]

    def cpu(self):
        """With one emulated CPU, or one thread for all, QEMU gets the real CPU that was chosen for it: two such runs go
        side by side. The distribution's gets one in any case: it changes a word with pending interrupts without the
        lock, by one instruction (mk/qemu/lost-interrupt.patch), and on one real CPU no change of it can get lost.
        """
        if not self.one_thread(self.settings) or (self.run.cpu is None and program(self.settings) == str(OURS)):
            return None
        return super().cpu()

    def environment(self, cpu):
        """How slowly our QEMU lets its clocks run (mk/qemu/slow-clock.patch). Limits in dom0 and guests, and what they do
        each millisecond, then mean the same on a slow or busy machine; in the deterministic mode they do anyhow."""
        if self.settings["SLOWDOWN"] == "auto" and not self.settings["ICOUNT"] and program(self.settings) == str(OURS):
            self.settings["SLOWDOWN"] = f"{slowness(cpu):.3f}"
        super().environment(cpu)
        return {"QEMU_CLOCK_SLOWDOWN": str(round(self.slowdown() * 1000))}

    def slowdown(self):
        return float(self.settings["SLOWDOWN"])

    def limit(self):
        """One thread for all CPUs: half of the speed. A thread each: they count together."""
        return super().limit() * self.slowdown() * (2 if self.one_thread(self.settings) else int(self.settings["SMP"]))

    def prepare(self, initrd):
        s = self.settings
        directory = self.run.dir
        if s["DISK"] != "0":
            with open(directory / "disk", "wb") as disk:
                disk.truncate(int(s["DISK"]) << 20)
        iommu = []
        nic = NICS.get(s["NET"], s["NET"])
        if s["IOMMU"] != "none":
            s["MACHINE"], device, xen_arg, switches, faults = IOMMUS[s["IOMMU"]]
            s["XEN_ARGS"] = f"{s['XEN_ARGS']} {xen_arg}".strip()
            iommu = ["-device", device, "-D", f"{directory}/iommu.trace"]
            for event in (*switches, *faults):
                iommu += ["-trace", event]
            # Device models take whatever is in slot 2 for Intel's graphics.
            nic += ",addr=3" + (",iommu_platform=on" if "virtio" in nic else "")
        command = [program(s), "-name", f"lu-{self.run.name}",
                   "-accel", s["ACCEL"], "-machine", s["MACHINE"],
                   "-cpu", s["CPU"], "-m", s["MEM"], "-smp", s["SMP"], "-display", "none",
                   "-monitor", "none", "-no-reboot",
                   "-serial", f"file:{directory}/serial.raw",
                   "-chardev", f"file,id=link,path={directory}/link.raw",
                   "-device", f"isa-debugcon,iobase={self.DEBUG_PORT:#x},chardev=link"] + iommu
        if s["DISK"] != "0":
            command += ["-drive", f"if=virtio,format=raw,file={directory}/disk"]
        command += self.boot(initrd)
        if s["NET"]:
            self.run.port, self.run.guest_port = free_port(), free_port()
            command += ["-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{self.run.port}-:{GUEST_PORT},"
                                   f"hostfwd=udp:127.0.0.1:{self.run.port}-:{GUEST_PORT},"
                                   f"hostfwd=tcp:127.0.0.1:{self.run.guest_port}-{GUEST_ADDRESS}:{GUEST_PORT}",
                        "-device", f"{nic},netdev=net0,romfile="]
        else:
            command += ["-nic", "none"]
        if s["ICOUNT"]:
            command += ["-icount", f"shift={s['ICOUNT']},sleep=off", "-seed", "1",
                        "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
        more = f"{s['QEMU_ARGS']} {qemu_args(self.run.scenario)}"
        return command + [word.replace("@RUN@", str(directory)) for word in shlex.split(more)]

    def boot(self, initrd):
        """How Xen is started: by QEMU, as a BIOS's boot loader does it, or by EFI firmware from a disk, with GRUB or without."""
        s = self.settings
        kernel = f"{BUILD}/kernel/dom0/vmlinux"
        if s["FIRMWARE"] == "bios":
            return ["-kernel", s["XEN_FROM"], "-append", self.xen_args(),
                    "-initrd", f"{kernel} {self.linux_args()},{initrd}"]
        disk, variables = self.run.dir / "esp", self.run.dir / "variables"
        make_esp(disk, s["XEN_FROM"], self.xen_args(), [(kernel, self.linux_args()), (initrd, "")],
                 direct=s["FIRMWARE"] == "xen.efi")
        shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                "-drive", f"if=pflash,format=raw,file={variables}",
                "-drive", f"if=virtio,format=raw,readonly=on,file={disk}"]

    def clean(self):
        (self.run.dir / "esp").unlink(missing_ok=True)

    def check(self):
        """What QEMU saw of the IOMMU: once switched on, was it so to the end, and without a fault?"""
        if self.settings["IOMMU"] == "none":
            return
        _, _, _, switches, faults = IOMMUS[self.settings["IOMMU"]]
        on, off, seen = dict.fromkeys(switches, 0), [], []
        for line in (self.run.dir / "iommu.trace").read_text(errors="replace").splitlines():
            event, *words = line.split()
            if event in switches:
                state = int(words[-1], 0) & switches[event]
                if on[event] and not state:
                    off.append(line)
                on[event] = max(on[event], state)
            elif event in faults:
                seen.append(line)
        never = [event for event in switches if not on[event]]
        result = self.run.result
        result(not never, f"QEMU saw the IOMMU being switched on{''.join(': not ' + e for e in never)}")
        result(not off, f"and never off again{''.join(': ' + line for line in off[:1])}")
        result(not seen, f"QEMU saw no fault of the IOMMU{''.join(': ' + line for line in seen[:3])}")


def qemu_args(scenario):
    """What a scenario's "# qemu:" lines add to QEMU's command line."""
    return " ".join(re.findall(r"^# qemu:(.*)", Path(scenario).read_text(), re.MULTILINE))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
