# SPDX-License-Identifier: GPL-2.0-only
"""Options of what works on a run."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the run is written down; of which run it is about; what it is asked to do."""

    DOCUMENTATION = r"""
options:
  state:
    description: The folder on the controller with the journal.
    type: path
    required: true
"""
    RUN = r"""
options:
  run:
    description: The run.
    type: str
    required: true
  epoch:
    description: Which of its controllers this is.
    type: int
    required: true
"""
    WANTED = r"""
options:
  target:
    description: The file with the new Xen, on the hosts.
    type: path
    required: true
  timeout:
    description: Seconds for each question.
    type: int
    default: 60
  max_pause:
    description: Milliseconds that a pause may take.
    type: int
"""
