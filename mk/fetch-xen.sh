#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-xen.sh SERIES DIR: fetches the distribution's Xen source whose version starts with SERIES
# (for instance 4.17) and unpacks it into DIR.
#
# The machine's own apt knows the mirror but often has no source suites switched on, so a private
# apt configuration is made beside DIR: same mirror, same keyring, "deb-src" of main only. Nothing
# of the machine's configuration is changed.
set -eu

series=$1
dir=$2
top=$(realpath -m "$dir/..")
apt=$top/apt

fail() { echo "xen source: $*; or use XEN_SRC=<a Xen checkout>" >&2; exit 1; }

mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"

# The suite is the base system's: the first "main" that is no update or security suite.
target=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
    awk '$3 == "main" && $4 == "Packages" && $2 !~ /-/ { print $1, $2; exit }')
[ -n "$target" ] || fail "apt on this machine knows no Debian 'main' archive"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
{
    echo "Types: deb-src"
    echo "URIs: ${target% *}"
    echo "Suites: ${target#* }"
    echo "Components: main"
    [ ! -f $keyring ] || echo "Signed-By: $keyring"
} >"$apt/parts/source.sources"

with_private_apt() {
    command=$1
    shift
    "$command" -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" "$@"
}

if ! ls "$top/xen_$series".*.orig.tar.xz >/dev/null 2>&1; then
    with_private_apt apt-get update || fail "no network, or the mirror has no source index"
    version=$(with_private_apt apt-cache showsrc --only-source xen |
        awk -v s="$series." '$1 == "Version:" && index($2, s) == 1 { print $2; exit }')
    [ -n "$version" ] || fail "the archive has no Xen $series"
    (cd "$top" && with_private_apt apt-get source --download-only --tar-only "xen=$version") ||
        fail "download failed"
fi

rm -rf "$dir.new"
mkdir "$dir.new"
tar -xf "$(ls "$top/xen_$series".*.orig.tar.xz | head -n 1)" -C "$dir.new" --strip-components=1
rm -rf "$dir"
mv "$dir.new" "$dir"
