# SPDX-License-Identifier: GPL-2.0-only
"""A disk image that starts Xen with its modules (multiboot 1), for an emulator that cannot start a kernel by itself:
the boot sector (bootdisk.S), its table with multiboot's structures, then the pieces that it loads.
"""
import struct
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().with_name("bootdisk.S")
SECTOR = 512
HEADS, SECTORS_PER_TRACK = 16, 63
CYLINDER = HEADS * SECTORS_PER_TRACK * SECTOR

# These are bootdisk.S's, too: where the table is loaded, how long it is, where the memory map is.
TABLE, TABLE_SECTORS, MMAP = 0x10000, 16, 0x8000
# Behind the table: multiboot's information, the modules' list, command lines.
INFO, MODULES, STRINGS = TABLE + 0x400, TABLE + 0x500, TABLE + 0x800
# Where modules go: above Xen, each at a multiple of 2 MiB.
FIRST_MODULE, ALIGNMENT = 64 << 20, 2 << 20
HAS_MEMORY, HAS_COMMAND_LINE, HAS_MODULES, HAS_MEMORY_MAP = 1, 4, 8, 64


def boot_sector():
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,-Ttext=0x7c00,--oformat=binary",
                        "-o", f"{d}/sector", SOURCE], check=True)
        sector = Path(d, "sector").read_bytes()
    if len(sector) != SECTOR:
        raise ValueError(f"the boot sector has {len(sector)} bytes")
    return sector


def loaded_pieces(kernel):
    """Entry, and (address, bytes) of every segment, of a 32-bit ELF file."""
    elf = Path(kernel).read_bytes()
    if elf[:5] != b"\x7fELF\x01":
        raise ValueError(f"{kernel} is no 32-bit ELF file")
    entry, table = struct.unpack_from("<II", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 42)
    pieces = []
    for i in range(count):
        kind, offset, _, address, length = struct.unpack_from("<5I", elf, table + i * size)
        if kind == 1:
            pieces.append((address, elf[offset:offset + length]))
    return entry, pieces


def make_boot_disk(out, kernel, command_line, modules):
    """Makes the image out of the kernel and of (path, command line) of each module. Returns how many cylinders it has.

    The first word of a command line is skipped by Xen, and by Linux's as Xen hands it on: a name.
    """
    entry, pieces = loaded_pieces(kernel)
    if any(address + len(data) > FIRST_MODULE for address, data in pieces):
        raise ValueError(f"{kernel} does not end below {FIRST_MODULE >> 20} MiB")
    strings = b""

    def string(text):
        nonlocal strings
        at = STRINGS + len(strings)
        strings += text.encode() + b"\0"
        return at

    module_list = b""
    address = FIRST_MODULE
    for path, words in modules:
        data = Path(path).read_bytes()
        pieces.append((address, data))
        module_list += struct.pack("<4I", address, address + len(data), string(words), 0)
        address += -(-len(data) // ALIGNMENT) * ALIGNMENT

    # The boot sector fills in the length of the memory map.
    info = struct.pack("<13I", HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MEMORY_MAP, 639, (FIRST_MODULE >> 10) - 1024, 0,
                       string(command_line), len(modules), MODULES, 0, 0, 0, 0, 0, MMAP)
    lba = 1 + TABLE_SECTORS
    table = struct.pack("<3I", len(pieces), entry, INFO)
    for address, data in pieces:
        sectors = -(-len(data) // SECTOR)
        table += struct.pack("<3I", lba, sectors, address)
        lba += sectors
    head = b"".join((table.ljust(INFO - TABLE, b"\0"), info.ljust(MODULES - INFO, b"\0"),
                     module_list.ljust(STRINGS - MODULES, b"\0"), strings)).ljust(TABLE_SECTORS * SECTOR, b"\0")
    if len(head) > TABLE_SECTORS * SECTOR or TABLE + len(table) > INFO or MODULES + len(module_list) > STRINGS:
        raise ValueError("the command lines, or the tables, are too long")

    cylinders = -(-lba * SECTOR // CYLINDER)
    with open(out, "wb") as image:
        image.write(boot_sector())
        image.write(head)
        for _, data in pieces:
            image.write(data)
            image.write(b"\0" * (-len(data) % SECTOR))
        image.truncate(cylinders * CYLINDER)
    return cylinders
