# SPDX-License-Identifier: GPL-2.0-only
# On a host with an IOMMU a network card of dom0 goes on receiving through it: numbered datagrams from
# outside, never more on their way than the card holds, arrive unharmed, and none is lost. That translation
# and remapping were on throughout, and that there was no fault, is a result of each run with an IOMMU (bed.py).
# With x2APIC, VT-d has one CPU: QEMU 10.0 loses remapped messages to the second.
# bed: smp=1 iommu=vtd net=e1000e budget=25 timeout=300
# bed: smp=2 iommu=amdvi net=e1000e budget=25 timeout=300
# bed: smp=2 iommu=amdvi-x2apic net=e1000e budget=45 timeout=300 qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="qemu64,+svm,+npt,+rdrand,+x2apic" qemu_args="-L /usr/share/qemu -L /usr/share/seabios"
# bed: smp=1 iommu=vtd-x2apic net=e1000e budget=45 timeout=300 qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="qemu64,+svm,+npt,+rdrand,+x2apic" qemu_args="-L /usr/share/qemu -L /usr/share/seabios"
# bed-long: smp=1 iommu=amdvi,vtd net=e1000e updates=4 timeout=300

before() {
    start_xen
    check "Xen uses an IOMMU, and remaps interrupts" iommu_is_used
    case $IOMMU in
    *-x2apic) check "Xen uses x2APIC" sh -c "xl dmesg | grep -q 'APIC driver x2apic'" ;;
    esac
    check "dom0's network card works" start_net
    check "it interrupts by messages" grep -q 'msi-x *eth0' /proc/interrupts
    udpcount receive 7000 /tmp/udpcount &
    echo $! >/run/bed/udpcount.pid
    check "dom0 listens" wait_for 20 test -s /tmp/udpcount
    host_start
    check "datagrams arrive" wait_for 30 received_more 400
    start_watch dom0
    sleep 2
}

iommu_is_used() {
    xl dmesg | grep -q 'I/O virtualisation enabled' && xl dmesg | grep -q 'Interrupt remapping enabled'
}
received_more() { [ "$(value received /tmp/udpcount)" -gt "$1" ]; }

after() {
    check "datagrams go on arriving" wait_for 30 received_more $(($(value received /tmp/udpcount) + 800))
    check_watch dom0
    host_stop
    sleep 1
    kill $(cat /run/bed/udpcount.pid)
    report "$(cat /tmp/udpcount)"
    check_equal "no datagram is lost" "$(value lost /tmp/udpcount)" 0
    check_equal "no datagram differs" "$(value mismatches /tmp/udpcount)" 0
    check "Xen reports no fault" no_fault
}

no_fault() { ! xl dmesg | grep -iE 'page_fault|dmar.*fault|fault addr|illegal_(dev|command)|hw_error'; }
