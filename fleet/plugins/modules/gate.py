#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The documentation of the action of this name, which runs on the controller."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: gate
short_description: Lets the others pass behind the canaries
description:
  - Waits until the canaries have run for some time, and opens or closes the gate behind them.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.run
  - xen.liveupdate.run.run
options:
  step:
    description: V(soak) waits, V(open) decides.
    type: str
    choices: [soak, open]
    required: true
  command:
    description: Command on the controller that has to end with 0.
    type: str
  soak:
    description: Seconds for which the canaries are watched.
    type: int
    default: 600
  prometheus:
    description: The address of a Prometheus whose alerts close the gate.
    type: str
  labels:
    description: Labels that an alert must have to count.
    type: dict
    default: {}
  every:
    description: Seconds between two looks at the alerts.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Wait
  xen.liveupdate.gate:
    step: soak
    state: /var/lib/xen-liveupdate-fleet
    run: "{{ begun.run }}"
    epoch: "{{ begun.epoch }}"
    soak: 3600
"""

RETURN = r"""
state_of_gate:
  description: C(passed), C(failed), C(stopped), C(soaked).
  returned: always
  type: str
"""
