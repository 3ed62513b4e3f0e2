#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-kernel.sh META DIR: downloads the kernel package that META (for instance linux-image-amd64)
# stands for and unpacks it, not installed, into DIR; adds DIR/version, and DIR/vmlinux: the kernel
# unpacked, since decompressing takes seconds in the emulator.
set -eu

meta=$1
dir=$2
cache=build/cache
quiet=-qq
[ "${V:-}" != 1 ] || quiet=-q

package() { apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1; }

download() { pkg=$(package); [ -n "$pkg" ] && (cd "$cache" && apt-get download $quiet "$pkg"); }

mkdir -p "$cache"
# One at a time: each may refresh the machine's package lists, with which the others look for theirs.
exec 9>"$cache/apt.lock"
flock 9
pkg=$(package)
if ! ls "$cache/${pkg:-none}"_*.deb >/dev/null 2>&1; then
    # The lists may be older than the archive: one refresh, if we may.
    download || { apt-get update $quiet && download; } || {
        echo "kernel: cannot download $meta: is the network there?" >&2
        exit 1
    }
fi

rm -rf "$dir"
mkdir -p "$dir"
dpkg -x "$(ls -t "$cache/${pkg}"_*.deb | head -n 1)" "$dir"
version=${pkg#linux-image-}
depmod -b "$dir" "$version"
python3 mk/unpack-kernel.py "$dir/boot/vmlinuz-$version" "$dir/vmlinux"
echo "$version" >"$dir/version"
