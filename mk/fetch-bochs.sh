#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-bochs.sh DIR: builds Bochs, without a display, out of the source package of a newer Debian release (the
# machine's own is older and was built without what is needed here), and leaves the program in DIR. Ours are the
# patches in mk/bochs/; each says why. Exit status: 2 if the source cannot be had, 1 if it cannot be built.
set -eu
. mk/private-apt.sh

bochs_release=trixie
dir=$1
cache=$PWD/build/cache/bochs
src=$dir/src

if ! ls "$cache"/bochs_3.*.orig.tar.xz >/dev/null 2>&1; then
    private_apt "$cache" deb-src $bochs_release && with_private_apt apt-get update &&
        (cd "$cache" && with_private_apt apt-get source --download-only --tar-only bochs) || exit 2
fi

rm -rf "$src"
mkdir -p "$src"
tar -xf "$(ls "$cache"/bochs_3.*.orig.tar.xz | head -n 1)" -C "$src" --strip-components=1
for patch in mk/bochs/*.patch; do patch -d "$src" -p1 --quiet <"$patch"; done

# All that the newest CPU models need, and no device besides those of every PC.
if ! (
    cd "$src"
    CXXFLAGS="-O2 -pipe" CFLAGS="-O2 -pipe" ./configure --with-nogui --disable-docbook --disable-logging --disable-stats \
        --enable-cpu-level=6 --enable-x86-64 --enable-smp --enable-vmx=2 --enable-svm --enable-avx --enable-evex \
        --enable-memtype --enable-protection-keys --enable-cet --enable-monitor-mwait --enable-perfmon \
        --enable-pci --enable-all-optimizations
    # Its makefiles need make's own rules, which ours switch off for all below.
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -j"$(nproc)" bochs
) >"$dir/log" 2>&1; then
    tail -n 20 "$dir/log" >&2
    exit 1
fi
mv "$src/bochs" "$dir/bochs"
rm -rf "$src"
