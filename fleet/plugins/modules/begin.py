#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The documentation of the action of this name, which runs on the controller."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: begin
short_description: Begins a run, or goes on with it
description:
  - Draws up batches from what M(xen.liveupdate.survey) has found, and writes them into the journal; goes on with a run that is not over.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.host
  - xen.liveupdate.host.target
  - xen.liveupdate.run
  - xen.liveupdate.run.wanted
options:
  serial:
    description: Sizes of batches; the last one goes on.
    type: list
    elements: str
    default: ['1']
  canaries:
    description: How many canaries, if no host is marked as one.
    type: int
    default: 1
  max_fail_percentage:
    description: With more failed hosts than that no other is begun.
    type: float
    default: 0
  window:
    description: When hosts are begun, such as C(22:00-05:00).
    type: str
  deadline:
    description: Until when hosts are begun, ISO 8601.
    type: str
  go_on:
    description: Goes on with a run that was halted.
    type: bool
    default: false
  take_over:
    description: Goes on with the run of a controller on another machine, which is gone.
    type: bool
    default: false
  retry:
    description: Hosts that failed in an earlier run, with the same target, are tried again.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Begin
  xen.liveupdate.begin:
    state: /var/lib/xen-liveupdate-fleet
    target: /boot/xen-4.17.6.gz
    serial: ["1", "10%"]
  run_once: true
"""

RETURN = r"""
run:
  description: The run.
  returned: always
  type: str
epoch:
  description: Which of its controllers this is.
  returned: always
  type: int
canaries:
  description: The canaries.
  returned: always
  type: list
  elements: str
first:
  description: Canaries that are left to do.
  returned: always
  type: list
  elements: str
order:
  description: The others that are left to do, batch by batch.
  returned: always
  type: list
  elements: str
sizes:
  description: The sizes of these batches.
  returned: always
  type: list
  elements: int
strangers:
  description: Hosts that are not part of the run that is gone on with.
  returned: always
  type: list
  elements: str
"""
