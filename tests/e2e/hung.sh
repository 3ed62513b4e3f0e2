# SPDX-License-Identifier: GPL-2.0-only
# A target that hangs while it boots is called back by another CPU, and the host goes on as it was; then an update
# succeeds. dom0 has a watchdog of Xen's that waits less than that takes. Debug builds only. ARGS: points=STEP,... only these.
# bed: smp=2 budget=45 timeout=300 xen_args="liveupdate=64M liveupdate-timeout=5" args=points=handover,drivers
# bed-long: emulator=bochs cpu=corei7_haswell_4770,ryzen smp=2 timeout=900 xen_args="liveupdate=64M liveupdate-timeout=5"
# bed-long: smp=2,4 guest=pv,pvh timeout=900 xen_args="liveupdate=64M liveupdate-timeout=5"

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    check "a target is staged" stage_image "$(update_image 1)"
    list_points || return
    domwatchdog 4 &
    echo $! >/run/bed/domwatchdog.pid
    note_life
    points=0
    while read -r phase step <&4; do
        wanted $phase $step || continue
        check "comes back when the target hangs at $step" comes_back $step
        points=$((points + 1))
    done 4</run/bed/points
    check "there were such steps" test $points -gt 0
    check "dom0's watchdog is told that dom0 lives" kill $(cat /run/bed/domwatchdog.pid)
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
    check "a target is staged once more" stage_image "$(update_image 1)"
}

# wanted PHASE STEP: is it a step of the target's boot, and one of those that were asked for?
wanted() {
    [ $1 = adopt ] || return 1
    case ",${ARGS#points=}," in ,, | *",$2,"*) return 0 ;; esac
    return 1
}

comes_back() {
    [ $points = 0 ] || stage_image "$(update_image 1)" || return 1
    xen-liveupdate fault adopt $1 hang || return 1
    xen-liveupdate apply
    [ $? = 7 ] || return 1
    xen-liveupdate result >/run/bed/hang.result
    cat /run/bed/hang.result
    grep -x 'state: returned' /run/bed/hang.result && grep -x 'error: ETIMEDOUT.*' /run/bed/hang.result &&
        xen-liveupdate fault off | grep -x 'hit: 1'
}

after() {
    check_equal "the update that succeeds says so" "$(xen-liveupdate result | sed -n 's/^state: //p')" done
    check_equal "the guest has its CPUs" "$(guest g1 nproc)" 2
}
