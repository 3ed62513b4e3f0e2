#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-tools.sh OUT: makes a RAM disk, to be appended to dom0's, with Xen's tools of the next Debian release beside
# those of this machine's, as an upgrade leaves them: /usr/lib/xen-4.20, and that release's C library for all. The rest
# of a distribution is not there. Exit status: 2 if the packages cannot be had.
set -eu
. mk/private-apt.sh

next_release=trixie
next_xen=4.20
out=$1
cache=$PWD/build/cache/tools-$next_xen
bin=usr/lib/xen-$next_xen/bin
programs="xl xenstored xenstore-control xenconsoled xenconsole xen-init-dom0 libxl-save-helper"

# What these programs are linked with, and what these libraries are.
if ! [ -e "$cache/complete" ]; then
    private_apt "$cache" deb $next_release && with_private_apt apt-get update || exit 2
    packages="xen-utils-$next_xen $(with_private_apt apt-cache depends --recurse --no-recommends --no-suggests \
        --no-conflicts --no-breaks --no-replaces --no-enhances xen-utils-$next_xen |
        grep -E '^(libxen|libc6$|libgcc-s1|libuuid1|libyajl|libnl-|liblzma|libzstd|zlib1g|libbz2|liblzo|libxml|libfdt|libext2fs|libcom-err|libutil)' |
        sort -u)"
    # shellcheck disable=SC2086
    (cd "$cache" && with_private_apt apt-get download $packages) || exit 2
    touch "$cache/complete"
fi

all=$(mktemp -d "$out.all.XXXXXX")
root=$(mktemp -d "$out.root.XXXXXX")
trap 'rm -rf "$all" "$root"' EXIT
chmod 755 "$root"
for deb in "$cache"/*.deb; do dpkg -x "$deb" "$all"; done

lib=lib/x86_64-linux-gnu
mkdir -p "$root/$bin" "$root/$lib" "$root/lib64"
for p in $programs; do cp "$all/$bin/$p" "$root/$bin/"; done
# Libraries by the loader of that release; all of libc's, as they are of one version.
loader=$all/usr/lib64/ld-linux-x86-64.so.2
for p in $programs; do
    "$loader" --library-path "$all/usr/$lib:$all/usr/lib/xen-$next_xen/lib/x86_64-linux-gnu" --list "$root/$bin/$p"
done | awk -v all="$all" '$2 == "=>" { print $3 } /not found/ { print > "/dev/stderr"; bad = 1 } END { exit bad }' |
    sort -u | while read -r file; do
    case $file in
    "$all"/*) cp -L "$file" "$root/$lib/" ;;
    esac
done
cp -L "$loader" "$root/lib64/"
for l in libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libutil.so.1; do
    cp -L "$all/usr/$lib/$l" "$root/$lib/"
done

(cd "$root" && find . | cpio -o -H newc --quiet) >"$out.new"
mv "$out.new" "$out"
