#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# deps.sh PACKAGE...: installs the Debian packages that are missing; quick when all are there.
set -eu

missing=
for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
        missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing"
if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null; then
    root=sudo
else
    echo "deps: these packages are missing and only root can install them:$missing" >&2
    exit 1
fi

# Word splitting of the list is wanted.
# shellcheck disable=SC2086
{
    $root apt-get update -q &&
        $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $missing
} || {
    echo "deps: could not install:$missing" >&2
    echo "deps: is the network there, and does apt know Debian 12 'main'?" >&2
    exit 1
}
