# SPDX-License-Identifier: GPL-2.0-only
"""Is it the same Xen? For the host, which stages, and for the controller, which decides."""

from __future__ import annotations


def same(one, other):
    """Are the two, with version, changeset and build_id, the same build? Without build ids the others decide."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    if one.get("build_id") and other.get("build_id"):
        return one["build_id"] == other["build_id"]
    return all(one.get(k) and one.get(k) == other.get(k) for k in ("version", "changeset"))


def target_of(seen):
    """What the file has in it that a survey was told to look at; None: not known."""
    return (seen.get("check") or {}).get("target")


def runs(seen):
    """Does the host run the target already?"""
    return same(target_of(seen), (seen.get("status") or {}).get("status"))


def staged(seen):
    """Is it the target that is staged, and with the command line that it would be staged with now?"""
    status = seen.get("status") or {}
    known = status.get("target")
    if not (status.get("status") or {}).get("staged") or not same(target_of(seen), known):
        return False
    return target_of(seen).get("command_line") == known.get("command_line")
