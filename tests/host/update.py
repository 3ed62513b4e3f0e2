#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""update.py: a Debian 12 host as operators have it, booted by EFI firmware and driven by ssh: the packages are installed,
docs/operators.md is followed to the letter, and everything on the host lives on.

Needs what `make host` makes: build/host/host.img, build/packages/. What happened is in build/host/: log (each command with
what it printed), serial.log, results.
"""
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/bed"))
import qemu     # noqa: E402
from emulator import BUILD    # noqa: E402

DIR = BUILD / "host"
GUIDE = TOP / "docs/operators.md"
GUESTS = ("g1", "g2")
UPDATES = 3
ALL_RUN = " && ".join(f"xl list {g}" for g in GUESTS)
# The emulator has one CPU for all of it.
BOOT_SECONDS, COMMAND_SECONDS = 900, 600


class Failed(Exception):
    """Without this there is no use in going on."""


class Host:
    """The emulated machine."""

    def __init__(self):
        self.results = []
        self.log = open(DIR / "log", "w")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        variables = DIR / "variables"
        shutil.copy(qemu.OVMF / "OVMF_VARS_4M.fd", variables)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", qemu.program({"QEMU": ""}), "-name", "lu-host",
             "-accel", qemu.Qemu.ONE_THREAD, "-machine", "q35", "-cpu", "qemu64,+svm,+npt,+rdrand", "-m", "3072", "-smp", "1",
             "-display", "none", "-monitor", "none", "-serial", f"file:{DIR}/serial.log",
             "-drive", f"if=pflash,format=raw,readonly=on,file={qemu.OVMF}/OVMF_CODE_4M.fd",
             "-drive", f"if=pflash,format=raw,file={variables}",
             # Writes stay out of the image, which is made once.
             "-drive", f"if=none,id=disk,format=raw,snapshot=on,cache=unsafe,file={DIR}/host.img",
             "-device", "virtio-blk-pci,drive=disk,bootindex=1,addr=3",
             "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22",
             "-device", "virtio-net-pci,netdev=net,addr=2,romfile="],
            stdin=subprocess.DEVNULL, stdout=open(DIR / "qemu.log", "w"), stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(DIR)})

    def result(self, passed, text):
        line = ("ok - " if passed else "not ok - ") + text
        self.results.append(passed)
        print(line, flush=True)
        self.log.write(f"{line}\n")
        return passed

    def ssh_words(self, *words):
        return [*words, "-i", DIR / "id", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30", "-o", "BatchMode=yes"]

    def run(self, command, seconds=COMMAND_SECONDS, quiet=False):
        """A command on the host: (exit status, what it printed)."""
        try:
            p = subprocess.run(self.ssh_words("ssh", "-p", str(self.port)) + ["root@127.0.0.1", command], text=True, check=False,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
            status, output = p.returncode, p.stdout
        except subprocess.TimeoutExpired as e:
            status, output = -1, f"{(e.stdout or b'').decode()}(no end after {seconds} s)\n"
        if not quiet:
            self.log.write(f"# {command}\n{output}{f'(exit code {status})' + chr(10) if status else ''}")
            self.log.flush()
        return status, output

    def ask(self, command):
        """What a command prints, which has to succeed."""
        status, output = self.run(command)
        if status:
            raise Failed(f"{command}: exit code {status}: {output.strip()}")
        return output.strip()

    def check(self, text, command):
        """A result: does the command succeed?"""
        status, output = self.run(command)
        if not self.result(status == 0, text):
            print("".join(f"  | {line}\n" for line in output.splitlines()), end="", flush=True)
        return output

    def copy(self, files, directory):
        subprocess.run(self.ssh_words("scp", "-q", "-P", str(self.port)) + [*files, f"root@127.0.0.1:{directory}"], check=True)

    def wait_until_up(self, not_boot=None):
        """Until Debian has started, and it is another boot than @not_boot; returns its boot id."""
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failed("QEMU has exited")
            status, boot = self.run("cat /proc/sys/kernel/random/boot_id", 60, quiet=True)
            if status == 0 and boot.strip() != not_boot:
                # "degraded" ends the waiting as well: what failed is looked at later.
                self.run("systemctl is-system-running --wait", BOOT_SECONDS)
                return boot.strip()
            time.sleep(2)
        raise Failed(f"the host does not answer within {BOOT_SECONDS} s")

    def reboot(self, boot):
        self.run("systemctl reboot", 60)
        return self.wait_until_up(boot)


def guide():
    """The commands of the guide: install, after the last reboot, from then on."""
    text = GUIDE.read_text().split("## The first update in ten minutes", 1)[1].split("\n## ", 1)[0]
    commands = [re.sub(r"\s+#.*", "", line.strip()) for line in re.findall(r"^    (.*)", text, re.MULTILINE)]
    install = [c for c in commands if c.startswith("apt ")]
    tool = [c for c in commands if c.startswith("xen-liveupdate ")]
    if len(install) != 1 or [c.split()[1] for c in tool] != ["status", "stage", "check", "rehearse", "apply"]:
        raise Failed(f"{GUIDE} is not what this expects: {commands}")
    return install[0], tool[0], tool[1:]


def seen_of_guests(host):
    """Name, domid and uuid of each domain; CPU time comes apart, as it goes on."""
    domains = host.ask("xl list -v | awk 'NR > 1 { print $1, $2, $7 }'")
    times = {line.split()[0]: float(line.split()[1]) for line in host.ask("xl list | awk 'NR > 1 { print $1, $6 }'").splitlines()}
    return domains, times


def update(host, number, commands):
    """Follows the guide once, with a connection open all along."""
    domains, before = seen_of_guests(host)
    boot = host.ask("cat /proc/sys/kernel/random/boot_id")
    talk = subprocess.Popen(host.ssh_words("ssh", "-p", str(host.port)) +
                            ["root@127.0.0.1", "while :; do echo .; sleep 0.2; done"],
                            stdin=subprocess.DEVNULL, stdout=open(DIR / "talk", "w"), stderr=subprocess.STDOUT)
    for command in commands:
        printed = host.check(f"update {number}: {command}", command)
    host.result(f"survivors: all of {1 + len(GUESTS)} domains" in printed, f"update {number}: all domains are among the survivors")
    host.result(talk.poll() is None, f"update {number}: the connection by ssh is still there")
    length = (DIR / "talk").stat().st_size
    time.sleep(5)
    host.result((DIR / "talk").stat().st_size > length, f"update {number}: and goes on")
    talk.kill()
    talk.wait()
    host.result(host.ask("cat /proc/sys/kernel/random/boot_id") == boot, f"update {number}: dom0 was not booted anew")
    now, after = seen_of_guests(host)
    host.result(now == domains, f"update {number}: the same domains with the same ids")
    host.run("sleep 5")
    _, later = seen_of_guests(host)
    host.result(all(later[g] > after[g] >= before[g] for g in GUESTS), f"update {number}: the guests run ({before}, {after}, {later})")
    failed = host.ask("systemctl --failed --no-legend --plain")
    host.result(not failed, f"update {number}: no unit has failed {failed}")


def scenario(host):
    install, status, commands = guide()
    boot = host.wait_until_up()
    host.check("EFI firmware has booted it", "test -d /sys/firmware/efi")
    host.check("Debian's Xen runs", "xl info | grep ^xen_version && ! xl info | grep liveupdate=")

    host.ask("mkdir -p /root/debs /root/guest /etc/xen/auto")
    host.copy(sorted((BUILD / "packages").glob("*.deb")), "/root/debs/")
    host.copy([BUILD / "images/domu.cpio", BUILD / "kernel/domu/vmlinux"], "/root/guest/")
    for name in GUESTS:
        config = (f"name='{name}'\ntype='pv'\nkernel='/root/guest/vmlinux'\nramdisk='/root/guest/domu.cpio'\n"
                  "vcpus=1\nmemory=128\nextra='console=hvc0 rdinit=/init quiet'\n")
        host.ask(f"printf %s {shlex.quote(config)} >/etc/xen/auto/{name}.cfg")
    # Nobody is there to say yes.
    host.check(install, f"cd /root/debs && {install.replace('apt install', 'apt install -y')}")

    boot = host.reboot(boot)
    printed = host.check(f"after the last reboot: {status}", status)
    host.result("region: 64 MiB" in printed, "it has memory set aside for the next Xen")
    host.check("xendomains has started the guests", ALL_RUN)
    host.check("no unit has failed", "! systemctl --failed --no-legend --plain | grep .")

    for number in range(1, UPDATES + 1):
        update(host, number, commands)
    host.check("systemd's journal has the updates", f"[ $(journalctl -o cat SYSLOG_IDENTIFIER=xen-liveupdate | grep -c 'state: done\\|: done') -ge {UPDATES} ]")
    host.check("a guest shuts down when it is told to", f"xl shutdown {GUESTS[1]}; for i in $(seq 60); do xl list {GUESTS[1]} 2>/dev/null || exit 0; sleep 2; done; exit 1")
    host.check("and is created again", f"xl create /etc/xen/auto/{GUESTS[1]}.cfg")

    host.reboot(boot)
    host.check("after a reboot: the same Xen, from its boot entry", status)
    host.check("the history has the updates", f"[ $(xen-liveupdate history | grep -c done) = {UPDATES} ]")
    host.check("xendomains has started the guests again", ALL_RUN)
    host.run("systemctl poweroff", 60)
    try:
        host.result(host.process.wait(300) == 0, "the host is switched off")
    except subprocess.TimeoutExpired:
        host.result(False, "the host is switched off")


def main():
    start = time.monotonic()
    host = Host()
    try:
        scenario(host)
    except Failed as e:
        host.result(False, f"{e}")
    finally:
        host.process.kill()
        host.process.wait()
    failed = host.results.count(False)
    print(f"# host: {len(host.results) - failed} passed, {failed} failed, {time.monotonic() - start:.0f} s, {DIR}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
