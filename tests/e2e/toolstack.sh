# SPDX-License-Identifier: GPL-2.0-only
# After the update everything of xl works on the survivors and makes new guests: one that was saved and
# restored before the update as well.
# bed: smp=2 budget=90 timeout=400
# bed-long: smp=4 updates=3 timeout=600
# bed-long: smp=2 xen_to=build/xen/4.20/source-debug/xen/xen without=tools,shadow-paging,xenoprof timeout=600

before() {
    start_xen
    make_guest g1 vcpus=2 memory=192 vif=1 disk=32 extra='maxmem=192'
    make_guest g3 memory=96
    DOMAINS="g1 g3"
    for g in $DOMAINS; do check "$g ticks" wait_tick $g 90; done
    check "a guest is saved and restored before the update" save_and_restore g3
    check "it ticks" wait_tick g3 30
}

after() {
    look_around
    change_guest
    change_devices
    move_guest
    end_guests
}

# --- Looking -------------------------------------------------------------------------------------

look_around() {
    check "xl list" sh -c 'xl list | grep -q "^g1 .* 192 .* 2 "'
    check_equal "xl info: CPUs" "$(xl info | sed -n 's/^nr_cpus *: //p')" "$SMP"
    check "xl dmesg has the target's boot" sh -c 'xl dmesg | grep "Xen version"'
    check "xentop shows the guest" sh -c 'TERM=linux xentop -b -i 1 | grep "^ *g1 "'
    check "xenstore has the guest" sh -c "xenstore-ls /local/domain/$(cat /run/bed/g1.id) | grep 'name = .g1'"
    check "xl console shows ticks" console_shows_ticks
}

console_shows_ticks() {
    (sleep 5; echo) | timeout 6 xl console g1 >/run/bed/console.out
    grep -a '^tick ' /run/bed/console.out
}

# --- Changing a guest ----------------------------------------------------------------------------

change_guest() {
    check "xl pause stops the guest" paused_guest_stands_still
    xl unpause g1
    check "xl unpause lets it go on" wait_tick g1 30
    xl vcpu-pin g1 0 1 && xl vcpu-pin g1 1 0
    check_equal "xl vcpu-pin" "$(xl vcpu-list g1 | awk '$3 == 0 { print $7 } $3 == 1 { print $7 }' | tr '\n' ' ')" "1 0 "
    check "the guest ticks, pinned" wait_tick g1 30
    xl mem-set g1 128
    check "xl mem-set: the guest gives memory back" wait_for 60 has_memory g1 128
    xl mem-set g1 192
    check "xl mem-set: the guest gets memory again" wait_for 60 has_memory g1 192
    xl vcpu-set g1 1
    check "xl vcpu-set: one CPU less" wait_for 30 has_cpus g1 1
    xl vcpu-set g1 2
    check "xl vcpu-set: and back" wait_for 30 second_cpu_comes g1
    check "xl rename" sh -c 'xl rename g1 g1b && xl list g1b && xl rename g1b g1'
    xl sysrq g1 h
    check "xl sysrq" wait_for 20 guest g1 'dmesg | grep "sysrq: HELP"'
    xl trigger g1 nmi 0
    check "xl trigger nmi" wait_for 20 guest g1 'dmesg | grep "NMI received"'
}

paused_guest_stands_still() {
    xl pause g1
    sleep 1
    local n=$(ticks g1)
    sleep 3
    [ "$(ticks g1)" = "$n" ]
}

has_cpus() { [ "$(guest $1 nproc)" = "$2" ]; }
# There is no udev in the guest to do it.
second_cpu_comes() { guest $1 "echo 1 >/sys/devices/system/cpu/cpu1/online"; has_cpus $1 2; }

# has_memory NAME MiB: what Xen counts for it, within one MiB for the console and store pages.
has_memory() {
    local m=$(xl list $1 | awk 'NR == 2 { print $3 }')
    [ "$m" -ge $(($2 - 1)) ] && [ "$m" -le $(($2 + 1)) ]
}

# --- Its devices ---------------------------------------------------------------------------------

change_devices() {
    truncate -s 16M /tmp/more.disk
    check "xl block-attach" xl block-attach g1 'format=raw,vdev=xvdb,access=rw,script=/bed/block,target=/tmp/more.disk'
    check "the guest has the disk" wait_for 20 guest g1 'dd if=/tmp/.output of=/dev/xvdb bs=4k count=1 conv=sync,fsync'
    check "xl block-detach" xl block-detach g1 xvdb
    check "the guest has lost the disk" wait_for 20 guest g1 '! [ -e /sys/block/xvdb ]'
    check "xl network-attach" xl network-attach g1 bridge=xenbr0 script=/bed/vif
    check "the guest has the interface" wait_for 20 guest g1 'ip link set eth1 up'
    check "xl network-detach" xl network-detach g1 1
    check "the guest has lost the interface" wait_for 20 guest g1 '! [ -e /sys/class/net/eth1 ]'
    check "the first interface works" ping -c 2 -W 5 $(guest_ip g1)
}

# --- Saving, restoring, migrating ----------------------------------------------------------------

move_guest() {
    boots_of g1 g3 >/run/bed/boots
    check "xl save and restore of a survivor" save_and_restore g1
    check "it ticks" wait_tick g1 30
    check "its network works" ping -c 2 -W 5 $(guest_ip g1)
    check "its disk works" guest g1 'fsyncw write /dev/xvda 8 /tmp/w >/dev/null & sleep 2; kill $!; wait $!; fsyncw verify /dev/xvda 8 /tmp/w'
    # A PV guest's, without which the target may have been built.
    case ,$WITHOUT, in
    *,shadow-paging,*) ;;
    *)
        check "xl migrate of a survivor" migrate g3
        check "it ticks" wait_tick g3 30
        ;;
    esac
    check "xl save and restore of a survivor that was restored before" save_and_restore g3
    check "it ticks" wait_tick g3 30
    check_equal "they are the same guests" "$(boots_of g1 g3)" "$(cat /run/bed/boots)"
}

boots_of() { for g in "$@"; do guest $g 'cat /proc/sys/kernel/random/boot_id'; done; }

save_and_restore() {
    xl save $1 /tmp/saved && xl restore /tmp/saved && find_guest $1
    local rc=$?
    rm -f /tmp/saved
    return $rc
}

# While it arrives it has another name, and so has its console's log.
migrate() { xl migrate -s /bed/ssh $1 localhost && find_guest $1 $1--incoming; }

# --- The end -------------------------------------------------------------------------------------

end_guests() {
    local old=$(cat /run/bed/g1.id)
    check "xl reboot" xl reboot g1
    check "the guest has another domid" wait_for 120 has_other_id g1 $old
    check "and ticks" wait_tick g1 90
    free_pages >/run/bed/free.with-guest
    check "xl destroy" xl destroy g1
    check "the guest is gone" sh -c '! xl list g1'
    check_freed
    check "xl shutdown" xl shutdown -w g3
    DOMAINS=
    make_guest g2 vcpus=2 vif=1 disk=32
    check "a new guest ticks" wait_tick g2 90
    check "a new guest's network" ping -c 2 -W 5 $(guest_ip g2)
    check "xl destroy of the new guest" xl destroy g2
    check_equal "nothing is left of all these" "$(xl list | awk 'NR > 1 { print $1 }')" Domain-0
}

# At least the guest's own pages: page tables and Xen's structures for it come on top. (ten.sh
# counts to the page what an update costs.)
check_freed() {
    local now=$(free_pages) before=$(cat /run/bed/free.with-guest)
    check "its memory comes back in full" test $((now - before)) -ge $((192 * 256))
}
