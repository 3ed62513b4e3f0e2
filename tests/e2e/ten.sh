# SPDX-License-Identifier: GPL-2.0-only
# Many updates in a row: nothing leaks, and memory and FPU registers stay as they are all along.
# bed: smp=2 updates=10 alternate=0 timeout=600
# bed-long: smp=1 guest=pvh updates=4 alternate=0 timeout=300
# bed-long: smp=1,2,4 updates=10 alternate=1 timeout=900
# bed-long: emulator=bochs cpu=corei7_haswell_4770,broadwell_ult,corei7_skylake_x smp=1 guest=pvh,pv updates=3 timeout=600
# bed-long: emulator=bochs cpu=ryzen smp=1 guest=pv updates=3 timeout=600

before() {
    start_xen
    make_guest g1 vcpus=2 memory=192
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    start_memsum dom0 g1
    sleep 3
}

after_each() {
    free_pages >/run/bed/free.$1
    say "free pages after update $1: $(cat /run/bed/free.$1)"
}

after() {
    # The two builds may differ in what Xen itself takes: like is compared with like.
    local step=$((1 + ALTERNATE)) n=1
    while [ $((n + step)) -le "$UPDATES" ]; do
        check_equal "free pages after update $((n + step)) as after $n" \
            "$(cat /run/bed/free.$((n + step)))" "$(cat /run/bed/free.$n)"
        n=$((n + step))
    done
    check_memsum dom0 g1
    check "xl destroy" xl destroy g1
    check "nothing is left of the guest" wait_for 30 only_dom0
}
only_dom0() { [ "$(xl list | grep -vc '^Name')" = 1 ]; }
