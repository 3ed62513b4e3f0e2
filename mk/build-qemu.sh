#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build-qemu.sh DIR: builds the QEMU of the machine's own Debian release once more, with the patches in mk/qemu/ (each
# says why), and leaves the program in DIR. Guests that need SVM come to harm under the one that is installed, whose
# firmware and libraries this one uses. Exit status: 2 if the source cannot be had, 1 if it cannot be built.
set -eu
. mk/private-apt.sh

dir=$1
cache=$PWD/build/cache/qemu
src=$dir/src

if ! ls "$cache"/qemu_*.dsc >/dev/null 2>&1; then
    private_apt "$cache" deb-src && with_private_apt apt-get update &&
        (cd "$cache" && with_private_apt apt-get source --download-only qemu) || exit 2
fi

rm -rf "$src"
mkdir -p "$dir"
dpkg-source --no-check --no-copy -x "$(ls -t "$cache"/qemu_*.dsc | head -n 1)" "$src" >"$dir/log" 2>&1
for patch in mk/qemu/*.patch; do patch -d "$src" -p1 --fuzz=0 --quiet <"$patch"; done

# Nothing besides the emulator of an x86-64 machine, and user-mode networking.
if ! (
    cd "$src"
    # Its makefiles have nothing to do with ours.
    unset MAKEFLAGS MFLAGS MAKELEVEL
    mkdir build && cd build &&
        ../configure --target-list=x86_64-softmmu --without-default-features --enable-system --enable-tcg --enable-slirp \
            --enable-fdt=system --enable-trace-backends=log --disable-werror --disable-debug-info \
            --firmwarepath=/usr/share/qemu:/usr/share/seabios &&
        ninja qemu-system-x86_64
) >>"$dir/log" 2>&1; then
    tail -n 20 "$dir/log" >&2
    exit 1
fi
mv "$src/build/qemu-system-x86_64" "$dir/qemu-system-x86_64"
rm -rf "$src"
