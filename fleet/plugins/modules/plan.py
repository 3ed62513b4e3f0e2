#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The documentation of the action of this name, which runs on the controller."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: plan
short_description: Writes a plan
description:
  - Writes what M(xen.liveupdate.survey) has found on all hosts as text, JSON and HTML.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.run
options:
  target:
    description: The file with the new Xen, on the hosts.
    type: path
    required: true
  max_pause:
    description: Milliseconds that a pause may take.
    type: int
"""

EXAMPLES = r"""
- name: Plan
  xen.liveupdate.plan:
    state: /var/lib/xen-liveupdate-fleet
    target: /boot/xen-4.17.6.gz
  run_once: true
"""

RETURN = r"""
summary:
  description: A few lines.
  returned: always
  type: list
  elements: str
paths:
  description: The files, by kind.
  returned: always
  type: dict
counts:
  description: How many hosts have which word.
  returned: always
  type: dict
"""
