# SPDX-License-Identifier: GPL-2.0-only
"""Ansible's connection to a host, as machine.py wants it; and commands on the controller."""

from __future__ import annotations

import os
import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.xen.liveupdate.plugins.plugin_utils.machine import RemoteError, Unreachable

# A hook of the fleet that has not ended by then has failed; seconds.
HOOK_SECONDS = 3600


class Remote:
    """The host of a task.

    @execute: ActionBase._execute_module of that task. @args: command, target, arguments, xl, directory, timeout, apply.
    """

    def __init__(self, execute, task_vars, args):
        self.execute, self.task_vars, self.args = execute, task_vars, args

    def _call(self, module, **arguments):
        try:
            result = self.execute(
                module_name=f"xen.liveupdate.{module}",
                module_args={k: v for k, v in arguments.items() if v is not None},
                task_vars=self.task_vars,
            )
        except AnsibleConnectionFailure as e:
            raise Unreachable(str(e)[:300]) from None
        if result.get("unreachable"):
            raise Unreachable(str(result.get("msg"))[:300])
        if result.get("failed"):
            said = result.get("msg") or result.get("module_stderr") or "it failed and does not say why"
            raise RemoteError(str(said)[:500])
        return result

    def survey(self):
        """See the module survey."""
        a = self.args
        return self._call(
            "survey", command=a["command"], target=a["target"], arguments=a["arguments"], timeout=a["timeout"]
        )["survey"]

    def stage(self):
        """{"state": staged | runs | refused, "reason"}."""
        a = self.args
        said = self._call("stage", command=a["command"], target=a["target"], arguments=a["arguments"])
        return {"state": said["state"], "reason": ((said.get("answer") or {}).get("error") or {}).get("message")}

    def attempt(self, action, token, wait, forget=()):
        """See the module attempt."""
        a = self.args
        return self._call(
            "attempt", command=a["command"], action=action, token=token, directory=a["directory"], wait=wait,
            arguments=a["apply"] if action == "start" else [], forget=list(forget),
        )["attempt"]

    def history(self):
        """The updates that the host knows of."""
        return self._call("attempt", command=self.args["command"], action="history")["attempts"]

    def guests(self):
        """Names by domid, which is a text here."""
        return {str(k): v for k, v in self._call("migrate", xl=self.args["xl"])["guests"].items()}

    def migrate(self, guest, to, by):
        """See the module migrate."""
        self._call("migrate", xl=self.args["xl"], guest=guest, to=to, by=by)


def hook(command, environment):
    """Runs @command by the shell of the controller; returns (exit code, what it said)."""
    try:
        done = subprocess.run(
            command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **environment}, timeout=HOOK_SECONDS, check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end within {HOOK_SECONDS} s"
    return done.returncode, done.stdout.decode(errors="replace")
