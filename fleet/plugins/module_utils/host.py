# SPDX-License-Identifier: GPL-2.0-only
"""What is done on a host: looking at it, staging, the one attempt, guests that go and come back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time

from ansible_collections.xen.liveupdate.plugins.module_utils import same
from ansible_collections.xen.liveupdate.plugins.module_utils.cli import CliError, ask, run

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id():
    """Of the kernel that runs; another one means that the host was rebooted."""
    with open(BOOT_ID, encoding="ascii") as f:
        return f.read().strip()


# ---- looking ----


def survey(command, target=None, arguments=(), timeout=60):
    """All that can be known of a host without changing it.

    @command: xen-liveupdate, as a list of words. @target: the image on this host, or None; @arguments: --append,
    --without, with their values. @timeout: seconds for each question.
    Returns a dictionary: boot_id, status and check (answers of xen-liveupdate, or None), target_there, and error
    (None, or kind and message of what kept it from being asked).
    """
    seen = {"boot_id": boot_id(), "status": None, "check": None, "target_there": None, "error": None}
    try:
        # -n: what was cut off is not completed in the host's journal by those who only look.
        seen["status"] = ask([*command, "-n"], "status", (), timeout)
        words = []
        if target:
            seen["target_there"] = os.path.isfile(target)
            words = [target, *arguments] if seen["target_there"] else []
        seen["check"] = ask([*command, "-n"], "check", words, timeout)
    except CliError as e:
        seen["error"] = {"kind": e.kind, "message": str(e)}
    return seen


def history(command, timeout=60):
    """The updates that the host's journal knows of, oldest first; completes what was cut off in it."""
    answer = ask(command, "history", (), timeout)
    attempts = answer.get("attempts")
    if answer["exit_code"] or not isinstance(attempts, list):
        error = answer.get("error") or {}
        raise CliError("garbage", f"xen-liveupdate history: {error.get('message', 'no attempts in its answer')}")
    return attempts


def stage(command, target, arguments=(), timeout=120, dry=False):
    """Stages @target, unless it is staged already, or runs.

    @dry: only says what would be done. Returns (staged | runs | refused, answer); the answer is None if nothing had to be
    asked for. Raises CliError if it could not be staged.
    """
    seen = survey(command, target, arguments, timeout)
    if seen["error"]:
        raise CliError(seen["error"]["kind"], seen["error"]["message"])
    if seen["target_there"] is False:
        raise CliError("missing", f"{target}: is not there")
    if same.runs(seen):
        return "runs", None
    if same.staged(seen):
        return "staged", None
    if dry:
        return "staged", {}
    end = time.monotonic() + timeout
    while True:
        answer = ask(command, "stage", [target, *arguments], timeout)
        # Another one may be at work, for a moment.
        if answer["exit_code"] != 2 or time.monotonic() >= end:
            break
        time.sleep(0.2)
    if answer["exit_code"] == 3:
        return "refused", answer
    if answer["exit_code"]:
        raise CliError("failed", (answer.get("error") or {}).get("message") or "xen-liveupdate stage failed")
    return "staged", answer


# ---- the attempt ----

# A token is a directory that is made at once, with all that it begins with in it, and never twice:
#     lock    held by those who still work on it
#     fenced  it was not begun, and will not be
#     out, err, rc  what xen-liveupdate said, and its exit code, when it has ended
# When the controller that made it has written down what came of it, a later attempt removes the directory. Its name stays
# in the file USED, with its state: whoever comes late with it begins nothing. Where tokens come and go the directory of all
# is locked.
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,80}")
USED = "used"


@contextlib.contextmanager
def _locked(directory, how):
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _claim(directory, token, name):
    """Makes the token, with an empty file @name that is locked; returns its descriptor, or None: it is there already."""
    if not TOKEN.fullmatch(token):
        raise CliError("garbage", f"not a token: {token!r}")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with _locked(directory, fcntl.LOCK_EX):
        if os.path.lexists(os.path.join(directory, token)) or token in _used(directory):
            return None
        prepared = os.path.join(directory, f".{token}.{os.getpid()}")
        shutil.rmtree(prepared, ignore_errors=True)
        os.mkdir(prepared, 0o700)
        fd = os.open(os.path.join(prepared, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _sync(prepared)
            os.rename(prepared, os.path.join(directory, token))
            _sync(directory)
        except OSError:
            os.close(fd)
            shutil.rmtree(prepared, ignore_errors=True)
            raise
    return fd


def _keep(path, data):
    """Writes a small file that is there completely or not at all."""
    with open(path + ".new", "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path)
    _sync(os.path.dirname(path))


def _read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except FileNotFoundError:
        return None


def _used(directory):
    """Tokens whose directories were removed, with what they were: "fenced", "cut", or an exit code."""
    lines = (line.split() for line in (_read(os.path.join(directory, USED)) or "").splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def look(directory, token):
    """Where the attempt is: {"state": absent | fenced | running | ended | cut}, with rc, out and err when it has ended.

    cut: it was begun, nobody works on it any more, and it has not written down how it ended.
    """
    if not os.path.isdir(directory):
        return {"state": "absent"}
    with _locked(directory, fcntl.LOCK_SH):
        return _look(directory, token)


def _look(directory, token):
    where = os.path.join(directory, token)
    if not os.path.isdir(where):
        was = _used(directory).get(token, "absent")
        if was in ("absent", "fenced", "cut"):
            return {"state": was}
        return {"state": "ended", "rc": int(was), "out": None, "err": None}
    if os.path.exists(os.path.join(where, "fenced")):
        return {"state": "fenced"}
    try:
        with open(os.path.join(where, "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return {"state": "running"}
    except FileNotFoundError:
        pass
    # Behind the lock: nobody writes it now.
    rc = _read(os.path.join(where, "rc"))
    said = {"out": _read(os.path.join(where, "out")), "err": _read(os.path.join(where, "err"))}
    if rc is not None and re.fullmatch(r"-?\d+", rc):
        return {"state": "ended", "rc": int(rc), **said}
    return {"state": "cut", **said}


def wait(directory, token, seconds):
    """look(), but not before it has ended, for at most @seconds."""
    end = time.monotonic() + seconds
    while True:
        seen = look(directory, token)
        if seen["state"] != "running" or time.monotonic() >= end:
            return seen
        time.sleep(0.05)


def fence(directory, token):
    """Sees to it that an attempt which was not begun is not begun any more; returns look()."""
    fd = _claim(directory, token, "fenced")
    if fd is not None:
        os.close(fd)
    return look(directory, token)


def forget(directory, runs):
    """Removes what is left of attempts of @runs (tokens RUN-NUMBER), for which nobody is going to ask; not of one that runs.

    Also what was left half made, or half removed.
    """
    if not os.path.isdir(directory):
        return
    with _locked(directory, fcntl.LOCK_EX):
        used, gone = _used(directory), []
        for name in sorted(os.listdir(directory)):
            if name.startswith("."):
                shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
                continue
            if not TOKEN.fullmatch(name) or name.rpartition("-")[0] not in runs:
                continue
            seen = _look(directory, name)
            if seen["state"] != "running":
                used[name] = str(seen["rc"]) if seen["state"] == "ended" else seen["state"]
                gone.append(name)
        if gone:
            # On the disk before anything is removed.
            _keep(os.path.join(directory, USED), "".join(f"{k} {v}\n" for k, v in used.items()).encode())
        for name in gone:
            os.rename(os.path.join(directory, name), os.path.join(directory, f".{name}"))
            shutil.rmtree(os.path.join(directory, f".{name}"))


def _work(where, argv, lock):
    """In a process of its own: runs @argv, and writes down how it ended. The lock goes with it to the command."""
    with open(os.path.join(where, "out"), "wb") as out, open(os.path.join(where, "err"), "wb") as err:
        try:
            rc = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=(lock,), cwd="/",
                                check=False).returncode
        except OSError as e:
            err.write(f"{argv[0]}: {e.strerror}\n".encode())
            rc = 127
        os.fsync(out.fileno())
    _keep(os.path.join(where, "rc"), str(rc).encode())


def start(directory, token, argv, seconds):
    """Begins the attempt, once in the life of the token, and waits for its end for at most @seconds.

    It goes on if whoever asked for it goes away. Returns look(), and with "begun": was it this call that began it?
    """
    lock = _claim(directory, token, "lock")
    if lock is None:
        return {**wait(directory, token, seconds), "begun": False}
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            _work(os.path.join(directory, token), argv, lock)
        finally:
            os._exit(1)
    os.close(lock)
    os.waitpid(child, 0)
    return {**wait(directory, token, seconds), "begun": True}


# ---- guests ----


def guests(xl):
    """The names of the guests on this host, by domid."""
    rc, out, err = run([*xl, "list"], 60)
    if rc:
        raise CliError("garbage", f"xl list ended with {rc}: {err.strip()[:200]}")
    names = {}
    for line in out.splitlines()[1:]:
        # Name, ID and four more; a name has no blanks.
        words = line.split()
        if len(words) >= 6 and words[1].isdigit():
            names[int(words[1])] = words[0]
    return names


def migrate(xl, guest, to, by=(), timeout=3600):
    """Moves @guest to the host @to; @by: words in front of xl, such as ssh and the host that it is on.

    A guest that is on its way is waited for; returns whether this call has moved it.
    """
    argv = [*by, *xl]
    there = set(guests(argv).values())
    end = time.monotonic() + timeout
    while there & {f"{guest}--migratedaway", f"{guest}--incoming"} and time.monotonic() < end:
        time.sleep(1)
        there = set(guests(argv).values())
    if guest not in there:
        return False
    rc, unused, err = run([*argv, "migrate", guest, to], timeout)
    if rc:
        raise CliError("failed", f"xl migrate {guest} {to} ended with {rc}: {err.strip()[-300:]}")
    return True
