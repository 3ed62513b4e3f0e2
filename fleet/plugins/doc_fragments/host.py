# SPDX-License-Identifier: GPL-2.0-only
"""Options of what asks a host."""

from __future__ import annotations


class ModuleDocFragment:
    """How xen-liveupdate is called, and for which target."""

    DOCUMENTATION = r"""
options:
  command:
    description: The command xen-liveupdate, as a list of words.
    type: list
    elements: str
    default: [xen-liveupdate]
"""
    TARGET = r"""
options:
  arguments:
    description: Options C(--append) and C(--without), with their values.
    type: list
    elements: str
    default: []
"""
