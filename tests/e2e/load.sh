# SPDX-License-Identifier: GPL-2.0-only
# A guest's network and disk under load: TCP between guest and dom0 and between guest and outside,
# a file system with fsync'ed files, all in flight when the update comes. The front ends use several
# queues, persistent grants and indirect requests. What was written is verified from dom0 in the end.
# bed: smp=2 iommu=amdvi net=e1000e budget=65 timeout=400
# bed-long: smp=1 guest=pvh iommu=vtd net=e1000e timeout=1000
# bed-long: smp=2 net=e1000e timeout=400
# bed-long: smp=1 guest=hvm hvm=1 iommu=amdvi net=e1000e timeout=1000
# bed-long: smp=1 net=e1000e iommu=none,amdvi,vtd timeout=600
# bed-long: smp=4 net=virtio-net timeout=400
# bed-long: smp=2 iommu=amdvi net=e1000e timeout=600 returns=adopt:unit,adopt:drivers,plan:power

before() {
    start_xen
    check "dom0's network card works on the bridge" start_bridged_net
    # As many queues as the guest has vCPUs, whatever dom0 has.
    modprobe xen-netback max_queues=2
    modprobe xen-blkback max_queues=2
    truncate -s 96M /tmp/g1.disk
    check "a file system for the guest" /usr/sbin/mke2fs -q -t ext4 -F /tmp/g1.disk
    make_guest g1 vcpus=2 memory=256 vif=1 disk=96
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 300
    check_features
    check "the file system is mounted" guest g1 'mkdir -p /mnt; mount -t ext4 /dev/xvda /mnt && mkdir /mnt/files'

    # One connection for each way of getting there: opened by the guest, by dom0, from outside.
    tcpsum listen 7001 /tmp/from-guest &
    guest_bg g1 "tcpsum listen 7000 /tmp/from-outside"
    guest_bg g1 "tcpsum listen 7002 /tmp/from-dom0"
    check "the ends listen" wait_for 20 guest g1 '[ -s /tmp/from-outside ] && [ -s /tmp/from-dom0 ]'
    guest_bg g1 "tcpsum connect 10.0.2.15 7001 /tmp/to-dom0"
    tcpsum connect $(guest_ip g1) 7002 /tmp/to-guest &
    host_start
    note_ends
    check "all connections carry data" wait_for 180 all_received 65536

    guest_bg g1 "fsyncw write /mnt/blocks 2048 /tmp/blocks"
    guest_bg g1 "fsfiles write /mnt/files 16 /tmp/files"
    check "files are written" wait_for 180 guest g1 '[ -s /tmp/files ] && ! grep -q written=0 /tmp/files'
    start_watch dom0 g1
    sleep 2
}

# --- The connections -----------------------------------------------------------------------------

# Status files of the ends in dom0 and in the guest, as "name key=value ..." lines.
all_ends() {
    local f
    for f in from-guest to-guest; do echo "$f $(cat /tmp/$f)"; done
    guest g1 'for f in from-outside from-dom0 to-dom0; do echo $f $(cat /tmp/$f); done'
}

# all_received BYTES: every end has received that much since note_ends.
ends_received() { all_ends | sed 's/ .* received=/ /; s/ mismatches.*//'; }
note_ends() { ends_received >/run/bed/ends.noted; }
all_received() {
    ends_received >/run/bed/ends.now
    [ "$(awk -v n="$1" 'NR == FNR { noted[$1] = $2; next } $2 >= noted[$1] + n' \
        /run/bed/ends.noted /run/bed/ends.now | wc -l)" = 5 ]
}

all_closed() { [ "$(all_ends | grep -c 'closed=1')" = 5 ]; }

# --- What the drivers have agreed on -------------------------------------------------------------

# The disk's number: xvda, or hda of which an HVM guest makes xvda.
disk() { [ $GUEST = hvm ] && echo 768 || echo 51712; }

check_features() {
    local id=$(cat /run/bed/g1.id)
    local front=/local/domain/$id/device/vbd/$(disk) back=/local/domain/0/backend/vbd/$id/$(disk)
    check_equal "the disk has a queue for each vCPU" "$(xenstore-read $front/multi-queue-num-queues)" 2
    check_equal "the network has a queue for each vCPU" "$(guest_path g1 device/vif/0/multi-queue-num-queues)" 2
    check_equal "the back end keeps grants mapped" "$(xenstore-read $back/feature-persistent)" 1
    check_equal "the front end keeps them granted" "$(xenstore-read $front/feature-persistent)" 1
    check "the back end takes indirect requests" test "$(xenstore-read $back/feature-max-indirect-segments)" -gt 11
}

# A request with more than 11 pages is an indirect one: larger ones on average are a proof.
indirect_requests() {
    local stat=/sys/bus/xen-backend/devices/vbd-$(cat /run/bed/g1.id)-$(disk)/statistics
    local r=$(cat $stat/rd_req) s=$(cat $stat/rd_sect)
    guest g1 'dd if=/dev/xvda of=/dev/null bs=128k count=64 iflag=direct'
    r=$(($(cat $stat/rd_req) - r)) s=$(($(cat $stat/rd_sect) - s))
    echo "$s sectors in $r requests"
    [ $r -gt 0 ] && [ $((s / r)) -gt 88 ]
}

# -------------------------------------------------------------------------------------------------

after() {
    note_ends
    check "data goes on arriving at all ends" wait_for 180 all_received 65536
    check "the guest's writes go on" guest g1 \
        'a="$(cat /tmp/blocks /tmp/files)"; sleep 4; [ "$a" != "$(cat /tmp/blocks /tmp/files)" ]'
    # With less to do from here on, the emulated CPU gets to it sooner.
    guest g1 'killall fsyncw fsfiles tcpsum'
    check_connections
    check "large reads are indirect requests" indirect_requests
    check_watch dom0 g1
    check_files
}

check_connections() {
    local name rest
    killall tcpsum
    host_stop
    # An end that left with something unread would reset its connection.
    check "all ends have read to the end" wait_for 120 all_closed
    all_ends >/run/bed/ends
    save_file /run/bed/ends
    while read -r name rest; do
        say "$name: $rest"
        echo "$rest" >/run/bed/end
        check_equal "$name: no byte differs" "$(value mismatches /run/bed/end)" 0
        check_equal "$name: no reset" "$(value error /run/bed/end)" 0
    done </run/bed/ends
}

# The guest has shut down when dom0 looks at what is on its disk.
check_files() {
    local loop
    guest g1 'cat /tmp/blocks' >/run/bed/blocks
    guest g1 'cat /tmp/files' >/run/bed/files
    check "the writers met no error" grep -h -c errors=0 /run/bed/blocks /run/bed/files
    check "the guest shuts down" sh -c 'xl shutdown -w g1 >/dev/null'
    DOMAINS=
    check "its file system is clean" /usr/sbin/e2fsck -f -n /tmp/g1.disk
    modprobe crc32c_generic # ext4 cannot ask for it: the kernel looks for modprobe elsewhere
    modprobe ext4
    mkdir -p /tmp/mnt
    loop=$(losetup -f)
    check "dom0 mounts it" sh -c "losetup -r $loop /tmp/g1.disk && mount -t ext4 -o ro $loop /tmp/mnt"
    check "every fsync'ed block is there" fsyncw verify /tmp/mnt/blocks 2048 /run/bed/blocks
    check "every fsync'ed file is there" fsfiles verify /tmp/mnt/files 16 /run/bed/files
    umount /tmp/mnt
}
