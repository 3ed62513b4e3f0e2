# SPDX-License-Identifier: GPL-2.0-only
"""A run as metrics, in the text format that node_exporter's textfile collector reads."""

from __future__ import annotations

PREFIX = "xen_liveupdate_fleet_"
STATES = ("running", "stopped", "halted", "over")


def escape(value):
    """A label's value."""
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def line(name, value, **labels):
    """One sample."""
    inside = ",".join(f'{k}="{escape(v)}"' for k, v in labels.items())
    return f"{PREFIX}{name}{{{inside}}} {value:g}" if inside else f"{PREFIX}{name} {float(value):.17g}"


def text(model):
    """All samples of the run @model (report.of_run())."""
    families = {
        "run_state": ("The state of the last run; 1 for the one it is in.",
                      [line("run_state", int(model["state"] == s), state=s) for s in STATES]),
        "run_exit_code": ("What xen-liveupdate-fleet ends with for it.", [line("run_exit_code", model["exit_code"])]),
        "run_begin_timestamp_seconds": ("When it was begun.", [line("run_begin_timestamp_seconds", model["begun"])]),
        "hosts": ("How many hosts have this outcome.",
                  [line("hosts", n, outcome=w) for w, n in model["counts"].items()]),
        "host_info": ("Versions and builds of Xen on a host, before and after; 1.", [
            line("host_info", 1, host=h["name"], outcome=h["word"], failure_domain=h["domain"] or "",
                 version_before=h["version_before"] or "", build_before=h["build_before"] or "",
                 version_after=h["version_after"] or "", build_after=h["build_after"] or "")
            for h in model["hosts"]]),
        "host_pause_seconds": ("How long domains stood still.", [
            line("host_pause_seconds", h["pause_ms"] / 1e3, host=h["name"])
            for h in model["hosts"] if h["pause_ms"] is not None]),
        "host_domains_before": ("Domains before the update, with dom0.", [
            line("host_domains_before", h["domains_before"], host=h["name"])
            for h in model["hosts"] if h["domains_before"] is not None]),
        "host_domains_after": ("Domains after the update, with dom0.", [
            line("host_domains_after", h["domains_after"], host=h["name"])
            for h in model["hosts"] if h["domains_after"] is not None]),
        "host_missing": ("What was there before and is missing.", [
            line("host_missing", len(h["missing"]), host=h["name"]) for h in model["hosts"]]),
    }
    if model["ended"]:
        families["run_end_timestamp_seconds"] = ("When it was over.", [line("run_end_timestamp_seconds", model["ended"])])
    told = []
    for name, (what, samples) in families.items():
        if samples:
            told += [f"# HELP {PREFIX}{name} {what}", f"# TYPE {PREFIX}{name} gauge", *samples]
    return "\n".join(told) + "\n"
