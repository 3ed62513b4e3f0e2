# SPDX-License-Identifier: GPL-2.0-only
"""Who calls whom in a built xen-syms, as objdump's disassembly has it.

Edges are direct calls, jumps out of a function, falling through into the next (assembler), and
addresses of functions that a function takes: it may hand them to another one to call. What an
indirect call leads to is resolved where it is a variable's content; else the list has to say so.
"""
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from xen_syms import BadXen, Labels, XenSyms     # noqa: E402

# What is no function, but is looked for like one.
STI, ASSERT_ON, ASSERT_BUSY, CURRENT = "sti", "ASSERT(interrupts on)", "ASSERT(not idle)", "current"

THUNK = "__x86_indirect_thunk_"
RETURN = "__x86_return_thunk"

LINE = re.compile(r"([0-9a-f]+):\t(?:(?:bnd|notrack|lock|rep|repz|data16|cs) )*([a-z0-9]+)\s*(.*)")
DIRECT = re.compile(r"([0-9a-f]+) <")
RIP = re.compile(r"-?0x[0-9a-f]+\(%rip\)(?:,(%\w+))?\s+# ([0-9a-f]+) <")
STORE = re.compile(r"(%r\w+),-?0x[0-9a-f]+\(%rip\)\s+# ([0-9a-f]+) <")
LOAD = re.compile(r"(-?0x[0-9a-f]+)?\((%\w+)[^)]*\),(%r\w+)$")
SPILL = re.compile(r"(%r\w+),(-?0x[0-9a-f]+\(%r[bs]p\))$")
RELOAD = re.compile(r"(-?0x[0-9a-f]+\(%r[bs]p\)),(%r\w+)$")
TABLE = re.compile(r"(-?0x[0-9a-f]+)?\(,%\w+,\d\),(%r\w+)$")
MOVE = re.compile(r"(%r\w+),(%r\w+)$")
REGISTER = re.compile(r"%r\w+")
LAST = re.compile(r"(%\w+)$")
ARGUMENTS = {f"%{r}": ("argument",) for r in ("rdi", "rsi", "rdx", "rcx", "r8", "r9")}
CLOBBERED = ("%rax", "%rcx", "%rdx", "%rsi", "%rdi", "%r8", "%r9", "%r10", "%r11")
ASSERTIONS = {ASSERT_ON: re.compile(r"(?<!!)local_irq_is_enabled\(\)"),
              ASSERT_BUSY: re.compile(r"!is_idle_(vcpu|domain)\(")}


def whole(register):
    """The 64-bit register of which @register is a part."""
    m = re.fullmatch(r"%r(\d+)[dwb]?", register)
    if m:
        return f"%r{m[1]}"
    m = re.fullmatch(r"%[re]?([a-d])[xlh]|%[re]?(bp|sp|si|di)l?", register)
    return f"%r{m[1]}x" if m and m[1] else f"%r{m[2]}" if m else register


class Site(NamedTuple):
    """An indirect call: through a variable, an argument, a member at an offset, or unknown."""
    address: int
    kind: str
    value: int


class Graph:
    def __init__(self, path):
        self.syms = XenSyms(path)
        self.labels = Labels(self.syms, (".text", ".init.text"))
        self.edges = {}       # function: {function: address of the instruction}
        self.takes = {}       # function: {function whose address it takes: (address, {whom it is given})}
        self.sites = {}       # function: [Site]
        self.stores = {}      # address of a variable: {functions stored there}
        self.given = {}       # (function, number of an argument): {functions given for it}
        self._current_offset = self._processor_offset = None

    def edge(self, caller, callee, address):
        self.edges.setdefault(caller, {}).setdefault(callee, address)

    def read(self, current_offset, processor_offset):
        """@current_offset: of the current vCPU, from the last byte of the stack; @processor_offset: in a vCPU."""
        try:
            run = subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", "-j", ".text", "-j", ".init.text",
                                    self.syms.path], stdout=subprocess.PIPE, text=True)
        except FileNotFoundError:
            sys.exit("objdump is needed (Debian package binutils)")
        self._current_offset, self._processor_offset = f"-{current_offset:#x}", f"{processor_offset:#x}"
        body, fn = [], None
        starts = set(self.labels.starts)
        with run:
            for line in run.stdout:
                m = LINE.match(line)
                if not m:
                    continue
                address = int(m[1], 16)
                if address in starts:
                    self._function(fn, body, self.labels.label[address])
                    fn, body = self.labels.label[address], []
                body.append((address, m[2], m[3]))
        self._function(fn, body, None)
        if run.returncode or not self.edges:
            raise BadXen(f"{self.syms.path}: objdump makes nothing of it")
        self._assertions()

    def _function(self, fn, body, following):
        if fn is None:
            return
        registers = dict(ARGUMENTS)
        last = ""
        for address, op, args in body:
            if op in ("nop", "nopw", "nopl", "xchg") and (op != "xchg" or args == "%ax,%ax"):
                continue
            last = op
            if op == "call" or op[0] == "j":
                self._jump(fn, address, op, args, registers)
            elif op == "sti":
                self.edge(fn, STI, address)
            else:
                self._move(fn, address, op, args, registers)
        if last and last not in ("jmp", "ret", "iretq", "sysretq", "call", "ud2", "hlt", "int3") and following:
            self.edge(fn, following, body[-1][0])

    def _jump(self, fn, address, op, args, registers):
        m = DIRECT.match(args)
        if m:
            target = int(m[1], 16)
            callee = self.labels.of(target)
            if callee is None:
                return      # 16-bit and 32-bit code, read as 64-bit code
            if callee.startswith(THUNK):
                # Of the second entry, behind a mark for CET, as well.
                self._indirect(fn, address, registers.get("%" + callee[len(THUNK):].split("+")[0]))
            elif callee not in (fn, RETURN):
                self.edge(fn, callee, address)
                for number, r in enumerate(ARGUMENTS, 1):
                    if registers.get(r) == ("current",) and callee != "printk":
                        self.edge(fn, CURRENT, address)
                    if (registers.get(r) or " ")[0] == "function":
                        given = registers[r][1]
                        self.given.setdefault((callee, number), set()).add(given)
                        if given in self.takes.get(fn, {}):
                            self.takes[fn][given][1].add(callee)
        elif args.startswith("*"):
            rip = RIP.match(args[1:])
            if rip:
                self._indirect(fn, address, ("variable", int(rip[2], 16)))
            elif REGISTER.fullmatch(args[1:]):
                self._indirect(fn, address, registers.get(args[1:]))
            else:
                m = LOAD.match(args[1:] + ",%rax") or TABLE.match(args[1:] + ",%rax")
                self._indirect(fn, address, ("member", int(m[1] or "0", 16)) if m else None)
        if op == "call":
            for r in CLOBBERED:
                registers.pop(r, None)

    def _indirect(self, fn, address, what):
        if what is None:
            what = "unknown", 0
        if what[0] == "function":
            self.edge(fn, what[1], address)
        else:
            self.sites.setdefault(fn, []).append(Site(address, what[0], what[1] if len(what) > 1 else 0))

    def _uses_current(self, fn, address, op, args, registers):
        """More than comparing it, or asking for its CPU, which is this one."""
        if op.startswith(("cmp", "test")) or args.startswith(f"{self._processor_offset}("):
            return
        for r in REGISTER.findall(args):
            if registers.get(r) == ("current",) and not MOVE.match(args) and not args.endswith("," + r):
                self.edge(fn, CURRENT, address)

    def _move(self, fn, address, op, args, registers):
        self._uses_current(fn, address, op, args, registers)
        m = RIP.match(args)
        if m and m[1]:
            target = int(m[2], 16)
            registers.pop(m[1], None)
            if op == "lea":
                callee = self.labels.exact(target)
                if callee:
                    registers[m[1]] = "function", callee
                    # Others are ends of sections and the like: not called by way of an address.
                    if callee != fn and callee in self.labels.functions:
                        self.takes.setdefault(fn, {}).setdefault(callee, (address, set()))
            elif op == "mov":
                registers[m[1]] = "variable", target
            return
        m = STORE.match(args)
        if m and op == "mov":
            what = registers.get(m[1])
            if what and what[0] == "function":
                self.stores.setdefault(int(m[2], 16), set()).add(what[1])
            return
        m = SPILL.match(args)
        if m and op == "mov":
            registers[m[2]] = registers.get(m[1])
            return
        m = RELOAD.match(args)
        if m and op == "mov":
            registers[m[2]] = registers.get(m[1])
            return
        m = LOAD.search(args)
        if m and op in ("mov", "add", "cmp", "lea"):
            if op == "mov" and registers.get(m[2]) == ("stack end",) and m[1] == self._current_offset:
                registers[m[3]] = ("current",)
            elif op == "mov":
                registers[m[3]] = "member", int(m[1] or "0", 16)
            elif op != "cmp":
                registers.pop(m[3], None)
            return
        m = TABLE.match(args)
        if m and op == "mov":
            registers[m[2]] = "member", int(m[1] or "0", 16) & (1 << 64) - 1
            return
        m = MOVE.match(args)
        if m and op == "mov":
            if m[1] in registers:
                registers[m[2]] = registers[m[1]]
            else:
                registers.pop(m[2], None)
            return
        m = LAST.search(args)
        if m and op == "or" and args.startswith("$0x7fff,"):
            registers[m[1]] = ("stack end",)
        elif m and not op.startswith(("cmp", "test", "push")):
            registers.pop(whole(m[1]), None)

    def _assertions(self):
        """ASSERT()s that would fail: debug builds note their text."""
        start, stop = (self.syms.address(f"__stop_bug_frames_{i}") for i in (2, 3))
        frames = self.syms.read(start, stop - start)
        for offset in range(0, len(frames), 16):
            loc, _, _, msg = struct.unpack_from("<4i", frames, offset)
            # The displacement has 24 bits; the line's are above them.
            loc = (loc & 0xffffff) - (loc << 1 & 0x1000000)
            text = self._text(start + offset + msg)
            for what, pattern in ASSERTIONS.items():
                if pattern.search(text):
                    self.edge(self.labels.of(start + offset + loc), what, start + offset + loc)

    def _text(self, address):
        s = self.syms.section_at(address)
        at = s.offset + address - s.address
        return self.syms.data[at:self.syms.data.index(b"\0", at)].decode()


# Runs inside gdb: what only debug information knows.
IN_GDB = r"""
import gdb, json, re

def resources():
    table, found, i = gdb.parse_and_eval("liveupdate_resources"), [], 0
    while table[i]:
        r = table[i]
        found.append({"name": r["name"].string(),
                      **{k: int(r[k]) for k in ("refs", "save", "plan", "commit", "resume")}})
        i += 1
    return found

def is_pointer(t):
    t = t.strip_typedefs()
    return t.code == gdb.TYPE_CODE_PTR and t.target().strip_typedefs().code == gdb.TYPE_CODE_FUNC

def lookup(name):
    for spelling in "struct " + name, name:
        try:
            return gdb.lookup_type(spelling).strip_typedefs(), spelling
        except gdb.error:
            pass
    return None, None

DECLARED = re.compile(r"[0-9]+:\t(?:static )?(?:const )?((?:struct )?\w+) (?:const )?(\w+)(?:\[[0-9]*\])?;$")

def declared():
    # {type as it was written: [(file, variable)]}; those of functions are not among them.
    found, file = {}, ""
    for line in gdb.execute("info variables -q -n", to_string=True).splitlines():
        if line.startswith("File "):
            file = line[5:].rstrip(":")
        m = DECLARED.match(line)
        if m:
            found.setdefault(m[1], []).append((file, m[2]))
    return found

declarations = declared() if STRUCTURES or VARIABLES else {}

def objects(t):
    # Of this type; arrays count one by one.
    found = []
    for name, variables in declarations.items():
        other, _ = lookup(name.removeprefix("struct "))
        if other is None or other.code != t.code or other.tag != t.tag or not other.tag:
            continue
        for file, variable in variables:
            found += [int(e.address) for e in elements(gdb.parse_and_eval(f"'{file}'::{variable}"))]
    return sorted(set(found))

def elements(v):
    t = v.type.strip_typedefs()
    if t.code != gdb.TYPE_CODE_ARRAY:
        return [v]
    low, high = t.range()
    return [v[i] for i in range(low, high + 1)]

def pointers(expression):
    # OBJECT.MEMBER, OBJECT[].MEMBER: the functions that are there.
    array, found, member = expression.partition("[].")
    try:
        if found:
            return [int(e[member]) for e in elements(gdb.parse_and_eval(array))]
        return [int(gdb.parse_and_eval(expression))]
    except gdb.error:
        return None

def structure(name):
    t, _ = lookup(name)
    if t is None:
        return None
    members = {}
    def walk(t, prefix, base):
        for f in t.fields():
            if not hasattr(f, "bitpos"):
                continue
            ft, at = f.type.strip_typedefs(), base + f.bitpos // 8
            if is_pointer(f.type):
                members[prefix + (f.name or "")] = at
            elif ft.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
                walk(ft, prefix + (f.name + "." if f.name else ""), at)
    walk(t, "", 0)
    return {"members": members, "objects": objects(t)}

def variable(address):
    # The structure that the variable is an element of, and the offset in it; or a pointer.
    m = re.match(r"(\S+?)(?: \+ ([0-9]+))? in section",
                 gdb.execute(f"info symbol {address:#x}", to_string=True))
    if not m:
        return None
    try:
        value = gdb.parse_and_eval(m[1])
    except gdb.error:
        return None
    t, offset = value.type.strip_typedefs(), int(m[2] or 0)
    while t.code == gdb.TYPE_CODE_ARRAY:
        t = t.target().strip_typedefs()
        offset %= t.sizeof or 1
    if t.code == gdb.TYPE_CODE_STRUCT:
        name = t.tag or t.name or value.type.unqualified().name
        return [name, offset] if name else None
    return ["", 0]

answer = {"resources": resources(), "variables": {a: variable(a) for a in VARIABLES}}
names = set(STRUCTURES) | {v[0] for v in answer["variables"].values() if v and v[0]}
answer["structures"] = {s: structure(s) for s in names}
answer["objects"] = {o: pointers(o) for o in OBJECTS}
info = gdb.lookup_type("struct cpu_info")
answer["current"] = [info.sizeof - info["current_vcpu"].bitpos // 8 - 1,
                     gdb.lookup_type("struct vcpu")["processor"].bitpos // 8]
with open(OUT, "w") as f:
    json.dump(answer, f)
"""


def ask_gdb(syms, variables=(), structures=(), objects=()):
    with tempfile.TemporaryDirectory() as tmp:
        out, script = Path(tmp, "out"), Path(tmp, "graph.py")
        script.write_text(f"OUT = {str(out)!r}\nVARIABLES = {sorted(variables)!r}\n"
                          f"STRUCTURES = {sorted(structures)!r}\nOBJECTS = {sorted(objects)!r}\n{IN_GDB}")
        try:
            run = subprocess.run(["gdb", "-batch", "-nx", "-ex", f"source {script}", syms],
                                 capture_output=True, text=True, check=False)
        except FileNotFoundError:
            sys.exit("gdb is needed (Debian package gdb-minimal will not do: gdb)")
        if not out.exists():
            raise BadXen(f"{syms}: no answer from gdb: is it built with debug information?\n{run.stderr}")
        return json.loads(out.read_text())
