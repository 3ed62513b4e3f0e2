# SPDX-License-Identifier: GPL-2.0-only
"""The gate behind the canaries: it opens if they are well, and nothing else speaks against it."""

from __future__ import annotations

import time

from ansible_collections.xen.liveupdate.plugins.plugin_utils.alerts import AlertsError, firing
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import FAILURES, Journal
from ansible_collections.xen.liveupdate.plugins.plugin_utils.judge import xen


class Gate:
    """@args: soak (seconds), command, prometheus (address), labels, every (seconds between looks); @hook: see machine.py."""

    def __init__(self, journal, run, epoch, args, hook, sleep=time.sleep):
        self.journal, self.run, self.epoch = journal, run, epoch
        self.args, self.hook, self.sleep = args, hook, sleep

    def done(self):
        """passed, failed, "stopped", or None: it is to be decided."""
        row = self.journal.run(self.run)
        if row["gate"]:
            return row["gate"]
        return None if row["state"] == "running" else "stopped"

    def close(self, reason):
        """Nobody passes."""
        self.journal.gate(self.run, self.epoch, False, reason)
        return "failed"

    def canaries(self):
        """Why it cannot open, as far as the journal knows; None: it may. Pending ones stop the run."""
        hosts = [h for h in self.journal.hosts(self.run) if h["canary"]]
        for h in hosts:
            if h["outcome"] in FAILURES or h["state"] in ("active", "unknown"):
                return f"canary {h['name']}: {h['outcome'] or h['state']}" + (f": {h['reason']}" if h["reason"] else "")
        if not any(h["outcome"] in ("done", "current") for h in hosts):
            return "no canary was updated"
        return None

    def alerts(self):
        """Why it cannot open: an alert, or a Prometheus that does not answer; None: it may."""
        if not self.args["prometheus"]:
            return None
        try:
            found = firing(self.args["prometheus"], self.args["labels"])
        except AlertsError as e:
            return str(e)
        return f"alerts fire: {', '.join(found)}" if found else None

    def soak(self):
        """Waits until the canaries have run long enough; returns where the gate is: passed, failed, stopped, soaked.

        Alerts are looked for all the time, and the stop file. What has been waited for before a restart counts.
        """
        if self.done():
            return self.done()
        if any(h["canary"] and h["state"] == "pending" for h in self.journal.hosts(self.run)):
            self.journal.stop(self.run, self.epoch, "a canary was not begun")
            return "stopped"
        reason = self.canaries()
        if reason:
            return self.close(reason)
        end = self.journal.gate(self.run, self.epoch) + self.args["soak"]
        settings, looked = self.journal.run(self.run)["settings"], 0
        while True:
            now = time.time()
            closed = Journal.closed({"stop_file": settings["stop_file"]}, now)
            if closed:
                self.journal.stop(self.run, self.epoch, closed)
                return "stopped"
            if now >= end or now - looked >= self.args["every"]:
                looked = now
                reason = self.alerts()
                if reason:
                    return self.close(reason)
            if now >= end:
                return "soaked"
            self.sleep(min(1, max(0.05, end - now)))

    def open(self, seen):
        """Decides; returns passed, failed or stopped.

        @seen: what the module survey has found on each canary just now, None: it does not answer.
        """
        if self.done():
            return self.done()
        for h in self.journal.hosts(self.run):
            if not h["canary"] or h["outcome"] != "done":
                continue
            try:
                now = {**xen(seen[h["name"]]["status"]["status"]), "boot_id": seen[h["name"]]["boot_id"]}
            except (AttributeError, KeyError, TypeError, ValueError):
                return self.close(f"canary {h['name']} does not answer any more")
            after = h["data"]["after"]
            for what in ("boot_id", "generation", "build_id", "version"):
                if now[what] != after[what]:
                    return self.close(f"canary {h['name']} is not what it was after its update: {what}")
        if self.args["command"]:
            rc, said = self.hook(self.args["command"], {"XEN_LIVEUPDATE_RUN": self.run})
            if rc:
                return self.close(f"its command ended with {rc}: {said.strip()[-200:]}")
        reason = self.alerts()
        if reason:
            return self.close(reason)
        self.journal.gate(self.run, self.epoch, True)
        return "passed"
