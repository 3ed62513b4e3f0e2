# SPDX-License-Identifier: GPL-2.0-only
# Two network cards without messages share a level-triggered line of the I/O APIC, and with it one pirq: dom0
# drives the one, a PV guest the other. Both lines' ends go on across the update, and after the guest's end.
# bed-long: smp=1 iommu=vtd timeout=300
# qemu: -netdev user,id=n0 -device virtio-net-pci,netdev=n0,addr=0x8,vectors=0,disable-legacy=on,iommu_platform=on,romfile=
# qemu: -netdev user,id=n1 -device virtio-net-pci,netdev=n1,addr=0xc,vectors=0,disable-legacy=on,iommu_platform=on,romfile=

GIVEN=0000:00:0c.0

before() {
    start_xen
    modprobe xen-pciback
    check "a card can be assigned" xl pci-assignable-add $GIVEN
    check "dom0's card works" start_net
    make_guest g1 vcpus=1 extra="pci=['$GIVEN,permissive=1']"
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 120
    guest g1 'modprobe xen-pcifront; modprobe virtio_pci; modprobe virtio_net'
    check "the guest has the card" has_card g1
    check "it reaches the outside" reaches_outside g1
    LINE=$(line)
    check "dom0's card has a line (GSI $LINE)" [ "$LINE" ]
    check "it is the guest's, too: $(bound)" is_shared
    for d in dom0 g1; do in_domain $d "ping -i 0.1 10.0.2.2 >/tmp/ping 2>&1 & echo \$! >/tmp/ping.pid"; done
    check_both "before"
}

# The GSI of dom0's card; and those that Xen has it bound to.
line() { sed -n 's/^ *\([0-9]*\):.*xen-pirq.*-level.*virtio.*/\1/p' /proc/interrupts; }
bound() { xl debug-keys i; xl dmesg | sed -n "s/.* IRQ: *$LINE .*in-flight=[0-9]* *//p" | tail -n 1; }
is_shared() { bound | grep "d0: *$LINE(.*d$(cat /run/bed/g1.id): *$LINE("; }
answers() { in_domain $1 'grep -c "bytes from" /tmp/ping'; }
more_answers() { [ "$(answers $1)" -gt $2 ]; }
check_both() {
    local d
    for d in dom0 g1; do check "$d: answers come, $1" wait_for 30 more_answers $d $(($(answers $d) + 10)); done
}

after_each() {
    check_both "after update $1"
    check_equal "dom0's line is what it was" "$(line)" "$LINE"
    check "still one line for both: $(bound)" is_shared
}

after() {
    check "no line without a handler" sh -c '! dmesg | grep -i "nobody cared"'
    # Without a reset of its own, the card must not be at work when the guest is gone.
    guest g1 'kill $(cat /tmp/ping.pid); ip link set eth0 down'
    xl destroy g1
    DOMAINS=
    check "dom0's card goes on alone" wait_for 30 more_answers dom0 $(($(answers dom0) + 10))
    check "the other one comes back" xl pci-assignable-remove -r $GIVEN
}
