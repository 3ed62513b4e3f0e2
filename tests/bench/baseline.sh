# SPDX-License-Identifier: GPL-2.0-only
# What a live update stands in for, without one: how long a host takes from power-on until the guest
# ticks, and how long xl save and xl restore take for that guest.
# bed: update=none smp=1 icount=0 timeout=1800 xen_args="liveupdate=64M console_timestamps=raw"

# The TSC counts the virtual time from power-on; Xen stamps its messages with it.
now_tsc() {
    xl debug-keys h
    sleep 0.1
    xl dmesg | sed -n 's/.*\[\([0-9a-f]\{16\}\)\].*/\1/p' | tail -n 1
}

now() { cut -d" " -f1 /proc/uptime; }

before() {
    start_xen
    make_guest g1
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    echo "power_on_tsc=$(now_tsc) mhz=$(xl dmesg | sed -n 's/.*Detected \([0-9.]*\) MHz.*/\1/p')" >/run/bed/baseline
}

after() {
    local start saved restored ticked
    mount -o remount,size=90% /tmp
    start=$(now)
    check "the guest is saved" xl save g1 /tmp/g1.save
    saved=$(now)
    check "the guest is restored" xl restore /tmp/g1.save
    restored=$(now)
    xl domid g1 >/run/bed/g1.id
    check "the guest ticks after that" wait_tick g1
    ticked=$(now)
    echo "start=$start saved=$saved restored=$restored ticked=$ticked" >>/run/bed/baseline
    save_file /run/bed/baseline
}
