# SPDX-License-Identifier: GPL-2.0-only
# Many updates in a row: nothing leaks, and memory and FPU registers stay as they are all along.
# bed: smp=2 updates=10 alternate=0 budget=135 timeout=600
# bed-long: smp=1 guest=pvh updates=4 alternate=0 timeout=300
# bed-long: smp=1,2,4 updates=10 alternate=1 timeout=900
# bed-long: emulator=bochs cpu=corei7_haswell_4770,broadwell_ult,corei7_skylake_x smp=1 guest=pvh,pv updates=3 timeout=600
# bed-long: emulator=bochs cpu=ryzen smp=1 guest=pv updates=3 timeout=600

before() {
    start_xen
    # What the first guest leaves behind belongs to dom0.
    make_guest g0 vcpus=2 memory=192 paused=1
    xl destroy g0
    note_free_pages none
    make_guest g1 vcpus=2 memory=192
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    note_free_pages 0
    start_memsum dom0 g1
    sleep 3
}

after_each() { note_free_pages $1; }

after() {
    local took gave
    check_free_pages
    check_memsum dom0 g1
    note_free_pages last
    check "xl destroy" xl destroy g1
    check "nothing is left of the guest" wait_for 30 only_dom0
    note_free_pages gone
    took=$(($(cat /run/bed/free.none) - $(cat /run/bed/free.0)))
    gave=$(($(cat /run/bed/free.gone) - $(cat /run/bed/free.last)))
    report "pages: the guest took $took, and gave $gave back"
}
