# SPDX-License-Identifier: GPL-2.0-only
# Many updates in a row, and before each some that fail, anywhere: a point (phase, and resource or step) by chance, before
# the jump or in the target. Guests of every kind, busy, lose nothing, and no page is lost. SEED repeats a run. Debug
# builds only. ARGS: most=N failures before an update.
# bed-long: smp=2 hvm=1 updates=20 alternate=0 mem=4096 timeout=3600
# bed-long: smp=1 hvm=1 updates=100 alternate=0 mem=4096 timeout=14400

MOST=3
LIFE_EVERY=10

for word in $ARGS; do
    case $word in
    most=*) MOST=${word#*=} ;;
    *) not_ok "unknown word in ARGS: $word" ;;
    esac
done

before() {
    start_xen
    report "SEED=$SEED"
    # Guests are busy in what dom0 leaves.
    xl sched-credit2 -d 0 -w 4096
    make_guest g1 type=pv vcpus=2 memory=192 disk=32
    make_guest g2 type=pvh memory=192
    make_guest g3 type=hvm memory=192 emulated=1
    DOMAINS="g1 g2 g3"
    for d in $DOMAINS; do check "$d ticks" wait_tick $d 300; done
    check "a target is staged" stage_image "$(update_image 1)"
    check "there are points to fail at" sh -c "xen-liveupdate fault list >/run/bed/points"
    start_watch dom0 $DOMAINS
    start_memsum dom0 $DOMAINS
    guest_bg g1 "fsyncw write /dev/xvda 1024 /tmp/fsyncw"
    note_free_pages 0
    failures=0 returns=0 wrong=0
}

# update IMAGE: first those that fail, then the one.
update() {
    local n points phase name
    points=$(wc -l </run/bed/points)
    random $((MOST + 1))
    n=$R
    while [ $n -gt 0 ]; do
        n=$((n - 1))
        random $points
        read -r phase name <<EOF
$(sed -n $((R + 1))p /run/bed/points)
EOF
        echo "failure in phase $phase, $name"
        stage_image "$1" || return 1
        fails_at $phase $name || { wrong=$((wrong + 1)); xen-liveupdate result; }
    done
    stage_image "$1" && xen-liveupdate apply && xen-liveupdate result
}

fails_at() {
    local rc state=failed wanted=4 bad=0
    case $1 in adopt | plan) state=returned wanted=7 returns=$((returns + 1)) ;; esac
    failures=$((failures + 1))
    xen-liveupdate fault $1 $2 || return 1
    xen-liveupdate apply 2>/run/bed/apply.err
    rc=$?
    xen-liveupdate result >/run/bed/fault.result
    xen-liveupdate fault off >/run/bed/fault.hit
    expect "exit code" $rc $wanted
    expect "message" "$(grep -c 'injected fault' /run/bed/apply.err)" 1
    expect_field hit 1 /run/bed/fault.hit
    expect_field state $state /run/bed/fault.result
    expect_field "failed phase" $1 /run/bed/fault.result
    return $bad
}

after_each() { note_free_pages $1; }

after() {
    report "$failures failures, $returns of them in the target, before $UPDATES updates"
    check_equal "each of $failures failures was the one that was asked for" $wrong 0
    check "some of them in the target" test $returns -gt 0
    check_free_pages
    check_watch dom0 $DOMAINS
    check "every fsync'ed block is on the disk" guest g1 'killall fsyncw; sleep 2; fsyncw verify /dev/xvda 1024 /tmp/fsyncw'
    check_memsum dom0 $DOMAINS
    for d in $DOMAINS; do check "xl destroy $d" xl destroy $d; done
    DOMAINS=
    check "nothing is left of the guests" wait_for 30 only_dom0
    check "Xen does not complain" no_complaint
}
