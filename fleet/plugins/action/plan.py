# SPDX-License-Identifier: GPL-2.0-only
"""Writes the report of a plan."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.plugin_utils import report, settings
from ansible_collections.xen.liveupdate.plugins.plugin_utils.judge import judge
from ansible_collections.xen.liveupdate.plugins.plugin_utils.settings import BadSetting
from ansible_collections.xen.liveupdate.plugins.plugin_utils.task import FleetAction


class ActionModule(FleetAction):
    """See the documentation of the module of this name."""

    LOOKS_ONLY = True
    SPEC = {**settings.STATE, "target": {"type": "path", "required": True}, "max_pause": {"type": "int"}}

    def act(self, args, task_vars):
        hosts = self.hosts(task_vars)
        if not hosts:
            raise BadSetting("there is no host to ask")
        settings.make_state(args["state"])
        judged = {h["name"]: judge(h["seen"], args["max_pause"], bool(h["migrate_to"])) for h in hosts}
        model = report.of_plan(hosts, judged, {"target": args["target"], "max_pause": args["max_pause"]})
        paths = report.write_all(model, f"{args['state']}/reports")
        return {"changed": False, "paths": paths, "counts": model["counts"], "summary": report.summary(model).splitlines()}
