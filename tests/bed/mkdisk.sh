#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mkdisk.sh KERNEL RAMDISK OUT: makes OUT.disk, what HVM guests boot from: GRUB in its first MiB, then the kernel and the
# initial RAM disk, without a file system. A second disk, each guest's own, holds GRUB's commands (hvm_words in
# dom0/lib.sh). Given to the device model directly, as "kernel=" and "ramdisk=", the guest would read them byte by byte,
# which takes minutes in the emulator; and with VMX it would not start: the device model's option ROM reads with "rep insb"
# right after it has set CR0.PE, in a code segment that real mode has loaded as writable, and Xen's instruction emulator
# wants an executable one.
set -eu

kernel=$1
ramdisk=$2
out=$3
grub=/usr/lib/grub/i386-pc

sectors() { echo $((($(stat -c %s "$1") + 511) / 512)); }

mkdir -p "$(dirname "$out")"
trap 'rm -f "$out.cfg" "$out.core"' EXIT
first=2048
cat >"$out.cfg" <<COMMANDS
set kernel=(hd0)$first+$(sectors "$kernel")
set ramdisk=(hd0)$((first + $(sectors "$kernel")))+$(sectors "$ramdisk")
normal (hd1)0+8
COMMANDS
grub-mkimage -d $grub -O i386-pc -p / -c "$out.cfg" -o "$out.core" biosdisk linux normal
# Both take the next sector for that of GRUB's core, and its beginning for where the core goes on.
cat $grub/boot.img "$out.core" >"$out.disk"
[ $(sectors "$out.disk") -le $first ]
truncate -s $((first * 512)) "$out.disk"
{ dd if="$kernel" bs=512 conv=sync; dd if="$ramdisk" bs=512 conv=sync; } 2>/dev/null >>"$out.disk"
