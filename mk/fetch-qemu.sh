#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-qemu.sh DIR: downloads the newer QEMU of the distribution's backports and unpacks it, not installed,
# into DIR: its software emulation knows AVX and XSAVE. Firmware and libraries are those of the installed one.
set -eu
. mk/private-apt.sh

dir=$1
cache=$PWD/build/cache/backports

if ! ls "$cache"/qemu-system-x86_*.deb >/dev/null 2>&1; then
    private_apt "$cache" deb -backports
    with_private_apt apt-get update
    (cd "$cache" && with_private_apt apt-get download qemu-system-x86)
fi

rm -rf "$dir"
mkdir -p "$dir"
dpkg -x "$(ls -t "$cache"/qemu-system-x86_*.deb | head -n 1)" "$dir"
