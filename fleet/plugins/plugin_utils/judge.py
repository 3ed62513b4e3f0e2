# SPDX-License-Identifier: GPL-2.0-only
"""What a host's answers mean for an update, in one word, with the reasons."""

from __future__ import annotations

from ansible_collections.xen.liveupdate.plugins.module_utils import same

# The word, what it says to a reader, and whether the host can be updated as it is.
VERDICTS = {
    "ready": ("can be updated", True),
    "migrate": ("can be updated once guests have been migrated away", True),
    "current": ("runs the target already", False),
    "long-pause": ("the pause would be longer than the limit", False),
    "refused": ("refused", False),
    "no-tools": ("the tools for the target's release are missing", False),
    "no-target": ("the target is not on the host yet", False),
    "busy": ("an update is under way", False),
    "error": ("gave no answer that can be understood", False),
    "unreachable": ("could not be reached", False),
}


def text(value, what):
    """@value, which has to be a text or null."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} is not a text")
    return value


def number(value, what):
    """@value, which has to be a whole number that is not negative, or null."""
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"{what} is not a number")
    return value


def xen(status):
    """Version, changeset, build id and generation of a "status" of xen-liveupdate."""
    told = {k: text(status.get(k), k) for k in ("version", "changeset", "build_id")}
    if not told["version"]:
        raise ValueError("there is no version")
    return {**told, "generation": number(status.get("generation"), "generation")}


def refusals_of(check):
    """The refusals as (domid or None, text)."""
    told = []
    for r in check.get("refusals") or []:
        domain = number(r.get("domain"), "domain")
        told.append((domain, f"{text(r.get('resource'), 'resource')}: {text(r.get('reason'), 'reason')}"))
    return told


def name_of(check, domid):
    """What people call the domain; domain 3 if it has no name."""
    for d in check.get("domains") or []:
        if d.get("domain") == domid and d.get("name"):
            return f"domain {domid} ({text(d['name'], 'name')})"
    return f"domain {domid}"


def _judge(seen, max_pause_ms, may_migrate):
    """judge() for a host whose answers have the right form; ValueError and the like if they have not."""
    status, check = seen["status"], seen["check"]
    facts = xen(status["status"])
    target = same.target_of(seen)
    facts["target"] = None if target is None else {k: text(target.get(k), k) for k in ("version", "changeset", "build_id")}
    facts["boot_id"] = text(seen["boot_id"], "boot_id")
    facts["domains"] = len(check.get("domains") or [])
    facts["staged"] = same.staged(seen)
    facts["last_id"] = number((status.get("last") or {}).get("id"), "id") or 0
    memory = check.get("memory") or {}
    facts["needed"], facts["free"] = number(memory.get("needed"), "needed"), number(memory.get("free"), "free")
    pause = number((check.get("prediction") or {}).get("pause_ns"), "pause_ns")
    facts["pause_ms"] = None if pause is None else pause / 1e6
    facts["basis"] = text((check.get("prediction") or {}).get("basis"), "basis")

    told = refusals_of(check)
    facts["uncarried"] = sorted({d for d, unused in told if d})
    reasons = [f"{name_of(check, d)}: {why}" if d is not None else why for d, why in told]
    agreed = check["exit_code"] == 0
    tools = check.get("tools") or {}
    if not agreed and not told:
        reasons.append(text((check.get("error") or {}).get("message"), "message") or "refused, without a reason")
    if facts["needed"] is not None and facts["free"] is not None and facts["needed"] > facts["free"]:
        reasons.append(f"memory: {facts['needed'] >> 20} MiB needed, {facts['free'] >> 20} MiB free")
        agreed = False
        told.append((None, "memory"))

    if same.runs(seen):
        verdict, reasons = "current", []
    elif status["status"].get("busy") is True or check["exit_code"] == 2:
        verdict = "busy"
    elif seen["target_there"] is False:
        verdict = "no-target" if agreed else "refused"
    elif tools.get("other") is True and tools.get("path") is None:
        verdict = "no-tools"
        reasons.append(f"there are no tools for Xen {text(tools.get('release'), 'release')}")
    elif not agreed:
        # Guests can go away; dom0 and the host cannot.
        verdict = "migrate" if may_migrate and told and all(told_of for told_of, unused in told) else "refused"
    else:
        verdict = "ready"
    if verdict in ("ready", "migrate") and max_pause_ms and facts["pause_ms"] and facts["pause_ms"] > max_pause_ms:
        verdict = "long-pause"
        reasons.append(f"a pause of {facts['pause_ms']:.1f} ms is predicted, the limit is {max_pause_ms} ms")
    return {**facts, "verdict": verdict, "reasons": reasons}


def judge(seen, max_pause_ms=None, may_migrate=False):
    """What can be done with a host.

    @seen: what the module survey returned; None: it could not be reached. @max_pause_ms: a limit for the predicted
    pause, or None. @may_migrate: guests that cannot be carried can go elsewhere meanwhile.
    Returns a dictionary: verdict (see VERDICTS), reasons (texts), and facts, as far as they are known: version, changeset,
    build_id, generation, target, boot_id, domains (how many, with dom0), uncarried (domids), pause_ms, needed and free
    (bytes), staged, last_id. A host that answers nonsense is an "error", never anything else.
    """
    if seen is None:
        return {"verdict": "unreachable", "reasons": ["could not be reached"]}
    try:
        if seen["error"]:
            return {"verdict": "error", "reasons": [seen["error"]["message"]]}
        if seen["status"]["exit_code"]:
            return {"verdict": "error", "reasons": [seen["status"]["error"]["message"]]}
        return _judge(seen, max_pause_ms, may_migrate)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as e:
        return {"verdict": "error", "reasons": [f"its answer makes no sense: {e}"]}
