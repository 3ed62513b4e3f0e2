# SPDX-License-Identifier: GPL-2.0-only
# Guests as operators have them, all at once on a host with memory above 4 GiB: vCPUs that are offline,
# affinity, weight and cap; ballooned below what it may have; two guests that share memory with
# each other; one that is a boot loader with nothing but a console; one created and not started yet;
# domids with a gap.
# bed-long: smp=2 mem=6144 timeout=400
# bed-long: smp=4 mem=6144 updates=4 timeout=400

before() {
    start_xen
    make_guest gap memory=32 paused=1 kernel=/boot/grub-$GUEST
    make_guest g1 vcpus=2 memory=128 extra='maxvcpus=4
cpus="0-1"
cpus_soft="1"
cpu_weight=512
cap=150'
    xl destroy gap
    make_guest g2 vcpus=2 memory=128 vif=1 extra='maxmem=256'
    make_guest g3 memory=96
    make_guest boot kernel=/boot/grub-$GUEST memory=64 extra='cap=20' # it asks for input all the time
    make_guest late memory=96 paused=1
    DOMAINS="g1 g2 g3"
    for g in $DOMAINS; do check "$g ticks" wait_tick $g 120; done
    check "the boot loader answers" boot_loader_answers before
    check "a guest has memory above 4 GiB" test "$(frames_above_4g g2)" -gt 10000
    share_memory
    look >/run/bed/look.before
}

# --- A guest with just a console -----------------------------------------------------------------

# The answer is in no character of the question.
boot_loader_answers() {
    local tty=$(xenstore-read /local/domain/$(cat /run/bed/boot.id)/console/tty)
    wait_for 60 grep -aq 'grub>' "$(guest_log boot)" || return 1
    echo "set a=answer; set b=$1; echo \$b-\$a" >$tty
    wait_for 30 grep -aq "$1-answer" "$(guest_log boot)"
}

# --- Two guests that share memory and event channels ---------------------------------------------

share_memory() {
    local g
    for g in g2 g3; do guest $g 'modprobe xen-gntalloc; modprobe xen-gntdev; modprobe xen-evtchn'; done
    guest_bg g2 "vchanpair serve $(cat /run/bed/g3.id) /tmp/vchan"
    guest_bg g3 "vchanpair connect $(cat /run/bed/g2.id) /tmp/vchan"
    check "two guests talk to each other" wait_for 30 both_received_more 65536
}

vchan_received() {
    guest $1 'cat /tmp/vchan' >/run/bed/$1.vchan
    value received /run/bed/$1.vchan
}
both_received_more() { [ "$(vchan_received g2)" -gt "$1" ] && [ "$(vchan_received g3)" -gt "$1" ]; }

check_shared_memory() {
    local a=$(vchan_received g2) b=$(vchan_received g3) g
    check "two guests go on talking to each other" wait_for 60 both_received_more $(((a > b ? a : b) + 65536))
    for g in g2 g3; do
        say "$g: $(cat /run/bed/$g.vchan)"
        check_equal "$g: no byte differs" "$(value mismatches /run/bed/$g.vchan)" 0
        check_equal "$g: the other end is there" "$(value closed /run/bed/$g.vchan)" 0
    done
}

# -------------------------------------------------------------------------------------------------

frames_above_4g() { xen-mfndump dump-p2m $(cat /run/bed/$1.id) | grep -c 'mfn=0x[0-9a-f]\{6,\}'; }

look() {
    xl sched-credit2
    xl vcpu-list | awk '{ print $1, $2, $3, $5 ~ /p/ ? "paused" : "", $(NF - 2), $(NF - 1), $NF }'
    xl list | awk '{ print $1, $2, $3, $4, $5 ~ /p/ ? "paused" : "" }'
    xenstore-ls -f -p /local/domain | grep -v '/data/vchanpair/'
}

after() {
    look >/run/bed/look.after
    save_file /run/bed/look.before
    save_file /run/bed/look.after
    check "settings, domids and xenstore are what they were" diff /run/bed/look.before /run/bed/look.after
    check_shared_memory
    check "the boot loader still answers" boot_loader_answers after

    check_equal "a guest that was not started has not run" "$(ticks late)" 0
    xl unpause late
    check "and starts" wait_tick late 90

    xl vcpu-set --ignore-host g1 3
    check "a vCPU that never was online comes" wait_for 30 cpu_comes g1 2
    check "and runs processes" guest g1 'taskset -c 2 true'

    xl mem-set g2 256
    check "a ballooned guest gets all that it may have" wait_for 60 has_memory g2 256
    check "and can use it" guest g2 'mount -o remount,size=90% /tmp; dd if=/dev/zero of=/tmp/fill bs=1M count=150 && rm /tmp/fill'
    check_equal "its network works" "$(ping -c 2 -W 5 $(guest_ip g2) | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')" 0
}

has_cpus() { [ "$(guest $1 nproc)" = "$2" ]; }
# There is no udev in the guest to do it.
cpu_comes() { guest $1 "echo 1 >/sys/devices/system/cpu/cpu$2/online"; has_cpus $1 $(($2 + 1)); }
# Within one MiB, for the console and store pages.
has_memory() {
    local m=$(xl list $1 | awk 'NR == 2 { print $3 }')
    [ "$m" -ge $(($2 - 1)) ] && [ "$m" -le $(($2 + 1)) ]
}
