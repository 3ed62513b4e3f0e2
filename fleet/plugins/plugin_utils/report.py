# SPDX-License-Identifier: GPL-2.0-only
"""What is told of a plan and of a run: one model, as text, JSON, HTML (html.py) and metrics (metrics.py)."""

from __future__ import annotations

import json
import os
import time
from collections import Counter

from ansible_collections.xen.liveupdate.plugins.plugin_utils import html, metrics
from ansible_collections.xen.liveupdate.plugins.plugin_utils.judge import VERDICTS

# Words for hosts in a run: what it says to a reader, how it looks (good, idle, warn, bad), the exit code.
OUTCOMES = {
    "done": ("updated", "good", 0),
    "current": ("ran the target already", "good", 0),
    "pending": ("not begun", "idle", 2),
    "refused": ("refused, left as it was", "warn", 3),
    "skipped": ("left as it was", "warn", 3),
    "failed": ("failed, left as it was", "bad", 4),
    "unknown": ("not known, to be looked at", "bad", 5),
    "lost": ("updated or rebooted, something is missing", "bad", 6),
}
LOOKS = {
    "ready": "good", "current": "good", "migrate": "good", "long-pause": "warn", "refused": "warn", "no-tools": "warn",
    "no-target": "idle", "busy": "idle", "error": "bad", "unreachable": "bad",
}
# What a short summary names one by one.
NAMED = 20


def _of(facts, key):
    return (facts or {}).get(key)


def _host(name, word, look, label, before, after=None, **more):
    return {
        "name": name, "word": word, "look": look, "label": label,
        "version_before": _of(before, "version"), "build_before": _of(before, "build_id"),
        "version_after": _of(after, "version"), "build_after": _of(after, "build_id"),
        "domains_before": _of(before, "domains"), "domains_after": _of(after, "domains"),
        "predicted_ms": _of(before, "pause_ms"), "needed": _of(before, "needed"), "free": _of(before, "free"),
        "pause_ms": None, "domain": None, "canary": False, "batch": None, "reasons": [], "missing": [], "left": [],
        "warnings": [], "seconds": None, **more,
    }


def of_plan(hosts, judged, settings):
    """The model of a plan. @hosts: see course.draw_up(); @judged: verdicts by name; @settings: of the run."""
    told = []
    for h in hosts:
        j = judged[h["name"]]
        told.append(_host(
            h["name"], j["verdict"], LOOKS[j["verdict"]], VERDICTS[j["verdict"]][0], j, domain=h["domain"],
            canary=h["canary"], reasons=j["reasons"],
        ))
    targets = [j["target"] for j in judged.values() if j.get("target")]
    good = all(h["look"] == "good" for h in told)
    return _model("plan", told, settings, targets, 0 if good else 3, time.time())


def of_run(journal, run, at_work=False):
    """The model of a run. @at_work: its controller is still there, so hosts that are active are no surprise."""
    row, told, targets = journal.run(run), [], []
    for h in journal.hosts(run):
        word = h["outcome"] or ("unknown" if h["state"] in ("active", "unknown") else "pending")
        label, look, unused = OUTCOMES[word]
        data = h["data"]
        reasons = [h["reason"]] if h["reason"] else []
        if h["state"] == "active":
            reasons.append("at work" if at_work else f"was cut off in {h['step'] or 'the beginning'}; the next start finds out")
        away = data.get("away") or []
        if data.get("drain") and not data.get("restored") and h["state"] != "active":
            reasons.append("is still drained")
        if data.get("moved") and h["state"] != "active":
            away = away + data["moved"]
        if away:
            reasons.append(f"guests that are still elsewhere: {', '.join(away)}")
        begun, ended = h["begun"], h["ended"]
        told.append(_host(
            h["name"], word, look, label, data.get("before"), data.get("after"), domain=h["domain"],
            canary=bool(h["canary"]), batch=h["batch"] if h["batch"] >= 0 else None, reasons=reasons,
            pause_ms=data.get("pause_ms"), missing=data.get("missing") or [], left=data.get("left") or [],
            warnings=data.get("warnings") or [], seconds=ended - begun if begun and ended else None,
        ))
        if (data.get("before") or {}).get("target"):
            targets.append(data["before"]["target"])
    code = max((OUTCOMES[h["word"]][2] for h in told), default=0)
    model = _model("run", told, row["settings"], targets, code, row["ended"] or time.time())
    model.update(run=run, state=row["state"], reason=row["reason"], gate=row["gate"], begun=row["begun"], ended=row["ended"])
    return model


def _model(kind, hosts, settings, targets, code, now):
    counts = Counter(h["word"] for h in hosts)
    words = list(OUTCOMES) if kind == "run" else list(VERDICTS)
    versions = sorted({(t.get("version") or "", t.get("build_id") or "") for t in targets})
    return {
        "kind": kind, "time": now, "hosts": hosts, "settings": settings, "exit_code": code,
        "counts": {w: counts[w] for w in words if counts[w]},
        "targets": [{"version": v, "build_id": b} for v, b in versions],
        "run": None, "state": None, "reason": None, "gate": None, "begun": None, "ended": None,
    }


# ---- as text ----


def label_of(model, word):
    """What the word says to a reader."""
    return (OUTCOMES if model["kind"] == "run" else VERDICTS)[word][0]


def target_of(model):
    """The target in words."""
    told = ", ".join(t["version"] + (f" (build {t['build_id'][:12]})" if t["build_id"] else "") for t in model["targets"])
    return told or model["settings"]["target"]


def ms(value):
    """A pause in words."""
    return "-" if value is None else f"{value:.1f} ms"


def why(host):
    """Everything that is to be said of the host, as a list."""
    return (
        host["reasons"] + [f"missing: {m}" for m in host["missing"]] + [f"left by itself: {x}" for x in host["left"]]
        + [f"warning: {w}" for w in host["warnings"]]
    )


def summary(model):
    """A few lines, for a mail."""
    total = len(model["hosts"])
    lines = [f"Xen live update, {model['kind']} for {target_of(model)}: {total} host{'' if total == 1 else 's'}"]
    lines += [f"  {n:5} {label_of(model, w)}" for w, n in model["counts"].items()]
    if model["kind"] == "run":
        lines.append(f"run {model['run']} is {model['state']}" + (f": {model['reason']}" if model["reason"] else ""))
        pauses = [h["pause_ms"] for h in model["hosts"] if h["pause_ms"] is not None]
        if pauses:
            lines.append(f"pause: longest {ms(max(pauses))}, of {len(pauses)} hosts")
    named = [h for h in model["hosts"] if h["look"] in ("warn", "bad") or h["warnings"]]
    lines += [f"{h['name']}: {h['label']}" + (f": {'; '.join(why(h))}" if why(h) else "") for h in named[:NAMED]]
    if len(named) > NAMED:
        lines.append(f"... and {len(named) - NAMED} more, see the report")
    return "\n".join(lines) + "\n"


def as_text(model):
    """The whole report."""
    head = ["host", "", "group", "before", "after", "pause", "domains"]
    rows = []
    for h in model["hosts"]:
        after = h["version_after"] or "-"
        survivors = "-" if h["domains_before"] is None else (
            str(h["domains_before"]) if h["domains_after"] is None else f"{h['domains_after']} of {h['domains_before']}")
        pause = ms(h["pause_ms"]) if model["kind"] == "run" else (
            "-" if h["predicted_ms"] is None else f"~{ms(h['predicted_ms'])}")
        rows.append([h["name"] + (" (canary)" if h["canary"] else ""), h["word"], h["domain"] or "-",
                     h["version_before"] or "-", after, pause, survivors])
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    lines = [summary(model)]
    for r in [head, *rows]:
        lines.append("  ".join(str(c).ljust(w) for c, w in zip(r, widths)).rstrip())
    return "\n".join(lines) + "\n"


# ---- into files ----


def write(path, text):
    """Replaces the file @path: it has all of @text, or what it had before."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)


def write_all(model, folder, textfile=None):
    """Writes NAME.txt, NAME.json, NAME.html into @folder (NAME: plan, or the run's id), for a run also metrics.

    @textfile: folder of node_exporter's textfile collector, which gets a copy. Returns their paths by kind.
    """
    name = os.path.join(folder, model["run"] or "plan")
    paths = {"text": f"{name}.txt", "json": f"{name}.json", "html": f"{name}.html"}
    write(paths["text"], as_text(model))
    write(paths["json"], json.dumps(model, indent=1, sort_keys=True) + "\n")
    write(paths["html"], html.page(model, summary(model), why, label_of, target_of))
    if model["kind"] == "run":
        paths["metrics"] = f"{name}.prom"
        write(paths["metrics"], metrics.text(model))
        if textfile and os.path.isdir(textfile):
            write(os.path.join(textfile, "xen_liveupdate_fleet.prom"), metrics.text(model))
    return paths
