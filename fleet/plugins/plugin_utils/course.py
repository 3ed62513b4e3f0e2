# SPDX-License-Identifier: GPL-2.0-only
"""The course of a run: whom it is about, in which order, begun or gone on with."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.module_utils.same import same
from ansible_collections.xen.liveupdate.plugins.plugin_utils import batches
from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import FAILURES
from ansible_collections.xen.liveupdate.plugins.plugin_utils.judge import judge
from ansible_collections.xen.liveupdate.plugins.plugin_utils.settings import BadSetting

# Verdicts of hosts that are not begun, as outcomes.
OUTCOMES = {
    "current": "current", "long-pause": "refused", "refused": "refused", "no-tools": "refused", "no-target": "skipped",
    "busy": "skipped", "error": "skipped", "unreachable": "skipped",
}


def failed_before(was, told):
    """Why a host is not tried again whose last outcome @was (a row of the journal, or None) in an earlier run; None: it is.

    With another target it is.
    """
    target = ((was or {}).get("data", {}).get("before") or {}).get("target")
    if was is None or was["outcome"] not in FAILURES or not same(target, told["target"]):
        return None
    return f"{was['outcome']} in run {was['run']}: {was['reason']}; -e xen_liveupdate_retry=true tries again"


def draw_up(hosts, settings, last_outcome=lambda name: None):
    """The hosts of a new run, as Journal.begin() wants them.

    @hosts: dictionaries with name, seen (what the module survey returned, or None), canary, domain, migrate_to.
    @last_outcome: of a host by its name, see failed_before().
    Batch 0 and those behind it are the canaries', the others follow.
    """
    names = [h["name"] for h in hosts]
    rows, todo = [], []
    for h in hosts:
        told = judge(h["seen"], settings["max_pause"], bool(h["migrate_to"]))
        row = {"name": h["name"], "batch": -1, "canary": False, "domain": h["domain"],
               "apart": h["migrate_to"] if h["migrate_to"] in names else None, "data": {"before": told}}
        failed = None if told["verdict"] in OUTCOMES else failed_before(last_outcome(h["name"]), told)
        if failed:
            row.update(state="over", outcome="skipped", reason=failed)
        elif told["verdict"] in OUTCOMES:
            row.update(state="over", outcome=OUTCOMES[told["verdict"]], reason="; ".join(told["reasons"]) or None)
        else:
            row["data"] = {}
            todo.append(row)
        rows.append(row)
    marked = [h["name"] for h in hosts if h["canary"]]
    able = [r["name"] for r in todo]
    if marked and able and not set(marked) & set(able):
        why = ", ".join(f"{r['name']} ({r['outcome']})" for r in rows if r["name"] in marked)
        # Those that run the target already have shown what a canary shows.
        if not any(r["outcome"] == "current" for r in rows if r["name"] in marked):
            raise BadSetting(f"no canary can be updated: {why}")
    canaries = [n for n in able if n in marked] if marked else able[:settings["canaries"]]
    groups = {h["name"]: h["domain"] for h in hosts}
    apart = [(r["name"], r["apart"]) for r in rows if r["apart"]]
    drawn = batches.make(canaries, groups, ["1"], apart) if canaries else []
    rest = [n for n in able if n not in canaries]
    if rest:
        drawn += batches.make(rest, groups, settings["serial"], apart)
    at = {name: number for number, batch in enumerate(drawn) for name in batch}
    for row in todo:
        row.update(batch=at[row["name"]], canary=row["name"] in canaries)
    return sorted(rows, key=lambda r: r["batch"])


def left(journal, run):
    """What is left to do: (canaries, others) as lists of batches, with those first that were begun before."""
    parts = {True: [], False: []}
    for canary in (True, False):
        open_hosts = [h for h in journal.hosts(run) if bool(h["canary"]) == canary and h["state"] != "over"]
        begun = [[h["name"]] for h in open_hosts if h["state"] in ("active", "unknown")]
        numbers = sorted({h["batch"] for h in open_hosts if h["state"] == "pending"})
        fresh = [[h["name"] for h in open_hosts if h["state"] == "pending" and h["batch"] == n] for n in numbers]
        parts[canary] = begun + fresh
    return parts[True], parts[False]


def begin_or_go_on(journal, settings, hosts, who, go_on=False, take_over=False, retry=False):
    """Returns (run, epoch, strangers): the open run, if there is one for the same target, else a new one.

    strangers: hosts that are not part of the run that is gone on with. @settings: see settings.check(). @hosts: see
    draw_up(). A run for another target that is open is an error: BadSetting.
    @retry: hosts that failed in an earlier run are tried again.
    """
    run = journal.open_run()
    if run is None:
        # What failed is not tried again by itself: somebody looks at it first.
        last = (lambda name: None) if retry else journal.last_outcome
        return (*journal.begin(settings, draw_up(hosts, settings, last), who), [])
    was = journal.run(run)["settings"]
    for what in ("target", "arguments"):
        if was[what] != settings[what]:
            raise BadSetting(
                f"run {run}, which is not over, has {what} {was[what]!r}, and this one has {settings[what]!r}: "
                "go on with the same, or end that one: xen-liveupdate-fleet close"
            )
    strangers = sorted({h["name"] for h in hosts} - {h["name"] for h in journal.hosts(run)})
    epoch = journal.take(run, who, take_over, go_on)
    # What may change from one start to the next; hosts and batches stay.
    may = ("window", "deadline", "max_fail_percentage", "max_pause", "stop_file")
    journal.set(run, epoch, {k: settings[k] for k in may})
    return run, epoch, strangers
