# SPDX-License-Identifier: GPL-2.0-only
# Time goes on as if nothing had been: no clock goes back, a guest's clocks and dom0's stay together
# to the millisecond, and timers of 1, 10 and 100 ms count every period, in dom0 and in a guest with
# several CPUs.
# bed: smp=2 accel=tcg,thread=multi budget=55 timeout=400
# bed: smp=1 guest=pvh budget=65 timeout=400
# bed-long: smp=1,4 updates=5 timeout=300
# bed-long: smp=1 guest=hvm hvm=1 timeout=400

# The pause is measured.
WATCH_MS=1

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128 vif=1
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 300
    start_clocks g1
    start_watch dom0 g1
    sleep 2
    check "the clocks are compared" ask_clocks g1 /run/bed/clocks.0
    say "$(cat /run/bed/clocks.0)"
    clock_source >/run/bed/clock.source
}

# In dom0 and in the guest.
clock_source() {
    cat /sys/devices/system/clocksource/clocksource0/current_clocksource
    guest g1 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource'
}

after_each() {
    check "the clocks are compared again" compare $1
    say "$(cat /run/bed/clocks.$1)"
    check_clocks g1 /run/bed/clocks.$(($1 - 1)) /run/bed/clocks.$1
}

# compare N: after update N. What was wrong while the emulator was not run passes; what an update has lost stays lost.
compare() {
    local n
    for n in 1 2 3; do
        ask_clocks g1 /run/bed/clocks.$1 || return
        ! clocks_stay /run/bed/clocks.$(($1 - 1)) /run/bed/clocks.$1 || return 0
        say "$(cat /run/bed/clocks.$1): once more"
        sleep 5
    done
}

after() {
    check "the clock sources are what they were" same_clock_source
    check_watch dom0 g1
    check "no kernel complains about time" no_complaints
}

# skew: by how many ns the TSC went more than Xen's time, each time that dom0's kernel found it too much in half a second. Xen
# compares the two once a second, and the emulator may lose its real CPU between the two readings. Seen: -0.51 and -0.55 ms.
skew() {
    dmesg | sed -n "s/.*' wd_nsec: \([0-9]*\) .*/wd \1/p; s/.*' cs_nsec: \([0-9]*\) .*/cs \1/p" |
        awk '$1 == "wd" { wd = $2 } $1 == "cs" { print $2 - wd }'
}
small_skew() { skew | awk '$1 > 2000000 || $1 < -2000000 { big = 1 } END { exit big || !NR }'; }

# dom0's kernel changes to Xen's time when it trusts the TSC no more.
same_clock_source() {
    clock_source >/run/bed/clock.source.now
    diff /run/bed/clock.source /run/bed/clock.source.now && return
    report "dom0 has another clock source: the TSC was $(skew | tr '\n' ' ')ns ahead of Xen's time"
    small_skew
}

no_complaints() {
    local clocks='clocksource.*(unstable|skew|wd_nsec|cs_nsec)|'
    ! small_skew || clocks=
    ! in_both dmesg | grep -E "${clocks}soft lockup|rcu.*(stall|starved)|hung task"
}
in_both() { "$@"; guest g1 "$@"; }
