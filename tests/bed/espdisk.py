# SPDX-License-Identifier: GPL-2.0-only
"""A disk image from which EFI firmware starts Xen with its modules: one FAT file system without partitions, with GRUB, or
with Xen itself (xen.efi), where firmware looks on a disk that it does not know.
"""
import subprocess
import tempfile
from pathlib import Path

GRUB = Path("/usr/lib/grub/x86_64-efi")
MODULES = "fat multiboot2"
SPARE = 8 << 20     # for FAT's own structures


def make_esp(out, xen, command_line, modules, direct=False):
    """Makes the image: @modules is a list of (path, command line), dom0's kernel and its RAM disk; @direct: without GRUB."""
    (kernel, kernel_line), (ramdisk, _) = modules
    with tempfile.TemporaryDirectory() as d:
        config = Path(d, "config")
        loader = Path(d, "loader")
        if direct:
            # Both names end up in one directory, which is where xen.efi looks.
            config.write_text(f"[global]\ndefault=bed\n[bed]\noptions={command_line}\n"
                              f"kernel=vmlinux {kernel_line}\nramdisk=initrd\n")
            loader = Path(f"{xen}.efi")
            files = {"BOOTX64.cfg": config}
        else:
            config.write_text(f"multiboot2 /EFI/BOOT/xen {command_line}\nmodule2 /EFI/BOOT/vmlinux {kernel_line}\n"
                              "module2 /EFI/BOOT/initrd\nboot\n")
            subprocess.run(["grub-mkimage", "-d", GRUB, "-O", "x86_64-efi", "-p", "/grub", "-c", config, "-o", loader,
                            *MODULES.split()], check=True)
            files = {"xen": xen}
        files |= {"BOOTX64.EFI": loader, "vmlinux": kernel, "initrd": ramdisk}

        with open(out, "wb") as image:
            image.truncate(sum(Path(f).stat().st_size for f in files.values()) + SPARE & -512)
        subprocess.run(["mformat", "-i", out, "-F", "::"], check=True)
        subprocess.run(["mmd", "-i", out, "::/EFI", "::/EFI/BOOT"], check=True)
        for name, path in files.items():
            subprocess.run(["mcopy", "-i", out, path, f"::/EFI/BOOT/{name}"], check=True)
