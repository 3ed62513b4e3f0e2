# SPDX-License-Identifier: GPL-2.0-only
"""The report as one page that needs nothing else: no other file, no network."""

from __future__ import annotations

import time
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6b7e; --paper: #f5f6f8; --card: #fff; --line: #dfe3ea;
  --good: #1a7f4b; --idle: #6b7a90; --warn: #b26a00; --bad: #c0262d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa7b8; --paper: #12161c; --card: #1b212a;
  --line: #2d3643; --good: #4cc38a; --idle: #8a98ad; --warn: #f0a63c; --bad: #ff6b70; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; }
header p { margin: 0; color: var(--soft); }
.note { margin: 1.25rem 0 0; padding: .7rem 1rem; border-left: 4px solid var(--warn); background: var(--card); border-radius: 4px; }
.note.bad { border-color: var(--bad); }
main > .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.6rem, 1fr)); gap: .75rem; margin: 1.5rem 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.7rem; line-height: 1.2; font-weight: 650; }
.card span { color: var(--soft); font-size: .87rem; }
.bar { display: flex; height: .7rem; border-radius: .35rem; overflow: hidden; gap: 2px; margin: 0 0 1.75rem; }
.bar i { display: block; min-width: 3px; }
.good { color: var(--good); } .idle { color: var(--idle); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.bar .good { background: var(--good); } .bar .idle { background: var(--idle); }
.bar .warn { background: var(--warn); } .bar .bad { background: var(--bad); }
.tools { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin-bottom: .75rem; }
.tools input { flex: 1 1 14rem; font: inherit; padding: .4rem .7rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); color: var(--ink); }
.tools button { font: inherit; font-size: .87rem; padding: .35rem .75rem; border: 1px solid var(--line); border-radius: 1rem;
  background: var(--card); color: var(--ink); cursor: pointer; }
.tools button[aria-pressed=true] { background: var(--ink); color: var(--paper); border-color: var(--ink); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .5rem .8rem; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .8rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } th.n { text-align: right; }
td.host { font-weight: 600; white-space: nowrap; }
td .tag { font-weight: 400; font-size: .75rem; color: var(--soft); border: 1px solid var(--line); border-radius: 1rem;
  padding: 0 .45rem; margin-left: .4rem; }
td.state { width: 40%; min-width: 13rem; }
.word { white-space: nowrap; font-weight: 600; }
.word::before { content: ""; display: inline-block; width: .55rem; height: .55rem; border-radius: 50%; background: currentColor;
  margin-right: .45rem; }
td small { display: block; color: var(--soft); font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .78rem; }
td ul { margin: .1rem 0 0 1rem; padding: 0; list-style: none; font-size: .87rem; color: var(--soft); }
td li { overflow-wrap: anywhere; }
.meter { display: block; height: 4px; border-radius: 2px; background: var(--line); margin-top: .3rem; min-width: 5rem; }
.meter i { display: block; height: 100%; border-radius: 2px; background: var(--idle); }
.meter.over i { background: var(--warn); }
footer { color: var(--soft); font-size: .85rem; margin-top: 1.5rem; }
@media print { .tools { display: none; } body { background: #fff; } }
"""

SCRIPT = """
const rows = [...document.querySelectorAll('tbody tr')], input = document.querySelector('input');
const buttons = [...document.querySelectorAll('.tools button')], none = document.getElementById('none');
let look = '';
function show() {
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let n = 0;
  for (const r of rows) {
    const text = r.textContent.toLowerCase();
    r.hidden = (look && r.dataset.word !== look) || !words.every(w => text.includes(w));
    n += !r.hidden;
  }
  none.hidden = n > 0;
}
input.addEventListener('input', show);
for (const b of buttons) b.addEventListener('click', () => {
  look = b.dataset.word;
  for (const o of buttons) o.setAttribute('aria-pressed', String(o === b));
  show();
});
"""

# Those that a reader has to do something about come first.
ORDER = {"bad": 0, "warn": 1, "idle": 2, "good": 3}


def when(seconds):
    """A time in words, local."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _xen(version, build):
    if not version:
        return "<td>–</td>"
    short = f"<small title='{escape(build, quote=True)}'>{escape(build[:12])}</small>" if build else ""
    return f"<td>{escape(version)}{short}</td>"


def _pause(host, limit, longest):
    value, about = host["pause_ms"], ""
    if value is None:
        value, about = host["predicted_ms"], "≈ "
    if value is None:
        return "<td class=n>–</td>"
    over = " over" if limit and value > limit else ""
    width = 100 * min(1, value / longest) if longest else 0
    return f"<td class=n>{about}{value:.1f} ms<span class='meter{over}'><i style='width:{width:.0f}%'></i></span></td>"


def _domains(host):
    if host["domains_before"] is None:
        return "<td class=n>–</td>"
    if host["domains_after"] is None:
        return f"<td class=n>{host['domains_before']}</td>"
    fine = "bad" if host["missing"] else ""
    return f"<td class='n {fine}'>{host['domains_after']} of {host['domains_before']}</td>"


def _memory(host):
    if host["needed"] is None or host["free"] is None:
        return "<td class=n>–</td>"
    short = " class='n bad'" if host["needed"] > host["free"] else " class=n"
    return f"<td{short}>{host['needed'] >> 20} of {host['free'] >> 20} MiB</td>"


def _list(lines):
    inside = "".join(f"<li>{escape(str(line))}</li>" for line in lines)
    return f"<ul>{inside}</ul>" if inside else ""


def _row(model, host, why, limit, longest):
    tags = "<span class=tag>canary</span>" if host["canary"] else ""
    cells = [
        f"<td class=host>{escape(host['name'])}{tags}</td>",
        f"<td class=state><span class='word {host['look']}' title='{escape(host['label'], quote=True)}'>"
        f"{escape(host['word'])}</span>{_list(why(host))}</td>",
        f"<td>{escape(host['domain'] or '–')}</td>",
        _xen(host["version_before"], host["build_before"]),
    ]
    if model["kind"] == "run":
        cells.append(_xen(host["version_after"], host["build_after"]))
    else:
        cells.append(_memory(host))
    cells += [_pause(host, limit, longest), _domains(host)]
    return f"<tr data-word='{host['word']}'>" + "".join(cells) + "</tr>"


def _head(model, target_of):
    target = escape(target_of(model))
    if model["kind"] == "plan":
        return f"Plan: {len(model['hosts'])} hosts to Xen {target}", f"Asked {when(model['time'])}. Nothing was changed."
    line = f"Run {escape(model['run'])}, begun {when(model['begun'])}"
    line += f", over {when(model['ended'])}" if model["ended"] else f", {model['state']} as of {when(model['time'])}"
    if model["gate"]:
        line += f"; the gate behind the canaries: {model['gate']}"
    return f"Run: {len(model['hosts'])} hosts to Xen {target}", line + "."


def page(model, summary, why, label_of, target_of):
    """The page as text. @model, and what tells of it, are report.py's; nothing in it is trusted to be free of markup."""
    title, line = _head(model, target_of)
    looks = {h["word"]: h["look"] for h in model["hosts"]}
    counts = model["counts"]
    cards = "".join(
        f"<div class=card><b class={looks[w]}>{n}</b><span>{escape(label_of(model, w))}</span></div>" for w, n in counts.items())
    strip = "".join(
        f"<i class={looks[w]} style='flex:{n}' title='{n} {escape(label_of(model, w), quote=True)}'></i>" for w, n in counts.items())
    buttons = "<button data-word='' aria-pressed=true>all</button>" + "".join(
        f"<button data-word='{w}' aria-pressed=false>{w} {n}</button>" for w, n in counts.items())
    pauses = [h["pause_ms"] if h["pause_ms"] is not None else h["predicted_ms"] for h in model["hosts"]]
    longest, limit = max((p for p in pauses if p is not None), default=0), model["settings"].get("max_pause")
    fourth = "after" if model["kind"] == "run" else "memory needed"
    names = ("host", "state", "group", "Xen" if model["kind"] == "plan" else "before", fourth, "pause", "domains")
    heads = "".join(
        f"<th scope=col{' class=n' if name in ('pause', 'domains', 'memory needed') else ''}>{name}</th>" for name in names)
    rows = "\n".join(_row(model, h, why, limit, longest) for h in sorted(model["hosts"], key=lambda h: ORDER[h["look"]]))
    note = ""
    if model["reason"]:
        look = "bad" if model["state"] == "halted" else ""
        note = f"<p class='note {look}'>{escape(model['state'].capitalize())}: {escape(model['reason'])}</p>"
    return f"""<!DOCTYPE html>
<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style></head><body><main>
<header><h1>{title}</h1><p>{line}{f" Pause limit: {limit} ms." if limit else ""}</p></header>
{note}<div class=cards>{cards}</div><div class=bar role=img aria-label="{escape(summary.strip(), quote=True)}">{strip}</div>
<div class=tools><input type=search placeholder="host, group, version, reason" aria-label="filter">{buttons}</div>
<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>
{rows}
</tbody></table></div><p id=none hidden>No host is like that.</p>
<footer>Domains are counted with dom0. ≈ is a prediction. Build ids are cut; the pointer shows all of them.</footer>
</main><script>{SCRIPT}</script></body></html>
"""
