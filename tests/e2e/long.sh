# SPDX-License-Identifier: GPL-2.0-only
# Many guests, many updates, and random operations of the toolstack between them: memory stays whole, and not
# a page is lost. SEED repeats a run (the seed is printed); ARGS="guests=4 ops=3 kinds=pv,pvh" makes it smaller or
# other.
# bed-long: smp=1 hvm=1 mem=4608 updates=20 timeout=14400
# bed-long: smp=2 mem=4096 updates=4 args="kinds=pv" timeout=3600

KINDS="pv pv pvh pv hvm pvh pv pv"     # in turn
GUESTS=16
OPS=6           # operations after each update
MEMORY=112      # MiB of a guest
TICK=5          # seconds; with more often, 16 guests without work fill an emulated CPU
REST=20         # seconds between two looks of a guest at its memory, likewise
MORE_HVM=64     # and of an HVM guest on top
VIDEO=8         # of which the guest's memory is short: its screen
GUEST_TIMEOUT=180

for word in $ARGS; do
    case $word in
    guests=*) GUESTS=${word#*=} ;;
    ops=*) OPS=${word#*=} ;;
    memory=*) MEMORY=${word#*=} ;;
    kinds=*) KINDS=$(echo ${word#*=} | tr , ' ') ;;
    *) not_ok "unknown word in ARGS: $word" ;;
    esac
done

# --- Guests --------------------------------------------------------------------------------------

# Each has a kind that stays; what changes is in files under /run/bed/long.
kind_of() { echo $KINDS | cut -d' ' -f$(((${1#g} - 1) % $(echo $KINDS | wc -w) + 1)); }
# Two vCPUs that wait for each other on one emulated CPU cost a PVH or HVM guest most of its time.
vcpus_of() { [ $(kind_of $1) = pv ] && echo 2 || echo 1; }
memory_of() { [ $(kind_of $1) = hvm ] && echo $((MEMORY + MORE_HVM)) || echo $MEMORY; }
video_of() { [ $(kind_of $1) = hvm ] && echo $VIDEO || echo 0; }
set_of() { echo $2 >/run/bed/long/$1.$3; }
get_of() { cat /run/bed/long/$1.$2 2>/dev/null; }

# An HVM guest takes minutes to boot when others keep the emulated CPU busy: but for the first one, and after a
# reboot, they begin as that one was saved.
new_guest() {
    rm -f $(guest_log $1) /run/bed/long/$1.*
    if [ $(kind_of $1) = hvm ] && [ -e /tmp/hvm.save ]; then
        sed "s/^name=.*/name=\"$1\"/" /run/bed/long/hvm.cfg >/run/bed/$1.cfg
        xl restore /run/bed/$1.cfg /tmp/hvm.save && find_guest $1
        return
    fi
    make_guest $1 type=$(kind_of $1) vcpus=$(vcpus_of $1) memory=$(memory_of $1) args="bed.tick=$TICK" extra="maxmem=$(memory_of $1)" || return 1
    [ $(kind_of $1) = hvm ] || return 0
    cp /run/bed/$1.cfg /run/bed/long/hvm.cfg
    wait_tick $1 600 && xl save $1 /tmp/hvm.save && new_guest $1
}

watch_memory() { guest $1 "memsum ${1#g}42 /tmp/memsum 4 ${REST}000 >/dev/null 2>&1 & echo started" | grep -q started; }

start_guests() {
    local g

    for g in $ALL; do check "$g ($(kind_of $g)) begins" new_guest $g; done
    for g in $ALL; do check "$g ($(kind_of $g)) ticks" wait_tick $g 600; done
}

memory_errors() { guest $1 'cat /tmp/memsum' | tr ' ' '\n' | sed -n 's/^memory_errors=//p; s/^register_errors=//p' | tr '\n' ' '; }
passes() { guest $1 'cat /tmp/memsum' | tr ' ' '\n' | sed -n 's/^passes=//p'; }
more_passes() { [ "$(passes $1)" -gt "$2" ]; }

# --- Memory --------------------------------------------------------------------------------------

# Pages of the host: all of them, free, of domains; the rest is Xen's.
account() {
    physinfo >/run/bed/long/host
    physinfo domains >/run/bed/long/domains
    TOTAL=$(value total_pages /run/bed/long/host)
    FREE=$(value free_pages /run/bed/long/host)
    check_equal "nothing is left to scrub" "$(value scrub_pages /run/bed/long/host)" 0
    OF_DOMAINS=$(value sum /run/bed/long/domains)
    OF_XEN=$((TOTAL - FREE - OF_DOMAINS))
}

show_account() { say "memory $1: $TOTAL pages, $FREE free, $OF_DOMAINS of $(($(wc -l </run/bed/long/domains) - 1)) domains, $OF_XEN of Xen"; }

# --- Operations ----------------------------------------------------------------------------------

# Each takes a guest and says what it did in DONE; a failure is a result.
op_vcpus() {
    random $(vcpus_of $1)
    DONE="vcpu-set $((R + 1))"
    xl vcpu-set $1 $((R + 1))
}

op_memory() {
    random 9
    local memory=$(($(memory_of $1) - R))

    DONE="mem-set $memory"
    xl mem-set $1 $memory && wait_for 120 has_memory $1 $((memory - $(video_of $1)))
}
has_memory() {
    local m=$(xl list $1 | awk 'NR == 2 { print $3 }')
    [ "$m" -ge $(($2 - 1)) ] && [ "$m" -le $(($2 + 1)) ]
}

op_pause() {
    if [ "$(get_of $1 paused)" ]; then
        DONE=unpause
        rm /run/bed/long/$1.paused
        xl unpause $1 && wait_tick $1 180
    else
        DONE=pause
        set_of $1 yes paused
        xl pause $1
    fi
}

op_network() {
    if [ "$(get_of $1 net)" ]; then
        DONE=network-detach
        rm /run/bed/long/$1.net
        xl network-detach $1 0
    else
        DONE=network-attach
        set_of $1 yes net
        xl network-attach $1 bridge=xenbr0 script=/bed/vif
    fi
}

op_disk() {
    if [ "$(get_of $1 disk)" ]; then
        DONE=block-detach
        rm /run/bed/long/$1.disk
        xl block-detach $1 xvdb
    else
        DONE=block-attach
        truncate -s 4M /tmp/$1.disk
        set_of $1 yes disk
        xl block-attach $1 "format=raw,vdev=xvdb,access=rw,script=/bed/block,target=/tmp/$1.disk"
    fi
}

op_save() {
    DONE="save, restore"
    xl save $1 /tmp/$1.save && xl restore /tmp/$1.save && find_guest $1
    local rc=$?
    rm -f /tmp/$1.save
    [ $rc = 0 ] && wait_tick $1 180
}

op_reboot() {
    local old=$(xl domid $1)

    DONE=reboot
    guest_bg $1 'sleep 3; reboot -f'
    wait_for 180 has_other_id $1 $old || return 1
    rm -f /run/bed/long/$1.*
    wait_tick $1 600 && watch_memory $1
}

op_destroy() {
    DONE="destroy, create"
    xl destroy $1 && new_guest $1 && wait_tick $1 300 && watch_memory $1
}

op_weight() {
    random 900
    DONE="sched-credit2 -w $((R + 100))"
    xl sched-credit2 -d $1 -w $((R + 100))
}

OPERATIONS="op_vcpus op_memory op_pause op_network op_disk op_save op_reboot op_destroy op_weight"

# One operation on one guest; a paused one is unpaused, since all others need its help.
operate() {
    local g op

    random $(echo $ALL | wc -w)
    g=$(echo $ALL | cut -d' ' -f$((R + 1)))
    random $(echo $OPERATIONS | wc -w)
    op=$(echo $OPERATIONS | cut -d' ' -f$((R + 1)))
    [ ! "$(get_of $g paused)" ] || op=op_pause
    DONE=$op
    if $op $g >/run/bed/long/op.out 2>&1; then
        say "$g ($(kind_of $g)): $DONE, $(cut -d' ' -f1 /proc/uptime) s"
    else
        not_ok "$g ($(kind_of $g)): $DONE"
        sed 's/^/  | /' /run/bed/long/op.out
    fi
}

# Those that can answer take part in the comparison across an update.
choose_domains() {
    local g

    DOMAINS=
    for g in $ALL; do [ "$(get_of $g paused)" ] || DOMAINS="$DOMAINS $g"; done
    # What each domain has: an update changes none of it.
    account
    cp /run/bed/long/domains /run/bed/long/domains.before
    XEN_BEFORE=$OF_XEN
    show_account "before the next update"
}

# --- The scenario --------------------------------------------------------------------------------

before() {
    local g

    mkdir -p /run/bed/long
    check "the number of updates is even: they begin and end with the same Xen" [ $((UPDATES % 2)) = 0 ]
    report "SEED=$SEED GUESTS=$GUESTS KINDS=$KINDS OPS=$OPS"
    start_xen
    start_bridge
    modprobe xen-netback
    modprobe xen-blkback
    modprobe loop
    ALL=$(seq $GUESTS | sed 's/^/g/' | tr '\n' ' ')

    # Once for practice: dom0's grant mappings and event channels have room for as many from then on.
    start_guests
    for g in $ALL; do
        op_network $g && op_disk $g
        wait_tick $g 180
    done
    for g in $ALL; do xl destroy $g; done
    update $(update_image $UPDATES) >/run/bed/update.out 2>&1
    account
    show_account "without guests"
    echo $FREE >/run/bed/long.free

    start_guests
    for g in $ALL; do check "$g holds memory" watch_memory $g; done
    UPDATES_COST=0
    choose_domains
}

after_each() {
    local g n

    check "$1: every domain has the pages that it had" diff /run/bed/long/domains.before - <<PAGES
$(physinfo domains)
PAGES
    account
    show_account "after update $1"
    # Operations may cost Xen memory (grant and event channel tables grow). Updates do not, all together, but for a few
    # pages that Xen allocates when they are first used, and 2 MiB of the frame table: it begins in what the slot has left
    # beside image and stream, which is a superpage less than before when the guests' part of the stream comes in.
    UPDATES_COST=$((UPDATES_COST + OF_XEN - XEN_BEFORE))
    check "$1: updates have cost Xen $UPDATES_COST pages so far, no more than 520" test $UPDATES_COST -le 520
    for g in $DOMAINS; do check_equal "$1: $g: memory and registers" "$(memory_errors $g)" "0 0 "; done
    [ $1 = "$UPDATES" ] || {
        n=0
        while [ $n -lt $OPS ]; do
            operate
            n=$((n + 1))
        done
        choose_domains
    }
}

after() {
    local g

    for g in $ALL; do
        [ ! "$(get_of $g paused)" ] || op_pause $g
        check "$g goes on" wait_for 180 more_passes $g "$(passes $g)"
        check_equal "$g: memory and registers" "$(memory_errors $g)" "0 0 "
    done
    account
    show_account "at the end"
    for g in $ALL; do check "xl destroy $g" xl destroy $g; done
    account
    show_account "all destroyed"
    check_equal "only dom0 is left" "$(xl list | tail -n +2 | wc -l)" 1
    # Where Xen's heap has holes depends on its past; an update makes a new heap.
    check "one more update" update $(update_image $UPDATES)
    account
    show_account "after one more update"
    check_equal "as many pages are free as before the first guest" "$FREE" "$(cat /run/bed/long.free)"
}
