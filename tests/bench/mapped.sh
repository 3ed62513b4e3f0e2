# SPDX-License-Identifier: GPL-2.0-only
# The same with a guest of 1 GiB, half of it page cache that 16 processes have mapped.
# bed: smp=1 icount=0 timeout=3600

# The pause is measured.
WATCH_MS=1

before() {
    local size=$(stat -c %s /bed/files/mapcache)

    start_xen
    # The program reaches the guest on a disk.
    cp /bed/files/mapcache /tmp/g1.disk
    make_guest g1 memory=1024 disk=4
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    guest g1 "mount -o remount,size=700m /tmp && head -c $size /dev/xvda >/tmp/mapcache && chmod +x /tmp/mapcache"
    guest_bg g1 "/tmp/mapcache 512 16 /tmp/cache /tmp/mapcache.status"
    check "512 MiB are mapped 16 times" wait_for 300 guest g1 "grep ready /tmp/mapcache.status"
    guest g1 "grep -E '^(Mapped|PageTables)' /proc/meminfo" | while read -r line; do say "$line"; done
    xen-liveupdate -j rehearse >/run/bed/rehearse.json
    save_file /run/bed/rehearse.json
    start_watch dom0 g1
    sleep 3
}

after() {
    sleep 1
    check_watch dom0 g1
}
