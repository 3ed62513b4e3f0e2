#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""Moves guests to another host, and back."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: migrate
short_description: Moves a guest to another host
description:
  - Calls C(xl migrate) on the host, or, to bring a guest back, on the one where it is, by C(ssh) as C(xl migrate) itself does.
  - A guest that is not there any more is not moved, and one that is on its way is waited for.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
options:
  guest:
    description: Its name. Without it the names of all guests are told.
    type: str
  to:
    description: The host that it goes to, as C(xl migrate) and C(ssh) know it.
    type: str
  by:
    description: Words in front of C(xl), such as C(ssh) and the name of the host that it is on.
    type: list
    elements: str
    default: []
  xl:
    description: The command xl, as a list of words.
    type: list
    elements: str
    default: [xl]
  timeout:
    description: Seconds that it may take.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Move a guest away
  xen.liveupdate.migrate:
    guest: web1
    to: host2
"""

RETURN = r"""
guests:
  description: Names by domid.
  returned: without guest
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xen.liveupdate.plugins.module_utils import cli, host


def main():
    module = AnsibleModule(
        argument_spec={
            "guest": {"type": "str"},
            "to": {"type": "str"},
            "by": {"type": "list", "elements": "str", "default": []},
            "xl": {"type": "list", "elements": "str", "default": ["xl"]},
            "timeout": {"type": "int", "default": 3600},
        },
        required_together=[("guest", "to")],
    )
    p = module.params
    try:
        if p["guest"] is None:
            module.exit_json(changed=False, guests=host.guests([*p["by"], *p["xl"]]))
        moved = host.migrate(p["xl"], p["guest"], p["to"], p["by"], p["timeout"])
    except (cli.CliError, OSError) as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=moved)


if __name__ == "__main__":
    main()
