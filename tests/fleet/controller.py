# SPDX-License-Identifier: GPL-2.0-only
"""controller.py FOLDER: updates the fleet of fleet.py in FOLDER as the playbook does, without Ansible between; each host
of a batch by a process of its own, which goes on if this one is killed, as Ansible's do."""

from __future__ import annotations

import json
import os
import sys

import fleet

fleet.install()
from ansible_collections.xen.liveupdate.plugins.module_utils import cli, host  # noqa: E402
from ansible_collections.xen.liveupdate.plugins.plugin_utils import course, journal, report, settings  # noqa: E402
from ansible_collections.xen.liveupdate.plugins.plugin_utils.gate import Gate  # noqa: E402
from ansible_collections.xen.liveupdate.plugins.plugin_utils.machine import Machine, RemoteError  # noqa: E402


class Local:
    """A host of this machine, for machine.py."""

    def __init__(self, variables):
        self.command, self.directory = variables["xen_liveupdate_command"], variables["xen_liveupdate_directory"]
        self.target = variables["target"]

    def survey(self):
        return host.survey(self.command, self.target)

    def stage(self):
        try:
            return {"state": host.stage(self.command, self.target)[0]}
        except cli.CliError as e:
            raise RemoteError(str(e)) from None

    def attempt(self, action, token, wait, forget=()):
        if action == "start":
            seen = host.start(self.directory, token, [*self.command, "-j", "apply"], wait)
        elif action == "fence":
            seen = host.fence(self.directory, token)
        else:
            seen = host.wait(self.directory, token, wait)
        return {**seen, "boot_id": host.boot_id()}

    def history(self):
        try:
            return host.history(self.command)
        except cli.CliError as e:
            raise RemoteError(str(e)) from None


def side_by_side(work, names):
    """One process for each; a failed one is Python's to tell of."""
    children = []
    for name in names:
        child = os.fork()
        if not child:
            try:
                work(name)
                os._exit(0)
            except journal.JournalError as e:
                print(e, file=sys.stderr)
            finally:
                os._exit(1)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def main(folder):
    """Returns the run's exit code."""
    with open(f"{folder}/inventory.json", encoding="utf-8") as f:
        inventory = json.load(f)["all"]
    variables = {n: {**v, "target": inventory["vars"]["xen_liveupdate_target"]} for n, v in inventory["hosts"].items()}
    state = settings.make_state(inventory["vars"]["xen_liveupdate_state"])
    args = {"state": state, "target": inventory["vars"]["xen_liveupdate_target"], "arguments": [], "serial": ["2"], "canaries": 1,
            "max_fail_percentage": 100.0, "window": None, "deadline": None, "max_pause": None}
    hosts = [{"name": n, "seen": Local(v).survey(), "canary": False, "migrate_to": None,
              "domain": v.get("xen_liveupdate_failure_domain")} for n, v in variables.items()]
    path = settings.journal_path(state)
    book = journal.Journal(path, create=True)
    run, epoch, unused = course.begin_or_go_on(book, settings.check(args, hosts), hosts, journal.controller(os.getpid()))
    canaries, others = course.left(book, run)
    # Not across a fork.
    book.close()

    def update(name):
        Machine(journal.Journal(path), run, epoch, name, {"investigate_pause": 0.05, "investigate_seconds": 60, "drain": "true",
                "restore": "true"}, Local(variables[name]), lambda command, environment: (0, "")).go()

    for batch in canaries:
        side_by_side(update, batch)
    book = journal.Journal(path)
    gate = Gate(book, run, epoch, {"soak": 0, "command": None, "prometheus": None, "labels": {}, "every": 9}, None)
    if gate.soak() == "soaked":
        gate.open({n: Local(v).survey() for n, v in variables.items()})
    book.close()
    for batch in others:
        side_by_side(update, batch)
    book = journal.Journal(path)
    book.leave(run, epoch)
    return report.of_run(book, run)["exit_code"]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except (journal.JournalError, ValueError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
