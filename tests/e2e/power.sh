# SPDX-License-Identifier: GPL-2.0-only
# The power is cut at any moment of an update, as far as the disk is concerned: the host (power.host) looks at what
# is on dom0's disk before, in and after the pause. And what is said of such an update after the reboot.
# bed: smp=1 disk=16 budget=30 timeout=240

DIR=/var/lib/xen/liveupdate
JOURNAL=$DIR/journal.db

before() {
    modprobe crc32c_generic # ext4 cannot ask for it: the kernel looks for modprobe elsewhere
    for m in ext4 virtio_pci virtio_blk; do modprobe $m; done
    start_xen
    check "dom0 has a disk" wait_for 10 test -b /dev/vda
    check "a file system for the journal" /usr/sbin/mke2fs -q -t ext4 /dev/vda
    check "it is mounted" sh -c "mkdir -p $DIR && mount -t ext4 /dev/vda $DIR"
    make_guest g1 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
}

# SQLite counts its commits in the file; one is over when its rollback journal is empty.
commits() { od -An -tx1 -j24 -N4 $JOURNAL; }
committed() { [ "$(commits)" != "$old" ] && [ ! -s $JOURNAL-journal ]; }

# The journal is copied in the moment in which it says that an update begins.
update() {
    stage_image "$1" || return 1
    sync
    old=$(commits)
    host_start
    sleep 1
    xen-liveupdate apply &
    while ! committed && [ -d /proc/$! ]; do usleep 1000; done
    mkdir -p /run/bed/cut && cp $JOURNAL /run/bed/cut
    wait $! || return 1
    sync
    sleep 1
    host_stop
}

# history_of DIRECTORY BOOT_ID: as told after a boot with that id.
history_of() {
    echo "$2" >/run/bed/boot_id
    mount -o bind /run/bed/boot_id /proc/sys/kernel/random/boot_id || return 1
    XEN_LIVEUPDATE_DIR=$1 xen-liveupdate history 1
    XEN_LIVEUPDATE_DIR=$1 xen-liveupdate result
    umount /proc/sys/kernel/random/boot_id
}

after() {
    check "the journal says done" sh -c 'xen-liveupdate history | grep "update *done"'
    history_of /run/bed/cut 00000000-0000-4000-8000-000000000000 >/run/bed/told
    report "after the reboot: $(grep '^message' /run/bed/told)"
    check "cut off in the update, after the reboot: outcome" grep '^outcome: not known' /run/bed/told
    check "cut off in the update, after the reboot: message" \
        grep '^message: began, not known to have ended; the host rebooted since' /run/bed/told
    check "cut off in the update, after the reboot: result" grep '^last update: .*not known' /run/bed/told
    save_file $JOURNAL
}
