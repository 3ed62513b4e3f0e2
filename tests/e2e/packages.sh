# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages on a clean dom0, and the operators' guide followed to the letter.
# bed-long: smp=1 timeout=240 files="build/packages/debs.tar docs/operators.md"

GUIDE=/bed/files/operators.md

before() {
    start_xen
    make_guest g1 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    # Nothing of the tools is there but what the packages bring.
    rm -f /usr/bin/xen-liveupdate
    check "no tool is there" sh -c '! command -v xen-liveupdate'
    tar -x -C /tmp -f /bed/files/debs.tar
    check "the packages are there" sh -c 'ls /tmp/xen-liveupdate_*.deb /tmp/xen-hypervisor-4.17-liveupdate_*.deb'
    for p in /tmp/xen-liveupdate_*.deb /tmp/xen-hypervisor-4.17-liveupdate_*.deb /tmp/libxenliveupdate0_*.deb; do
        check "unpack $(basename $p)" dpkg-deb -x $p /
    done
    check "the boot entry sets memory aside" boot_entry
    check "the hooks' directories are there" test -d /etc/xen/liveupdate.d/pre-apply
    check "the hook for the crash kernel is there" test -x /etc/xen/liveupdate.d/post-apply/10-crash-kernel
    check "the manual is there" test -e /usr/share/man/man8/xen-liveupdate.8.gz
    check "guests are left alone while an update is under way" left_alone
}

# As update-grub reads it.
boot_entry() {
    (GRUB_CMDLINE_XEN_DEFAULT=loglvl=all; . /etc/default/grub.d/zz-xen-liveupdate.cfg
     [ "$GRUB_CMDLINE_XEN_DEFAULT" = "loglvl=all liveupdate=64M" ])
}

# The lines behind "From now on:" up to the next text, without comments.
guide() { sed -n '/^From now on:/,/^[A-Z`]/{/^    xen-liveupdate/{s/^ *//; s/ *#.*//; p}}' $GUIDE; }

left_alone() {
    printf '#!/bin/sh\necho stopped >/run/bed/stopped\n' >/run/bed/xendomains
    chmod 755 /run/bed/xendomains
    mkdir -p /var/lib/xen/liveupdate
    flock /var/lib/xen/liveupdate/lock env XENDOMAINS=/run/bed/xendomains /usr/libexec/xen-liveupdate/xendomains-stop || return 1
    [ ! -e /run/bed/stopped ] || { echo "they were stopped"; return 1; }
    XENDOMAINS=/run/bed/xendomains /usr/libexec/xen-liveupdate/xendomains-stop
    [ -e /run/bed/stopped ]
}

update() {
    local line failed=0
    guide >/run/bed/guide
    cat /run/bed/guide
    [ "$(grep -c . /run/bed/guide)" = 4 ] || return 1
    while read -r line <&5; do
        echo "# $line"
        sh -c "$line" || failed=1
    done 5</run/bed/guide
    return $failed
}

after() {
    check "survivors are counted" grep "^survivors: all of 2 domains" /run/bed/update.out
    check "the guide's last line was apply" grep "^# xen-liveupdate apply" /run/bed/update.out
    check "status" xen-liveupdate status
}
