#!/usr/bin/python
# SPDX-License-Identifier: GPL-2.0-only
# GNU General Public License v2.0 only (see https://www.gnu.org/licenses/old-licenses/gpl-2.0.txt)
"""The documentation of the action of this name, which runs on the controller."""

from __future__ import absolute_import, division, print_function

DOCUMENTATION = r"""
module: report
short_description: Ends a run, and tells what became of it
description:
  - Writes the report of a run as text, JSON, HTML and metrics. The run is over if every host has its outcome.
version_added: 0.1.0
author:
  - Xen Live Update Developers (@xen-liveupdate)
extends_documentation_fragment:
  - xen.liveupdate.run
  - xen.liveupdate.run.run
options:
  textfile:
    description: Folder of the textfile collector of node_exporter, if it is there.
    type: path
"""

EXAMPLES = r"""
- name: Tell
  xen.liveupdate.report:
    state: /var/lib/xen-liveupdate-fleet
    run: "{{ begun.run }}"
    epoch: "{{ begun.epoch }}"
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
code:
  description: 0 if every host is updated.
  returned: always
  type: int
"""
