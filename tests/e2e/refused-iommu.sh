# SPDX-License-Identifier: GPL-2.0-only
# On a host with an IOMMU: what cannot be carried is refused by name, nothing is paused. It boots with a
# way to remap interrupts that is not carried, either.
# bed: smp=1 updates=0 budget=25 timeout=300 iommu=amdvi xen_args="liveupdate=64M iommu=no-amd-iommu-perdev-intremap,quarantine=scratch-page" files="docs/carried.md tests/e2e/refusals.txt" qemu_args="-device nec-usb-xhci -device e1000e,romfile="

. /bed/refused.sh

# slot_of VENDOR DEVICE: of the first such device in dom0.
slot_of() {
    grep -l "^PCI_ID=$1:$2\$" /sys/bus/pci/devices/*/uevent | head -n 1 | sed 's,.*/0000:\(.*\)/uevent,\1,'
}

before() {
    local pirq d card=$(slot_of 8086 10D3) usb=$(slot_of 1033 0194)

    start_xen
    provoked iommu "all devices share one table of remapped interrupts"

    pirq=$(provoke map-messages $usb 4)
    provoked pirq "pirq <number> (irq <number>): one of several messages of one capability" 0

    d=$(provoke create-iommu)
    provoke bind-translated $d
    provoked passthrough "pirq <number> gets to the guest in a way that is not carried (<number>)" $d
    provoke assign 32753 $card # DOMID_IO
    provoked pci "device <device> is quarantined with page tables of its own"
    provoke assign $d $card
    provoke deassign $d $card
    provoke destroy $d
    refusals_summary refused-iommu.sh
}

after() { :; }
