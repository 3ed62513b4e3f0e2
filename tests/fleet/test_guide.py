# SPDX-License-Identifier: GPL-2.0-only
"""Follows docs/fleet.md to the letter: writes each file that it shows (an indented block whose first line is "# NAME"), and
runs each line that begins with "$ " as it stands there, which has to end with 0, or with N if "# ends with N" is behind it.
What the hosts are is told to Ansible beside the guide's inventory: files of this machine, as in the other tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import fleet

GUIDE = fleet.TOP / "docs/fleet.md"
HOSTS = ["xen1", "xen2", "xen3", "xen4"]


def blocks(text):
    """The indented blocks, as lists of lines."""
    found, now = [], []
    for line in text.splitlines() + [""]:
        if line.startswith("    "):
            now.append(line[4:])
        elif not line and now:
            now.append("")
        else:
            if now:
                found.append(now)
            now = []
    return found


def main():
    """Returns how many commands were run."""
    f = fleet.Fleet(fleet.TOP / "build/fleet/guide")
    here = f.where / "controller"
    (here / "host_vars").mkdir(parents=True)
    (here / "bin").mkdir()
    # The folder where a package has the program; it finds the collection that it belongs to.
    program = fleet.COLLECTIONS / "ansible_collections/xen/liveupdate/bin/xen-liveupdate-fleet"
    f.script(here / "bin/xen-liveupdate-fleet", f'exec {fleet.PYTHON} -B {program} "$@"\n')
    for name in HOSTS:
        f.add(name)
        variables = {**f.hosts[name], "ansible_connection": "local", "ansible_python_interpreter": fleet.PYTHON,
                     "ansible_host": "localhost", "xen_liveupdate_target": str(f.where / "hosts" / name / "target")}
        (here / "host_vars" / f"{name}.json").write_text(json.dumps(variables))
    (here / "xen-4.17.6.gz").write_bytes(f.target.read_bytes())
    env = {**f.environment(), "XEN_LIVEUPDATE_FLEET_STATE": str(f.state), "PATH": f"{here}/bin:/usr/bin:{os.environ['PATH']}"}
    ran, files = 0, 0
    for lines in blocks(GUIDE.read_text(encoding="utf-8")):
        name = re.fullmatch(r"# ([a-z_]+\.(yml|sh))", lines[0])
        if name:
            (here / name[1]).write_text("\n".join(lines) + "\n")
            (here / name[1]).chmod(0o755)
            files += 1
        for line in lines:
            if not line.startswith("$ "):
                continue
            wanted = re.search(r"# ends with (\d+)", line)
            done = subprocess.run(["sh", "-c", line[2:]], cwd=here, env=env, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            if done.returncode != (int(wanted[1]) if wanted else 0):
                print(f"{done.stdout}\nnot ok - docs/fleet.md: {line}: ended with {done.returncode}")
                return 1
            ran += 1
    wrong = [n for n in HOSTS if f.show(n)["build_id"] != fleet.NEW or f.show(n)["executed"] != 1]
    if wrong or ran < 10 or not files:
        print(f"not ok - docs/fleet.md: {ran} commands, {files} files; not updated once: {wrong}")
        return 1
    print(f"ok - docs/fleet.md followed to the letter: {ran} commands, {files} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
