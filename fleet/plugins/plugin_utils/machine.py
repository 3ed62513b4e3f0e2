# SPDX-License-Identifier: GPL-2.0-only
"""One host's way through an update, which can be cut off anywhere and gone on with.

What has effects is written into the journal first. What was begun and is not known to have ended is done again if that
does no harm (drain, stage, migrate), and found out otherwise (apply): an attempt has a token, which the host lets be
used once.
"""

from __future__ import annotations

import time

from ansible_collections.xen.liveupdate.plugins.module_utils import same
from ansible_collections.xen.liveupdate.plugins.module_utils.cli import CliError, parse
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal, NotNow
from ansible_collections.xen.liveupdate.plugins.plugin_utils.judge import VERDICTS, judge, xen

# How often an attempt is begun anew that is known not to have reached the host, or to have found it busy.
ATTEMPTS = 10
BUSY = 2

# Exit codes of apply, as outcomes; 5 and all others: the host's journal is asked. 7: the target refused and came back; the
# host is as it was, as after any other failure.
EXIT_CODES = {0: "done", 1: "failed", 3: "refused", 4: "failed", 6: "lost", 7: "failed", 64: "failed", 127: "failed"}

# Outcomes in the host's journal.
ATTEMPT_OUTCOMES = {
    "done": "done", "failed": "failed", "returned": "failed", "not-tried": "refused", "lost": "lost", "not-known": "unknown",
}


class Unreachable(Exception):
    """The host does not answer."""


class RemoteError(Exception):
    """The host has answered that it could not be done."""


class Machine:
    """Updates one host.

    @journal, @run, @epoch, @name: where it is written down. @settings: of the run and of this host, see Machine.DEFAULTS.
    @remote: does things on the host: survey(), stage(), attempt(action, token, wait, forget), history(), guests(),
    migrate(guest, to, by); each may raise Unreachable or RemoteError. @hook: hook(command, environment) runs a command on
    the controller and returns (exit code, what it said).
    """

    DEFAULTS = {
        "max_pause_ms": None,  # milliseconds; None: any
        "drain": None,  # command on the controller, before
        "restore": None,  # ... and after, if drain was begun
        "migrate_to": None,  # where guests go that cannot be carried; None: such a host is left alone
        "address": None,  # what other hosts call this one; None: by its name
        "ssh": ["ssh"],
        "apply_seconds": 900,  # for which the end of an update is waited
        "investigate_seconds": 300,  # for which a host that does not answer is asked again
        "investigate_pause": 5,
    }

    def __init__(self, journal, run, epoch, name, settings, remote, hook, sleep=time.sleep):
        self.journal, self.run, self.epoch, self.name = journal, run, epoch, name
        self.settings = {**self.DEFAULTS, **settings}
        self.remote, self.hook, self.sleep = remote, hook, sleep
        self.data = {}
        self.nothing_begun = False      # its journal knows of no update since

    # ---- writing down ----

    def step(self, step):
        """Before something is done."""
        self.journal.step(self.run, self.epoch, self.name, step, self.data)

    def warn(self, text):
        """Something that is no failure, and has to be told."""
        self.data.setdefault("warnings", []).append(text)

    # ---- the way ----

    def go(self):
        """From where it is to its outcome; returns {"outcome", "reason", "begun"}. NotNow is no outcome: begun is false."""
        try:
            host = self.journal.admit(self.run, self.epoch, self.name)
        except NotNow as e:
            return {"outcome": None, "reason": str(e), "begun": False}
        self.data = host["data"]
        try:
            outcome, reason = self.update()
            if outcome not in ("unknown", "lost"):
                self.bring_back()
            if outcome != "unknown":
                self.restore(outcome)
        except Unreachable as e:
            # With a token the update may have come; without, nothing of it has.
            outcome = "unknown" if self.data.get("token") or self.touched() else "skipped"
            reason = f"does not answer: {e}"
        except RemoteError as e:
            outcome, reason = ("unknown" if self.data.get("token") else "failed"), str(e)
            if outcome == "failed":
                try:
                    self.bring_back()
                except Unreachable as gone:
                    outcome, reason = "unknown", f"{reason}; does not answer: {gone}"
                else:
                    self.restore(outcome)
        if outcome is None:
            self.data = {}
        self.journal.finish(self.run, self.epoch, self.name, outcome, reason, self.data)
        return {"outcome": outcome, "reason": reason, "begun": True}

    def touched(self):
        """Is something to be undone?"""
        return bool(self.data.get("moved")) or (self.data.get("drain") and not self.data.get("restored"))

    def look(self):
        """What is there now; one that is busy is waited for, for investigate_seconds."""
        end = time.monotonic() + self.settings["investigate_seconds"]
        while True:
            now = judge(self.remote.survey(), self.settings["max_pause_ms"], bool(self.settings["migrate_to"]))
            if now["verdict"] != "busy" or time.monotonic() >= end:
                return now
            self.sleep(self.settings["investigate_pause"])

    def update(self):
        """Returns (outcome, reason)."""
        if self.data.get("token"):
            return self.after(self.investigate())
        now = self.look()
        if "before" not in self.data:
            self.data["before"] = now
        if now["verdict"] == "current":
            return "current", None
        if now["verdict"] not in ("ready", "migrate"):
            return ("skipped" if now["verdict"] in ("busy", "error", "no-target") else "refused"), self.why(now)
        if not self.drain():
            return "refused", self.data["why"]
        if now["verdict"] == "migrate":
            self.move_away(now["uncarried"])
            now = self.look()
            if now["verdict"] != "ready":
                return "refused", f"after its guests were migrated away: {self.why(now)}"
        if not now["staged"]:
            self.step("stage")
            said = self.remote.stage()
            if said["state"] == "refused":
                return "refused", said.get("reason") or "the target is refused"
            if said["state"] == "runs":
                return "current", None
        return self.apply(now)

    @staticmethod
    def why(now):
        """A verdict in words."""
        return "; ".join(now["reasons"]) or VERDICTS[now["verdict"]][0]

    # ---- around it ----

    def environment(self, outcome=""):
        """Of a hook."""
        before = self.data.get("before") or {}
        return {
            "XEN_LIVEUPDATE_HOST": self.name,
            "XEN_LIVEUPDATE_RUN": self.run,
            "XEN_LIVEUPDATE_OUTCOME": outcome,
            "XEN_LIVEUPDATE_VERSION": before.get("version") or "",
            "XEN_LIVEUPDATE_TARGET_VERSION": (before.get("target") or {}).get("version") or "",
        }

    def drain(self):
        """Returns whether the host may be updated."""
        if not self.settings["drain"] or self.data.get("drain") == "done":
            return True
        self.data["drain"], self.data["restored"] = "begun", False
        self.step("drain")
        rc, said = self.hook(self.settings["drain"], self.environment())
        if rc:
            self.data["why"] = f"drain ended with {rc}: {said.strip()[-200:]}"
            return False
        self.data["drain"] = "done"
        return True

    def restore(self, outcome):
        """Undoes drain: once, as far as anybody knows, and again if it was cut off."""
        if not self.data.get("drain") or self.data.get("restored"):
            return
        if self.settings["restore"]:
            self.step("restore")
            rc, said = self.hook(self.settings["restore"], self.environment(outcome or "refused"))
            if rc:
                self.warn(f"restore ended with {rc}: {said.strip()[-200:]}")
        self.data["restored"] = True

    def move_away(self, domids):
        """Migrates guests to the host that was named for it."""
        names = self.remote.guests()
        for domid in domids:
            guest = names.get(str(domid))
            if not guest:
                raise RemoteError(f"domain {domid} is not in xl list")
            if guest not in self.data.setdefault("moved", []):
                self.data["moved"].append(guest)
            self.step(f"migrate {guest} to {self.settings['migrate_to']}")
            self.remote.migrate(guest, self.settings["migrate_to"], [])

    def bring_back(self):
        """Migrates them back. One that cannot come is told of, and stays where it is."""
        here = self.settings["address"] or self.name
        by = [*self.settings["ssh"], self.settings["migrate_to"]]
        for guest in list(self.data.get("moved", [])):
            self.step(f"bring {guest} back")
            try:
                self.remote.migrate(guest, here, by)
                problem = None if guest in self.remote.guests().values() else "it is neither there nor here"
            except RemoteError as e:
                problem = str(e)
            if problem:
                self.warn(f"guest {guest} is not back from {self.settings['migrate_to']}: {problem}")
                self.data.setdefault("away", []).append(guest)
            self.data["moved"].remove(guest)

    # ---- the attempt ----

    def apply(self, now):
        """Begins it, and finds out what became of it."""
        # Draining may have taken hours.
        closed = Journal.closed({**self.settings, "stop_file": None}, time.time())
        if closed:
            return None, closed
        self.data["attempt"] = self.data.get("attempt", 0) + 1
        self.data["token"] = f"{self.run}-{self.data['attempt']}"
        self.data["before"] = now
        self.step("apply")
        return self.after(self.begin())

    def begin(self):
        """Returns where the attempt is; if the connection breaks, that is found out."""
        try:
            return self.remote.attempt(
                "start", self.data["token"], self.settings["apply_seconds"], self.journal.settled(self.name)
            )
        except (Unreachable, RemoteError):
            return self.investigate()

    def investigate(self):
        """What became of an attempt: the host is asked until it tells, for investigate_seconds; never anything is begun."""
        self.step("investigate")
        end = time.monotonic() + self.settings["investigate_seconds"]
        while True:
            try:
                # If it was not begun, it is not from now on: what is still on its way finds the token used.
                seen = self.remote.attempt("fence", self.data["token"], 0)
                if seen["state"] == "running":
                    seen = self.remote.attempt("look", self.data["token"], self.settings["apply_seconds"])
                return seen
            except (Unreachable, RemoteError):
                if time.monotonic() >= end:
                    raise
            self.sleep(self.settings["investigate_pause"])

    def after(self, seen):
        """The outcome of an attempt that is @seen, compared with what runs now."""
        busy = seen["state"] == "ended" and seen.get("rc") == BUSY
        if seen["state"] == "fenced" or busy:
            # Cut off before it had reached the host, or another one was at work there: nothing has happened.
            return self.again("found it busy" if busy else "did not reach it", busy)
        if seen["state"] == "running":
            return "unknown", f"the update has not ended within {self.settings['apply_seconds']} s"
        self.nothing_begun = False
        outcome, reason = self.verify(*self.told(seen))
        if outcome == "failed" and seen["state"] == "cut" and self.nothing_begun:
            # Cut off on the host, before xen-liveupdate had written anything down: the same.
            return self.again("were cut off before the update had begun", False)
        return outcome, reason

    def again(self, why, later):
        """Another attempt, if there were not too many of which nothing came. @later: not at once."""
        if self.data["attempt"] >= ATTEMPTS:
            return "skipped", f"{ATTEMPTS} attempts {why}"
        self.data.pop("token")
        if later:
            self.sleep(self.settings["investigate_pause"])
        return self.update()

    def told(self, seen):
        """What the host says of it."""
        if seen["state"] == "ended":
            try:
                answer = parse("apply", seen.get("out") or "")
                if answer["exit_code"] == seen["rc"] and seen["rc"] in EXIT_CODES:
                    return EXIT_CODES[seen["rc"]], self.take_answer(answer)
            except (CliError, AttributeError, KeyError, TypeError, ValueError):
                pass
        try:
            return self.told_by_journal(seen)
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            return "unknown", f"the answer of its journal makes no sense: {e}"

    def take_answer(self, answer):
        """Remembers what apply tells; returns its reason."""
        result = answer.get("result") or {}
        pause = result.get("pause_ns")
        self.data["pause_ms"] = None if pause is None else pause / 1e6
        self.data["missing"] = [str(m) for m in answer.get("missing") or []]
        self.data["left"] = [str(m) for m in answer.get("left") or []]
        crash = answer.get("crash_kernel") or {}
        if crash.get("before") and not crash.get("after"):
            self.warn("the crash kernel is not loaded any more")
        refusals = [f"{r.get('resource')}: {r.get('reason')}" for r in answer.get("refusals") or []]
        return "; ".join(refusals) or (answer.get("error") or {}).get("message")

    def told_by_journal(self, seen):
        """The host's own journal, for an attempt of which xen-liveupdate has said nothing that can be understood."""
        end = time.monotonic() + self.settings["investigate_seconds"]
        while True:
            updates = [
                a for a in self.remote.history()
                if a["id"] > self.data["before"]["last_id"] and a["begin"]["plan"]["kind"] == "update"
            ]
            if not updates:
                self.nothing_begun = True
                said = (seen.get("err") or "").strip()[-200:]
                return "failed", "ended before the update had begun" + (f": {said}" if said else "")
            last = updates[-1]
            if last["outcome"] != "under-way" or time.monotonic() >= end:
                break
            self.sleep(self.settings["investigate_pause"])
        told = last.get("end") or {}
        result = told.get("result") or {}
        if result.get("pause_ns") is not None:
            self.data["pause_ms"] = result["pause_ns"] / 1e6
        self.data["missing"] = [str(m) for m in told.get("missing") or []]
        return ATTEMPT_OUTCOMES.get(last["outcome"], "unknown"), told.get("message") or last["outcome"]

    def verify(self, outcome, reason):
        """Does what runs now agree with what was said? Only then it is believed."""
        seen = self.remote.survey()
        before = self.data["before"]
        try:
            after = {**xen(seen["status"]["status"]), "domains": len(seen["check"]["domains"]), "boot_id": seen["boot_id"]}
        except (AttributeError, KeyError, TypeError, ValueError) as e:
            problem = (seen.get("error") or {}).get("message") or f"its answer makes no sense: {e}"
            return "unknown", f"it says {outcome}, and cannot be asked any more: {problem}"
        self.data["after"] = after
        if after["boot_id"] != before["boot_id"]:
            return "lost", "the host was rebooted"
        updated = same.same(after, before["target"])
        if outcome == "unknown":
            return outcome, reason
        if outcome in ("done", "lost") and not updated:
            return "unknown", f"it says that the update is done, and runs {after['version']}, build {after['build_id']}"
        if outcome in ("done", "lost") and after["generation"] != (before["generation"] or 0) + 1:
            return "unknown", f"it was updated {after['generation'] - (before['generation'] or 0)} times"
        if outcome in ("failed", "refused") and not same.same(after, before):
            return "unknown", f"it says {outcome} ({reason}), and runs {after['version']}, build {after['build_id']}"
        return outcome, None if outcome == "done" else reason
