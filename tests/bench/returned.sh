# SPDX-License-Identifier: GPL-2.0-only
# What a target that refuses costs dom0 and a PV guest of 128 MiB: it comes back from its first step, and from the last
# resource that it plans. For comparison, an update that succeeds, by the same builds. (Faults are for debug builds.)
# bed: smp=1 icount=0 timeout=1800 update=none

# The pause is measured.
WATCH_MS=1

before() {
    start_xen
    make_guest g1
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    xen-liveupdate fault list >/run/bed/points
    measure first "$(grep '^adopt ' /run/bed/points | head -n 1)"
    measure last "$(grep '^plan ' /run/bed/points | tail -n 1)"
    measure none ""
}

# measure NAME POINT: of an apply, with that fault or without one.
measure() {
    local state=done d
    stage_image /bed/files/target
    if [ -n "$2" ]; then
        check "there is a fault at $2" xen-liveupdate fault $2
        state=returned
    fi
    start_watch dom0 g1
    sleep 3
    xen-liveupdate apply
    sleep 1
    check_watch dom0 g1
    xen-liveupdate --json result >/run/bed/$1.json
    save_file /run/bed/$1.json
    check_equal "the update at \"$2\" is $state" "$(xen-liveupdate result | sed -n 's/^state: //p')" $state
    for d in dom0 g1; do
        mv /run/bed/$d.watch /run/bed/$1.$d.watch
        save_file /run/bed/$1.$d.watch
    done
}

after() { :; }
