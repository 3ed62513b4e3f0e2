#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The one attempt to update a host: begun once, looked at as often as one likes."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: attempt
short_description: Updates a host, once for each token
description:
  - Calls C(xen-liveupdate apply) if no attempt with this token has been begun on the host, and never otherwise.
  - The update goes on if the connection breaks. O(action=look) tells what became of it.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.host
options:
  action:
    description:
      - V(start) begins it, V(look) waits for its end, V(fence) sees to it that it is not begun any more if it was not.
      - V(history) asks for the updates that the host knows of.
    type: str
    choices: [start, look, fence, history]
    required: true
  token:
    description: The name of the attempt, 8 to 80 letters, digits, C(_) and C(-).
    type: str
  directory:
    description: Where the host remembers tokens. It has to survive a reboot.
    type: path
    default: /var/lib/xen/liveupdate/fleet
  arguments:
    description: Options of C(apply), such as C(--max-pause), with their values.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait for its end.
    type: int
    default: 600
  forget:
    description:
      - Runs of which it is written down what became of this host, so that nobody asks for their attempts again. With
        O(action=start) what the host keeps of them is removed; their tokens stay used.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Update the host
  xen.liveupdate.attempt:
    action: start
    token: 20260131-host1-1
"""

RETURN = r"""
attempt:
  description: C(state) (C(absent), C(fenced), C(running), C(ended), C(cut)), C(rc), C(out), C(err), C(boot_id).
  returned: with start, look, fence
  type: dict
attempts:
  description: The updates and rehearsals that the host knows of.
  returned: with history
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xen.liveupdate.plugins.module_utils import cli, host


def main():
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "default": ["xen-liveupdate"]},
            "action": {"type": "str", "choices": ["start", "look", "fence", "history"], "required": True},
            "token": {"type": "str", "no_log": False},
            "directory": {"type": "path", "default": "/var/lib/xen/liveupdate/fleet"},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "int", "default": 600},
            "forget": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("action", what, ["token"]) for what in ("start", "look", "fence")],
    )
    p = module.params
    try:
        if p["action"] == "history":
            module.exit_json(changed=False, attempts=host.history(p["command"]))
        if p["action"] == "start":
            try:
                host.forget(p["directory"], p["forget"])
            except OSError as e:
                # That is no reason not to update.
                module.warn(f"what is left of earlier attempts: {e}")
            argv = [*p["command"], "-j", "apply", *p["arguments"]]
            seen = host.start(p["directory"], p["token"], argv, p["wait"])
        elif p["action"] == "fence":
            seen = host.fence(p["directory"], p["token"])
        else:
            seen = host.wait(p["directory"], p["token"], p["wait"])
    except (cli.CliError, OSError) as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=seen.get("begun", False), attempt={**seen, "boot_id": host.boot_id()})


if __name__ == "__main__":
    main()
