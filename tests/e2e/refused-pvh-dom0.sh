# SPDX-License-Identifier: GPL-2.0-only
# On a host whose dom0 is PVH: check and stage refuse by name, nothing is paused.
# bed: smp=1 updates=0 budget=35 timeout=300 iommu=amdvi xen_args="liveupdate=64M dom0=pvh" files="docs/carried.md tests/e2e/refusals.txt"

. /bed/refused.sh

# refused_with VERB TEXT COMMAND...: exit code 3, and this is what it says.
refused_with() {
    local verb=$1 text=$2 rc
    shift 2
    "$@" >/run/bed/said 2>&1
    rc=$?
    check_equal "$verb is refused" $rc 3
    check "$verb says: $text" grep -q "$text" /run/bed/said
}

before() {
    check "dom0 is PVH" sh -c 'xl dmesg | grep "Building a PVH Dom0"'
    start_xen
    provoked hvm "is a PVH hardware domain" 0
    provoked domain "has emulated devices (<number>)" 0
    provoked features "vPCI is in use" 0
    provoked pci "device <device> is emulated by vPCI" 0

    provoke zombie >/tmp/zombie &
    wait_for 10 test -s /tmp/zombie
    provoked p2m "maps memory of another domain" 0
    kill $!
    wait $!

    # The Xen that runs will do for a target.
    refused_with check "domain 0 (Domain-0): hvm: is a PVH hardware domain" xen-liveupdate check
    refused_with "check TARGET" "domain 0 (Domain-0): hvm: is a PVH hardware domain" xen-liveupdate check /boot/xen-source
    refused_with stage "dom0 is PVH, which cannot be carried" xen-liveupdate stage /boot/xen-source
    refusals_summary refused-pvh-dom0.sh
}

after() { :; }
