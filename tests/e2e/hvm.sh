# SPDX-License-Identifier: GPL-2.0-only
# An HVM guest that does not know of Xen lives on with the devices that its device model and Xen
# emulate, busy: disk (IDE), network (virtio), serial line, timers. Nothing of it is left when it goes.
# (Guests with PV drivers: guest.sh.)
# The second update finds the guest in the middle of an access that its device model has not answered.
# bed: smp=1 hvm=1 updates=2 budget=90 timeout=900
# bed-long: smp=1 hvm=1 iommu=amdvi,vtd updates=2 timeout=900
# bed-long: smp=1 hvm=1 iommu=none,amdvi,vtd updates=2 xen_to=build/xen/4.19/source-debug/xen/xen without=tools,shadow-paging,xenoprof timeout=900
# bed-long: smp=1 hvm=1 iommu=none,amdvi,vtd updates=2 xen_to=build/xen/4.20/source-debug/xen/xen without=tools,shadow-paging,xenoprof timeout=900

before() {
    start_xen
    make_guest h1 type=hvm memory=192 vif=1 disk=32 emulated=1
    DOMAINS=h1
    check "the guest ticks" wait_tick h1 300
    guest_path h1 image/device-model-pid >/run/bed/h1.dm
    check "its device model runs" test -d /proc/$(device_model)
    check_equal "the guest does not know of Xen" "$(guest h1 'cat /sys/hypervisor/type 2>/dev/null')" ""
    report "clock of the guest: $(guest h1 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource')"
    start_watch dom0 h1
    start_memsum h1
    guest_bg h1 "fsyncw write /dev/sda 1024 /tmp/fsyncw"
    ping -i 0.2 $(guest_ip h1) >/run/bed/ping.out 2>&1 &
    echo $! >/run/bed/ping.pid
    sleep 3
    clocks_differ >/run/bed/clocks.before
}

update() {
    local n=$(($(cat /run/bed/updates 2>/dev/null || echo 0) + 1)) rc
    echo $n >/run/bed/updates
    if [ $n = 2 ]; then
        kill -STOP $(device_model)
        sleep 2
    fi
    stage_image "$1" && xen-liveupdate apply && xen-liveupdate result
    rc=$?
    if [ $n = 2 ]; then
        check "the guest waited for its device model" request_under_way
        kill -CONT $(device_model)
    fi
    return $rc
}

request_under_way() { xen-liveupdate --json inspect --last | grep '"waits": 1'; }

# How far the guest's clock is from dom0's, in s.
clocks_differ() {
    local guest_time=$(guest h1 'date +%s')
    echo $(($(date +%s) - guest_time))
}

# within SECONDS A B
within() {
    local off=$(($2 - $3))
    [ ${off#-} -le $1 ]
}

after() {
    sleep 2
    local with
    check "the guest's clock has not lost the pause" within 2 "$(clocks_differ)" "$(cat /run/bed/clocks.before)"
    check_watch dom0 h1
    check "the guest's writes go on" guest h1 \
        'a=$(cat /tmp/fsyncw); sleep 3; [ "$a" != "$(cat /tmp/fsyncw)" ] || { echo stuck at $a; false; }'
    check "every fsync'ed block is on the disk" guest h1 \
        'killall fsyncw; sleep 2; fsyncw verify /dev/sda 1024 /tmp/fsyncw'
    # Only now: what the kernel does for an emulated disk leaves it no time.
    check_memsum h1
    kill $(cat /run/bed/ping.pid)
    check "the guest's network" ping -c 2 -W 5 $(guest_ip h1)
    check "xl pause stops the guest" stands_still
    with=$(free_pages)
    check "xl destroy" xl destroy h1
    check "its device model has gone" wait_for 20 no_device_model
    check "its memory comes back in full" wait_for 20 freed $with
    say "free pages: $with with the guest, $(free_pages) without"
    DOMAINS=
    check "a new guest with a device model" make_guest h2 type=hvm memory=192 vif=1 disk=32 emulated=1
    check "xl destroy of the new guest" xl destroy h2
}

stands_still() {
    xl pause h1
    sleep 1
    local n=$(ticks h1)
    sleep 3
    [ "$(ticks h1)" = "$n" ]
}

device_model() { cat /run/bed/h1.dm; }
no_device_model() { [ ! -d /proc/$(device_model) ]; }

# At least the guest's own pages: page tables and Xen's structures for it come on top.
freed() { [ $(($(free_pages) - $1)) -ge $((192 * 256)) ]; }
