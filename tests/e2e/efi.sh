# SPDX-License-Identifier: GPL-2.0-only
# A host that EFI firmware has booted is updated, with memory above 4 GiB: dom0 reads and writes the firmware's variables as
# before, a guest goes on; then the host restarts, and what was written is there.
# bed: smp=1 firmware=efi mem=5120 updates=2 budget=60 timeout=400 files="docs/carried.md tests/e2e/refusals.txt"
# bed-long: smp=1 firmware=xen.efi guest=pvh updates=10 timeout=900 files="docs/carried.md tests/e2e/refusals.txt"
# bed-long: smp=2 firmware=efi mem=5120 iommu=amdvi,vtd updates=10 timeout=900 files="docs/carried.md tests/e2e/refusals.txt"
# bed-long: smp=2 firmware=efi mem=5120 iommu=amdvi updates=2 timeout=900 returns=adopt:unit,adopt:drivers,plan:power files="docs/carried.md tests/e2e/refusals.txt"
# qemu: -action reboot=reset

. /bed/refused.sh

VARIABLES=/sys/firmware/efi/efivars
# With a vendor's GUID of the scenario's own.
OURS=$VARIABLES/Bed-5e7d0b5a-3f0c-4a53-9c1e-64f3f2c1d7aa

before() {
    start_xen
    check "dom0 was booted by EFI" test -d /sys/firmware/efi
    modprobe efivarfs
    check "it has the firmware's variables" mount -t efivarfs efivarfs $VARIABLES
    if [ -e $OURS ]; then
        UPDATES=0
        return
    fi
    variables >/run/bed/variables.0
    check "there are some" test -s /run/bed/variables.0
    firmware >/run/bed/firmware.0
    check "Xen tells of the firmware and its memory map" has_words 'vendor EDK II' 'runtime services' 'type 5,' 'type 6,' 'type 7,'
    make_guest g1 memory=192
    DOMAINS=g1
    check "a guest runs" wait_tick g1 300
    # The bit of features.def: EFI.
    breakxen lacks=0x400000 /boot/xen-target /tmp/no-efi
    CHECKED=/tmp/no-efi
    provoked target "the host was booted by EFI, the target is built without EFI"
    start_memsum g1
    write_variable 0
}

after_each() {
    check "the variable says what was written before update $1" read_variable $(($1 - 1))
    write_variable $1
    check "and is written" read_variable $1
    variables >/run/bed/variables.now
    check "all others are what they were" diff /run/bed/variables.0 /run/bed/variables.now
    firmware >/run/bed/firmware.now
    check "Xen tells of the firmware what it told" diff /run/bed/firmware.0 /run/bed/firmware.now
    check "the firmware tells the time" same_time
}

after() {
    if [ $UPDATES = 0 ]; then
        check "the host was restarted, and did not restart by itself" read_variable restart
        check "the first Xen runs" test "$(cat /sys/hypervisor/version/extra)" = .5-lu-source
        return
    fi
    check_memsum g1
    check "no kernel complains about the firmware" no_complaints
    # What the emulator sees of an IOMMU is looked at over the whole run: it has to stay on.
    [ $IOMMU = none ] || return
    write_variable restart
    say "restart"
    # The scenario begins once more.
    reboot -f
    sleep 60
}

has_words() {
    local word
    for word; do grep -q "$word" /run/bed/firmware.0 || { echo "no $word"; return 1; }; done
}

# All variables but ours, with what they say.
variables() { (cd $VARIABLES && md5sum $(ls | grep -v ^Bed-)); }

# write_variable WORD: four bytes of attributes (kept; there at boot and at run time), then the value.
write_variable() {
    chattr -i $OURS 2>/dev/null
    printf '\007\000\000\000written after update %s' "$1" >$OURS
}
read_variable() { [ "$(tail -c +5 $OURS)" = "written after update $1" ]; }

# The firmware's clock has gone on with dom0's, to a few seconds.
same_time() {
    local fw=$(firmware clock) now=$(date -u +%s)
    echo "firmware: $fw, dom0: $now"
    [ $((now - fw)) -ge -5 ] && [ $((now - fw)) -le 30 ]
}

no_complaints() { ! dmesg | grep -iE 'efi.*(fail|error|fault|bug)'; }
