#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""features_check.py TREE...: does the note of each built Xen say what its configuration does, and SPEC.md what the table does?

Each bit of format/include/xen-liveupdate/features.def is compared with the option of TREE/xen/.config. An option that is
no more, or was never there, would count as one that every Xen lacks: in the release that the list was made for, each has
to stand in a Kconfig.
"""
import re
import struct
import sys
from pathlib import Path

FORMAT = Path(__file__).resolve().parents[2] / "format"
TABLE = FORMAT / "include/xen-liveupdate/features.def"
NAME = b"XenLiveUpdate\0\0\0"
KNOWN = 1 << 31
# Is no option: said by what was built.
EFI = "EFI"
# The release whose options all of them are.
RELEASE = ("4", "17")


def table():
    """[(bit, option)]; complains about bits out of order and names that are not the option's."""
    rows = re.findall(r'^LU_FEATURE\((\d+), (\w+), "([^"]*)", "([^"]+)"\)$', TABLE.read_text(), flags=re.M)
    spec = (FORMAT / "SPEC.md").read_text()
    if len(rows) != TABLE.read_text().count("\nLU_FEATURE("):
        sys.exit(f"{TABLE.name}: a line that is not understood")
    for number, (bit, option, name, use) in enumerate(rows):
        if int(bit) != number or name != option.lower().replace("_", "-"):
            sys.exit(f"{TABLE.name}: {option}: bit {bit}, name {name}")
        if f"\n| {bit} | `{option}` | `{name}` | {use} |\n" not in spec:
            sys.exit(f"SPEC.md: lacks bit {bit}, {option}, as {TABLE.name} has it")
    return [(int(bit), option) for bit, option, *_ in rows]


def note_flags(image):
    """Of the note itself: its name stands behind the sizes and the type."""
    for m in re.finditer(re.escape(NAME), image):
        if image[m.start() - 12:m.start()] == struct.pack("<III", 14, 112, 1):
            return struct.unpack_from("<HHI", image, m.end())[2]
    return None


def wrong(tree, rows):
    xen = tree / "xen"
    config = set(re.findall(r"^CONFIG_(\w+)=y$", (xen / ".config").read_text(), flags=re.M))
    if (xen / "arch/x86/efi/boot.init.o").exists():
        config.add(EFI)
    makefile = (xen / "Makefile").read_text()
    flags = note_flags((xen / "xen").read_bytes())
    if flags is None:
        yield "has no note"
        return
    if not flags & KNOWN:
        yield "does not say what it is built with"
    for bit, option in rows:
        if (flags >> bit & 1) != (option in config):
            yield f"bit {bit} is {flags >> bit & 1}, CONFIG_{option} is {'y' if option in config else 'n'}"
    if flags & ~KNOWN & ~((1 << len(rows)) - 1):
        yield f"bits that nobody knows: {flags:#x}"
    if tuple(re.findall(r"^export XEN_(?:SUB)?VERSION += (\d+)$", makefile, flags=re.M)) == RELEASE:
        known = set()
        for kconfig in xen.rglob("Kconfig*"):
            known |= set(re.findall(r"^\s*config (\w+)$", kconfig.read_text(errors="replace"), flags=re.M))
        for _, option in rows:
            if option not in known and option != EFI:
                yield f"{option} is no option of this Xen"


def main():
    rows, rc = table(), 0
    for tree in map(Path, sys.argv[1:]):
        complaints = list(wrong(tree, rows))
        for c in complaints:
            print(f"{tree.name}: {c}", file=sys.stderr)
        print(f"{'not ok' if complaints else 'ok'} - the note of {tree.name}")
        rc |= bool(complaints)
    return rc


if __name__ == "__main__":
    sys.exit(main())
