# SPDX-License-Identifier: GPL-2.0-only
# The demonstration: a busy guest with two vCPUs, network and disk, and Xen replaced under it.
# bed: smp=2 budget=75

before() {
    start_xen
    make_guest g1 vcpus=2 memory=256 vif=1 disk=64
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    guest_bg g1 "tcpsum listen 7000 /tmp/tcpsum"
    tcpsum connect $(guest_ip g1) 7000 /tmp/tcpsum >/dev/null 2>&1 &
    echo $! >/run/bed/tcpsum.pid
    guest_bg g1 "taskset -c 0 fsyncw write /dev/xvda 1024 /tmp/fsyncw"
    start_memsum dom0 g1
    start_watch dom0 g1
    sleep 5
    report "Xen (xl info) before: $(xl info | sed -n 's/^xen_version *: //p') changeset $(xl info | sed -n 's/^xen_changeset *: //p')"
}

after() {
    sleep 3
    report "Xen (xl info) after:  $(xl info | sed -n 's/^xen_version *: //p') changeset $(xl info | sed -n 's/^xen_changeset *: //p')"
    check_watch dom0 g1
    check_memsum dom0 g1
    kill $(cat /run/bed/tcpsum.pid)
    sleep 2
    report "TCP stream between dom0 and guest: $(cat /tmp/tcpsum)"
    check_equal "TCP: no byte differs" "$(value mismatches /tmp/tcpsum)" 0
    check_equal "TCP: not reset" "$(value error /tmp/tcpsum)" 0
    check "TCP: bytes arrived" test "$(value received /tmp/tcpsum)" -gt 0
    check "every fsync'ed block is on the disk" guest g1 \
        'killall fsyncw; sleep 2; fsyncw verify /dev/xvda 1024 /tmp/fsyncw'
    if [ "$UPDATE" = lu ]; then
        xen-liveupdate result 2>&1 | while read -r line; do report "$line"; done
    fi
}
