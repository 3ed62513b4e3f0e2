# SPDX-License-Identifier: GPL-2.0-only
# A cold boot does not take a page that somebody left at the region's address for a handover page; a live update there is made.
# bed: smp=1 budget=15 timeout=180 xen_args="liveupdate=64M@0x40000000"
# qemu: -device loader,addr=0x40000000,data=0x444e48554c4e4558,data-len=8

before() {
    start_xen
    check "Xen has noticed the page" sh -c 'xl dmesg | grep -q "a handover page at 0x40000000 is left over"'
    check "and has booted as ever, with a region" sh -c 'xl dmesg | grep -q "liveupdate: 2 slots of 32 MiB at 0x0*40000000"'
}

after() {
    check "this was a live update" sh -c 'xen-liveupdate -j status | grep -q "\"generation\": *1"'
}
