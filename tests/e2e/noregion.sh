# SPDX-License-Identifier: GPL-2.0-only
# A host that was booted without liveupdate= says so and what would do, and goes on.
# bed: smp=1 xen_args= updates=0 budget=20 timeout=120

before() {
    start_xen
    make_guest g1 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    note_life
    check "the status tells that there is no region" sh -c 'xen-liveupdate status | grep "^region: none"'
    check "stage: no region" refuses stage /boot/xen-target
    check "stage: the size that would do" grep -q 'boot it with liveupdate=48M' /run/bed/err
    check "apply: no region" refuses apply
    check "apply: what would do" grep -q 'liveupdate=<size>' /run/bed/err
}

# refuses ARGUMENTS...: exit code 1, and the error that there is no region.
refuses() {
    local rc
    xen-liveupdate --json "$@" >/run/bed/out 2>/run/bed/err
    rc=$?
    cat /run/bed/out /run/bed/err
    report "$(head -n 1 /run/bed/err)"
    [ $rc = 1 ] && grep -q '"code": "no-region"' /run/bed/out &&
        grep -q 'the running Xen has reserved no memory for a live update' /run/bed/err
}

after() {
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
}
