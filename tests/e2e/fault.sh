# SPDX-License-Identifier: GPL-2.0-only
# An update that fails leaves the host as it was, wherever it fails before the jump: every point
# (phase and resource) is made to fail once, then an update succeeds. Debug builds only.
# bed: smp=2 budget=60 timeout=240 files=docs/carried.md

# Resources of the host, as the table says that is made from the source; every other one is a domain's.
HOST_RESOURCES=" $(sed -n '/^## Carried/,/^## Refused/s/^| \([a-z_]*\) | the host |.*/\1/p' /bed/files/carried.md | tr '\n' ' ')"

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    check "a target is staged" stage_image "$(update_image 1)"
    list_points || return
    for p in check quiesce save verify; do check "there are points in phase $p" grep -q "^$p " /run/bed/points; done
    note_life
    fail_everywhere
    lose_stream
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
    check_equal "the target is still staged" "$(xen-liveupdate status | field staged)" yes
}

# Every program that is started takes its time in the emulator: a point is judged by the shell alone.
fail_everywhere() {
    local phase resource last=check points=0
    attempts=0
    while read -r phase resource <&4; do
        # Those after the jump: returned.sh.
        case $phase in adopt | plan) continue ;; esac
        [ $phase = $last ] || check "the guest ticks after faults in $last" wait_tick g1 30
        last=$phase
        check "fails in phase $phase, resource $resource" fails_at $phase $resource
        points=$((points + 1))
        # The first attempt may have left something for the next ones to use.
        [ $points -gt 1 ] || free_pages >/run/bed/free.first
    done 4</run/bed/points
    check "the guest ticks after faults in $last" wait_tick g1 30
    check_equal "$points failed attempts cost no page" "$(free_pages)" "$(cat /run/bed/free.first)"
}

# The next attempt takes the memory of what a rehearsal wrote, wherever it ends.
lose_stream() {
    check "a rehearsal" xen-liveupdate rehearse
    check "what it wrote can be read" xen-liveupdate read-stream /run/bed/rehearsed
    xen-liveupdate fault check host
    check "an attempt fails before it has a stream of its own" sh -c '! xen-liveupdate apply'
    xen-liveupdate fault off
    check "what the rehearsal wrote is no more" sh -c '! xen-liveupdate read-stream /run/bed/rehearsed'
}

fails_at() {
    local domain=0 rc message
    case $HOST_RESOURCES in *" $2 "*) domain=- ;; esac
    attempts=$((attempts + 1))
    bad=0

    xen-liveupdate fault $1 $2 || return 1
    xen-liveupdate apply 2>/run/bed/apply.err
    rc=$?
    xen-liveupdate result >/run/bed/fault.result
    xen-liveupdate fault off >/run/bed/fault.hit

    expect "exit code" $rc 4
    read -r message </run/bed/apply.err
    case $message in
    *"failed in phase $1, resource $2, "*": injected fault "*) ;;
    *) expect "message" "$message" "one that names phase and resource" ;;
    esac
    expect_field hit 1 /run/bed/fault.hit
    expect_field state failed /run/bed/fault.result
    expect_field "failed phase" $1 /run/bed/fault.result
    expect_field "failed resource" $2 /run/bed/fault.result
    expect_field "failed domain" $domain /run/bed/fault.result
    expect_field error "EIO (Input/output error)" /run/bed/fault.result
    expect_field reason "injected fault" /run/bed/fault.result
    expect_field generation 0 /run/bed/fault.result
    expect_field attempts $attempts /run/bed/fault.result
    return $bad
}

# field NAME: of the text "name: value" on the standard input.
field() { sed -n "s/^$1: //p"; }

after() {
    check "the update that succeeds says so" test "$(xen-liveupdate result | field state)" = done
    check_equal "the guest has its CPUs" "$(guest g1 nproc)" 2
}
