# SPDX-License-Identifier: GPL-2.0-only
"""A signal stops xen-liveupdate-fleet before the next host, and the next update goes on; a second controller meanwhile is
refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import fleet
from test_kills import hosts, wait_for_begin

PROGRAM = fleet.COLLECTIONS / "ansible_collections/xen/liveupdate/bin/xen-liveupdate-fleet"


def start(f):
    """update, as from cron."""
    return subprocess.Popen([fleet.PYTHON, "-B", PROGRAM, "-s", f.state, "update", "-i", f.inventory()], env=f.environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    """Returns the exit code."""
    f = fleet.Fleet(fleet.TOP / "build/fleet/stop")
    # The first one is at work until it is let go.
    f.add("a", before="case $verb in apply) while [ ! -e $here/go ]; do sleep 0.1; done ;; esac")
    for name in "bc":
        f.add(name)
    p, problems = start(f), []
    wait_for_begin(f, p)
    second = start(f)
    said = second.communicate()[0]
    if second.returncode != 1 or "another controller is at work" not in said:
        problems.append(f"a second controller ended with {second.returncode}: {said}")
    os.kill(p.pid, signal.SIGTERM)
    # It has made the stop file before anything else happens.
    while not (f.state / "stop").exists() and p.poll() is None:
        pass
    (f.where / "hosts/a/go").touch()
    said = p.communicate()[0]
    states = {h["name"]: h["state"] for h in hosts(f)}
    if p.returncode != 2 or states != {"a": "over", "b": "pending", "c": "pending"} or (f.state / "stop").exists():
        problems.append(f"stopped with {p.returncode}, {states}: {said}")
    p = start(f)
    said = p.communicate()[0]
    if p.returncode or any(f.show(n)["executed"] != 1 or f.show(n)["build_id"] != fleet.NEW for n in "abc"):
        problems.append(f"gone on with, it ended with {p.returncode}: {said}")
    print(f"not ok - stop: {'; '.join(problems)}" if problems else "ok - a signal stops before the next host; a second controller is refused")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
