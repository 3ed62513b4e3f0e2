# SPDX-License-Identifier: GPL-2.0-only
"""test_many.py N: a fleet of N hosts, with Ansible: plan, update, and an update that changes nothing. Tells time and memory;
judges only what became of the hosts."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time

import fleet


def memory_of(process, told):
    """The highest sum of what the process and its children had, in MiB (proportional set sizes), into @told."""
    page = 0
    while process.poll() is None:
        total = 0
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                    session = int(f.read().rpartition(")")[2].split()[3])
                if session != process.pid:
                    continue
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                    total += next(int(x.split()[1]) for x in f if x.startswith("Pss:"))
            except (OSError, StopIteration):
                continue
        page = max(page, total // 1024)
        time.sleep(2)
    told.append(page)


def main(number):
    """Returns the exit code."""
    f = fleet.Fleet(fleet.TOP / "build/fleet/many")
    kinds = {}
    for n in range(number):
        words = ["refuse=1:pirq:for a test"] if n % 50 == 7 else ["free=100"] if n % 50 == 8 else ["fails=1"] if n % 100 == 9 else []
        kinds[f"xen{n:03}"] = "failed" if words == ["fails=1"] else "refused" if words else "done"
        f.add(f"xen{n:03}", *words, failure_domain=f"rack{n % 40:02}")
    problems = []

    def play(playbook):
        before, began, told = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), []
        p = f.start(playbook, forks=20, serial=["5", "8%"], max_fail_percentage=5)
        watcher = threading.Thread(target=memory_of, args=(p, told))
        watcher.start()
        said = p.communicate()[0]
        watcher.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"# {number} hosts, {playbook}: {time.monotonic() - began:.0f} s, {cpu:.0f} s of CPU time, {told[0]} MiB", flush=True)
        return said

    said = play("plan")
    if any(f.show(n)["loads"] for n in kinds):
        problems.append("the plan has changed a host")
    said += play("update")
    told = f.outcomes()
    wrong = {n: told.get(n) for n, outcome in kinds.items() if told.get(n) != outcome}
    if wrong:
        problems.append(f"outcomes: {wrong}")
    true = {n: f.show(n) for n in kinds}
    for n, outcome in kinds.items():
        if (true[n]["executed"], true[n]["build_id"] == fleet.NEW) != ((outcome != "refused"), outcome == "done"):
            problems.append(f"{n}: {true[n]}")
    sizes = {p.suffix: p.stat().st_size >> 10 for p in sorted((f.state / "reports").iterdir())}
    print(f"# reports, KiB: {sizes}; journal: {(f.state / 'journal.db').stat().st_size >> 10}")
    said += play("update")
    if {n: f.show(n) for n in kinds} != true:
        problems.append("the second run has changed a host")
    if problems:
        print(said[-3000:])
        print(f"not ok - {number} hosts: {'; '.join(problems)[:2000]}")
        return 1
    print(f"ok - {number} hosts: each has its outcome, and a second run changes nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
