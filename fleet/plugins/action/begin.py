# SPDX-License-Identifier: GPL-2.0-only
"""Begins a run, or goes on with the one that is not over."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.plugin_utils import course, settings
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
from ansible_collections.xen.liveupdate.plugins.plugin_utils.task import FleetAction


class ActionModule(FleetAction):
    """See the documentation of the module of this name."""

    SPEC = {**settings.RUN, **settings.BEGIN}

    def act(self, args, task_vars):
        hosts = self.hosts(task_vars)
        wanted = settings.check(args, hosts)
        settings.make_state(args["state"])
        journal = Journal(settings.journal_path(args["state"]), create=True)
        run, epoch, strangers = course.begin_or_go_on(
            journal, wanted, hosts, self.who(), args["go_on"], args["take_over"], args["retry"]
        )
        canaries, others = course.left(journal, run)
        return {
            "changed": bool(canaries or others),
            "run": run,
            "epoch": epoch,
            "strangers": strangers,
            "canaries": [h["name"] for h in journal.hosts(run) if h["canary"]],
            "first": [name for batch in canaries for name in batch],
            "order": [name for batch in others for name in batch],
            "sizes": [len(batch) for batch in others],
        }
