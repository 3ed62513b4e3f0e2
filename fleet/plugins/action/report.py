# SPDX-License-Identifier: GPL-2.0-only
"""The controller leaves the run, and tells what became of it."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.plugin_utils import report, settings
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
from ansible_collections.xen.liveupdate.plugins.plugin_utils.task import FleetAction


class ActionModule(FleetAction):
    """See the documentation of the module of this name."""

    SPEC = {
        **settings.STATE,
        "run": {"type": "str", "required": True},
        "epoch": {"type": "int", "required": True},
        "textfile": {"type": "path"},
    }

    def act(self, args, task_vars):
        journal = Journal(settings.journal_path(args["state"]))
        journal.leave(args["run"], args["epoch"])
        model = report.of_run(journal, args["run"])
        paths = report.write_all(model, f"{args['state']}/reports", args["textfile"])
        return {
            "changed": False, "paths": paths, "counts": model["counts"], "code": model["exit_code"],
            "summary": report.summary(model).splitlines(),
        }
