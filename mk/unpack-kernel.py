#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""unpack-kernel.py BZIMAGE VMLINUX: writes the ELF kernel that is packed inside a bzImage.

Where the payload lies is told by the setup header (Linux: Documentation/arch/x86/boot.rst).
"""
import lzma
import struct
import subprocess
import sys

SETUP_SECTS, PAYLOAD_OFFSET = 0x1F1, 0x248
SECTOR = 512
UNPACKED_SIZE_FIELD = 4  # appended to the payload by the kernel's build

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
    f.write(kernel)
