# SPDX-License-Identifier: GPL-2.0-only
# A target that refuses, or fails, before it commits comes back, and the host goes on as it was: every point (step of
# its boot, resource that it plans) is made to fail once, then an update succeeds. Debug builds only. With a network
# card (NET) dom0 has a TCP connection to outside, which carries checked data both ways all the time; with an IOMMU
# through that, of which the run itself says that it was never off and saw no fault (bed.py).
# ARGS: points=PHASE:NAME,... only these.
# bed: smp=2 iommu=amdvi net=e1000e budget=50 timeout=300 args=points=adopt:adopted,adopt:unit,adopt:start,adopt:drivers,plan:power
# bed-long: smp=1,2 guest=pv,pvh timeout=600
# bed-long: emulator=bochs cpu=corei7_haswell_4770,ryzen smp=1,2 timeout=900 args=points=adopt:handover,adopt:start,adopt:ap,adopt:drivers,plan:frames,plan:power
# bed-long: smp=1,2 iommu=amdvi,vtd net=e1000e timeout=900
# bed-long: smp=2 iommu=amdvi-x2apic net=e1000e timeout=900 qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="qemu64,+svm,+npt,+rdrand,+x2apic" qemu_args="-L /usr/share/qemu -L /usr/share/seabios" args=points=adopt:unit,adopt:cpus,adopt:start,adopt:ap,adopt:drivers,plan:power
# bed-long: smp=1 iommu=vtd-x2apic net=e1000e timeout=900 qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="qemu64,+svm,+npt,+rdrand,+x2apic" qemu_args="-L /usr/share/qemu -L /usr/share/seabios" args=points=adopt:unit,adopt:cpus,adopt:drivers,plan:power

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    [ -z "$NET" ] || connect
    case $IOMMU in
    *-x2apic) check "Xen uses x2APIC" sh -c "xl dmesg | grep -q 'APIC driver x2apic'" ;;
    esac
    # Before anything is staged, as nothing is after a return.
    free_pages >/run/bed/free.first
    check "a target is staged" stage_image "$(update_image 1)"
    list_points || return
    note_life
    come_back_everywhere
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
    check "a target is staged once more" stage_image "$(update_image 1)"
}

connect() {
    check "dom0's network card works" start_net
    tcpsum listen 7000 /tmp/tcpsum &
    echo $! >/run/bed/tcpsum.pid
    # QEMU accepts for dom0: a connection that comes before dom0 listens is reset later.
    check "dom0 listens" wait_for 20 test -s /tmp/tcpsum
    host_start
    check "the connection is up" wait_for 30 received_more 65536
}

received_more() { [ "$(value received /tmp/tcpsum)" -gt "$1" ]; }

data_goes_on() { [ -z "$NET" ] || wait_for 30 received_more $(($(value received /tmp/tcpsum) + 65536)); }

come_back_everywhere() {
    local phase resource points=0
    attempts=0
    while read -r phase resource <&4; do
        wanted $phase $resource || continue
        check "comes back from phase $phase, $resource" comes_back $phase $resource
        points=$((points + 1))
    done 4</run/bed/points
    check "the guest ticks after $points targets that came back" wait_tick g1 30
    check "there were such points" test $points -gt 0
    check_equal "they cost no page" "$(free_pages)" "$(cat /run/bed/free.first)"
}

# wanted PHASE NAME: is it a point after the jump, and one of those that were asked for?
wanted() {
    case $1 in adopt | plan) ;; *) return 1 ;; esac
    case ",${ARGS#points=}," in ,, | *",$1:$2,"*) return 0 ;; esac
    return 1
}

comes_back() {
    local rc message
    attempts=$((attempts + 1))
    bad=0

    [ $attempts = 1 ] || stage_image "$(update_image 1)" || return 1
    xen-liveupdate fault $1 $2 || return 1
    xen-liveupdate apply 2>/run/bed/apply.err
    rc=$?
    xen-liveupdate result >/run/bed/fault.result
    xen-liveupdate fault off >/run/bed/fault.hit

    expect "exit code" $rc 7
    read -r message </run/bed/apply.err
    case $message in
    *"the target refused in phase $1, "*": injected fault"*", and came back;"*) ;;
    *) expect "message" "$message" "one that names the phase" ;;
    esac
    expect_field hit 1 /run/bed/fault.hit
    expect_field state returned /run/bed/fault.result
    expect_field "failed phase" $1 /run/bed/fault.result
    expect_field generation 0 /run/bed/fault.result
    expect_field attempts $attempts /run/bed/fault.result
    data_goes_on || expect "dom0's connection" "still" "alive"
    return $bad
}

after() {
    check_equal "the update that succeeds says so" "$(xen-liveupdate result | sed -n 's/^state: //p')" done
    check_equal "the guest has its CPUs" "$(guest g1 nproc)" 2
    [ -n "$NET" ] || return 0
    check "data goes on arriving" data_goes_on
    host_stop
    kill $(cat /run/bed/tcpsum.pid) 2>/dev/null
    sleep 1
    say "$(cat /tmp/tcpsum)"
    check_equal "no byte differs" "$(value mismatches /tmp/tcpsum)" 0
    check_equal "the connection was not reset" "$(value error /tmp/tcpsum)" 0
}
