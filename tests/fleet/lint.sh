#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh TOP WORK: ansible-lint on a copy of the collection, and those of ansible-test's sanity tests that need nothing from the
# network (it fetches what the others need, in versions of its own).
set -eu

top=$1
work=$2
here=$work/ansible_collections/xen/liveupdate
rm -rf "$work"
mkdir -p "$here"
cp -r "$top/fleet/." "$here"
find "$here" -name __pycache__ -prune -exec rm -r {} +
cd "$here"
# They look at what git knows.
git init -q
git add -A
export ANSIBLE_COLLECTIONS_PATH="$work" ANSIBLE_HOME="$work/home" HOME="$work/home" PATH="/usr/bin:$PATH"
mkdir -p "$HOME"

ansible-lint --offline -q --nocolor >"$work/lint.log" 2>&1 || { cat "$work/lint.log"; echo "not ok - ansible-lint"; exit 1; }
echo "ok - ansible-lint"

for t in action-plugin-docs changelog compile empty-init future-import-boilerplate ignores line-endings metaclass-boilerplate \
    no-assert no-basestring no-dict-iteritems no-dict-iterkeys no-dict-itervalues no-get-exception no-illegal-filenames \
    no-main-display no-smart-quotes no-unicode-literals replace-urlopen shebang symlinks use-argspec-type-path use-compat-six; do
    echo "$t"
done >"$work/tests"
# shellcheck disable=SC2046
ansible-test sanity --python 3.11 $(sed 's/^/--test /' "$work/tests") >"$work/sanity.log" 2>&1 ||
    { cat "$work/sanity.log"; echo "not ok - ansible-test sanity"; exit 1; }
echo "ok - ansible-test sanity, $(wc -l <"$work/tests") of its tests"
