#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What decides in the test bed whether something has passed: guest()'s exit status, when a run is ended, and which are repeated;
and that deliberate bugs are up to date with the code."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

TESTS = Path(__file__).resolve().parent.parent


sys.dont_write_bytecode = True
sys.path.insert(0, str(TESTS / "bed"))
from program import load  # noqa: E402 (the path above)

hypervisor = load(TESTS / "mutants/hypervisor", "hypervisor")
e2e = hypervisor.e2e


class Guest(unittest.TestCase):
    """A command whose id is "abcd", in a guest whose console log is what the test says."""

    # Nothing waits: what is not there is not going to come.
    STUBS = """
        random_id() { id=abcd; }
        guest_tty() { echo "$DIR/tty"; }
        find_log() { log=$DIR/log; }
        wait_for() { shift; "$@"; }
        xl() { echo "xl $*"; }
        guest g1 some command
    """

    def guest(self, log):
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "log").write_text(log)
            sh = subprocess.run(["busybox", "sh", "-c", f". {TESTS}/bed/dom0/lib.sh\n{self.STUBS}"], text=True,
                                capture_output=True, check=False, env={"DIR": d, "PATH": "/usr/bin:/bin"})
            self.assertEqual((Path(d) / "tty").read_text(), "abcd some command\n")
            return sh.returncode, sh.stdout

    def test_answers(self):
        self.assertEqual(self.guest("tick 1\r\n@abcd: one\r\n@abcd: two\r\n@abcd rc=0;\r\n"), (0, "one\ntwo\n"))
        self.assertEqual(self.guest("@abcd: no\r\n@abcd rc=127;\r\ntick 2\r\n"), (127, "no\n"))
        self.assertEqual(self.guest("@other rc=0;\n@abcd rc=1;\n")[0], 1)

    def test_torn(self):
        whole = "@abcd: one\r\n@abcd rc=127;\r\n"
        for end in range(whole.index(";") + 1):
            self.assertEqual(self.guest(whole[:end])[0], 255, whole[:end])
        for torn in ("@abcd rc=tick 5 7.1\r\n0;\r\n", "@abcd rc=;\r\n", "@abcd rc=1tick 5\r\n", "@abc", "x@abcd rc=0;\r\n"):
            self.assertEqual(self.guest(torn)[0], 255, torn)


class WaitFor(unittest.TestCase):
    """wait_for(): the command succeeds at the Nth try, each of which takes a second of the test's clock. It waits four times
    as long as it is asked to."""

    STUBS = """
        read_uptime() { now=$((100 + tries)); }
        succeeds_at() { tries=$((tries + 1)); [ $tries -ge $1 ]; }
        tries=0
    """

    def wait(self, command):
        return subprocess.run(["busybox", "sh", "-c", f". {TESTS}/bed/dom0/lib.sh\n{self.STUBS}\n{command}"], text=True,
                              capture_output=True, check=False).returncode

    def test_in_time(self):
        for tries in (1, 2, 20):
            self.assertEqual(self.wait(f"wait_for 5 succeeds_at {tries}"), 0)

    def test_too_late(self):
        self.assertEqual(self.wait("wait_for 5 succeeds_at 22; rc=$?; [ $tries = 20 ] || rc=$tries; exit $rc"), 1)


class Ends(unittest.TestCase):
    """A shell command for an emulator: what it has to say comes by the serial line and the debug port."""

    def watch(self, command, limit="60", cpu_seconds=None):
        with tempfile.TemporaryDirectory() as d:
            run = e2e.bed.Run(TESTS / "e2e/boot.sh", {"SMP": "1", "ACCEL": "tcg", "TIMEOUT": limit})
            run.dir = Path(d)
            (run.dir / "files").mkdir()
            if cpu_seconds:
                run.emulator.cpu_seconds = cpu_seconds
            process = subprocess.Popen(["sh", "-c", command], cwd=d)
            try:
                return run.watch(process)
            finally:
                process.kill()
                process.wait()

    END = "echo @begin >link.raw; echo ok - fine >>link.raw; echo @end >>link.raw; echo bed: end >serial.raw; exec sleep 99"

    def test_end(self):
        self.assertIsNone(self.watch(self.END))
        # Slow, with something new all the time, and with hardly any CPU time: as on a machine that does other things.
        slow = f"for n in 1 2 3 4 5 6; do sleep 0.8; echo $n >>serial.raw; done; {self.END}"
        self.assertIsNone(self.watch(slow, "4", lambda process: 3.9))

    def test_no_end(self):
        self.assertIn("nothing new", self.watch("exec sleep 99", "1"))
        taken = iter(range(99))
        self.assertIn("CPU time", self.watch("exec sleep 99", "10", lambda process: next(taken)))
        self.assertIn("exited", self.watch("true"))

    def test_cpu_seconds(self):
        emulator = e2e.bed.Run(TESTS / "e2e/boot.sh", {"ACCEL": "tcg"}).emulator
        with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as process:
            while emulator.cpu_seconds(process) < 0.1:
                pass
            process.kill()
            process.wait()
            self.assertGreaterEqual(emulator.cpu_seconds(process), 0.1)


class Slices(unittest.TestCase):
    """For how long an update's preparations kept the only CPU of a deterministic run."""

    def failures(self, us, **settings):
        run = e2e.bed.Run(TESTS / "e2e/boot.sh", {"SMP": "1", "ACCEL": "tcg", **settings})
        run.check_slice("check", us)
        return len(run.results)

    def test_limit(self):
        self.assertEqual([self.failures(us, ICOUNT="0") for us in (1500, 1501)], [0, 1])
        self.assertEqual([self.failures(us, ICOUNT="3") for us in (5000, 5001)], [0, 1])

    def test_time_of_others(self):
        self.assertEqual(self.failures(9999), 0)
        self.assertEqual(self.failures(9999, ICOUNT="0", SMP="2"), 0)

    def test_log(self):
        line = "(XEN) liveupdate: the longest slice of the image's CRC took 1234 us (-)"
        self.assertEqual(e2e.bed.SLICE.search(line).groups(), ("the image's CRC", "1234"))


class Repeats(unittest.TestCase):
    def flake(self, failed, serial="", **settings):
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "serial.log").write_text(serial)
            return e2e.qemu_flake(SimpleNamespace(
                dir=Path(d), settings={"EMULATOR": "qemu", "QEMU": "qemu-system-x86_64", "GUEST": "pv", "HVM": "0", **settings},
                results=[(True, "fine")] + [(False, text) for text in failed]))

    WOKEN = "timer-pvh: FAIL 1: the timer of vCPU 1 was lost"
    NO_END = "the run came to its end: no end after 300 s"
    PANIC = "the run came to its end: (XEN) Panic on CPU 0:"
    FAULT = "[ 1.0] (XEN) d3v0 Triple fault - invoking HVM shutdown action 1\n"

    def test_known(self):
        self.assertIn("not woken", self.flake([self.WOKEN], GUEST="pvh"))
        self.assertIn("stood still", self.flake([self.NO_END], HVM="1"))
        self.assertEqual(self.flake([self.WOKEN, self.NO_END], GUEST="pvh").count(","), 1)
        self.assertIn("Triple fault", self.flake(["g1 ticks", self.NO_END], self.FAULT + "not ok - g1 ticks\n"))

    def test_anything_else(self):
        self.assertIsNone(self.flake([], GUEST="pvh"))
        # They are QEMU's, and not that of ours.
        self.assertIsNone(self.flake([self.WOKEN], GUEST="pvh", EMULATOR="bochs"))
        self.assertIsNone(self.flake([self.WOKEN], GUEST="pvh", QEMU="build/qemu-svm/qemu-system-x86_64"))
        self.assertIsNone(self.flake([self.WOKEN]))
        self.assertIsNone(self.flake([self.NO_END]))
        for other in ("a page leaked", self.PANIC, "the run came to its end: QEMU exited"):
            for known in (self.WOKEN, self.NO_END):
                self.assertIsNone(self.flake([other, known], GUEST="pvh"), (other, known))
                self.assertIsNone(self.flake([known, other], GUEST="pvh"), (other, known))
        # Before the guest died, and what no guest does.
        early = "not ok - a page leaked\n" + self.FAULT
        self.assertIsNone(self.flake(["a page leaked", "g1 ticks"], early, GUEST="pvh"))
        self.assertIsNone(self.flake(["g1 ticks", self.PANIC], self.FAULT, GUEST="pvh"))


class Bochs(unittest.TestCase):
    """Its configuration is filled in with the run's settings and with the driver's own names."""

    def test_names(self):
        bed, bochs = sys.modules["bed"], sys.modules["bochs"]
        self.assertEqual(sorted(bed.DEFAULTS.keys() & vars(bochs).keys()), [])
        settings = bed.with_defaults({"EMULATOR": "bochs"})
        self.assertIn(bochs.BIOS, bochs.CONFIGURATION.format(**vars(bochs), **settings, ips=1, disk="", cylinders=1, serial=""))


class Mutants(unittest.TestCase):
    """Each deliberate bug can be put into its file, and the run that has to find it is there."""

    def test_apply(self):
        for path in sorted((TESTS / "mutants").glob("*.txt")) + [TESTS / "mutants/hypervisor.list"]:
            for bug in hypervisor.mutants.read_mutants(path):
                self.assertIsNotNone(bug.apply((TESTS.parent / bug.file).read_text()), f"{bug} does not apply")

    def test_runs(self):
        runs = hypervisor.runs_of_check()
        for bug in hypervisor.mutants.read_mutants(TESTS / "mutants/hypervisor.list"):
            self.assertIn(bug.run, runs, str(bug))


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False, verbosity=0).result.wasSuccessful())
