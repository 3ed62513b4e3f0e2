#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-xen.sh SERIES DIR: fetches the distribution's Xen source whose version starts with SERIES
# (for instance 4.17) and unpacks it into DIR.
set -eu
. mk/private-apt.sh

series=$1
dir=$2
top=$(realpath -m "$dir/..")

fail() { echo "xen source: $*; or use XEN_SRC=<a Xen checkout>" >&2; exit 1; }

if ! ls "$top/xen_$series".*.orig.tar.xz >/dev/null 2>&1; then
    private_apt "$top/apt" deb-src || fail "no mirror"
    with_private_apt apt-get update || fail "no network, or the mirror has no source index"
    version=$(with_private_apt apt-cache showsrc --only-source xen |
        awk -v s="$series." '$1 == "Version:" && index($2, s) == 1 { print $2; exit }')
    [ -n "$version" ] || fail "the archive has no Xen $series"
    (cd "$top" && with_private_apt apt-get source --download-only --tar-only "xen=$version") ||
        fail "download failed"
fi

mkdir -p "$top"
rm -rf "$dir.new"
mkdir "$dir.new"
tar -xf "$(ls "$top/xen_$series".*.orig.tar.xz | head -n 1)" -C "$dir.new" --strip-components=1
rm -rf "$dir"
mv "$dir.new" "$dir"
