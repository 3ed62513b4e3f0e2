# SPDX-License-Identifier: GPL-2.0-only
"""The journal of a fleet's runs: what is about to be done is on the disk before it is done.

An SQLite database on the controller, written with full synchronisation. Several processes of one controller write it;
each has a connection of its own. A second controller is kept out, and what is left of one that was killed as well:
whoever takes a run over raises its epoch, and nobody with an older one writes any more.

A run:   running   hosts are begun
         stopped   no host is begun; the next start goes on
         halted    the same, and the next start does not go on by itself: a gate, or too many failures
         over      every host has its outcome, or somebody has closed the run
A host:  pending   nothing has been done to it
         active    begun
         unknown   begun; what became of it is to be found out
         over      has its outcome
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import time
from contextlib import contextmanager

from ansible_collections.xen.liveupdate.plugins.plugin_utils import window

APPLICATION_ID = 0x584C5546  # "XLUF"
VERSION = 1

SCHEMA = """
CREATE TABLE run(id TEXT PRIMARY KEY, begun REAL NOT NULL, ended REAL, state TEXT NOT NULL, reason TEXT,
    settings TEXT NOT NULL, gate TEXT, gate_from REAL, forgiven INTEGER NOT NULL, epoch INTEGER NOT NULL, controller TEXT);
CREATE TABLE host(run TEXT NOT NULL REFERENCES run(id), name TEXT NOT NULL, place INTEGER NOT NULL,
    batch INTEGER NOT NULL, canary INTEGER NOT NULL, domain TEXT, apart TEXT, state TEXT NOT NULL, outcome TEXT,
    reason TEXT, step TEXT, data TEXT NOT NULL, begun REAL, ended REAL, PRIMARY KEY(run, name));
CREATE TABLE event(number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, host TEXT, time REAL NOT NULL,
    epoch INTEGER NOT NULL, what TEXT NOT NULL);
"""

# Outcomes of hosts that count as failures.
FAILURES = ("failed", "lost", "unknown")


class JournalError(Exception):
    """The journal cannot be used; says why, and what to do."""


class Superseded(JournalError):
    """Another controller has taken the run over."""


class NotNow(Exception):
    """This host is not begun; says why. It stays pending."""


# ---- who is at work ----


def _boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        return f.read().strip()


def _start_of(pid):
    """When the process began, in clock ticks since boot; None: there is none, or it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            # Behind the name, which may have blanks and parentheses.
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def controller(pid):
    """What tells the process @pid of this machine from all others."""
    return {"host": socket.gethostname(), "boot": _boot_id(), "pid": pid, "start": _start_of(pid)}


def at_work(who):
    """Is that controller still there? None: it is on another machine, so that cannot be told."""
    if who is None:
        return False
    if who["host"] != socket.gethostname():
        return None
    return who["boot"] == _boot_id() and _start_of(who["pid"]) == who["start"] and who["start"] is not None


# ---- the journal ----


class Journal:
    """One connection to the journal. All methods raise JournalError if it cannot be read or written."""

    def __init__(self, path, create=False):
        """@path: the file; without @create it has to be there. Its folder has to be."""
        self.path = str(path)
        if not create and not os.path.exists(self.path):
            raise JournalError(f"{self.path}: there is no journal: nothing was begun from here")
        try:
            self.db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self.db.row_factory = sqlite3.Row
            with self._guard():
                self.db.execute("PRAGMA synchronous=EXTRA")
                self.db.execute("PRAGMA foreign_keys=ON")
                self._check(create)
        except (sqlite3.Error, UnicodeDecodeError) as e:
            raise self._damaged(e) from None

    def close(self):
        """Ends the connection."""
        self.db.close()

    def _damaged(self, why):
        return JournalError(
            f"{self.path}: cannot be used: {why}. Nothing was changed. If it is damaged, put it aside under another name: "
            "a new one is begun, and asks every host what became of it"
        )

    @contextmanager
    def _guard(self):
        try:
            yield
        # What SQLite says of a damaged file may have bytes of it in it.
        except (sqlite3.Error, UnicodeDecodeError) as e:
            raise self._damaged(e) from None

    def _check(self, create):
        kind = self.db.execute("PRAGMA application_id").fetchone()[0]
        tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not kind and not tables and create:
            self.db.execute("BEGIN IMMEDIATE")
            # Another one may have been quicker.
            if not self.db.execute("PRAGMA application_id").fetchone()[0]:
                for statement in SCHEMA.split(";")[:-1]:
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                self.db.execute(f"PRAGMA user_version={VERSION}")
            self.db.execute("COMMIT")
            return
        if kind != APPLICATION_ID:
            raise self._damaged("it is not a fleet's journal")
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise self._damaged(f"it is of version {version}, and this is version {VERSION}")
        broken = self.db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if broken != "ok":
            raise self._damaged(broken)

    @contextmanager
    def _change(self):
        """What is changed within is on the disk afterwards, or nothing of it is."""
        with self._guard():
            self.db.execute("BEGIN IMMEDIATE")
        try:
            with self._guard():
                yield
                self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def _apart(self, text):
        """What a column has in JSON."""
        try:
            return json.loads(text)
        except (TypeError, ValueError) as e:
            raise self._damaged(f"what it says cannot be read: {e}") from None

    def _row(self, query, *values):
        with self._guard():
            row = self.db.execute(query, values).fetchone()
        return None if row is None else dict(row)

    def _tell(self, run, epoch, what, host=None):
        self.db.execute(
            "INSERT INTO event(run, host, time, epoch, what) VALUES(?, ?, ?, ?, ?)", (run, host, time.time(), epoch, what)
        )

    def _own(self, run, epoch):
        """The run, if it is still ours."""
        row = self._row("SELECT * FROM run WHERE id = ?", run)
        if row is None:
            raise JournalError(f"{self.path}: there is no run {run}")
        if row["epoch"] != epoch:
            raise Superseded(f"another controller has taken run {run} over")
        return row

    # ---- runs ----

    def run(self, run):
        """The run, as a dictionary, with settings and controller taken apart."""
        row = self._row("SELECT * FROM run WHERE id = ?", run)
        if row is None:
            raise JournalError(f"{self.path}: there is no run {run}")
        row["settings"] = self._apart(row["settings"])
        row["controller"] = self._apart(row["controller"]) if row["controller"] else None
        return row

    def last_run(self):
        """The id of the run that was begun last; None: there was none."""
        row = self._row("SELECT id FROM run ORDER BY begun DESC, rowid DESC LIMIT 1")
        return row and row["id"]

    def open_run(self):
        """The id of the run that is not over; None: there is none."""
        row = self._row("SELECT id FROM run WHERE state <> 'over' ORDER BY begun DESC LIMIT 1")
        return row and row["id"]

    def last_outcome(self, name):
        """How the host ended in the last run that had begun it: its row; None: no run had."""
        row = self._row(
            "SELECT host.* FROM host JOIN run ON run.id = host.run WHERE host.name = ? AND host.begun IS NOT NULL "
            "AND host.outcome IS NOT NULL ORDER BY run.begun DESC LIMIT 1", name)
        return None if row is None else {**row, "data": self._apart(row["data"])}

    def settled(self, name, most=200):
        """Runs in which it is known, and written down, what became of host @name: its attempts are not asked for again."""
        return [row[0] for row in self.db.execute(
            "SELECT run FROM host WHERE name = ? AND state = 'over' AND begun IS NOT NULL ORDER BY begun DESC LIMIT ?", (name, most)
        )]

    def begin(self, settings, hosts, who):
        """A new run; there must not be an open one.

        @settings: what it was asked to do. @hosts: dictionaries with name, batch, canary, domain, apart (where its guests
        go, or None), and for those that need no update state "over", outcome, reason; data. @who: see controller().
        Without a canary there is no gate.
        Returns (id, epoch).
        """
        run = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
        with self._change():
            if self.db.execute("SELECT 1 FROM run WHERE state <> 'over'").fetchone():
                raise JournalError(f"{self.path}: another run has begun meanwhile")
            now = time.time()
            self.db.execute(
                "INSERT INTO run VALUES(?, ?, NULL, 'running', NULL, ?, ?, NULL, 0, 1, ?)",
                (run, now, json.dumps(settings), None if any(h["canary"] for h in hosts) else "passed", json.dumps(who)),
            )
            for place, h in enumerate(hosts):
                over = h.get("state") == "over"
                self.db.execute(
                    "INSERT INTO host VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, NULL, ?)",
                    (run, h["name"], place, h["batch"], int(h["canary"]), h.get("domain"), h.get("apart"),
                     "over" if over else "pending", h.get("outcome"), h.get("reason"), json.dumps(h.get("data") or {}),
                     now if over else None),
                )
            self._tell(run, 1, f"begun, {len(hosts)} hosts")
        return run, 1

    def take(self, run, who, take_over=False, go_on=False):
        """Goes on with @run; returns the new epoch. From now on older controllers write nothing.

        @take_over: though it cannot be told whether the other controller, on another machine, is still there.
        @go_on: though it was halted; failures so far do not count any more.
        """
        with self._change():
            row = self.run(run)
            there = at_work(row["controller"])
            if there or (there is None and not take_over):
                other = row["controller"]
                where = f"process {other['pid']} on {other['host']}"
                raise JournalError(
                    f"another controller is at work on run {run}: {where}" if there else
                    f"run {run} belongs to a controller on another machine: {where}. If it is gone: -e xen_liveupdate_take_over=true"
                )
            epoch = row["epoch"] + 1
            state, reason, forgiven = row["state"], row["reason"], row["forgiven"]
            if state == "stopped" or (state == "halted" and go_on):
                state, reason = "running", None
            if go_on and row["state"] == "halted":
                forgiven = self._failures(run)
                if not self.db.execute("SELECT 1 FROM host WHERE run = ? AND canary AND state <> 'over'", (run,)).fetchone():
                    self.db.execute("UPDATE run SET gate = 'passed' WHERE id = ?", (run,))
            self.db.execute(
                "UPDATE run SET epoch = ?, controller = ?, state = ?, reason = ?, forgiven = ? WHERE id = ?",
                (epoch, json.dumps(who), state, reason, forgiven, run),
            )
            self._tell(run, epoch, "taken over" + (", goes on after a halt" if go_on else ""))
        return epoch

    def set(self, run, epoch, changed):
        """Changes settings of the run."""
        with self._change():
            row = self._own(run, epoch)
            settings = {**self._apart(row["settings"]), **changed}
            self.db.execute("UPDATE run SET settings = ? WHERE id = ?", (json.dumps(settings), run))

    def leave(self, run, epoch):
        """The controller goes; the run is over if every host is, else it can be gone on with. Returns its state."""
        with self._change():
            row = self._own(run, epoch)
            state = row["state"]
            left = self.db.execute("SELECT count(*) FROM host WHERE run = ? AND state <> 'over'", (run,)).fetchone()[0]
            if not left:
                state = "over"
            elif state == "running":
                state = "stopped"
            ended = time.time() if state == "over" else None
            self.db.execute("UPDATE run SET controller = NULL, state = ?, ended = ? WHERE id = ?", (state, ended, run))
            self._tell(run, epoch, state)
        return state

    def end(self, run):
        """Somebody closes a run with which nobody shall go on. Hosts that were begun keep what is known of them."""
        with self._change():
            row = self.run(run)
            if at_work(row["controller"]):
                raise JournalError(f"a controller is at work on run {run}: process {row['controller']['pid']}")
            self.db.execute(
                "UPDATE run SET state = 'over', ended = ?, controller = NULL, epoch = epoch + 1 WHERE id = ?",
                (time.time(), run),
            )
            self._tell(run, row["epoch"], "closed")

    def stop(self, run, epoch, reason, state="stopped"):
        """No host is begun from now on. A run that is halted stays so."""
        with self._change():
            row = self._own(run, epoch)
            self._stop(row, reason, state)

    def _stop(self, row, reason, state):
        if row["state"] == "running" or (row["state"] == "stopped" and state == "halted"):
            self.db.execute("UPDATE run SET state = ?, reason = ? WHERE id = ?", (state, reason, row["id"]))
            self._tell(row["id"], row["epoch"], f"{state}: {reason}")

    # ---- the gate behind the canaries ----

    def gate(self, run, epoch, passed=None, reason=None):
        """Without @passed: since when the gate is waited for, seconds since 1970. With it: how it ended."""
        with self._change():
            row = self._own(run, epoch)
            if passed is None:
                since = row["gate_from"] or time.time()
                self.db.execute("UPDATE run SET gate_from = ? WHERE id = ?", (since, run))
                return since
            self.db.execute("UPDATE run SET gate = ? WHERE id = ?", ("passed" if passed else "failed", run))
            self._tell(run, epoch, "the gate has let them pass" if passed else f"the gate is closed: {reason}")
            if not passed:
                self._stop(row, f"gate: {reason}", "halted")
        return row["gate_from"]

    # ---- hosts ----

    def hosts(self, run):
        """All hosts of the run in their order, as dictionaries, data taken apart."""
        with self._guard():
            rows = self.db.execute("SELECT * FROM host WHERE run = ? ORDER BY place", (run,)).fetchall()
        return [{**dict(r), "data": self._apart(r["data"])} for r in rows]

    def host(self, run, name):
        """One of them."""
        row = self._row("SELECT * FROM host WHERE run = ? AND name = ?", run, name)
        if row is None:
            raise JournalError(f"{name}: is not a host of run {run}")
        return {**row, "data": self._apart(row["data"])}

    def events(self, run):
        """All that was written, oldest first."""
        with self._guard():
            return [dict(r) for r in self.db.execute("SELECT * FROM event WHERE run = ? ORDER BY number", (run,))]

    def _failures(self, run):
        marks = ", ".join("?" * len(FAILURES))
        return self.db.execute(
            f"SELECT count(*) FROM host WHERE run = ? AND begun IS NOT NULL AND outcome IN ({marks})", (run, *FAILURES)
        ).fetchone()[0]

    def admit(self, run, epoch, name, now=None):
        """May this host be begun? Then it is active, and that is on the disk. Else NotNow.

        A host that is active or unknown already is gone on with, whatever has been stopped. Returns the host.
        """
        refusal = None
        with self._change():
            row = self._own(run, epoch)
            host = self.host(run, name)
            if host["state"] == "over":
                raise NotNow("it has its outcome already")
            if host["state"] == "pending":
                refusal = self._refusal(row, host, time.time() if now is None else now)
                if not refusal:
                    self.db.execute(
                        "UPDATE host SET state = 'active', begun = ? WHERE run = ? AND name = ?", (time.time(), run, name)
                    )
                    self._tell(run, epoch, "begun", name)
                # For the report; None: it was begun, and what was said before is past.
                self.db.execute("UPDATE host SET reason = ? WHERE run = ? AND name = ?", (refusal, run, name))
            else:
                self.db.execute("UPDATE host SET state = 'active' WHERE run = ? AND name = ?", (run, name))
                self._tell(run, epoch, "gone on with", name)
        if refusal:
            raise NotNow(refusal)
        return self.host(run, name)

    def _refusal(self, row, host, now):
        """Why the host may not be begun; what concerns all of them stops the run."""
        settings = self._apart(row["settings"])
        reason = self.closed(settings, now)
        if reason and row["state"] == "running":
            self._stop(row, reason, "stopped")
            row["state"], row["reason"] = "stopped", reason
        if row["state"] == "running":
            total = self.db.execute("SELECT count(*) FROM host WHERE run = ?", (row["id"],)).fetchone()[0]
            failed = self._failures(row["id"]) - row["forgiven"]
            if failed * 100 > settings["max_fail_percentage"] * total:
                reason = f"{failed} of {total} hosts failed, which is more than {settings['max_fail_percentage']} %"
                self._stop(row, reason, "halted")
                row["state"], row["reason"] = "halted", reason
        if row["state"] != "running":
            return f"the run is {row['state']}: {row['reason']}"
        if not host["canary"] and row["gate"] != "passed":
            return "the gate behind the canaries has not let it pass"
        for other in self.hosts(row["id"]):
            if other["name"] == host["name"] or other["state"] not in ("active", "unknown"):
                continue
            if host["domain"] is not None and other["domain"] == host["domain"]:
                return f"{other['name']}, of the same failure domain {host['domain']}, is {other['state']}"
            if other["name"] == host["apart"] or other["apart"] == host["name"]:
                return f"{other['name']}, with which it changes guests, is {other['state']}"
        return None

    @staticmethod
    def closed(settings, now):
        """Why no host may be begun at @now; None: one may. The stop file, the window, the deadline."""
        if settings.get("stop_file") and os.path.exists(settings["stop_file"]):
            return f"the stop file {settings['stop_file']} is there"
        return window.closed(
            window.parse_window(settings.get("window")), window.parse_deadline(settings.get("deadline")), now
        )

    def step(self, run, epoch, name, step, data):
        """What is about to be done to a host, with all that is to be remembered of it; before it is done."""
        with self._change():
            self._own(run, epoch)
            self.db.execute(
                "UPDATE host SET step = ?, data = ? WHERE run = ? AND name = ?", (step, json.dumps(data), run, name)
            )
            self._tell(run, epoch, step, name)

    def finish(self, run, epoch, name, outcome, reason, data):
        """The host's outcome. unknown: the next start finds it out. None: it is as if it had not been begun."""
        state = {"unknown": "unknown", None: "pending"}.get(outcome, "over")
        with self._change():
            self._own(run, epoch)
            self.db.execute(
                "UPDATE host SET state = ?, outcome = ?, reason = ?, data = ?, ended = ?, step = NULL, "
                "begun = CASE WHEN ? IS NULL THEN NULL ELSE begun END WHERE run = ? AND name = ?",
                (state, outcome, reason, json.dumps(data), time.time(), outcome, run, name),
            )
            self._tell(run, epoch, f"{outcome or 'put back'}: {reason}" if reason else f"{outcome or 'put back'}", name)
