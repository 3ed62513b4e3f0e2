# SPDX-License-Identifier: GPL-2.0-only
"""Behind the canaries: waits, looks, and lets the others pass or not."""

from __future__ import annotations

import time

from ansible_collections.xen.liveupdate.plugins.plugin_utils import settings
from ansible_collections.xen.liveupdate.plugins.plugin_utils.gate import Gate
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
from ansible_collections.xen.liveupdate.plugins.plugin_utils.task import FleetAction
from ansible_collections.xen.liveupdate.plugins.plugin_utils.transport import hook


class ActionModule(FleetAction):
    """See the documentation of the module of this name."""

    SPEC = {
        **settings.STATE,
        "run": {"type": "str", "required": True},
        "epoch": {"type": "int", "required": True},
        "step": {"type": "str", "choices": ["soak", "open"], "required": True},
        "soak": {"type": "int", "default": 600},
        "command": {"type": "str"},
        "prometheus": {"type": "str"},
        "labels": {"type": "dict", "default": {}},
        "every": {"type": "int", "default": 15},
    }

    def act(self, args, task_vars):
        journal = Journal(settings.journal_path(args["state"]))
        gate = Gate(journal, args["run"], args["epoch"], args, hook, time.sleep)
        if args["step"] == "soak":
            return {"changed": False, "state_of_gate": gate.soak()}
        seen = {h["name"]: h["seen"] for h in self.hosts(task_vars)}
        return {"changed": False, "state_of_gate": gate.open(seen)}
