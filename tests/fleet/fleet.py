# SPDX-License-Identifier: GPL-2.0-only
"""A fleet for tests: hosts that are files (fake_host.c), an inventory that reaches them, and playbooks on it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FAKE = TOP / "build/unit/fake-host"
COLLECTIONS = TOP / "build/fleet/collections"
PYTHON = "/usr/bin/python3"
OLD, NEW = "0123abcd", "00112233445566778899aabbccddeeff00112233"
NEW_VERSION = "4.17.6-new"


def install():
    """The collection where Ansible finds it, as a link to this tree; and where this process does."""
    where = COLLECTIONS / "ansible_collections/xen/liveupdate"
    where.parent.mkdir(parents=True, exist_ok=True)
    if not where.is_symlink():
        try:
            where.symlink_to(TOP / "fleet")
        except FileExistsError:
            pass
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))


class Fleet:
    """Hosts in the folder @where, which is made anew."""

    def __init__(self, where):
        install()
        self.where = Path(where).resolve()
        shutil.rmtree(self.where, ignore_errors=True)
        self.where.mkdir(parents=True)
        self.state = self.where / "state"
        self.target = self.where / "xen.new"
        self.hosts = {}
        self.vars = {"xen_liveupdate_soak": 0, "xen_liveupdate_investigate_seconds": 5,
                     "xen_liveupdate_investigate_pause": 0.2, "xen_liveupdate_textfile": str(self.where / "textfile")}
        self.fake(self.target, "image", NEW_VERSION, NEW)

    def fake(self, *words):
        """Calls fake-host; returns what it says."""
        return subprocess.run([FAKE, *map(str, words)], check=True, capture_output=True, text=True).stdout

    def script(self, path, text):
        """An executable."""
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def add(self, name, *settings, domains=3, before="", **variables):
        """A host; @settings: of fake-host make. @before: shell that runs before each call of xen-liveupdate, with the
        verb in $verb. @variables: of the inventory, without xen_liveupdate_."""
        d = self.where / "hosts" / name
        d.mkdir(parents=True)
        (d / "hooks").mkdir()
        self.fake(d / "xen", "make", domains, *settings)
        self.command(name, before)
        self.hosts[name] = {"xen_liveupdate_command": [str(d / "xen-liveupdate")], "xen_liveupdate_directory": str(d / "tokens"),
                            **{f"xen_liveupdate_{k}": v for k, v in variables.items()}}
        return d

    def command(self, name, before=""):
        """xen-liveupdate of the host."""
        d = self.where / "hosts" / name
        self.script(d / "xen-liveupdate", f"""\
export XEN_LIVEUPDATE_DIR={d}/lib XEN_LIVEUPDATE_HOOKS={d}/hooks XEN_LIVEUPDATE_METRICS={d}/none
for verb; do case $verb in -*) ;; *) break ;; esac; done
echo "$verb" >>{d}/calls
here={d}
{before}
exec {FAKE} {d}/xen run "$@"
""")

    def set(self, name, *settings):
        """Changes a host."""
        self.fake(self.where / "hosts" / name / "xen", "set", *settings)

    def show(self, name):
        """What is true of a host."""
        return json.loads(self.fake(self.where / "hosts" / name / "xen", "show"))

    def inventory(self):
        """Writes it; returns its path."""
        path = self.where / "inventory.json"
        path.write_text(json.dumps({"all": {"hosts": self.hosts, "vars": {
            "ansible_connection": "local", "ansible_python_interpreter": PYTHON,
            "xen_liveupdate_state": str(self.state), "xen_liveupdate_target": str(self.target), **self.vars}}}))
        return path

    def environment(self):
        """Of ansible-playbook."""
        return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_LOCAL_TEMP": str(self.where / "tmp"),
                "ANSIBLE_REMOTE_TEMP": str(self.where / "tmp"), "ANSIBLE_NOCOWS": "1", "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_DEPRECATION_WARNINGS": "0", "ANSIBLE_HOME": str(self.where / "ansible"), "PYTHONPATH": "",
                "PYTHONDONTWRITEBYTECODE": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "PATH": f"/usr/bin:{os.environ['PATH']}"}

    def start(self, playbook, *words, forks=5, **extra):
        """Starts ansible-playbook; @extra: variables without xen_liveupdate_. Returns the process."""
        argv = ["/usr/bin/ansible-playbook", "-f", str(forks), "-i", str(self.inventory()), f"xen.liveupdate.{playbook}",
                "-e", json.dumps({f"xen_liveupdate_{k}": v for k, v in extra.items()}), *words]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment(),
                                cwd=self.where, start_new_session=True)

    def play(self, playbook, *words, **extra):
        """Runs it to the end; returns (exit code, what it said)."""
        p = self.start(playbook, *words, **extra)
        out = p.communicate()[0]
        return p.returncode, out

    def run(self):
        """The last run, as the report has it, made from the journal as it is now."""
        from ansible_collections.xen.liveupdate.plugins.plugin_utils import report
        from ansible_collections.xen.liveupdate.plugins.plugin_utils.journal import Journal
        journal = Journal(self.state / "journal.db")
        try:
            return report.of_run(journal, journal.last_run())
        finally:
            journal.close()

    def outcomes(self):
        """By host."""
        return {h["name"]: h["word"] for h in self.run()["hosts"]}
