# SPDX-License-Identifier: GPL-2.0-only
"""A built xen-syms: its sections, symbols and bytes, without libraries."""
import bisect
import struct
from pathlib import Path
from typing import NamedTuple

SHT_SYMTAB, SHT_NOBITS = 2, 8
SHF_ALLOC = 2
STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 1, 2, 3, 4


class Section(NamedTuple):
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


class Symbol(NamedTuple):
    name: str
    address: int
    size: int
    kind: int
    file: str      # of a local symbol


class BadXen(Exception):
    pass


class XenSyms:
    def __init__(self, path):
        self.path = str(path)
        try:
            self.data = Path(path).read_bytes()
            self._read()
        except (OSError, struct.error, IndexError, UnicodeDecodeError) as e:
            raise BadXen(f"{path}: {e}") from e

    def _read(self):
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise BadXen(f"{self.path}: no 64-bit ELF")
        shoff, = struct.unpack_from("<Q", self.data, 0x28)
        entsize, number, names = struct.unpack_from("<HHH", self.data, 0x3a)
        raw = [struct.unpack_from("<IIQQQQII", self.data, shoff + i * entsize) for i in range(number)]
        strings = raw[names][4]
        self.sections = [Section(self._string(strings + r[0]), *r[1:7]) for r in raw]
        self.symbols = []
        for section in self.sections:
            if section.kind == SHT_SYMTAB:
                self._read_symbols(section)
        if not self.symbols:
            raise BadXen(f"{self.path}: no symbols")
        self.by_name = {}
        for s in self.symbols:
            self.by_name.setdefault(s.name, []).append(s)

    def _string(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode()

    def _read_symbols(self, table):
        strings, file = self.sections[table.link].offset, ""
        for offset in range(table.offset, table.offset + table.size, 24):
            name, info, _, shndx, value, size = struct.unpack_from("<IBBHQQ", self.data, offset)
            if info & 15 == STT_FILE:
                file = self._string(strings + name)
            elif name and 0 < shndx < 0xff00:
                self.symbols.append(Symbol(self._string(strings + name), value, size, info & 15,
                                           "" if info >> 4 else file))

    def section_at(self, address):
        for s in self.sections:
            if s.flags & SHF_ALLOC and s.address <= address < s.address + s.size:
                return s
        return None

    def read(self, address, size):
        """Bytes of the image; those of the BSS are zeros, as it is when Xen starts."""
        s = self.section_at(address)
        if s is None or address + size > s.address + s.size:
            raise BadXen(f"{self.path}: {address:#x}: not in the image")
        if s.kind == SHT_NOBITS:
            return bytes(size)
        return self.data[s.offset + address - s.address:][:size]

    def pointer(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def address(self, name):
        """Of the only symbol of that name."""
        found = {s.address for s in self.by_name.get(name, [])}
        if len(found) != 1:
            raise BadXen(f"{self.path}: {name}: {len(found) or 'no'} such symbols")
        return found.pop()


class Labels:
    """Which symbol is an address in?  Where names repeat, a label says the file: name@file.c."""

    def __init__(self, syms, sections):
        spans = [(s.address, s.address + s.size) for s in syms.sections if s.name in sections]
        at = {}
        for s in syms.symbols:
            if s.kind != STT_SECTION and any(a <= s.address < b for a, b in spans):
                # Of several names at one place the function's, and the global one.
                rank = (s.kind != STT_FUNC, bool(s.file), s.name.startswith("_"), s.name)
                if s.address not in at or rank < at[s.address][0]:
                    at[s.address] = rank, s
        self.starts = sorted(at)
        names = {}
        for _, s in at.values():
            names[s.name] = names.get(s.name, 0) + 1
        self.label = {a: s.name if names[s.name] == 1 else f"{s.name}@{s.file}" for a, (_, s) in at.items()}
        self.functions = {self.label[a] for a, (_, s) in at.items() if s.kind == STT_FUNC}
        self.start = {}
        for a, label in self.label.items():
            self.start.setdefault(label, a)
        self.alias = {s.name: self.label[s.address] for s in syms.symbols
                      if s.address in self.label and names.get(s.name, 0) <= 1}

    def of(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return self.label[self.starts[i]] if i >= 0 else None

    def exact(self, address):
        return self.label.get(address)
