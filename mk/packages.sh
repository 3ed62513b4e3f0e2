#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# packages.sh XEN OUT: builds the Debian packages, with the hypervisor XEN in them, and leaves them in OUT.
# A copy is built: what is in the tree, without what was built in it. lintian has to find neither errors nor warnings.
set -eu

xen=$(realpath "$1")
out=$2
src=$out/src/xen-liveupdate
rm -rf "$out"
mkdir -p "$src"
tar -c --exclude=./build --exclude=./.git . | tar -x -C "$src"
log=$(realpath "$out")/log
if ! (cd "$src" && XEN_IMAGE=$xen dpkg-buildpackage -b -us -uc -d) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    exit 1
fi
lintian --allow-root --fail-on error,warning "$out"/src/*.changes >>"$log" 2>&1 || {
    grep '^[EW]:' "$log" >&2
    exit 1
}
mv "$out"/src/*.deb "$out"
# Without debugging symbols: for the test bed.
(cd "$out" && ls ./*.deb | grep -v dbgsym | tar -c -f debs.tar -T -)
rm -rf "$out/src"
