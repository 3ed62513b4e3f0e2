# SPDX-License-Identifier: GPL-2.0-only
"""What the actions share: options, errors, and who the controller is."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.xen.liveupdate.plugins.plugin_utils.batches import BadSerial
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import JournalError, controller
from ansible_collections.xen.liveupdate.plugins.plugin_utils.settings import BadSetting
from ansible_collections.xen.liveupdate.plugins.plugin_utils.window import BadTime


class FleetAction(ActionBase):
    """An action on the controller. SPEC: its options; act(args, task_vars) returns its result."""

    SPEC: dict = {}
    # Does it do nothing but write a report?
    LOOKS_ONLY = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if self._task.check_mode and not self.LOOKS_ONLY:
            raise AnsibleActionFail("--check: it is not known what would be done; xen.liveupdate.plan tells what can be known")
        unused, args = self.validate_argument_spec(argument_spec=self.SPEC)
        try:
            result.update(self.act(args, task_vars))
        except (BadSerial, BadSetting, BadTime, JournalError) as e:
            raise AnsibleActionFail(str(e)) from None
        return result

    def act(self, args, task_vars):
        """What the action does."""
        raise NotImplementedError

    @staticmethod
    def who():
        """ansible-playbook: an action runs in a child of it."""
        return controller(os.getppid())

    @staticmethod
    def hosts(task_vars):
        """The hosts of the play, as course.draw_up() wants them; those that did not answer, too."""
        told = []
        for name in task_vars["ansible_play_hosts_all"]:
            of = task_vars["hostvars"][name]
            answer = of.get("xen_liveupdate_seen") or {}
            seen = answer.get("survey")
            if seen is None and answer and not answer.get("unreachable"):
                # It answers, and cannot be asked: it has no Python, for instance.
                why = str(answer.get("msg") or answer.get("module_stderr") or "it failed and does not say why")
                seen = {"error": {"kind": "failed", "message": " ".join(why.split())[:500]}}
            told.append({
                "name": name,
                "seen": seen,
                "canary": of.get("xen_liveupdate_canary") in (True, "true", "True", "yes"),
                "domain": of.get("xen_liveupdate_failure_domain") or None,
                "migrate_to": of.get("xen_liveupdate_migrate_to") or None,
            })
        return told
