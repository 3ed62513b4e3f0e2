#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mkdisk.sh KERNEL RAMDISK OUT: makes what HVM guests boot from. OUT.grub is GRUB in a Linux kernel's clothes,
# OUT.disk the kernel and the initial RAM disk, without a file system. A second disk, each guest's own, holds GRUB's
# commands (hvm_words in dom0/lib.sh). Given to the device model directly, as "kernel=" and "ramdisk=", the guest
# would read them byte by byte, which takes minutes in the emulator. GRUB's reading takes long as well, so the RAM disk
# is packed.
set -eu

kernel=$1
ramdisk=$2
out=$3
grub=/usr/lib/grub/i386-pc

sectors() { echo $((($(stat -c %s "$1") + 511) / 512)); }

mkdir -p "$(dirname "$out")"
trap 'rm -f "$out.cfg" "$out.core" "$out.packed"' EXIT
zstd -q -19 -f "$ramdisk" -o "$out.packed"
ramdisk=$out.packed
cat >"$out.cfg" <<COMMANDS
set kernel=(hd0)0+$(sectors "$kernel")
set ramdisk=(hd0)$(sectors "$kernel")+$(sectors "$ramdisk")
normal (hd1)0+8
COMMANDS
grub-mkimage -d $grub -O i386-pc -p / -c "$out.cfg" -o "$out.core" biosdisk linux normal
cat $grub/lnxboot.img "$out.core" >"$out.grub"
{ dd if="$kernel" bs=512 conv=sync; dd if="$ramdisk" bs=512 conv=sync; } >"$out.disk" 2>/dev/null
