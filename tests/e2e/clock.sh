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
    check "the clocks are compared again" ask_clocks g1 /run/bed/clocks.$1
    say "$(cat /run/bed/clocks.$1)"
    check_clocks g1 /run/bed/clocks.$(($1 - 1)) /run/bed/clocks.$1
}

after() {
    check_equal "the clock sources are what they were" "$(clock_source)" "$(cat /run/bed/clock.source)"
    check_watch dom0 g1
    check "no kernel complains about time" no_complaints
}

no_complaints() { ! in_both dmesg | grep -E 'clocksource.*(unstable|skew)|soft lockup|rcu.*(stall|starved)|hung task'; }
in_both() { "$@"; guest g1 "$@"; }
