#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""unpack-kernel.py BZIMAGE VMLINUX: writes the ELF kernel that is packed inside a bzImage, as the test bed boots it.

Where the payload lies is told by the setup header (Linux: Documentation/arch/x86/boot.rst). What the emulator would
spend seconds of each boot with is left out: zeros at the end, and most of a PV kernel's room for memory to come.
"""
import lzma
import re
import struct
import subprocess
import sys

SETUP_SECTS, PAYLOAD_OFFSET = 0x1F1, 0x248
SECTOR = 512
UNPACKED_SIZE_FIELD = 4  # appended to the payload by the kernel's build

# Of the ELF header and of a program header (64 bits): where the program headers are, their size and number; section headers.
E_PHOFF, E_SHOFF, E_PHENTSIZE, E_SHENTSIZE = 0x20, 0x28, 0x36, 0x3A
PT_LOAD = 1
P_OFFSET, P_FILESZ = 0x08, 0x20


def without_zeros(elf):
    """Without the zeros at the end of the last segment in the file (bss, most of it): who loads it clears what the file does
    not have. Without section headers, too."""
    table, = struct.unpack_from("<Q", elf, E_PHOFF)
    size, number = struct.unpack_from("<HH", elf, E_PHENTSIZE)
    loads = [at for at in range(table, table + size * number, size) if struct.unpack_from("<I", elf, at)[0] == PT_LOAD]
    last = max(loads, key=lambda at: struct.unpack_from("<Q", elf, at + P_OFFSET))
    start, = struct.unpack_from("<Q", elf, last + P_OFFSET)
    length, = struct.unpack_from("<Q", elf, last + P_FILESZ)
    data = elf[start:start + length].rstrip(b"\0")
    out = bytearray(elf[:start] + data)
    struct.pack_into("<Q", out, last + P_FILESZ, len(data))
    struct.pack_into("<Q", out, E_SHOFF, 0)
    struct.pack_into("<HHH", out, E_SHENTSIZE, 0, 0, 0)
    return bytes(out)


# Linux, arch/x86/xen/p2m.c, xen_vmalloc_p2m_tree(): max(xen_max_p2m_pfn, p2m_limit) pages, where the limit is
# CONFIG_XEN_MEMORY_HOTPLUG_LIMIT, 512 GiB. As machine code: mov $limit,%edx ... cmp %rdx,%rax ... cmovb %rdx,%rax;
# lea 0x1fffff(,%rax,8),%rax.
P2M_LIMIT = re.compile(rb"\xba\x00\x00\x00\x08(?=\x48\xc7\x05.{4}\x02\x00\x00\x00\x48\x39\xd0\x48\x89\x05.{4}\x48\x0f\x42\xc2"
                       rb"\x48\x8d\x04\xc5\xff\xff\x1f\x00)", re.DOTALL)


def smaller_p2m(elf):
    """With a p2m for 64 GiB of memory that may come while a PV kernel runs, where Debian's has room for 512: it looks at each
    entry when it boots, and at the tables again when it looks for pages that are writable and executable. A kernel that
    was compiled another way stays as it is, and takes longer."""
    return P2M_LIMIT.sub(b"\xba\x00\x00\x00\x01", elf) if len(P2M_LIMIT.findall(elf)) == 1 else elf


with open(sys.argv[1], "rb") as f:
    image = f.read()
offset, length = struct.unpack_from("<II", image, PAYLOAD_OFFSET)
start = (image[SETUP_SECTS] + 1) * SECTOR + offset
payload = image[start:start + length]
if payload.startswith(b"\xfd7zXZ\0"):
    kernel = lzma.LZMADecompressor().decompress(payload)
elif payload.startswith(b"\x02\x21\x4c\x18"):
    kernel = subprocess.run(["lz4", "-dc"], input=payload[:-UNPACKED_SIZE_FIELD],
                            stdout=subprocess.PIPE, check=True).stdout
else:
    sys.exit(f"{sys.argv[1]}: packed in an unknown way: {payload[:4].hex()}")
if not kernel.startswith(b"\x7fELF"):
    sys.exit(f"{sys.argv[1]}: no ELF kernel inside")
with open(sys.argv[2], "wb") as f:
    f.write(without_zeros(smaller_p2m(kernel)))
