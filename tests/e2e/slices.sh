# SPDX-License-Identifier: GPL-2.0-only
# What an update does while domains run gives the CPU back after a millisecond, or so: on a host with one CPU nobody is kept
# from it for longer than by the pause, whatever is asked of Xen. How long each slice was Xen itself says (debug builds), which
# is checked in each run of this kind; here a guest's process looks at the clock every millisecond.
# bed-long: smp=1 icount=0 mem=2048 timeout=900

# The gap is measured.
WATCH_MS=1
# ms. A scheduler lets one vCPU run for 10; and beyond the pause: until the guest's process is run again, and some slices.
MAX_GAP=16
BEYOND_PAUSE=8

before() {
    start_xen
    make_guest g1 vcpus=2 memory=384
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 120
    no_gap idle sleep 1
    no_gap check xen-liveupdate check
    no_gap stage stage_image /boot/xen-target
    no_gap rehearse xen-liveupdate rehearse
    take_back
    watch
    sleep 1
}

after() {
    sleep 1
    gaps update
}

# Between two slices, as long as the pause has not begun.
take_back() {
    local n
    xen-liveupdate rehearse >/tmp/rehearsal 2>&1 &
    for n in $(seq 100); do
        if xen-liveupdate abort >/tmp/abort 2>&1; then break; fi
    done
    wait $!
    say "$n: $(cat /tmp/abort): $(cat /tmp/rehearsal)"
    check "an update is taken back while Xen prepares it" grep "taken back before it began" /tmp/rehearsal
    xen-liveupdate result >/tmp/result
    check_equal "nothing was paused" "$(sed -n 's/^pause: //p' /tmp/result)" ""
}

# no_gap NAME COMMAND...: while dom0 executes it.
no_gap() {
    local name=$1
    shift
    watch
    usleep 300000
    check "$name" "$@" >/dev/null
    usleep 300000
    gaps $name
}

# The guest's watcher has a CPU of its own, so that it does not wait for other processes there.
watch() {
    start_watch dom0 g1
    guest g1 'taskset -p 2 $(cat /tmp/watch.pid)' >/dev/null
}

# What both have seen since watch().
gaps() {
    local pause=0 limit=$MAX_GAP gap
    case $1 in
    rehearse | update)
        pause=$(xen-liveupdate --json result | sed -n 's/.*"pause_ns": *\([0-9]*\).*/\1/p' | head -n 1)
        pause=$((pause / 1000000))
        limit=$((pause + BEYOND_PAUSE))
        ;;
    esac
    check_watch dom0 g1
    gap=$(value max_gap_us /run/bed/g1.watch)
    say "$1: $pause ms of pause, g1 $gap us, dom0 $(value max_gap_us /run/bed/dom0.watch) us"
    check "$1: the guest's longest gap ($gap us; pause: $pause ms) is at most $limit ms" test "$gap" -le $((limit * 1000))
}
