# SPDX-License-Identifier: GPL-2.0-only
# The bed itself: Xen, dom0 and a PV guest with network and disk come up and can be talked to.
# bed-long: update=none smp=2 timeout=150

before() {
    check "dom0 is the control domain" grep -q control_d /proc/xen/capabilities
    check_equal "dom0 has all CPUs" "$(nproc)" "$DOM0_VCPUS"
    start_xen
    make_guest g1 vcpus=2 vif=1 disk=32
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
}

after() {
    check_equal "the guest has 2 CPUs" "$(guest g1 nproc)" 2
    check "exit status of a command in the guest" guest g1 true
    check "the guest's network" ping -c 2 -W 5 $(guest_ip g1)
    check "the guest's disk" guest g1 'fsyncw write /dev/xvda 64 /tmp/w >/dev/null & sleep 2; kill $!; wait $!; fsyncw verify /dev/xvda 64 /tmp/w'
    check "free pages can be counted" test "$(free_pages)" -gt 0
}
