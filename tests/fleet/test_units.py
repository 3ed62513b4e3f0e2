# SPDX-License-Identifier: GPL-2.0-only
"""The parts of fleet/ on their own: batches, window, judge, journal, gate, report; and one host's way, with a host that is
a piece of Python, which lies, hangs, and does not answer."""

from __future__ import annotations

import copy
import http.server
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import fleet

fleet.install()
from ansible_collections.xen.liveupdate.plugins.module_utils import cli, host  # noqa: E402
from ansible_collections.xen.liveupdate.plugins.plugin_utils import (  # noqa: E402
    alerts, batches, course, html, journal, judge, machine, metrics, report, settings, window)
from ansible_collections.xen.liveupdate.plugins.plugin_utils.gate import Gate  # noqa: E402

OLD = {"version": "4.17.5", "changeset": "a", "build_id": "aa"}
NEW = {"version": "4.17.6", "changeset": "b", "build_id": "bb"}


def survey(runs=None, generation=0, boot="boot1", refusals=(), free=1 << 30, exit_code=None, staged=True, last=None):
    """What the module survey returns of a host with dom0 and two guests."""
    runs = runs or OLD
    target = {**NEW, "command_line": "x"}
    code = (3 if refusals else 0) if exit_code is None else exit_code
    return {
        "boot_id": boot, "target_there": True, "error": None,
        "status": {"exit_code": 0, "error": None, "target": target if staged else None, "last": last and {"id": last},
                   "status": {**runs, "generation": generation, "busy": False, "staged": staged}},
        "check": {"exit_code": code, "error": None, "target": target,
                  "tools": {"release": "4.17", "other": False, "path": "/x"},
                  "refusals": [{"domain": d, "resource": "pirq", "reason": "no", "errno": None} for d in refusals],
                  "domains": [{"domain": d, "name": f"g{d}", "carried": True, "refusals": 0} for d in range(3)],
                  "memory": {"needed": 100 << 20, "free": free}, "prediction": {"pause_ns": 40000000, "basis": "a guess"}},
    }


class Batches(unittest.TestCase):
    def test_sizes(self):
        self.assertEqual(batches.sizes_of(["1", 5, "10%"], 50), [1, 5, 5])
        self.assertEqual(batches.sizes_of("1%", 3), [1])
        for bad in ("0", "-1", "x", "0%", "101%", "", [], "nan%", "inf%", "1.5", None):
            with self.assertRaises(batches.BadSerial, msg=repr(bad)):
                batches.sizes_of(bad, 10)

    def test_everybody_once_and_no_two_of_a_group(self):
        rng = random.Random(1)
        for unused in range(300):
            hosts = [f"h{n}" for n in range(rng.randrange(0, 40))]
            groups = {h: rng.choice([None, "r1", "r2", "r3", "r4"]) for h in hosts}
            apart = [(rng.choice(hosts), rng.choice(hosts)) for unused in range(3)] if hosts else []
            serial = rng.choice([["1"], ["2", "5"], ["30%"], ["1", "100%"]])
            made = batches.make(hosts, groups, serial, [(a, b) for a, b in apart if a != b])
            self.assertEqual(sorted(h for b in made for h in b), sorted(hosts))
            sizes = batches.sizes_of(serial, len(hosts))
            for n, batch in enumerate(made):
                self.assertTrue(0 < len(batch) <= sizes[min(n, len(sizes) - 1)])
                named = [groups[h] for h in batch if groups[h] is not None]
                self.assertEqual(len(named), len(set(named)))
                for a, b in apart:
                    self.assertFalse(a != b and a in batch and b in batch)

    def test_few(self):
        hosts = [f"h{n}" for n in range(12)]
        groups = {h: "big" if n < 6 else None for n, h in enumerate(hosts)}
        self.assertEqual(len(batches.make(hosts, groups, ["2"])), 6)


class Window(unittest.TestCase):
    def at(self, clock):
        return time.mktime(time.strptime(f"2026-01-31 {clock}", "%Y-%m-%d %H:%M"))

    def test_window(self):
        over_night, day = window.parse_window("22:00-05:00"), window.parse_window("09:00-17:30")
        for clock, night, noon in (("21:59", 0, 0), ("22:00", 1, 0), ("00:00", 1, 0), ("04:59", 1, 0), ("05:00", 0, 0),
                                   ("09:00", 0, 1), ("17:29", 0, 1), ("17:30", 0, 0)):
            self.assertEqual(window.closed(over_night, None, self.at(clock)) is None, bool(night), clock)
            self.assertEqual(window.closed(day, None, self.at(clock)) is None, bool(noon), clock)
        self.assertIsNone(window.closed(window.parse_window("00:00-24:00"), None, self.at("23:59")))

    def test_deadline(self):
        end = window.parse_deadline("2026-01-31T05:00")
        self.assertIsNone(window.closed(None, end, self.at("04:59")))
        self.assertIn("deadline", window.closed(None, end, self.at("05:00")))

    def test_bad(self):
        for bad in ("22-5", "25:00-01:00", "22:60-01:00", "1:00-1:00", "22:00", "24:01-01:00", "x"):
            with self.assertRaises(window.BadTime, msg=bad):
                window.parse_window(bad)
        with self.assertRaises(window.BadTime):
            window.parse_deadline("tomorrow")


class Judge(unittest.TestCase):
    def verdict(self, seen, limit=None, migrate=False):
        told = judge.judge(seen, limit, migrate)
        return told["verdict"], told["reasons"]

    def test_verdicts(self):
        self.assertEqual(self.verdict(survey()), ("ready", []))
        self.assertEqual(self.verdict(survey(NEW)), ("current", []))
        self.assertEqual(self.verdict(survey(refusals=[1])), ("refused", ["domain 1 (g1): pirq: no"]))
        self.assertEqual(self.verdict(survey(refusals=[1, 2]), migrate=True)[0], "migrate")
        # dom0, and what is no domain's, cannot go away.
        self.assertEqual(self.verdict(survey(refusals=[1, 0]), migrate=True)[0], "refused")
        self.assertEqual(self.verdict(survey(refusals=[None]), migrate=True)[0], "refused")
        self.assertEqual(self.verdict(survey(refusals=[1], free=1 << 20), migrate=True)[0], "refused")
        self.assertEqual(self.verdict(survey(free=1 << 20)), ("refused", ["memory: 100 MiB needed, 1 MiB free"]))
        self.assertEqual(self.verdict(survey(), 39)[0], "long-pause")
        self.assertEqual(self.verdict(survey(), 40)[0], "ready")
        self.assertEqual(self.verdict(None)[0], "unreachable")
        self.assertEqual(self.verdict(survey(exit_code=2))[0], "busy")
        seen = survey(exit_code=1)
        seen["check"]["error"] = {"message": "not an ELF file"}
        self.assertEqual(self.verdict(seen), ("refused", ["not an ELF file"]))
        seen = survey()
        seen["check"]["tools"] = {"release": "4.20", "other": True, "path": None}
        self.assertEqual(self.verdict(seen)[0], "no-tools")
        self.assertEqual(self.verdict({**survey(), "target_there": False})[0], "no-target")
        self.assertEqual(self.verdict({**survey(), "error": {"kind": "garbage", "message": "x"}}), ("error", ["x"]))

    def test_nonsense_is_an_error(self):
        """Whatever stands in an answer in place of what should: a verdict, and never ready without its facts."""
        def places(o, at=()):
            yield at
            for key in (o if isinstance(o, dict) else range(len(o)) if isinstance(o, list) else ()):
                yield from places(o[key], (*at, key))
        for at in list(places(survey(refusals=[1])))[1:]:
            for wrong in (None, "x", -1, 1.5, [], {}, [None], {"a": 1}, True):
                seen = copy.deepcopy(survey(refusals=[1]))
                inner = seen
                for key in at[:-1]:
                    inner = inner[key]
                inner[at[-1]] = wrong
                told = judge.judge(seen)
                self.assertIn(told["verdict"], judge.VERDICTS, f"{at} {wrong!r}")
                if at == ("check", "exit_code"):
                    self.assertNotEqual(told["verdict"], "ready")


class Cli(unittest.TestCase):
    def test_garbage(self):
        for text in ("", "[]", "{", "nonsense", '{"verb": "status"}', '{"verb": "status", "exit_code": 0, "schema": 1}',
                     '{"verb": "apply", "exit_code": 0, "schema": 2}', "[" * 100000,
                     '{"verb": "status", "exit_code": true, "schema": 2}'):
            with self.assertRaises(cli.CliError):
                cli.parse("status", text)

    def test_commands(self):
        for argv, kind in ((["/nonexistent"], "missing"), (["sh", "-c", "sleep 9"], "timeout"),
                           (["sh", "-c", "echo no >&2; exit 7"], "garbage"), (["echo", "{}"], "garbage"),
                           (["sh", "-c", 'echo "{\\"verb\\": \\"status\\", \\"exit_code\\": 0, \\"schema\\": 2}"; exit 3'],
                            "garbage")):
            with self.assertRaises(cli.CliError) as caught:
                cli.ask(argv, "status", (), 0.2 if kind == "timeout" else 20)
            self.assertEqual(caught.exception.kind, kind)


class Answers(unittest.TestCase):
    def test_schema(self):
        """What xen-liveupdate itself says is what its schemas promise, whatever becomes of an update."""
        sys.path.insert(0, str(fleet.TOP / "tests/unit"))
        import validate
        for setting, code, outcome in (("fails=0", 0, "done"), ("fails=1", 4, "failed"), ("loses=1", 6, "lost"),
                                       ("returns=1", 7, "returned")):
            f = fleet.Fleet(fleet.TOP / "build/fleet/answers")
            command = [str(f.add("a", setting) / "xen-liveupdate")]
            host.stage(command, str(f.target))
            said = {verb: cli.ask(command, verb, (), 60) for verb in ("apply", "result", "status", "history")}
            self.assertEqual(said["apply"]["exit_code"], code)
            self.assertEqual(said["history"]["attempts"][-1]["outcome"], outcome)
            for answer in said.values():
                self.assertIsNone(validate.trouble(answer))


class ManPage(unittest.TestCase):
    POD = fleet.TOP / "fleet/man/xen-liveupdate-fleet.8.pod"

    def test_agrees(self):
        """The program's verbs and exit codes, and those of the guide, are all in it, and it is in the package."""
        pod = self.POD.read_text(encoding="utf-8")
        program = fleet.TOP / "fleet/bin/xen-liveupdate-fleet"
        said = subprocess.run([fleet.PYTHON, "-B", fleet.COLLECTIONS / "ansible_collections/xen/liveupdate/bin" / program.name, "--help"],
                              capture_output=True, text=True, check=True).stdout
        verbs = re.search(r"\{([a-z,]+)\}", said)[1].split(",")
        self.assertGreater(len(verbs), 8)
        guide = (fleet.TOP / "docs/fleet.md").read_text(encoding="utf-8")
        codes = re.findall(r"^\| (\d+) \|", guide, flags=re.M)
        self.assertGreater(len(codes), 7)
        for word in [*verbs, *codes]:
            self.assertIn(f"\n=item B<{word}>\n", pod)
        for item in re.findall(r"^=item B<(\w+)>$", pod, flags=re.M):
            self.assertIn(item, [*verbs, *codes])
        checked = subprocess.run(["podchecker", self.POD], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("\nusr/share/man/man8/xen-liveupdate-fleet.8\n",
                      (fleet.TOP / "debian/xen-liveupdate-fleet.install").read_text(encoding="ascii"))


class Folder(unittest.TestCase):
    def setUp(self):
        # In memory: thousands of synchronisations.
        self.dir = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.addCleanup(shutil.rmtree, self.dir, True)


class Token(Folder):
    """An attempt is begun once in the life of its token."""

    def start(self, command, wait=20):
        return host.start(self.dir, "token-0001", ["sh", "-c", command], wait)

    def test_once(self):
        count = f"echo x >>{self.dir}/count; echo said; exit 3"
        first = self.start(count)
        self.assertEqual((first["state"], first["rc"], first["out"], first["begun"]), ("ended", 3, "said\n", True))
        second = self.start(count)
        self.assertEqual((second["state"], second["rc"], second["begun"]), ("ended", 3, False))
        self.assertEqual(host.fence(self.dir, "token-0001")["state"], "ended")
        with open(f"{self.dir}/count", encoding="ascii") as f:
            self.assertEqual(f.read(), "x\n")

    def test_running_and_fence(self):
        self.assertEqual(host.look(self.dir, "token-0001")["state"], "absent")
        self.assertEqual(self.start(f"while [ ! -e {self.dir}/go ]; do sleep 0.05; done", 0)["state"], "running")
        self.assertEqual(host.fence(self.dir, "token-0001")["state"], "running")
        open(f"{self.dir}/go", "w", encoding="ascii").close()
        self.assertEqual(host.wait(self.dir, "token-0001", 60)["state"], "ended")
        # The other way round: what was fenced is not begun.
        self.assertEqual(host.fence(self.dir, "token-0002")["state"], "fenced")
        late = host.start(self.dir, "token-0002", ["touch", f"{self.dir}/late"], 5)
        self.assertEqual((late["state"], late["begun"]), ("fenced", False))
        self.assertFalse(os.path.exists(f"{self.dir}/late"))

    def test_killed(self):
        """Whoever waits for the command is killed, then the command: running until both are gone, then cut off."""
        self.start(f"echo $PPID $$ >{self.dir}/pids; exec sleep 60", 0)
        while not os.path.exists(f"{self.dir}/pids") or not os.path.getsize(f"{self.dir}/pids"):
            time.sleep(0.02)
        with open(f"{self.dir}/pids", encoding="ascii") as f:
            supervisor, command = map(int, f.read().split())
        os.kill(supervisor, 9)
        self.assertEqual(host.look(self.dir, "token-0001")["state"], "running")
        os.kill(command, 9)
        self.assertEqual(host.wait(self.dir, "token-0001", 60)["state"], "cut")

    def test_race(self):
        """Many at once: one begins it."""
        for n in range(3):
            threads = [threading.Thread(target=lambda n=n: os.waitpid(os.posix_spawn("/usr/bin/python3", [
                "python3", "-c", f"import sys; sys.path.insert(0, {str(fleet.COLLECTIONS)!r})\n"
                "from ansible_collections.xen.liveupdate.plugins.module_utils import host\n"
                f"host.start({self.dir!r}, 'token-race{n}', ['sh', '-c', 'echo x >>{self.dir}/race{n}'], 20)"],
                os.environ), 0)) for unused in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            with open(f"{self.dir}/race{n}", encoding="ascii") as f:
                self.assertEqual(f.read(), "x\n")

    def test_forget(self):
        """What nobody asks for is removed, and stays used: nothing is begun by a token that comes late."""
        def names():
            return sorted(n for n in os.listdir(self.dir) if n.startswith((".", "night")))
        host.forget(f"{self.dir}/none", ["night-a"])
        for token, argv in (("night-a-1", ["sh", "-c", "echo said; exit 4"]), ("night-b-1", ["true"])):
            self.assertEqual(host.start(self.dir, token, argv, 20)["state"], "ended")
        host.fence(self.dir, "night-a-2")
        go = f"while [ ! -e {self.dir}/go ]; do sleep 0.05; done"
        self.assertEqual(host.start(self.dir, "night-a-3", ["sh", "-c", go], 0)["state"], "running")
        os.mkdir(f"{self.dir}/.night-c-1.4711")
        os.mkdir(f"{self.dir}/night-a-4")
        host.forget(self.dir, ["night-a", "night"])
        # One that runs is not, nor are those of others.
        self.assertEqual(names(), ["night-a-3", "night-b-1"])
        self.assertEqual(host.look(self.dir, "night-a-1"), {"state": "ended", "rc": 4, "out": None, "err": None})
        self.assertEqual(host.look(self.dir, "night-b-1")["rc"], 0)
        for token, state in (("night-a-1", "ended"), ("night-a-2", "fenced"), ("night-a-4", "cut")):
            late = host.start(self.dir, token, ["touch", f"{self.dir}/late"], 5)
            self.assertEqual((late["state"], late["begun"]), (state, False))
            self.assertEqual(host.fence(self.dir, token)["state"], state)
        self.assertFalse(os.path.exists(f"{self.dir}/late"))
        open(f"{self.dir}/go", "w", encoding="ascii").close()
        self.assertEqual(host.wait(self.dir, "night-a-3", 60)["state"], "ended")
        host.forget(self.dir, ["night-a"])
        self.assertEqual(names(), ["night-b-1"])
        self.assertEqual(host.look(self.dir, "night-a-2")["state"], "fenced")
        self.assertEqual(host.look(self.dir, "night-a-3")["rc"], 0)

    def test_forget_cut_off(self):
        """A power cut between the note and the removal: it is removed by the next."""
        host.start(self.dir, "night-a-1", ["true"], 20)
        rename, os.rename = os.rename, None
        try:
            os.rename = lambda a, b: rename(a, b) if a.endswith(".new") else (_ for _ in ()).throw(OSError("cut"))
            with self.assertRaises(OSError):
                host.forget(self.dir, ["night-a"])
        finally:
            os.rename = rename
        self.assertEqual(host.look(self.dir, "night-a-1")["state"], "ended")
        host.forget(self.dir, ["night-a"])
        self.assertFalse(os.path.exists(f"{self.dir}/night-a-1"))
        self.assertEqual(host.look(self.dir, "night-a-1")["rc"], 0)

    def test_forget_race(self):
        """Some begin it while others remove it: it is begun once."""
        script = (f"import sys; sys.path.insert(0, {str(fleet.COLLECTIONS)!r})\n"
                  "from ansible_collections.xen.liveupdate.plugins.module_utils import host\n"
                  "for n in range(20):\n"
                  f"    host.start({self.dir!r}, f'night-race-{{n}}', ['sh', '-c', f'echo x >>{self.dir}/race{{n}}'], 20)\n"
                  f"    host.forget({self.dir!r}, ['night-race'])\n")
        for p in [subprocess.Popen(["/usr/bin/python3", "-c", script]) for unused in range(3)]:
            self.assertEqual(p.wait(), 0)
        for n in range(20):
            with open(f"{self.dir}/race{n}", encoding="ascii") as f:
                self.assertEqual(f.read(), "x\n")

    def test_names(self):
        for bad in ("short", "../../../../etc/x", "a" * 90, "with blank"):
            with self.assertRaises(cli.CliError):
                host.start(self.dir, bad, ["true"], 0)


class Guests(Folder):
    """xl, as a script that keeps the guests of hosts "here" and "peer" in files."""

    def setUp(self):
        super().setUp()
        for name, guests in (("here", "Domain-0 web1"), ("peer", "Domain-0")):
            with open(f"{self.dir}/{name}", "w", encoding="ascii") as f:
                f.write(guests)
        with open(f"{self.dir}/xl", "w", encoding="ascii") as f:
            f.write(f"""#!/bin/sh
cd {self.dir}
at=${{AT:-here}}
case $1 in
list) echo 'Name  ID  Mem VCPUs State Time(s)'; n=0
    for g in $(cat $at); do echo "$g $n 128 1 -b---- 1.0"; n=$((n + 1)); done ;;
migrate) [ ! -e full ] || {{ echo 'no memory' >&2; exit 1; }}
    sed -i "s/ $2$//" $at; echo "$(cat $3) $2" >$3; echo "$*" >>log ;;
esac
""")
        os.chmod(f"{self.dir}/xl", 0o755)

    def test_there_and_back(self):
        xl, ssh = [f"{self.dir}/xl"], ["env", "AT=peer"]
        self.assertEqual(host.guests(xl), {0: "Domain-0", 1: "web1"})
        self.assertTrue(host.migrate(xl, "web1", "peer"))
        # Again, because the controller was killed meanwhile: it is there already.
        self.assertFalse(host.migrate(xl, "web1", "peer"))
        self.assertEqual(host.guests([*ssh, *xl]), {0: "Domain-0", 1: "web1"})
        self.assertTrue(host.migrate(xl, "web1", "here", ssh))
        self.assertFalse(host.migrate(xl, "web1", "here", ssh))
        with open(f"{self.dir}/log", encoding="ascii") as f:
            self.assertEqual(f.read(), "migrate web1 peer\nmigrate web1 here\n")
        open(f"{self.dir}/full", "w", encoding="ascii").close()
        with self.assertRaisesRegex(cli.CliError, "no memory"):
            host.migrate(xl, "web1", "peer")


def rows(*names, **more):
    return [{"name": n, "batch": i, "canary": False, "data": {}, **more} for i, n in enumerate(names)]


WANT = {"target": "t", "arguments": [], "max_fail_percentage": 0, "window": None, "deadline": None, "max_pause": None,
        "canaries": 0, "serial": ["1"], "stop_file": None}


class Books(Folder):
    def setUp(self):
        super().setUp()
        self.path = f"{self.dir}/journal.db"
        self.book = journal.Journal(self.path, create=True)
        self.me = journal.controller(os.getpid())
        # A controller that has ended.
        child = os.fork()
        if not child:
            os._exit(0)
        self.gone = journal.controller(child)
        os.waitpid(child, 0)

    def begin(self, hosts, who=None, **more):
        return self.book.begin({**WANT, **more}, hosts, who or self.gone)


class Journals(Books):
    def test_two_controllers(self):
        run, epoch = self.begin(rows("a", "b"), self.me)
        with self.assertRaisesRegex(journal.JournalError, f"another controller is at work.*{os.getpid()}"):
            self.book.take(run, self.gone)
        with self.assertRaisesRegex(journal.JournalError, "another run"):
            self.begin(rows("a"))
        with self.assertRaisesRegex(journal.JournalError, "at work"):
            self.book.end(run)
        # One that is gone is followed, and what is left of it writes no more.
        other = journal.Journal(self.path)
        with self.book._change():
            self.book.db.execute("UPDATE run SET controller = ?", (json.dumps(self.gone),))
        later = other.take(run, self.me)
        self.assertEqual(later, epoch + 1)
        for write in (lambda: self.book.admit(run, epoch, "a"), lambda: self.book.step(run, epoch, "a", "apply", {}),
                      lambda: self.book.finish(run, epoch, "a", "done", None, {}), lambda: self.book.leave(run, epoch),
                      lambda: self.book.gate(run, epoch, True), lambda: self.book.stop(run, epoch, "x")):
            with self.assertRaises(journal.Superseded):
                write()
        self.assertEqual(self.book.host(run, "a")["state"], "pending")

    def test_elsewhere(self):
        run, unused = self.begin(rows("a"), {**self.me, "host": "elsewhere"})
        with self.assertRaisesRegex(journal.JournalError, "take_over"):
            self.book.take(run, self.me)
        self.book.take(run, self.me, take_over=True)

    def test_admission(self):
        run, epoch = self.begin([{**r, "domain": "r1"} for r in rows("a", "b")] + rows("c"))
        self.book.admit(run, epoch, "a")
        with self.assertRaisesRegex(journal.NotNow, "a, of the same failure domain r1, is active"):
            self.book.admit(run, epoch, "b")
        self.book.admit(run, epoch, "c")
        self.book.finish(run, epoch, "a", "done", None, {})
        self.book.admit(run, epoch, "b")
        with self.assertRaisesRegex(journal.NotNow, "outcome"):
            self.book.admit(run, epoch, "a")
        with self.assertRaisesRegex(journal.JournalError, "is not a host"):
            self.book.admit(run, epoch, "z")

    def test_unknown_blocks_its_group(self):
        run, epoch = self.begin([{**r, "domain": "r1"} for r in rows("a", "b")], max_fail_percentage=100)
        self.book.admit(run, epoch, "a")
        self.book.finish(run, epoch, "a", "unknown", "x", {})
        with self.assertRaisesRegex(journal.NotNow, "a, of the same failure domain r1, is unknown"):
            self.book.admit(run, epoch, "b")

    def test_too_many_failures(self):
        run, epoch = self.begin(rows(*"abcdefghij"), max_fail_percentage=10)
        for name in "ab":
            self.book.admit(run, epoch, name)
            self.book.finish(run, epoch, name, "failed", "x", {})
        with self.assertRaisesRegex(journal.NotNow, "2 of 10 hosts failed, which is more than 10 %"):
            self.book.admit(run, epoch, "c")
        self.assertEqual(self.book.leave(run, epoch), "halted")
        # The next start does not go on by itself; told to, it does, and new failures count.
        epoch = self.book.take(run, self.gone)
        with self.assertRaisesRegex(journal.NotNow, "halted"):
            self.book.admit(run, epoch, "c")
        epoch = self.book.take(run, self.gone, go_on=True)
        self.book.admit(run, epoch, "c")

    def test_stop_file_window_deadline(self):
        stop = f"{self.dir}/stop"
        run, epoch = self.begin(rows("a", "b", "c"), stop_file=stop, deadline="2030-01-01T00:00")
        self.book.admit(run, epoch, "a", now=1)
        open(stop, "w", encoding="ascii").close()
        with self.assertRaisesRegex(journal.NotNow, "stop file"):
            self.book.admit(run, epoch, "b", now=1)
        # What was begun is ended.
        self.book.admit(run, epoch, "a", now=1)
        os.unlink(stop)
        epoch = self.book.take(run, self.gone)
        self.book.admit(run, epoch, "b", now=1)
        with self.assertRaisesRegex(journal.NotNow, "deadline"):
            self.book.admit(run, epoch, "c", now=1 << 40)

    def test_gate_keeps_others_out(self):
        hosts = rows("a", "b")
        hosts[0]["canary"] = True
        run, epoch = self.begin(hosts)
        with self.assertRaisesRegex(journal.NotNow, "gate"):
            self.book.admit(run, epoch, "b")
        self.book.admit(run, epoch, "a")
        self.book.finish(run, epoch, "a", "done", None, {})
        self.book.gate(run, epoch, True)
        self.book.admit(run, epoch, "b")

    def test_over(self):
        run, epoch = self.begin(rows("a") + [{**rows("b")[0], "state": "over", "outcome": "current"}])
        self.assertEqual(self.book.open_run(), run)
        self.book.admit(run, epoch, "a")
        self.book.finish(run, epoch, "a", "done", None, {})
        self.assertEqual(self.book.leave(run, epoch), "over")
        self.assertIsNone(self.book.open_run())

    def test_bad_files(self):
        with self.assertRaisesRegex(journal.JournalError, "there is no journal"):
            journal.Journal(f"{self.dir}/none")
        for name, data in (("text", b"no database\n" * 100), ("zeros", bytes(8192))):
            with open(f"{self.dir}/{name}", "wb") as f:
                f.write(data)
            with self.assertRaisesRegex(journal.JournalError, "cannot be used"):
                journal.Journal(f"{self.dir}/{name}", create=True)
            with open(f"{self.dir}/{name}", "rb") as f:
                self.assertEqual(f.read(), data)
        other = sqlite3.connect(f"{self.dir}/other")
        other.execute("CREATE TABLE x(y)")
        other.commit()
        with self.assertRaisesRegex(journal.JournalError, "not a fleet's journal"):
            journal.Journal(f"{self.dir}/other", create=True)
        self.begin(rows("a"))
        with sqlite3.connect(self.path) as db:
            db.execute("PRAGMA user_version=9")
        with self.assertRaisesRegex(journal.JournalError, "version 9"):
            journal.Journal(self.path)

    def test_damage(self):
        """Bytes of it are overwritten, or it is cut off: an error that says so, or what was written, and no other exception."""
        run, epoch = self.begin(rows(*(f"host{n}" for n in range(200))))
        for n in range(0, 200, 2):
            self.book.admit(run, epoch, f"host{n}")
            self.book.step(run, epoch, f"host{n}", "apply", {"token": f"x{n}"})
        self.book.close()
        with open(self.path, "rb") as f:
            good = f.read()
        rng, refused = random.Random(3), 0
        for unused in range(60):
            data = bytearray(good)
            if rng.random() < 0.3:
                del data[rng.randrange(len(data)):]
            else:
                at = rng.randrange(len(data))
                data[at:at + 64] = rng.randbytes(64)
            with open(f"{self.dir}/bad", "wb") as f:
                f.write(data)
            try:
                book = journal.Journal(f"{self.dir}/bad", create=True)
                report.as_text(report.of_run(book, book.last_run()))
                book.close()
            except journal.JournalError:
                refused += 1
        self.assertGreater(refused, 15)


class FakeRemote:
    """A host that is a piece of Python. on(what): called before each call, may raise."""

    def __init__(self, on=lambda what: None):
        self.on, self.runs, self.generation, self.boot = on, OLD, 0, "boot1"
        self.staged, self.refusals, self.here, self.tokens = False, [], {"0": "Domain-0", "1": "g1", "2": "g2"}, {}
        self.applied, self.rc, self.answer, self.lies, self.attempts = 0, 0, None, False, []

    def survey(self):
        self.on("survey")
        return survey(self.runs, self.generation, self.boot, self.refusals, staged=self.staged, last=len(self.attempts))

    def stage(self):
        self.on("stage")
        self.staged = True
        return {"state": "staged", "reason": None}

    def update(self):
        self.applied += 1
        if self.rc in (0, 6) and not self.lies:
            self.runs, self.generation = NEW, self.generation + 1
        answer = {"schema": 2, "verb": "apply", "exit_code": self.rc, "result": {"pause_ns": 31000000},
                  "missing": ["domain 2 is gone"] if self.rc == 6 else [], "left": [], "refusals": [],
                  "error": {"message": "why"} if self.rc else None}
        outcome = {0: "done", 3: "not-tried", 4: "failed", 6: "lost", 7: "returned"}.get(self.rc, "not-known")
        self.attempts.append({"id": len(self.attempts) + 1, "outcome": outcome, "begin": {"plan": {"kind": "update"}},
                              "end": {"message": "why", "result": {"pause_ns": 1000000}, "missing": []}})
        return {"state": "ended", "rc": self.rc, "out": self.answer if self.answer is not None else json.dumps(answer), "err": ""}

    def attempt(self, action, token, wait, forget=()):
        self.on(action)
        self.forgot = list(forget)
        if action == "start" and token not in self.tokens:
            self.tokens[token] = self.update()
            self.on("started")
        if action == "fence":
            self.tokens.setdefault(token, {"state": "fenced"})
        return self.tokens.get(token, {"state": "absent"})

    def history(self):
        self.on("history")
        return self.attempts

    def guests(self):
        return self.here

    def migrate(self, guest, to, by):
        self.on("back" if by else "away")
        self.refusals = [1] if by else []


class Machines(Books):
    def machine(self, remote, hook=lambda c, e: (0, ""), **more):
        if not self.book.open_run():
            self.run, self.epoch = self.begin(rows("a"), max_fail_percentage=100)
        # No real time passes: the end of asking again comes at once.
        return machine.Machine(self.book, self.run, self.epoch, "a", {"investigate_seconds": 0.3, **more}, remote, hook,
                               lambda s: time.sleep(0.01))

    def go(self, remote, hook=lambda c, e: (0, ""), **more):
        told = self.machine(remote, hook, **more).go()
        row = self.book.host(self.run, "a")
        self.assertEqual(row["outcome"], told["outcome"])
        return told["outcome"], row

    def test_done(self):
        remote = FakeRemote()
        outcome, row = self.go(remote)
        self.assertEqual((outcome, row["state"], row["data"]["pause_ms"], remote.applied), ("done", "over", 31.0, 1))
        self.assertEqual(row["data"]["after"]["build_id"], "bb")

    def test_exit_codes(self):
        for rc, outcome in ((1, "failed"), (3, "refused"), (4, "failed"), (6, "lost"), (7, "failed"), (64, "failed"),
                            (127, "failed"), (5, "unknown"), (77, "unknown")):
            remote = FakeRemote()
            remote.rc = rc
            self.assertEqual(self.go(remote)[0], outcome, rc)
            self.assertEqual(remote.applied, 1)
            self.book.end(self.run)

    def test_returned(self):
        """The target refused and came back: a failure, of a host that is well, whoever tells it."""
        for answer in (None, "garbage"):
            remote, hooks = FakeRemote(), []
            remote.rc, remote.answer = 7, answer
            outcome, row = self.go(remote, lambda c, e: hooks.append((c, e["XEN_LIVEUPDATE_OUTCOME"])) or (0, ""),
                                   drain="drain", restore="restore")
            self.assertEqual((outcome, row["state"], row["reason"], remote.applied), ("failed", "over", "why", 1))
            self.assertEqual(hooks, [("drain", ""), ("restore", "failed")])
            self.book.end(self.run)

    def test_forgets(self):
        """A host is told which attempts are over: not those of a run in which it is not known what became of it."""
        remote = FakeRemote()
        self.go(remote)
        self.assertEqual(remote.forgot, [])
        first = self.run
        self.book.end(first)
        remote = FakeRemote()
        remote.rc = 5
        self.assertEqual((self.go(remote)[0], remote.forgot), ("unknown", [first]))
        self.book.end(self.run)
        remote = FakeRemote()
        self.assertEqual((self.go(remote)[0], remote.forgot), ("done", [first]))

    def test_busy(self):
        """Another one is at work there: tried again, and in the end left alone."""
        remote = FakeRemote()
        remote.rc = 2
        remote.on = lambda what: setattr(remote, "rc", 0) if what == "start" and len(remote.tokens) == 2 else None
        outcome, row = self.go(remote)
        self.assertEqual((outcome, len(remote.tokens), remote.generation), ("done", 3, 1))
        self.book.end(self.run)
        remote = FakeRemote()
        remote.rc = 2
        self.assertEqual((self.go(remote)[0], len(remote.tokens)), ("skipped", machine.ATTEMPTS))

    def test_cut_off(self):
        """An attempt that was killed on the host before it had begun anything: tried again, and in the end left alone; one
        that its journal knows of is not."""
        remote = FakeRemote()
        update, cuts = remote.update, []
        remote.update = lambda: update() if len(cuts) == 2 else cuts.append(1) or {"state": "cut"}
        outcome, row = self.go(remote)
        self.assertEqual((outcome, len(remote.tokens), remote.applied, remote.generation), ("done", 3, 1, 1))
        self.book.end(self.run)
        remote = FakeRemote()
        remote.update = lambda: {"state": "cut"}
        self.assertEqual((self.go(remote)[0], len(remote.tokens)), ("skipped", machine.ATTEMPTS))
        self.book.end(self.run)
        remote = FakeRemote()
        remote.rc, begun = 4, remote.update
        remote.update = lambda: begun() and {"state": "cut"}
        self.assertEqual((self.go(remote)[0], remote.applied), ("failed", 1))
        self.book.end(self.run)
        # The host has gone down with it.
        remote = FakeRemote()
        remote.update = lambda: {"state": "cut"}
        remote.on = lambda what: setattr(remote, "boot", "boot2") if what == "started" else None
        self.assertEqual((self.go(remote)[0], len(remote.tokens)), ("lost", 1))

    def test_lies(self):
        remote = FakeRemote()
        remote.lies = True
        outcome, row = self.go(remote)
        self.assertEqual(outcome, "unknown")
        self.assertIn("says that the update is done, and runs 4.17.5", row["reason"])
        self.book.end(self.run)
        # Says that it failed, and was updated.
        remote = FakeRemote()
        remote.answer, remote.rc = "garbage", 0
        remote.update_ = remote.update

        def failed():
            seen = remote.update_()
            remote.attempts[-1]["outcome"] = "failed"
            return seen
        remote.update = failed
        outcome, row = self.go(remote)
        self.assertEqual(outcome, "unknown")
        self.assertIn("says failed", row["reason"])

    def test_garbage_is_looked_up(self):
        for answer in ("", "garbage", "{}", '{"schema": 2, "verb": "apply", "exit_code": 4}', '{"schema":2,"verb":"apply","exit_code":0,"result":[]}'):
            remote = FakeRemote()
            remote.answer = answer
            self.assertEqual(self.go(remote)[0], "done", answer)
            self.book.end(self.run)
        for attempts in ([], [7], [{"id": "x"}], [{"id": 9}], {"a": 1}):
            remote = FakeRemote()
            remote.answer = "garbage"
            remote.history = lambda attempts=attempts: attempts
            self.assertEqual(self.go(remote)[0], "unknown", attempts)
            self.book.end(self.run)

    def test_rebooted(self):
        remote = FakeRemote()
        remote.on = lambda what: setattr(remote, "boot", "boot2") if what == "started" else None
        self.assertEqual(self.go(remote)[0], "lost")

    def test_never_answers(self):
        def gone(what):
            raise machine.Unreachable("timed out")
        remote = FakeRemote(gone)
        self.assertEqual(self.go(remote)[0], "skipped")
        self.assertEqual(remote.applied, 0)

    def test_breaks_off_after_it_was_begun(self):
        broken = []

        def on(what):
            if what in broken or what == "started":
                broken.extend(["survey", "fence", "look", "start"])
                raise machine.Unreachable("broken pipe")
        remote = FakeRemote(on)
        outcome, row = self.go(remote)
        self.assertEqual((outcome, row["state"], remote.applied), ("unknown", "unknown", 1))
        # The next start finds out, and begins nothing.
        remote.on = lambda what: None
        outcome, row = self.go(remote)
        self.assertEqual((outcome, row["state"], remote.applied), ("done", "over", 1))

    def test_breaks_off_before_it_was_begun(self):
        first = []

        def on(what):
            if what == "start" and not first:
                first.append(1)
                raise machine.Unreachable("broken pipe")
        remote = FakeRemote(on)
        self.assertEqual((self.go(remote)[0], remote.applied, len(remote.tokens)), ("done", 1, 2))

    def test_guests(self):
        remote, calls = FakeRemote(), []
        remote.refusals = [1]
        remote.on = lambda what: calls.append(what)
        self.assertEqual(self.go(remote, migrate_to="peer")[0], "done")
        self.assertEqual([c for c in calls if c in ("away", "start", "back")], ["away", "start", "back"])
        self.book.end(self.run)
        # It stays where it is if it cannot come back, and that is told.
        remote = FakeRemote()
        remote.refusals = [1]

        def on(what):
            if what == "back":
                raise machine.RemoteError("no memory")
        remote.on = on
        outcome, row = self.go(remote, migrate_to="peer")
        self.assertEqual((outcome, row["data"]["away"]), ("done", ["g1"]))
        self.assertIn("guest g1 is not back from peer: no memory", report.as_text(report.of_run(self.book, self.run)))

    def test_guest_that_is_gone(self):
        """It was migrated away, and is on neither host afterwards: that is told."""
        remote = FakeRemote()
        remote.refusals = [1]
        remote.on = lambda what: remote.here.pop("1", None) if what == "started" else None
        outcome, row = self.go(remote, migrate_to="peer")
        self.assertEqual((outcome, row["data"]["away"]), ("done", ["g1"]))
        self.assertIn("guest g1 is not back from peer: it is neither there nor here", report.as_text(report.of_run(self.book, self.run)))

    def test_hooks(self):
        calls = []

        def hook(command, env):
            calls.append((command, env["XEN_LIVEUPDATE_OUTCOME"]))
            return (9 if command == "bad" else 0), "said"
        for rc, outcome in ((0, "done"), (4, "failed"), (3, "refused"), (6, "lost")):
            remote = FakeRemote()
            remote.rc = rc
            self.go(remote, hook, drain="d", restore="r")
            self.assertEqual(calls, [("d", ""), ("r", outcome)])
            self.book.end(self.run)
            calls.clear()
        remote = FakeRemote()
        self.assertEqual(self.go(remote, hook, drain="bad", restore="r")[0], "refused")
        self.assertEqual((calls, remote.applied), ([("bad", ""), ("r", "refused")], 0))

    def test_cut_off_anywhere(self):
        """The controller is gone before or behind each call; the next one goes on. As the journal is, so is the host."""
        class Killed(BaseException):
            pass
        for rc in (0, 4):
            for number in range(1, 20):
                remote, count = FakeRemote(), [0]
                remote.refusals, remote.rc = [1], rc

                def on(what, count=count, number=number):
                    count[0] += 1
                    if count[0] == number:
                        raise Killed
                remote.on = on
                try:
                    self.go(remote, migrate_to="peer", drain="d", restore="r")
                except Killed:
                    self.epoch = self.book.take(self.run, self.gone)
                    outcome, row = self.go(remote, migrate_to="peer", drain="d", restore="r")
                    self.assertEqual((outcome, row["state"]), ({0: "done", 4: "failed"}[rc], "over"), number)
                    self.assertEqual((row["data"]["moved"], row["data"]["restored"]), ([], True))
                self.assertEqual(remote.applied, 1, number)
                self.assertEqual(remote.runs, NEW if rc == 0 else OLD)
                self.book.end(self.run)

    def test_deadline_passes_while_draining(self):
        remote, calls = FakeRemote(), []
        outcome, row = self.go(remote, lambda c, e: (calls.append(c) or 0, ""), drain="d", restore="r",
                               deadline="2001-01-01T00:00")
        self.assertEqual((outcome, row["state"], row["begun"], remote.applied, calls), (None, "pending", None, 0, ["d", "r"]))


class Prometheus(http.server.BaseHTTPRequestHandler):
    answer = b""

    def do_GET(self):
        self.send_response(200 if self.path == "/api/v1/alerts" else 404)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *unused):
        pass


class Gates(Books):
    def setUp(self):
        super().setUp()
        hosts = rows("a", "b")
        hosts[0]["canary"] = True
        self.run, self.epoch = self.begin(hosts)
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Prometheus)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.fire()

    def fire(self, *names, state="firing"):
        Prometheus.answer = json.dumps({"status": "success", "data": {"alerts": [
            {"state": state, "labels": {"alertname": n, "job": "xen"}} for n in names]}}).encode()

    def gate(self, hook=lambda c, e: (0, ""), **more):
        return Gate(self.book, self.run, self.epoch, {"soak": 0, "command": None, "prometheus": None, "labels": {}, "every": 15,
                                                      **more}, hook, lambda s: None)

    def canary(self, outcome="done"):
        self.book.admit(self.run, self.epoch, "a")
        after = {**NEW, "generation": 1, "boot_id": "boot1"}
        self.book.finish(self.run, self.epoch, "a", outcome, None, {"after": after})

    def closed(self, text):
        row = self.book.run(self.run)
        self.assertEqual((row["state"], row["gate"]), ("halted", "failed"))
        self.assertIn(text, row["reason"])
        with self.assertRaises(journal.NotNow):
            self.book.admit(self.run, self.epoch, "b")

    def test_passes(self):
        self.canary()
        self.fire("later", state="pending")
        gate = self.gate(prometheus=self.url, command="true")
        self.assertEqual((gate.soak(), gate.open({"a": survey(NEW, 1)})), ("soaked", "passed"))
        self.book.admit(self.run, self.epoch, "b")
        self.assertEqual(gate.soak(), "passed")

    def test_alert(self):
        self.canary()
        self.fire("GuestDown")
        self.assertEqual(self.gate(prometheus=self.url, labels={"job": "other"}).soak(), "soaked")
        self.assertEqual(self.gate(prometheus=self.url, labels={"job": "xen"}).soak(), "failed")
        self.closed("GuestDown")

    def test_alerts_that_cannot_be_asked(self):
        for answer in (b"", b"{}", b"[]", b'{"status": "error", "error": "x"}', b'{"status": "success", "data": {"alerts": [1]}}'):
            Prometheus.answer = answer
            with self.assertRaises(alerts.AlertsError):
                alerts.firing(self.url)
        for url in ("http://127.0.0.1:1", "file:///etc/passwd", "nonsense"):
            with self.assertRaises(alerts.AlertsError):
                alerts.firing(url)
        self.canary()
        self.assertEqual(self.gate(prometheus="http://127.0.0.1:1").soak(), "failed")
        self.closed("127.0.0.1:1")

    def test_command(self):
        self.canary()
        gate = self.gate(lambda c, e: (1, "two guests are slow"), command="x")
        gate.soak()
        self.assertEqual(gate.open({"a": survey(NEW, 1)}), "failed")
        self.closed("two guests are slow")

    def test_canary_changes(self):
        self.canary()
        self.assertEqual(self.gate().open({"a": survey(NEW, 1, boot="boot2")}), "failed")
        self.closed("boot_id")

    def test_canary_silent(self):
        self.canary()
        self.assertEqual(self.gate().open({"a": None}), "failed")
        self.closed("does not answer")

    def test_canary_failed(self):
        self.canary("failed")
        self.assertEqual(self.gate().soak(), "failed")
        self.closed("canary a: failed")

    def test_nobody_showed_anything(self):
        self.canary("refused")
        self.assertEqual(self.gate().soak(), "failed")
        self.closed("no canary was updated")

    def test_stop_while_soaking(self):
        self.book.set(self.run, self.epoch, {"stop_file": f"{self.dir}/stop"})
        self.canary()
        open(f"{self.dir}/stop", "w", encoding="ascii").close()
        self.assertEqual(self.gate(soak=9999).soak(), "stopped")
        self.assertEqual(self.book.run(self.run)["gate"], None)


class Courses(Books):
    def hosts(self, *seen, **more):
        return [{"name": f"h{n}", "seen": s, "canary": False, "domain": None, "migrate_to": None, **more}
                for n, s in enumerate(seen)]

    def test_draw_up(self):
        drawn = course.draw_up(self.hosts(survey(), survey(NEW), None, survey(refusals=[0]), survey()), {**WANT, "canaries": 1})
        told = {r["name"]: (r["canary"], r.get("outcome")) for r in drawn}
        self.assertEqual(told, {"h0": (True, None), "h1": (False, "current"), "h2": (False, "skipped"),
                                "h3": (False, "refused"), "h4": (False, None)})

    def test_marked_canaries(self):
        hosts = self.hosts(survey(), survey(), survey(refusals=[0]))
        hosts[1]["canary"] = True
        self.assertEqual([r["name"] for r in course.draw_up(hosts, WANT) if r["canary"]], ["h1"])
        hosts[1]["canary"], hosts[2]["canary"] = False, True
        with self.assertRaisesRegex(settings.BadSetting, "no canary can be updated"):
            course.draw_up(hosts, WANT)

    def test_failed_before(self):
        """A second run leaves alone what failed in the first, until it is told to try again, or has another target."""
        run, epoch, unused = course.begin_or_go_on(self.book, WANT, self.hosts(survey()), self.gone)
        self.book.admit(run, epoch, "h0")
        self.book.finish(run, epoch, "h0", "failed", "x", {"before": judge.judge(survey())})
        self.assertEqual(self.book.leave(run, epoch), "over")
        drawn = course.draw_up(self.hosts(survey()), WANT, self.book.last_outcome)
        self.assertEqual(drawn[0]["outcome"], "skipped")
        self.assertIn("failed in run", drawn[0]["reason"])
        self.assertNotIn("outcome", course.draw_up(self.hosts(survey()), WANT)[0])
        other = survey()
        other["check"]["target"] = {**NEW, "build_id": "cc"}
        self.assertNotIn("outcome", course.draw_up(self.hosts(other), WANT, self.book.last_outcome)[0])

    def test_other_target(self):
        course.begin_or_go_on(self.book, WANT, self.hosts(survey()), self.gone)
        with self.assertRaisesRegex(settings.BadSetting, "which is not over"):
            course.begin_or_go_on(self.book, {**WANT, "target": "other"}, self.hosts(survey()), self.gone)
        run, epoch, strangers = course.begin_or_go_on(self.book, WANT, self.hosts(survey(), survey()), self.gone)
        self.assertEqual((epoch, strangers), (2, ["h1"]))

    def test_bad_settings(self):
        good = {"serial": ["1"], "window": None, "deadline": None, "max_fail_percentage": 0, "canaries": 1, "max_pause": None,
                "target": "t", "arguments": [], "state": "/s"}
        settings.check(good, ["a"])
        for bad in ({"serial": ["0"]}, {"window": "x"}, {"deadline": "x"}, {"max_fail_percentage": 101}, {"canaries": -1},
                    {"max_pause": 0}):
            with self.assertRaises(ValueError, msg=bad):
                settings.check({**good, **bad}, ["a"])
        with self.assertRaisesRegex(settings.BadSetting, "no host"):
            settings.check(good, [])


class Reports(Books):
    def test_markup_stays_text(self):
        evil = "<script>alert(1)</script>'\"&"
        run, epoch = self.begin(rows(evil, "b"))
        self.book.admit(run, epoch, evil)
        self.book.finish(run, epoch, evil, "failed", evil, {"before": {"version": evil, "build_id": evil}, "missing": [evil],
                                                            "warnings": [evil + "\n"]})
        model = report.of_run(self.book, run)
        page = html.page(model, report.summary(model), report.why, report.label_of, report.target_of)
        self.assertEqual(page.count("<script>"), 1)
        self.assertNotIn("alert(1)</script>", page)
        self.assertNotIn("src=", page.replace("data-src", ""))
        for line in metrics.text(model).splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) |xen_liveupdate_fleet_[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [-0-9.e+]+$)')
        paths = report.write_all(model, self.dir)
        with open(paths["json"], encoding="utf-8") as f:
            self.assertEqual(json.load(f)["hosts"][0]["name"], evil)

    def test_dashboard_asks_for_what_there_is(self):
        run, epoch = self.begin(rows("a"))
        self.book.admit(run, epoch, "a")
        self.book.finish(run, epoch, "a", "done", None, {"before": judge.judge(survey()), "pause_ms": 3.0,
                                                         "after": {**NEW, "domains": 3}})
        self.book.leave(run, epoch)
        told = set(re.findall(r"^(xen_liveupdate_fleet_[a-z_]+)", metrics.text(report.of_run(self.book, run)), re.M))
        path = fleet.TOP / "fleet/dashboards/xen-liveupdate-fleet.json"
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        asked = {m for p in panels for t in p["targets"] for m in re.findall(r"xen_liveupdate_fleet_[a-z_]+", t["expr"])}
        self.assertTrue(asked and asked <= told, asked - told)
        # And the guide names those that there are.
        guide = (fleet.TOP / "docs/fleet.md").read_text(encoding="utf-8").split("## Monitoring")[1].split("##")[0]
        named = {"xen_liveupdate_fleet" + m for m in re.findall(r"`(?:xen_liveupdate_fleet)?(_[a-z_]+)`", guide)}
        self.assertTrue(len(named) > 5 and named <= told, named - told)

    def test_worst_decides(self):
        run, epoch = self.begin(rows(*"abcde"), max_fail_percentage=100)
        codes = []
        for name, outcome in zip("abcde", ("done", "refused", "failed", "unknown", "lost")):
            self.book.admit(run, epoch, name)
            self.book.finish(run, epoch, name, outcome, None, {})
            codes.append(report.of_run(self.book, run)["exit_code"])
        self.assertEqual(codes, [2, 3, 4, 5, 6])

    def test_cut_off_is_told(self):
        run, epoch = self.begin(rows("a"))
        self.book.admit(run, epoch, "a")
        self.book.step(run, epoch, "a", "apply", {"token": "x"})
        model = report.of_run(self.book, run)
        self.assertEqual((model["hosts"][0]["word"], model["exit_code"]), ("unknown", 5))
        self.assertIn("was cut off in apply", report.summary(model))


if __name__ == "__main__":
    unittest.main()
