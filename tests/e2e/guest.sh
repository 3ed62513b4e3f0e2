# SPDX-License-Identifier: GPL-2.0-only
# dom0 and one guest with network and disk live on, with processes busy in the guest.
# bed: smp=4 budget=70 timeout=400
# bed: smp=1 guest=pvh budget=80 timeout=600
# bed-long: smp=1,2 timeout=200
# bed-long: smp=1 guest=hvm hvm=1 timeout=500
# bed-long: smp=1 guest=pvh iommu=amdvi,vtd timeout=500
# bed-long: smp=2 update=kexec-tools timeout=200
# bed-long: smp=1 guest=pv,pvh iommu=none,amdvi,vtd updates=2 xen_to=build/xen/4.19/source-debug/xen/xen without=tools,shadow-paging,xenoprof timeout=600
# bed-long: smp=1 guest=pv,pvh iommu=none,amdvi,vtd updates=2 xen_to=build/xen/4.20/source-debug/xen/xen without=tools,shadow-paging,xenoprof timeout=600

before() {
    start_xen
    make_guest g1 vcpus=2 memory=192 vif=1 disk=32
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 300
    check_equal "the source tells a guest its changeset" "$(guest_changeset)" "$(cat /sys/hypervisor/properties/changeset)"
    start_watch dom0 g1
    start_memsum g1
    guest_bg g1 "fsyncw write /dev/xvda 1024 /tmp/fsyncw"
    sleep 3
}

# The target's fix: guests are not told the hypervisor's changeset.
guest_changeset() {
    guest g1 'cat /sys/hypervisor/properties/changeset'
}

after() {
    sleep 2
    case "$(cat /sys/hypervisor/version/extra)" in
    *-lu-target) check_equal "the target's fix is in force for the guest" "$(guest_changeset)" "<denied>" ;;
    esac
    check_equal "the guest has its CPUs" "$(guest g1 nproc)" 2
    check "both CPUs of the guest run processes" guest g1 'taskset -c 0 true && taskset -c 1 true'
    check_watch dom0 g1
    check_memsum g1
    check "the guest's writes go on" guest g1 \
        'a=$(cat /tmp/fsyncw); sleep 3; [ "$a" != "$(cat /tmp/fsyncw)" ] || { echo stuck at $a; false; }'
    check "every fsync'ed block is on the disk" guest g1 \
        'killall fsyncw; sleep 2; fsyncw verify /dev/xvda 1024 /tmp/fsyncw'
    check "the guest's network" ping -c 2 -W 5 $(guest_ip g1)
}
