# SPDX-License-Identifier: GPL-2.0-only
"""Asks Prometheus which alerts fire."""

from __future__ import annotations

import json
import urllib.error

from ansible.module_utils.urls import open_url

ANSWER_MAX = 64 << 20


class AlertsError(Exception):
    """Prometheus could not be asked: nobody knows whether something fires."""


def firing(url, labels=None, timeout=20):
    """The names of the alerts that fire, of those that have all of @labels.

    @url: Prometheus, without /api. @labels: label -> value; None: all alerts. Source: Prometheus' HTTP API, /api/v1/alerts.
    """
    if not str(url).startswith(("http://", "https://")):
        raise AlertsError(f"{url}: is not the address of a Prometheus")
    try:
        answer = open_url(str(url).rstrip("/") + "/api/v1/alerts", timeout=timeout)
        told = json.loads(answer.read(ANSWER_MAX))
        if told["status"] != "success":
            raise AlertsError(f"{url}: {told.get('error', 'no success, and no reason')}")
        found = set()
        for alert in told["data"]["alerts"]:
            has = alert["labels"]
            if alert["state"] == "firing" and all(has.get(k) == str(v) for k, v in (labels or {}).items()):
                found.add(has.get("alertname", "an alert without a name"))
    except (OSError, urllib.error.URLError) as e:
        raise AlertsError(f"{url}: {e}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise AlertsError(f"{url}: its answer makes no sense: {e}") from None
    return sorted(found)
