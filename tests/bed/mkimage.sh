#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mkimage.sh dom0|domu|hvm|dm OUT: makes the initial RAM disk of dom0, of a PV or PVH guest, or of an
# HVM guest: busybox, kernel modules and, for dom0, Xen's tools and the guest's kernel. "dm" is the
# device model for HVM guests with its firmware, for runs that need it, to be appended to dom0's.
# Uncompressed, since unpacking takes seconds in the emulator. What belongs to a run (harness,
# scenario, Xen images) is appended by bed.py. Run from the top of the project.
set -eu

role=$1
out=$2
case $role in
dom0) kernel=build/kernel/dom0 ;;
*) kernel=build/kernel/domu ;;
esac
version=$(cat "$kernel/version")
xen_bin=/usr/lib/xen-4.17/bin

# Modules with what they depend on.
case $role in
dom0)
    modules="xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback xen-pciback bridge
        loop tun e1000 e1000e igb virtio_net virtio_pci virtio_blk virtio_console nvme xhci_pci ftdi_sio
        ext4 crc32c_generic efivarfs"
    ;;
hvm)
    modules="xen-evtchn xen-blkfront xen-netfront ata_piix sd_mod virtio_pci virtio_net"
    ;;
domu)
    modules="xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkfront xen-netfront xen-pcifront
        virtio_pci virtio_net ext4 crc32c_generic"
    ;;
esac

mkdir -p "$(dirname "$out")"
root=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

# Programs with the libraries that they need.
add_program() {
    for program in "$@"; do
        { echo "$program"; ldd "$program" 2>/dev/null | grep -o '/[^ ]*'; } | while read -r file; do
            mkdir -p "$root$(dirname "$file")"
            cp -L "$file" "$root$file"
        done
    done
}

pack() {
    (cd "$root" && find . | cpio -o -H newc --quiet) >"$out.new"
    mv "$out.new" "$out"
}

if [ "$role" = dm ]; then
    add_program /usr/libexec/xen-qemu-system-i386
    for f in $xen_bin/../boot/hvmloader /usr/share/seabios/bios-256k.bin /usr/share/seabios/vgabios-stdvga.bin \
        /usr/share/seabios/vgabios-cirrus.bin /usr/share/qemu/linuxboot.bin \
        /usr/share/qemu/kvmvapic.bin /usr/share/qemu/keymaps/en-us; do
        f=$(realpath -s "$f")
        mkdir -p "$root$(dirname "$f")"
        cp -L "$f" "$root$f"
    done
    pack
    exit
fi

(cd "$root" && mkdir -p bin sbin proc sys dev run tmp mnt boot etc/xen var/lib/xen var/log/xen/console \
    var/lock usr/bin lib/modules && ln -s ../run var/run && touch etc/xen/xl.conf)

cp "$(command -v busybox)" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done

if [ "$role" = dom0 ]; then
    for p in xl xenstored xenconsoled xenconsole xen-init-dom0 libxl-save-helper xenctx xen-hvmctx \
        xen-hptool xen-mfndump xen-diag xentop; do
        add_program $xen_bin/$p
    done
    add_program /usr/bin/xenstore-read /usr/bin/xenstore-write /usr/bin/xenstore-ls \
        /usr/bin/xenstore-rm /usr/bin/xenstore-watch /usr/bin/flock "$(PATH=$PATH:/sbin:/usr/sbin command -v kexec)" \
        "$(PATH=$PATH:/sbin:/usr/sbin command -v mke2fs)" "$(PATH=$PATH:/sbin:/usr/sbin command -v e2fsck)" /usr/bin/chattr
    add_program /lib/x86_64-linux-gnu/libgcc_s.so.1 # pthread_cancel loads it
    cp build/kernel/domu/vmlinux "$root/boot/vmlinux-domu"
    cp build/kernel/grub/grub-pv build/kernel/grub/grub-pvh "$root/boot/"
else
    for p in tickwatch memsum tcpsum fsyncw fsfiles clockpair vchanpair udpcount; do cp build/progs/$p "$root/usr/bin/"; done
    cp tests/bed/domu/init "$root/init"
    for p in poweroff reboot; do cp tests/bed/domu/stop "$root/sbin/$p"; done
    chmod 755 "$root/init" "$root"/sbin/*
fi

tree=$root/lib/modules/$version
mkdir -p "$tree"
cp "$kernel/lib/modules/$version"/modules.order "$kernel/lib/modules/$version"/modules.builtin* "$tree/"
for m in $modules; do
    modprobe -d "$kernel" -S "$version" --show-depends "$m" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
done | sort -u | while read -r file; do cp "$file" "$tree/"; done
depmod -b "$root" "$version"

pack
