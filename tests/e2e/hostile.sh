# SPDX-License-Identifier: GPL-2.0-only
# Guests that try to make an update fail, each in its own way (tests/guests/hostile/): the update is made, and one back,
# all of them go on, so do guests that mean no harm, and they can be destroyed without a page being lost. Those of veto.c
# are not carried: the check names them, and the operator gets rid of them.
# bed: smp=1 guest=pvh updates=3 mem=2048 budget=115 timeout=600
# bed-long: emulator=bochs smp=1 guest=pvh updates=3 timeout=600

# The first update is made without them, so that free memory can be compared: what dom0 was booted from is free then.

INNOCENT="area area-pvh"

# ARGS: some of them, by name.
names() {
    local f
    for f in ${ARGS:-$INNOCENT $(cd /boot/guests/hostile && ls *.cfg | grep -v ^veto-)}; do basename $f .cfg; done
}
kernel() { [ -e /boot/guests/hostile/$1 ] && echo /boot/guests/hostile/$1 || echo /boot/guests/$1; }

start_kernel() { make_kernel $1 $(kernel $1) && enlighten $1 && xl unpause $1; }
enlighten() {
    case $1 in
    *ASSIST*) provoke hvm-param $(cat /run/bed/$1.id) 9 $((0x1ed)) ;;
    esac
}

is_up() { said $1 "ready $2" || said $1 FAIL; }
has_verdict() { said $1 "PASS $2" || said $1 FAIL; }

# all_ready N: for their Nth update.
all_ready() {
    local k
    for k in $(names); do
        wait_for 60 is_up $k $1
        check "$k: is ready for update $1" said $k "ready $1"
    done
}

before() {
    start_xen
    xl sched-credit2 -d 0 -w 4096
}

# A domain of which there is nothing yet but its number: refused for that moment, or carried.
half_built() {
    local d=$(provoke create-begun)
    check "a domain without a vCPU: the check says so" check_refuses "has no vCPU yet"
    check "a domain without a vCPU: a rehearsal ends there" not_rehearsed "has no vCPU yet"
    provoke destroy $d
    check "and an update is possible without it" wait_for 10 xen-liveupdate check
    d=$(provoke create-begun-pv)
    check "a PV domain without a vCPU is no reason to refuse" xen-liveupdate rehearse
    provoke destroy $d
    check "both are gone" wait_for 20 only_dom0
}

# More of them, which the host is updated with: with a vCPU, with memory as well.
STAGES="create-begun-pv create-pv create-half-pv create-hvm create-half-hvm"
start_half_built() {
    local stage
    for stage in $STAGES; do
        provoke $stage >/run/bed/$stage.id
        check "$stage: a domain" test -s /run/bed/$stage.id
        check "a rehearsal with it" xen-liveupdate rehearse
    done
}
end_half_built() {
    local stage
    for stage in $STAGES; do check "$stage: can be destroyed" provoke destroy $(cat /run/bed/$stage.id); done
}
# not_rehearsed TEXT: a rehearsal is refused, and says TEXT.
not_rehearsed() { ! xen-liveupdate rehearse >/run/bed/refused 2>&1 && grep "$1" /run/bed/refused; }

# comes_up KERNEL: it starts, and says so.
comes_up() {
    check "$1: starts" start_kernel $1
    wait_for 60 is_up $1 1
    check "$1: is ready" said $1 "ready 1"
}

# veto KERNEL RESOURCE REASON: a guest that brings this about. docs/limits.md says that the way out is its end, or its
# reboot.
veto() {
    comes_up $1
    check "$1: the check refuses it by its name" check_refuses "domain $(xl domid $1) ($1): $2: $3"
    check_equal "$1: and nothing else" "$(grep -c '^refused' /run/bed/refused)" 1
    check "$1: can be destroyed" xl destroy $1
    check "$1: and an update is possible without it" wait_for 20 xen-liveupdate check
}

# A domain that does not go when it is destroyed, as another one has a page of it mapped.
zombie() {
    comes_up veto-LEND
    comes_up veto-KEEP
    check "veto-LEND: can be destroyed" xl destroy veto-LEND
    check "veto-LEND: the check refuses what is left of it" check_refuses "domain $(cat /run/bed/veto-LEND.id)\b.*: domain: is being destroyed"
    check_equal "veto-LEND: and nothing else" "$(grep -c '^refused' /run/bed/refused)" 1
    check "veto-LEND: a rehearsal ends there" not_rehearsed "is being destroyed"
    check "veto-KEEP: can be destroyed" xl destroy veto-KEEP
    check "veto-KEEP: and an update is possible without it" wait_for 20 xen-liveupdate check
    check "both are gone" wait_for 20 only_dom0
}

vetoes() {
    veto veto-PROFILE features "is profiled (xenoprof)"
    zombie
}

start_all() {
    local k
    wait_for 30 settled
    [ "$UPDATE" = none ] || { half_built; vetoes; }
    free_pages >/run/bed/free
    [ "$UPDATE" = none ] || start_half_built
    for k in $(names); do check "$k: starts" start_kernel $k; done
    all_ready 1
}

all_go_on() {
    local k
    for k in $(names); do echo >"$(guest_path $k console/tty)"; done
    for k in $(names); do
        wait_for 60 has_verdict $k $1
        if said $k "PASS $1"; then
            ok "$k: goes on after update $1"
        else
            not_ok "$k: after update $1: $(grep -a FAIL "$(guest_log $k)" | tail -n 1 | tr -d '\r')"
        fi
    done
}

after_each() {
    [ $1 = 1 ] || all_go_on $(($1 - 1))
    case $1 in
    1) start_all ;;
    "$UPDATES") ;;
    *) all_ready $1 ;;
    esac
}

after() {
    local k now
    for k in $(names); do check "$k: can be destroyed" xl destroy $k; done
    [ "$UPDATE" = none ] || end_half_built
    check "only dom0 is left" wait_for 30 only_dom0
    # Where Xen's heap has holes depends on its past; an update makes a new heap.
    [ "$UPDATE" = none ] || check "one more update" update $(update_image 1)
    wait_for 30 settled
    now=$(free_pages)
    report "free pages: $(cat /run/bed/free) before the first of them, now $now"
    check "none is lost, but for dom0's tables of event channels and grants" all_free $now
    check "Xen has nothing to say against it" no_complaint
}
