#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build-xen.sh TREE ROLE KIND: configures and builds the hypervisor in TREE.
# ROLE is "source" (runs first) or "target" (replaces it), KIND is "debug" or "release".
set -eu

tree=$1
role=$2
kind=$3

config=$tree/xen/.config
{
    echo CONFIG_LIVEUPDATE=y
    [ "$role" != target ] || echo CONFIG_LIVEUPDATE_TEST_TARGET=y
    if [ "$kind" = debug ]; then echo CONFIG_DEBUG=y; else echo "# CONFIG_DEBUG is not set"; fi
} >"$config.new"

# Both builds say who they are: "xl info" shows extra version and changeset.
# Nothing that changes from run to run goes in: the same sources give the same binary.
sub=$(sed -n 's/^export XEN_EXTRAVERSION ?= \(\.[0-9]*\).*/\1/p' "$tree/xen/Makefile")
echo "lu-$role-$kind" >"$tree/.scmversion"
cc=gcc
! command -v ccache >/dev/null || cc="ccache gcc"
# What ccache has not seen it does not preprocess first, only to look once more: a tenth less for a first build.
run_make() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES CCACHE_DEPEND=1 \
        make -C "$tree/xen" -s -j"$(nproc)" XEN_TARGET_ARCH=x86_64 CC="$cc" HOSTCC="$cc" \
        XEN_EXTRAVERSION="$sub-lu-$role" XEN_WHOAMI=lu XEN_DOMAIN=localdomain \
        XEN_BUILD_HOST=localhost XEN_BUILD_DATE=unstamped XEN_BUILD_TIME= "$@"
}

run_make KCONFIG_CONFIG=.config.new olddefconfig >/dev/null
if cmp -s "$config.new" "$config"; then rm -f "$config.new"; else mv "$config.new" "$config"; fi
rm -f "$config.new.old"

if [ "${V:-}" = 1 ]; then
    run_make build
else
    run_make build >"$tree.log" 2>&1 || {
        tail -n 30 "$tree.log" >&2
        echo "build-xen: $tree does not build; all that was said is in $tree.log" >&2
        exit 1
    }
fi
