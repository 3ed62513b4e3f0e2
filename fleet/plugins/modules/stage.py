#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""Stages a target, unless it is staged already or runs."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: stage
short_description: Stages a target
description:
  - Calls C(xen-liveupdate stage), unless that target is staged already, or runs.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.host
  - xen.liveupdate.host.target
options:
  target:
    description: The file with the new Xen, on the host.
    type: path
    required: true
  timeout:
    description: Seconds for each question.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Stage the new Xen
  xen.liveupdate.stage:
    target: /boot/xen-4.17.6.gz
"""

RETURN = r"""
state:
  description: C(staged), C(runs), or C(refused).
  returned: always
  type: str
answer:
  description: What C(xen-liveupdate) said.
  returned: when it was asked to stage
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xen.liveupdate.plugins.module_utils import cli, host


def main():
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "default": ["xen-liveupdate"]},
            "target": {"type": "path", "required": True},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    p = module.params
    try:
        state, answer = host.stage(p["command"], p["target"], p["arguments"], p["timeout"], module.check_mode)
    except cli.CliError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=state == "staged" and answer is not None, state=state, answer=answer or {})


if __name__ == "__main__":
    main()
