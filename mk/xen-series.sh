#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# xen-series.sh TREE: prints the series that a Xen tree is of, as 4.17.
set -eu

# As xen/Makefile has it: export XEN_VERSION = 4
number() { sed -n "s/^export XEN_$1[[:space:]]*=[[:space:]]*\([0-9]*\)$/\1/p" "$tree/xen/Makefile"; }

tree=$1
series=$(number VERSION).$(number SUBVERSION)
case $series in
[0-9]*.[0-9]*) echo "$series" ;;
*) echo "$tree/xen/Makefile does not tell the version of Xen" >&2; exit 1 ;;
esac
