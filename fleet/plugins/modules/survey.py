#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""Looks at a host: what runs, what is staged, what would be refused."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: survey
short_description: Looks at a host
description:
  - Asks C(xen-liveupdate) for C(status) and C(check), and changes nothing.
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
    required: false
  timeout:
    description: Seconds for each question.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Ask the host
  xen.liveupdate.survey:
    target: /boot/xen-4.17.6.gz
  register: seen
"""

RETURN = r"""
survey:
  description: The answers, and C(error) if there is none.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xen.liveupdate.plugins.module_utils import host


def main():
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "list", "elements": "str", "default": ["xen-liveupdate"]},
            "target": {"type": "path"},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    p = module.params
    module.exit_json(changed=False, survey=host.survey(p["command"], p["target"], p["arguments"], p["timeout"]))


if __name__ == "__main__":
    main()
