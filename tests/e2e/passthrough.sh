# SPDX-License-Identifier: GPL-2.0-only
# A guest drives a network card of its own behind an IOMMU: numbered datagrams from outside, never more than it holds,
# reach it across the update, through its own I/O page tables and by its own messages. Afterwards the guest
# can be destroyed, which gives the card back, and dom0 can use it. Another card waits for a guest, in quarantine.
# An HVM guest gets the card's interrupts (ARGS) as messages to its local APIC, by a line of its I/O APIC, or
# as event channels. (Lines with VT-d only: QEMU's AMD-Vi turns levels into edges, and what Xen does about it at
# each EOI loses a line's rise now and then, without any update.)
# bed: smp=1 iommu=vtd net=virtio-net budget=45 timeout=300 qemu_args="-device e1000e,romfile="
# bed: smp=1 guest=hvm hvm=1 iommu=amdvi net=virtio-net updates=2 budget=95 timeout=900 qemu_args="-device e1000e,romfile="
# bed-long: smp=1 guest=hvm hvm=1 iommu=vtd net=virtio-net updates=2 timeout=900 qemu_args="-device e1000e,romfile="
# bed-long: smp=1 guest=hvm hvm=1 iommu=vtd net=virtio-net updates=2 timeout=900 qemu_args="-device e1000e,romfile=" args=interrupts=lines
# bed-long: smp=1 guest=hvm hvm=1 iommu=amdvi net=virtio-net updates=2 timeout=900 qemu_args="-device e1000e,romfile=" args=interrupts=events
# bed-long: smp=1 iommu=amdvi,vtd net=virtio-net updates=3 timeout=400 qemu_args="-device e1000e,romfile="
# bed-long: smp=1 iommu=vtd net=virtio-net timeout=400 returns=adopt:unit,adopt:drivers,plan:power qemu_args="-device e1000e,romfile="
# bed-long: smp=1 guest=hvm hvm=1 iommu=amdvi net=virtio-net timeout=900 returns=adopt:unit,adopt:drivers,plan:power qemu_args="-device e1000e,romfile="

INTERRUPTS=messages

for word in $ARGS; do
    case $word in
    interrupts=*) INTERRUPTS=${word#*=} ;;
    *) not_ok "unknown word in ARGS: $word" ;;
    esac
done

before() {
    start_xen
    modprobe xen-pciback
    CARD=$(slot_of 1AF4) WAITING=$(slot_of 8086 10D3)
    check "the card can be assigned" xl pci-assignable-add $CARD
    check "another card waits" xl pci-assignable-add $WAITING
    make_guest_of_kind g1 extra="pci=['$CARD,permissive=1']"
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 300
    # As much as dom0 has: a guest that waits for the CPU loses datagrams without any update.
    xl sched-credit2 -d g1 -w 4096
    guest g1 'modprobe xen-pcifront 2>/dev/null; modprobe virtio_pci; modprobe virtio_net'
    check "the guest has the card" has_card g1
    check "it reaches the outside" reaches_outside g1
    check "the card interrupts by $INTERRUPTS" guest g1 "grep -q '$(kind_of_interrupt)' /proc/interrupts"
    guest_bg g1 "udpcount receive 7000 /tmp/udpcount"
    check "the guest listens" wait_for 60 guest g1 test -s /tmp/udpcount
    host_start
    check "datagrams arrive" wait_for 60 received_more 400
    start_watch dom0
}

make_guest_of_kind() {
    if [ $GUEST != hvm ]; then
        make_guest "$@"
    elif [ $INTERRUPTS = events ]; then
        make_guest "$@" memory=192
    elif [ $INTERRUPTS = lines ]; then
        make_guest "$@" memory=192 emulated=1 args=pci=nomsi
    else
        make_guest "$@" memory=192 emulated=1
    fi
}

# As /proc/interrupts has it.
kind_of_interrupt() {
    case $GUEST-$INTERRUPTS in
    hvm-messages) echo 'PCI-MSI.*virtio' ;;
    hvm-lines) echo 'IO-APIC.*virtio' ;;
    *) echo 'xen-pirq.*-msi-x' ;;
    esac
}

# slot_of VENDOR [DEVICE]: of the first such device in dom0.
slot_of() { basename $(dirname $(grep -l "^PCI_ID=$1:$2" /sys/bus/pci/devices/*/uevent | head -n 1)); }

received_more() {
    guest g1 cat /tmp/udpcount >/run/bed/count
    [ "$(value received /run/bed/count)" -gt "$1" ]
}

after() {
    check "datagrams go on arriving" wait_for 60 received_more $(($(value received /run/bed/count) + 800))
    check_watch dom0
    host_stop
    sleep 1
    # A card that still sends when its guest goes, sends into nothing.
    guest g1 'cat /tmp/udpcount; killall udpcount' >/run/bed/count
    report "$(cat /run/bed/count)"
    check_equal "no datagram differs" "$(value mismatches /run/bed/count)" 0
    check_equal "no datagram is lost" "$(value lost /run/bed/count)" 0
    [ $GUEST != hvm ] || check "the guest's driver can start anew" restart_driver
    check "Xen reports no fault" no_fault
    xl destroy g1
    DOMAINS=
    check "the card comes back" xl pci-assignable-remove -r $CARD
    check "dom0 can use it" start_net
    check "the card that waited comes back, too" xl pci-assignable-remove $WAITING
    check "its driver in dom0 finds it" sh -c "modprobe e1000e; echo $WAITING >/sys/bus/pci/drivers/e1000e/bind; ls /sys/bus/pci/devices/$WAITING/net"
}

# What was bound and mapped before the update is given back, and asked for once more.
restart_driver() {
    guest g1 'd=$(basename $(readlink -f /sys/class/net/eth0/device/..)); cd /sys/bus/pci/drivers/virtio-pci; echo $d >unbind; sleep 1; echo $d >bind' &&
        has_card g1 && reaches_outside g1
}

no_fault() { ! xl dmesg | grep -iE 'page_fault|dmar.*fault|fault addr|illegal_(dev|command)|hw_error'; }
