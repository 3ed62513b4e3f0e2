#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tools_check.sh TOP: what belongs to the tools agrees: table of verbs, help, completion, man pages, schemas;
# the library's symbols, its header and its example.
set -eu

top=$1
lu=$top/build/lu-tools
tool=$lu/xen-liveupdate
out=$top/build/unit/tools
rm -rf "$out"
mkdir -p "$out"
fail() { echo "tools: $*" >&2; exit 1; }

"$tool" --help >"$out/help"
verbs=$(sed -n 's/^  \([a-z][a-z-]*\)\( .*\)\{0,1\}$/\1/p' "$out/help")
[ "$(echo "$verbs" | wc -w)" -ge 13 ] || fail "the help names too few verbs: $verbs"

# complete WORD...: what bash offers for the last one.
complete() {
    bash -c '. "$0"; COMP_WORDS=(xen-liveupdate "$@"); COMP_CWORD=$#; _xen_liveupdate; echo " ${COMPREPLY[*]} "' \
        "$lu/xen-liveupdate.bash" "$@"
}
for v in $verbs; do
    complete "" | grep -q " $v " || fail "completion does not offer $v"
    grep -q "^\.IP \"\\\\fB$v" "$lu/xen-liveupdate.8" ||
        fail "the man page has no item $v"
    [ -e "$top/lu-tools/schema/$v.json" ] || fail "no schema for $v"
    grep -q "\"const\": \"$v\"" "$top/lu-tools/schema/$v.json" || fail "the schema of $v is another verb's"
done
complete apply --max | grep -q ' --max-pause ' || fail "completion does not offer apply's options"
! complete status --max | grep -q max-pause || fail "completion offers status an option of apply"
complete report --format "" | grep -q ' text json trace ' || fail "completion does not offer the formats"
podchecker "$top"/lu-tools/man/*.pod >"$out/pod" 2>&1 || { cat "$out/pod" >&2; exit 1; }

sed '/^=item B<abort>/d' "$top/lu-tools/man/xen-liveupdate.8.pod" >"$out/less.pod"
! "$lu/gen-tables" pod "$out/less.pod" >/dev/null 2>&1 || fail "a man page without one of the verbs is made"

# Every function of the header is in the library under a version, and nothing else is.
sed -n 's/.*\b\(xenlu_[a-z_]*\)(.*/\1/p' "$top/lu-tools/include/xenliveupdate.h" | grep -v -e '_fn$' |
    sort -u >"$out/header"
nm -D --defined-only "$lu/libxenliveupdate.so.0" | sed -n 's/.* T \(.*\)@@VERS_.*/\1/p' | sort -u >"$out/symbols"
while read -r f; do
    # In its comments the header names functions, too; all that are declared must be there.
    grep -q "^$f$" "$out/symbols" || fail "the library does not have $f"
done <"$out/header"
while read -r f; do
    grep -q "^$f$" "$out/header" || fail "the header does not have $f"
done <"$out/symbols"

# What callers are compiled with stays what it was: a value, or a member's offset and size.
awk -v age=layout -f "$top/tests/unit/abi.awk" "$top/lu-tools/include/xenliveupdate.h" >"$out/layout.c"
cc -std=c11 -I"$top/lu-tools/include" -o "$out/layout" "$out/layout.c"
"$out/layout" >"$out/layout.now"
while read -r line; do
    grep -qxF "$line" "$out/layout.now" || fail "programs that have been compiled are broken: it was $line"
done <"$top/tests/unit/abi.layout"
cmp -s "$out/layout.now" "$top/tests/unit/abi.layout" || fail "abi.layout lacks what is new: copy $out/layout.now"

# The example, as a program of somebody else's would be made.
PKG_CONFIG_PATH=$lu/pkgconfig pkg-config --exists xenliveupdate || fail "pkg-config does not know the library"
cc -Wall -Wextra -Werror -o "$out/update" "$top/lu-tools/example/update.c" \
    $(PKG_CONFIG_PATH=$lu/pkgconfig pkg-config --cflags --libs xenliveupdate)
c++ -fsyntax-only -x c++ "$top/lu-tools/include/xenliveupdate.h" 2>/dev/null || ! command -v c++ >/dev/null ||
    fail "the header is not for C++"
LD_LIBRARY_PATH=$lu "$out/update" 2>&1 | grep -q '^usage: update TARGET' || fail "the example does not run"

# What Debian's own configuration of Xen sets for GRUB is kept, and so is our option: grub-mkconfig reads in this order.
grub=$out/grub.d
mkdir -p "$grub"
echo 'GRUB_CMDLINE_XEN_DEFAULT="loglvl=all"' >"$grub/xen.cfg"
cp "$top/debian/xen-liveupdate.cfg" "$grub/$(sed -n 's,.*/grub.d/\(.*\.cfg\)$,\1,p' "$top/debian/rules")"
for locale in C C.UTF-8; do
    options=$(export LC_ALL=$locale GRUB_CMDLINE_XEN_DEFAULT=; for f in "$grub"/*.cfg; do . "$f"; done; echo "$GRUB_CMDLINE_XEN_DEFAULT")
    [ "$options" = "loglvl=all liveupdate=64M" ] || fail "GRUB gives Xen the options '$options' ($locale)"
done

# Packages come and go as Debian's do: the first Xen of ours wants a reboot, and says so once; a purge leaves nothing.
root=$out/maintainer
mkdir -p "$root/run" "$root/var/lib/xen/liveupdate" "$root/var/lib/xen/dump" "$root/var/lib/prometheus/node-exporter"
touch "$root/var/lib/xen/liveupdate/journal.db" "$root/var/lib/prometheus/node-exporter/xen_liveupdate.prom"
# maintainer FILE WORD...: a maintainer script, with files below $root.
maintainer() {
    script=$1
    shift
    sed "s, /\(boot\|run\|var\|usr\)\b, $root/\1,g; s,>/run,>$root/run,g" "$top/debian/$script" | PATH=/usr/bin:/bin sh -s -- "$@"
}
maintainer xen-hypervisor-4.17-liveupdate.postinst configure 0.1
[ ! -e "$root/run/reboot-required" ] || fail "an upgrade of the hypervisor wants a reboot"
maintainer xen-hypervisor-4.17-liveupdate.postinst configure ""
maintainer xen-hypervisor-4.17-liveupdate.postinst configure ""
[ -s "$root/run/reboot-required" ] || fail "a new hypervisor does not ask for a reboot"
[ "$(cat "$root/run/reboot-required.pkgs")" = xen-hypervisor-4.17-liveupdate ] || fail "who wants the reboot is not said once"
maintainer xen-liveupdate.postrm remove
[ -e "$root/var/lib/xen/liveupdate/journal.db" ] || fail "the journal goes with the package"
maintainer xen-liveupdate.postrm purge
[ "$(find "$root/var" ! -type d)" = "" ] && [ ! -e "$root/var/lib/xen/liveupdate" ] || fail "a purge leaves files"
[ -d "$root/var/lib/xen/dump" ] || fail "a purge takes what is others'"

# The unit is started in every dom0, after Debian's Xen as well.
unit=$top/lu-tools/systemd/xen-liveupdate-stage.service
! grep -q '^ConditionVirtualization' "$unit" || fail "most dom0s are no virtual machines to systemd"
grep -q '^After=.*\bxen\.service' "$unit" || fail "the unit does not wait for Debian's Xen"
if command -v systemd-analyze >/dev/null; then
    sed 's,/usr/sbin/xen-liveupdate,/bin/true,' "$unit" >"$out/xen-liveupdate-stage.service"
    ! systemd-analyze --man=no verify "$out/xen-liveupdate-stage.service" 2>&1 | grep "xen-liveupdate-stage" ||
        fail "systemd does not take the unit"
fi

# The hook for the crash kernel calls kdump-tools, if they are there, and only if one was lost; apply takes it for a hook.
hook=$top/lu-tools/hooks/crash-kernel
bin=$out/bin
mkdir -p "$bin" "$out/none"
printf '#!/bin/sh\necho "$0 $*" >>"%s/called"; exit 3\n' "$out" >"$bin/kdump-config"
chmod 755 "$bin/kdump-config"
# hook LOST DIR: its exit code.
crash_hook() { rc=0; XEN_LIVEUPDATE_CRASH_KERNEL_LOST=$1 PATH=$2 /bin/sh "$hook" || rc=$?; echo $rc; }
[ "$(crash_hook 0 "$bin") $(crash_hook "" "$bin") $(crash_hook 1 "$out/none")" = "0 0 0" ] ||
    fail "the hook for the crash kernel fails where it has nothing to do"
[ ! -e "$out/called" ] || fail "the hook loads a crash kernel that was not lost"
[ "$(crash_hook 1 "$bin")" = 3 ] || fail "the hook does not say that the crash kernel was not loaded"
[ "$(cat "$out/called")" = "$bin/kdump-config load" ] || fail "the hook does not load the crash kernel"
make --no-print-directory -s -C "$top/lu-tools" install DESTDIR="$out/root" >/dev/null
for occasion in post-apply on-failure; do
    [ -x "$out/root/etc/xen/liveupdate.d/$occasion/10-crash-kernel" ] || fail "the hook is not installed in $occasion"
done

# JSON that the tool prints without Xen, and the schemas themselves.
XEN_LIVEUPDATE_DIR=$out "$tool" -j history >"$out/history.json"
XEN_LIVEUPDATE_DIR=$out "$tool" -j inspect "$top/format/golden/stream-1.bin" >"$out/inspect.json"
! "$tool" -j upgrade >"$out/usage.json" 2>/dev/null || fail "a verb that there is not is done"
! "$tool" -j apply now >"$out/usage-apply.json" 2>/dev/null || fail "apply takes an argument"
"$top/tests/unit/validate.py" "$out/history.json" "$out/inspect.json" "$out/usage.json" "$out/usage-apply.json"
"$top/build/unit/from_json" "$out/inspect.json" | cmp - "$top/format/golden/stream-1.bin" ||
    fail "a stream made from its JSON is another one"
