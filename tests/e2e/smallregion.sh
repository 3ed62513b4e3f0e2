# SPDX-License-Identifier: GPL-2.0-only
# A region that is too small for the target is told with the size that would do, and the host goes on.
# bed: smp=1 xen_args=liveupdate=40M updates=0 budget=20 timeout=120

before() {
    start_xen
    make_guest g1 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    note_life
    check "the region is there" sh -c 'xen-liveupdate status | grep "^region: 40 MiB"'
    check "stage: too small" refuses 1 stage /boot/xen-target
    check "stage: the size that would do" grep -q 'needs a slot of 24 MiB and has 20 MiB; boot with liveupdate=48M' /run/bed/err
    check "stage: the size for programs" grep -q '"size_needed": 50331648' /run/bed/out
    check "the check refuses it, too" refuses 3 check /boot/xen-target
    check "nothing is staged" sh -c 'xen-liveupdate status | grep "^staged: no"'
}

# refuses EXIT_CODE ARGUMENTS...: that exit code, and the error that the region is too small.
refuses() {
    local wanted=$1 rc
    shift
    xen-liveupdate --json "$@" >/run/bed/out 2>/run/bed/err
    rc=$?
    cat /run/bed/out /run/bed/err
    report "$(head -n 1 /run/bed/err)"
    [ $rc = $wanted ] && grep -q '"code": "region-too-small"' /run/bed/out
}

after() {
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
}
