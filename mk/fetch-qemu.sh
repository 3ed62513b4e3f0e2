#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-qemu.sh DIR: downloads the newer QEMU of the distribution's backports and unpacks it, not installed,
# into DIR: its software emulation knows AVX and XSAVE. Firmware and libraries are those of the installed one.
# A private apt configuration, as in fetch-xen.sh: nothing of the machine's is changed.
set -eu

dir=$1
apt=$PWD/build/cache/backports
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
target=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
    awk '$3 == "main" && $4 == "Packages" && $2 !~ /-/ { print $1, $2; exit }')
[ -n "$target" ] || { echo "qemu: apt on this machine knows no Debian 'main' archive" >&2; exit 1; }
{
    echo "Types: deb"
    echo "URIs: ${target% *}"
    echo "Suites: ${target#* }-backports"
    echo "Components: main"
    [ ! -f $keyring ] || echo "Signed-By: $keyring"
} >"$apt/parts/backports.sources"

with_private_apt() {
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" "$@"
}

if ! ls "$apt"/qemu-system-x86_*.deb >/dev/null 2>&1; then
    with_private_apt update
    (cd "$apt" && with_private_apt download qemu-system-x86)
fi

rm -rf "$dir"
mkdir -p "$dir"
dpkg -x "$(ls -t "$apt"/qemu-system-x86_*.deb | head -n 1)" "$dir"
