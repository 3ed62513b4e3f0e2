# SPDX-License-Identifier: GPL-2.0-only
# Three PV guests with one, two and four vCPUs live on together.
# bed-long: smp=1,2,4

before() {
    start_xen
    make_guest g1 vcpus=1 memory=128
    make_guest g2 vcpus=2 memory=192 vif=1
    make_guest g3 vcpus=4 memory=160 disk=32
    DOMAINS="g1 g2 g3"
    for g in $DOMAINS; do check "$g ticks" wait_tick $g 120; done
    start_watch dom0 $DOMAINS
    start_memsum g2
    sleep 3
}

after() {
    check_equal "g1 has its CPU" "$(guest g1 nproc)" 1
    check_equal "g2 has its CPUs" "$(guest g2 nproc)" 2
    check_equal "g3 has its CPUs" "$(guest g3 nproc)" 4
    check "all CPUs of g3 run processes" guest g3 'for c in 0 1 2 3; do taskset -c $c true || exit 1; done'
    check_watch dom0 $DOMAINS
    check_memsum g2
    check "g2's network" ping -c 2 -W 5 $(guest_ip g2)
    check "g3's disk" guest g3 'fsyncw write /dev/xvda 64 /tmp/w >/dev/null & sleep 2; kill $!; wait $!; fsyncw verify /dev/xvda 64 /tmp/w'
}
