# SPDX-License-Identifier: GPL-2.0-only
"""Who is updated with whom: canaries first, then batches without two hosts of one failure domain."""

from __future__ import annotations

from collections import Counter


class BadSerial(ValueError):
    """A batch size that is neither a number above 0 nor a percentage; says which."""


def size_of(word, total):
    """The number of hosts that @word ("5", 5, "10%") means out of @total: at least 1."""
    text = str(word).strip()
    percent = text.endswith("%")
    try:
        value = float(text[:-1]) if percent else int(text)
    except ValueError:
        raise BadSerial(f"serial: {word!r} is neither a number nor a percentage") from None
    if not 0 < value < float("inf") or (percent and value > 100):
        raise BadSerial(f"serial: {word!r} has to be more than 0, and at most 100%")
    return max(1, int(total * value / 100)) if percent else int(value)


def sizes_of(serial, total):
    """Batch sizes of @serial, one word or a list of them, as a list; the last one goes on."""
    words = serial if isinstance(serial, (list, tuple)) else [serial]
    if not words:
        raise BadSerial("serial: is empty")
    return [size_of(word, total) for word in words]


def make(hosts, groups, serial, apart=()):
    """Splits @hosts into batches, a list of lists, and loses none of them.

    @groups: host -> its failure domain; None, or not there: it stands for itself.
    @serial: see sizes_of(); sizes are upper limits, as a batch has one host of a failure domain.
    @apart: pairs of hosts that are never in one batch: where guests go meanwhile.
    Hosts of the failure domains that have most left go first, so that there are few batches; else in their order.
    """
    sizes = sizes_of(serial, len(hosts))
    enemies = {}
    for one, other in apart:
        enemies.setdefault(one, set()).add(other)
        enemies.setdefault(other, set()).add(one)
    left, batches = list(hosts), []
    while left:
        room = sizes[min(len(batches), len(sizes) - 1)]
        waiting = Counter(groups.get(h) for h in left if groups.get(h) is not None)
        batch, busy = [], set()
        for host in sorted(left, key=lambda h: -waiting[groups.get(h)]):
            group = groups.get(host)
            if len(batch) == room:
                break
            if (group is not None and group in busy) or enemies.get(host, set()) & set(batch):
                continue
            batch.append(host)
            busy.add(group)
        # In the order in which they were given, for who reads along.
        chosen = set(batch)
        batches.append([h for h in left if h in chosen])
        left = [h for h in left if h not in chosen]
    return batches
