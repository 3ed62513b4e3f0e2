# SPDX-License-Identifier: GPL-2.0-only
# Time goes on as if nothing had been: no clock goes back, a guest's clocks and dom0's stay together
# to the millisecond, and timers of 1, 10 and 100 ms count every period, in dom0 and in a guest with
# several CPUs.
# bed: smp=2 accel=tcg,thread=multi budget=55 timeout=400
# bed: smp=1 guest=pvh icount=3 mem=2048 budget=65 timeout=400
# bed-long: smp=1,4 updates=5 timeout=300
# bed-long: smp=1 guest=hvm hvm=1 timeout=400
# bed-long: smp=1 guest=pvh icount=3 mem=2048 timeout=600 returns=adopt:m2p,adopt:drivers,plan:power

# The pause is measured, but for the deterministic mode, where looking that often takes too long.
[ -n "$ICOUNT" ] || WATCH_MS=1

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128 vif=1
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 300
    [ -z "$ICOUNT" ] || start_exact
    start_clocks g1
    start_watch dom0 g1
    sleep 2
    check "the clocks are compared" ask_clocks g1 /run/bed/clocks.0
    say "$(cat /run/bed/clocks.0)"
    xen-liveupdate check
    xl dmesg | grep "liveupdate: the longest slice of" >/run/bed/slices
    clock_source >/run/bed/clock.source
}

CLOCK_SOURCE=/sys/devices/system/clocksource/clocksource0/current_clocksource

# In dom0 and in the guest.
clock_source() { in_both cat $CLOCK_SOURCE; }

# In the deterministic mode a tick of the TSC is a nanosecond, nothing comes between two readings of clocks, and Xen's time,
# which dom0 goes by from here on, goes on as the TSC does through an update: to 2 us, as Xen's own readings are apart.
start_exact() {
    echo xen >$CLOCK_SOURCE
    check_equal "dom0 goes by Xen's time" "$(cat $CLOCK_SOURCE)" xen
    tscpair >/run/bed/tsc.0
}

# check_exact N: after update N, when Xen has compared its time with the platform timer twice.
check_exact() {
    local before=/run/bed/tsc.$(($1 - 1)) now=/run/bed/tsc.$1 ahead
    sleep 3
    tscpair >$now
    say "$(cat $before) $(cat $now)"
    ahead=$(($(value raw_ns $now) - $(value raw_ns $before) - $(value tsc $now) + $(value tsc $before)))
    # Each target that came back has read the clocks as well.
    check "Xen's time goes on as the TSC does, through the update ($ahead ns)" \
        test ${ahead#-} -le $((2000 * (1 + $(echo "$RETURNS" | tr , ' ' | wc -w))))
}

after_each() {
    check "the clocks are compared again" compare $1
    say "$(cat /run/bed/clocks.$1)"
    check_clocks g1 /run/bed/clocks.$(($1 - 1)) /run/bed/clocks.$1
    [ -z "$ICOUNT" ] || check_exact $1
}

# compare N: after update N. What was wrong while the emulator was not run passes; what an update has lost stays lost.
compare() {
    local n
    for n in 1 2 3; do
        [ $n = 1 ] || sleep 5
        ask_clocks g1 /run/bed/clocks.$1 || return
        ! clocks_stay /run/bed/clocks.$(($1 - 1)) /run/bed/clocks.$1 || return 0
        say "$(cat /run/bed/clocks.$1): not where they were"
    done
}

after() {
    [ -z "$ICOUNT" ] ||
        check_equal "the clock sources are what they were" "$(clock_source)" "$(cat /run/bed/clock.source)"
    # They are not longer than they may be: the bed looks at what Xen says, in debug builds.
    [ -z "$ICOUNT" ] || ! xen-liveupdate fault list >/dev/null 2>&1 ||
        check "Xen tells for how long the preparations kept its CPU at a time" grep "longest slice" /run/bed/slices
    check_watch dom0 g1
    check "no kernel complains about time" no_complaints
}

# Each second Xen reads the platform timer and then the TSC, and goes faster or slower by what they say. With the host's clock
# that is also how long the emulator was not run between the two: in a run with a thread for each CPU more than half a
# millisecond, of which kernels complain, in 38 of 112 readings, most of them on the second CPU and before the update.
no_complaints() {
    local clocks='clocksource.*(unstable|skew|wd_nsec|cs_nsec)|'
    [ -n "$ICOUNT" ] || clocks=
    ! in_both dmesg | grep -E "${clocks}soft lockup|rcu.*(stall|starved)|hung task"
}
in_both() { "$@"; guest g1 "$@"; }
