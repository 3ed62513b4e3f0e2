# SPDX-License-Identifier: GPL-2.0-only
"""When a host may be begun: a daily window in the controller's local time, and a deadline."""

from __future__ import annotations

import re
from datetime import datetime


class BadTime(ValueError):
    """A window or a deadline that cannot be read; says which."""


def minutes(text):
    """Minutes since midnight of "22:30"."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", text.strip())
    if not match or int(match[1]) > 24 or int(match[2]) > 59 or (match[1] == "24" and match[2] != "00"):
        raise BadTime(f"window: {text!r} is not a time of the day such as 22:30")
    return int(match[1]) * 60 + int(match[2])


def parse_window(text):
    """"22:00-05:00" as two numbers of minutes; None: any time. The end is not part of it."""
    if not text:
        return None
    ends = str(text).split("-")
    if len(ends) != 2:
        raise BadTime(f"window: {text!r} is not of the form 22:00-05:00")
    begin, end = minutes(ends[0]), minutes(ends[1])
    if begin == end:
        raise BadTime(f"window: {text!r} has no time in it")
    return begin, end


def parse_deadline(text):
    """ISO 8601, local time unless it has a zone, as seconds since 1970; None: there is none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(str(text).strip()).timestamp()
    except ValueError:
        raise BadTime(f"deadline: {text!r} is not of the form 2026-01-31T05:00") from None


def closed(window, deadline, now):
    """Why no host may be begun at @now (seconds since 1970), as text; None: one may.

    @window, @deadline: as parse_window() and parse_deadline() return them.
    """
    if deadline is not None and now >= deadline:
        return "the deadline has passed"
    if window is not None:
        local = datetime.fromtimestamp(now)
        at, (begin, end) = local.hour * 60 + local.minute, window
        inside = begin <= at < end if begin < end else at >= begin or at < end
        if not inside:
            return "the window is closed"
    return None
