#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-grub.sh DIR: downloads the distribution's GRUB for guests (kernels that use a console and
# nothing else) and unpacks it, not installed, into DIR: DIR/grub-pv, DIR/grub-pvh.
set -eu

dir=$1
cache=build/cache
quiet=-qq
[ "${V:-}" != 1 ] || quiet=-q

download() { (cd "$cache" && apt-get download $quiet grub-xen-host); }

mkdir -p "$cache"
# One at a time: each may refresh the machine's package lists, with which the others look for theirs.
exec 9>"$cache/apt.lock"
flock 9
if ! ls "$cache"/grub-xen-host_*.deb >/dev/null 2>&1; then
    # The lists may be older than the archive: one refresh, if we may.
    download || { apt-get update $quiet && download; } || {
        echo "grub: cannot download grub-xen-host: is the network there?" >&2
        exit 1
    }
fi

rm -rf "$dir"
mkdir -p "$dir"
dpkg -x "$(ls -t "$cache"/grub-xen-host_*.deb | head -n 1)" "$dir/unpacked"
mv "$dir/unpacked/usr/lib/grub-xen/grub-i386-xen_pvh.bin" "$dir/grub-pvh"
mv "$dir/unpacked/usr/lib/grub-xen/grub-x86_64-xen.bin" "$dir/grub-pv"
rm -r "$dir/unpacked"
touch "$dir/grub-pv"
