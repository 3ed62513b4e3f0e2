# SPDX-License-Identifier: GPL-2.0-only
"""Calls xen-liveupdate -j on a host, and believes nothing that it does not understand."""

from __future__ import annotations

import json
import subprocess

# The shape of the answers that is understood here: "schema" in them.
SCHEMA = 2

# A host's answer is some KiB; who writes more is not xen-liveupdate.
ANSWER_MAX = 16 << 20


class CliError(Exception):
    """The command could not be run, what it said is no answer, or it could not do it.

    kind: "missing" (no such command or file), "timeout", "garbage", "failed" (it said so).
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def parse(verb, text):
    """The answer @text of @verb as a dictionary; raises CliError if it is none."""
    if len(text) > ANSWER_MAX:
        raise CliError("garbage", f"xen-liveupdate {verb} said more than {ANSWER_MAX >> 20} MiB")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as e:
        shown = text[:60] + ("..." if len(text) > 60 else "")
        raise CliError("garbage", f"xen-liveupdate {verb} did not answer in JSON: {shown!r} ({e})") from None
    if not isinstance(answer, dict) or answer.get("verb") != verb or type(answer.get("exit_code")) is not int:
        raise CliError("garbage", f"xen-liveupdate {verb} answered something else")
    if answer.get("schema") != SCHEMA:
        raise CliError("garbage", f"xen-liveupdate {verb} answered in schema {answer.get('schema')!r}, not {SCHEMA}")
    return answer


def run(argv, timeout):
    """Runs @argv for at most @timeout seconds; returns (exit code, standard output, standard error) as texts."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise CliError("timeout", f"{' '.join(argv)}: no answer within {timeout} s") from None
    except OSError as e:
        raise CliError("missing", f"{argv[0]}: {e.strerror}") from None
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def ask(command, verb, arguments=(), timeout=60):
    """The answer of `@command -j @verb @arguments...` as a dictionary, whatever its exit code."""
    rc, out, err = run([*command, "-j", verb, *arguments], timeout)
    if not out and err:
        raise CliError("garbage", f"xen-liveupdate {verb} ended with {rc}: {err.strip()[:200]}")
    answer = parse(verb, out)
    if answer["exit_code"] != rc:
        raise CliError("garbage", f"xen-liveupdate {verb} ended with {rc}, and says {answer['exit_code']}")
    return answer
