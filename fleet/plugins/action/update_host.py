# SPDX-License-Identifier: GPL-2.0-only
"""Updates the host of the task, or finds out what became of it."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.plugin_utils import settings
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
from ansible_collections.xen.liveupdate.plugins.plugin_utils.machine import Machine
from ansible_collections.xen.liveupdate.plugins.plugin_utils.task import FleetAction
from ansible_collections.xen.liveupdate.plugins.plugin_utils.transport import Remote, hook


class ActionModule(FleetAction):
    """See the documentation of the module of this name."""

    SPEC = {
        **settings.RUN, **settings.UPDATE,
        "run": {"type": "str", "required": True},
        "epoch": {"type": "int", "required": True},
    }

    def act(self, args, task_vars):
        journal = Journal(settings.journal_path(args["state"]))
        of_run = journal.run(args["run"])["settings"]
        limit = of_run["max_pause"]
        args["apply"] = ["--max-pause", str(limit)] if limit else []
        machine = Machine(
            journal, args["run"], args["epoch"], task_vars["inventory_hostname"],
            {**args, "max_pause_ms": limit, "window": of_run["window"], "deadline": of_run["deadline"]},
            Remote(self._execute_module, task_vars, args), hook,
        )
        told = machine.go()
        # What it comes to is the journal's, and the report's, to say: with one that failed the others go on
        # or not as max_fail_percentage of the run says.
        return {"changed": told["outcome"] in ("done", "lost", "unknown"), **told}
