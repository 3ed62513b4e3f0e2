#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The documentation of the action of this name, which runs on the controller."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: update_host
short_description: Updates a host as part of a run
description:
  - Drains, stages, updates, verifies, and undoes what was done for it. What was cut off is found out, never repeated.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.host
  - xen.liveupdate.host.target
  - xen.liveupdate.run
  - xen.liveupdate.run.run
  - xen.liveupdate.run.wanted
options:
  xl:
    description: The command xl, as a list of words.
    type: list
    elements: str
    default: [xl]
  directory:
    description: Where the host remembers tokens.
    type: path
    default: /var/lib/xen/liveupdate/fleet
  drain:
    description: Command on the controller, before.
    type: str
  restore:
    description: Command on the controller, after.
    type: str
  migrate_to:
    description: Where guests go that cannot be carried.
    type: str
  address:
    description: What other hosts call this one.
    type: str
  ssh:
    description: How other hosts are logged in to.
    type: list
    elements: str
    default: [ssh]
  apply_seconds:
    description: Seconds for which the end of an update is waited.
    type: int
    default: 900
  investigate_seconds:
    description: Seconds for which a host is asked again that does not answer.
    type: int
    default: 300
  investigate_pause:
    description: Seconds between two of these questions.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Update
  xen.liveupdate.update_host:
    state: /var/lib/xen-liveupdate-fleet
    target: /boot/xen-4.17.6.gz
    run: "{{ begun.run }}"
    epoch: "{{ begun.epoch }}"
"""

RETURN = r"""
outcome:
  description: C(done), C(current), C(refused), C(skipped), C(failed), C(lost), C(unknown), or null, if it was not begun.
  returned: always
  type: str
reason:
  description: Why.
  returned: always
  type: str
begun:
  description: Was it begun, or gone on with?
  returned: always
  type: bool
"""
