#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# prepare-xen.sh PRISTINE TREE SERIES: makes TREE = pristine Xen + overlay + format/ + patches.
#
# All of it is put together in a staging directory first and then synchronised by content, so that
# files which did not change keep their time stamp and a rebuild compiles only what changed.
set -eu

pristine=$1
tree=$2
patches=hypervisor/patches/$3
stage=$tree.stage

rm -rf "$stage"
mkdir -p "$stage" "$tree"
# A checkout (XEN_SRC) may have been built in place: only sources are taken.
rsync -a --delete --exclude=/.git --exclude='*.o' --exclude='.*.cmd' --exclude='.*.d' \
    --exclude=/xen/.config --exclude=/xen/include/config --exclude=/xen/include/generated \
    "$pristine/" "$stage/"

[ ! -d hypervisor/src ] || cp -r hypervisor/src/. "$stage/"

# The format is one code for hypervisor and tools; what needs libraries is for the tools alone.
mkdir -p "$stage/xen/common/liveupdate/format"
cp -r format/include/. "$stage/xen/include/"
for file in format/*.c; do
    if [ -f "$file" ] && ! grep -q jansson "$file"; then
        cp "$file" "$stage/xen/common/liveupdate/format/"
    fi
done

if [ -f "$patches/series" ]; then
    sed 's/#.*//;/^[[:space:]]*$/d' "$patches/series" | while read -r patch; do
        if ! out=$(patch -d "$stage" -p1 -F0 --no-backup-if-mismatch <"$patches/$patch" 2>&1); then
            echo "$out" | grep -E 'patching file|FAILED|find file|malformed' |
                grep -B1 -E 'FAILED|find file|malformed' >&2 || echo "$out" >&2
            echo "prepare-xen: $patches/$patch does not apply to $pristine" >&2
            exit 1
        fi
    done
fi

# What the build made is kept; what the last preparation brought and this one does not, goes.
(cd "$stage" && find . -type f -o -type l) | sort >"$tree.files.new"
[ ! -f "$tree.files" ] || comm -23 "$tree.files" "$tree.files.new" | (cd "$tree" && xargs -r rm -f)
rsync -rlc --executability "$stage/" "$tree/"
mv "$tree.files.new" "$tree.files"
rm -rf "$stage"
