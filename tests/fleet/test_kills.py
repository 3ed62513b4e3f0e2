# SPDX-License-Identifier: GPL-2.0-only
"""The controller is killed at random moments and started again: no host is updated twice, none is forgotten, and what is
told of each is what became of it.

    test_kills.py [--ansible] [KILLS [SEED]]     with --ansible the controller is ansible-playbook
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import fleet

# What a host is like, and what has to come of it: outcome, updates that it was asked for, and does it run the target?
KINDS = [
    ("canary", [], "done", 1, True),
    ("good1", [], "done", 1, True),
    ("good2", [], "done", 1, True),
    ("refuses", ["refuse=1:pirq:for a test"], "refused", 0, False),
    ("narrow", ["free=100"], "refused", 0, False),
    ("fails", ["fails=1"], "failed", 1, False),
    ("returns", ["returns=1"], "failed", 1, False),
    ("loses", ["loses=1"], "lost", 1, True),
]


def make(where, kinds):
    """A fleet with these hosts; good1 and good2 are never updated at once."""
    f = fleet.Fleet(where)
    for name, words, *unused in kinds:
        f.add(name, *words, **({"failure_domain": "rack1"} if name.startswith("good") else {}))
    f.inventory()
    return f


class Bad(Exception):
    """What must not be."""


def look(f, kinds):
    """At any moment."""
    for name, *unused in kinds:
        asked = f.show(name)["executed"]
        if asked > 1:
            raise Bad(f"{name} was asked for {asked} updates")


def look_at_the_end(f, kinds):
    """When the run is over."""
    look(f, kinds)
    model = f.run()
    if model["state"] != "over":
        raise Bad(f"the run is {model['state']}: {model['reason']}")
    told = {h["name"]: h for h in model["hosts"]}
    if set(told) != {k[0] for k in kinds}:
        raise Bad(f"the run is about {sorted(told)}")
    for name, unused, outcome, asked, runs in kinds:
        true = f.show(name)
        # If the kill came when all was done, the next start was another run, which found nothing to do.
        word = last_outcome(f, name) if told[name]["word"] in ("current", "skipped") else told[name]["word"]
        if word != outcome or true["executed"] != asked or (true["build_id"] == fleet.NEW) != runs:
            raise Bad(f"{name}: told {told[name]['word']} ({told[name]['reasons']}), asked for {true['executed']}, runs {true['build_id']}")


def start(f, ansible):
    """The controller, as a process that leads a group."""
    if ansible:
        return f.start("update", max_fail_percentage=100, serial=["2"], drain="true", restore="true")
    return subprocess.Popen([fleet.PYTHON, Path(__file__).with_name("controller.py"), f.where], start_new_session=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(f, ansible, kinds):
    """Runs it to the end."""
    judge_end(f, kinds, start(f, ansible).communicate()[0])


def judge_end(f, kinds, said):
    """look_at_the_end(), with what the controller @said."""
    try:
        look_at_the_end(f, kinds)
    except Exception as e:
        raise Bad(f"{e}\n{said}") from None


def main(ansible, kills, seed):
    """Returns how many kills there were, by the step of the hosts that were begun then."""
    rng = random.Random(seed)
    where = fleet.TOP / "build/fleet" / ("kills-ansible" if ansible else "kills")
    kinds = KINDS if kills > 1 or not ansible else [k for k in KINDS if k[0] in ("canary", "good1", "fails")]
    began = time.monotonic()
    if kills > 1:
        end(make(where, kinds), ansible, kinds)
        longest = time.monotonic() - began
    else:
        # Behind the beginning of the run, so that something is cut off.
        longest = 3
    done, hit = 0, {}
    while done < kills:
        f, said = make(where, kinds), None
        while done < kills:
            p = start(f, ansible)
            try:
                if kills == 1:
                    wait_for_begin(f, p)
                p.wait(rng.uniform(0, longest))
            except subprocess.TimeoutExpired:
                pass
            if p.poll() is not None:
                said = p.communicate()[0]
                break
            # The controller alone, whose children go on; or all of it.
            if rng.random() < 0.5:
                p.kill()
            else:
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            p.stdout.close()
            done += 1
            look(f, kinds)
            try:
                steps = [h["step"] or "-" for h in hosts(f) if h["state"] == "active"]
            except Exception as e:  # noqa: BLE001: there is no journal yet
                steps = [f"({type(e).__name__})"]
            for step in steps or ["between hosts"]:
                hit[step] = hit.get(step, 0) + 1
        if said is None:
            end(f, ansible, kinds)
        else:
            judge_end(f, kinds, said)
        # Once more: nothing happens.
        true = {k[0]: f.show(k[0]) for k in kinds}
        start(f, ansible).communicate()
        if true != {k[0]: f.show(k[0]) for k in kinds}:
            raise Bad(f"another run changes something: {true}")
    return done, hit


def wait_for_begin(f, p):
    """Until the first host is begun, or the controller has ended."""
    while p.poll() is None:
        try:
            if any(h["begun"] for h in hosts(f)):
                return
        except Exception:  # noqa: BLE001: there is no journal yet
            pass
        time.sleep(0.1)


def last_outcome(f, name):
    """In the last run that has begun the host."""
    from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
    book = Journal(f.state / "journal.db")
    try:
        return (book.last_outcome(name) or {}).get("outcome")
    finally:
        book.close()


def hosts(f):
    """As the journal has them."""
    from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
    book = Journal(f.state / "journal.db")
    try:
        return book.hosts(book.last_run() or "")
    finally:
        book.close()


if __name__ == "__main__":
    words = [w for w in sys.argv[1:] if w != "--ansible"]
    try:
        number, where_hit = main("--ansible" in sys.argv, int(words[0]) if words else 10, int(words[1]) if len(words) > 1 else 1)
    except Bad as problem:
        print(f"not ok - {problem}")
        sys.exit(1)
    print(f"ok - killed {number} times, in {', '.join(f'{k}: {v}' for k, v in sorted(where_hit.items()))}")
