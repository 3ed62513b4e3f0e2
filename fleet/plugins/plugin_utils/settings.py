# SPDX-License-Identifier: GPL-2.0-only
"""What a run is asked to do, checked before anything is done."""

from __future__ import annotations

import os

from ansible_collections.xen.liveupdate.plugins.plugin_utils import batches, window

JOURNAL = "journal.db"
STOP = "stop"


class BadSetting(ValueError):
    """A setting that cannot be; says which."""


# Options of the actions: name -> Ansible's argument specification.
STATE = {"state": {"type": "path", "required": True}}
RUN = {
    **STATE,
    "target": {"type": "path", "required": True},
    "command": {"type": "list", "elements": "str", "default": ["xen-liveupdate"]},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 60},
    "max_pause": {"type": "int"},
}
UPDATE = {
    "xl": {"type": "list", "elements": "str", "default": ["xl"]},
    "directory": {"type": "path", "default": "/var/lib/xen/liveupdate/fleet"},
    "drain": {"type": "str"},
    "restore": {"type": "str"},
    "migrate_to": {"type": "str"},
    "address": {"type": "str"},
    "ssh": {"type": "list", "elements": "str", "default": ["ssh"]},
    "apply_seconds": {"type": "int", "default": 900},
    "investigate_seconds": {"type": "int", "default": 300},
    "investigate_pause": {"type": "float", "default": 5.0},
}
BEGIN = {
    "serial": {"type": "list", "elements": "str", "default": ["1"]},
    "canaries": {"type": "int", "default": 1},
    "max_fail_percentage": {"type": "float", "default": 0.0},
    "window": {"type": "str"},
    "deadline": {"type": "str"},
    "go_on": {"type": "bool", "default": False},
    "take_over": {"type": "bool", "default": False},
    "retry": {"type": "bool", "default": False},
}


def make_state(state):
    """Makes the folder @state, with its reports; BadSetting if it cannot be made."""
    try:
        os.makedirs(os.path.join(state, "reports"), mode=0o750, exist_ok=True)
    except OSError as e:
        raise BadSetting(f"{state}: cannot be made: {e.strerror}. -e xen_liveupdate_state=FOLDER names another one") from None
    return state


def journal_path(state):
    """Of the journal in the folder @state."""
    return os.path.join(state, JOURNAL)


def check(args, hosts):
    """Raises BadSetting (or BadSerial, BadTime) for what cannot be; returns the run's settings, for its journal."""
    if not hosts:
        raise BadSetting("there is no host to update: is the inventory empty, or the pattern xen_liveupdate_hosts wrong?")
    batches.sizes_of(args["serial"], len(hosts))
    window.parse_window(args["window"])
    window.parse_deadline(args["deadline"])
    if not 0 <= args["max_fail_percentage"] <= 100:
        raise BadSetting(f"max_fail_percentage: {args['max_fail_percentage']} is not between 0 and 100")
    if args["canaries"] < 0:
        raise BadSetting(f"canaries: {args['canaries']} is less than 0")
    if args["max_pause"] is not None and args["max_pause"] <= 0:
        raise BadSetting(f"max_pause: {args['max_pause']} is not more than 0")
    kept = ("target", "arguments", "serial", "canaries", "max_fail_percentage", "window", "deadline", "max_pause")
    return {**{k: args[k] for k in kept}, "stop_file": os.path.join(args["state"], STOP)}
