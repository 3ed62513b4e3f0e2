# SPDX-License-Identifier: GPL-2.0-only
# Guests that make hypercalls at random (tests/guests/random/), PV and PVH, beside two that mean no harm: rehearsals and
# updates are made, or refused by the name of one of them for a reason that docs/limits.md calls a guest's; once that
# one is destroyed, they are made. Nobody else has harm from it, and no page is lost. SEED repeats what the guests are
# begun with; ARGS: kinds=pv,pvh,pv what is started, rehearsals=N before each update, seconds=N of calls between two, cap=N
# percent of a CPU for each guest in that time. The deterministic run is five minutes of the machine's time, the same ones
# every time.
# bed: smp=1 icount=3 budget=75 updates=3 seed=4711 mem=2560 timeout=600 files=docs/limits.md args="kinds=pv,pvh rehearsals=1 cap=2 seconds=110" xen_args="liveupdate=64M guest_loglvl=none"
# bed-long: smp=1 updates=3 seed=4711 mem=2560 timeout=600 files=docs/limits.md xen_args="liveupdate=64M guest_loglvl=none"
# bed-long: smp=1 updates=20 mem=2560 timeout=3600 files=docs/limits.md xen_args="liveupdate=64M guest_loglvl=none"
# bed-long: smp=2 updates=20 mem=2560 timeout=3600 files=docs/limits.md xen_args="liveupdate=64M guest_loglvl=none"

# The first update is made without them, so that free memory can be compared: what dom0 was booted from is free then.

KINDS="pv pvh pv pvh"
REHEARSALS=2
SECONDS_BETWEEN=4
CAP=
ATTEMPTS=8

for word in $ARGS; do
    case $word in
    kinds=*) KINDS=$(echo ${word#*=} | tr , ' ') ;;
    rehearsals=*) REHEARSALS=${word#*=} ;;
    seconds=*) SECONDS_BETWEEN=${word#*=} ;;
    cap=*) CAP=${word#*=} ;;
    *) not_ok "unknown word in ARGS: $word" ;;
    esac
done

. /bed/refused.sh

# --- Guests that mean no harm --------------------------------------------------------------------

INNOCENT="evtchn area-pvh"

start_innocent() { make_kernel $1 /boot/guests/$1 && xl unpause $1; }

has_verdict() { said $1 "PASS $2" || said $1 FAIL; }

innocent_unharmed() {
    local k
    for k in $INNOCENT; do echo >"$(guest_path $k console/tty)"; done
    for k in $INNOCENT; do
        wait_for 60 has_verdict $k $1
        if said $k "PASS $1"; then
            ok "$k: unharmed after update $1"
        else
            not_ok "$k: after update $1: $(grep -a FAIL "$(guest_log $k)" | tail -n 1 | tr -d '\r')"
        fi
        wait_for 60 said $k "ready $(($1 + 1))"
    done
}

# --- Guests --------------------------------------------------------------------------------------

# note TEXT: as report; what update() prints comes only after it.
note() { tohost line "# $(cut -d' ' -f1 /proc/uptime) s: $*"; }

# start KIND: the next one of that kind, with the next seed.
start() {
    local n=$(($(cat /run/bed/random.nr 2>/dev/null || echo 0) + 1)) kernel=/boot/guests/random/random
    [ $1 = pv ] || kernel=$kernel-pvh
    echo $n >/run/bed/random.nr
    make_kernel $1-$n $kernel "on_reboot=\"destroy\"
extra=\"seed=$((SEED * 100 + n))\"" && xl unpause $1-$n && echo "$1 $1-$n" >>/run/bed/random.running
}

is_there() { xl domid $1 >/dev/null 2>&1; }
last_words() { tr -d '\r' <"$(guest_log $1)" | tail -n 1; }

# A guest that has crashed, or that makes no calls any more, is one guest less: another one takes its place.
replace_dead() {
    local kind name
    mv /run/bed/random.running /run/bed/random.old
    touch /run/bed/random.running
    while read -r kind name; do
        if is_there $name && [ "$(last_words $name)" != "$(cat /run/bed/$name.said 2>/dev/null)" ]; then
            last_words $name >/run/bed/$name.said
            echo "$kind $name" >>/run/bed/random.running
            continue
        fi
        note "$name is at its end: $(last_words $name)"
        is_there $name && xl destroy $name
        start $kind </dev/null || note "no guest in place of $name"
    done </run/bed/random.old
}

start_all() {
    local kind name
    for kind in $KINDS; do check "a $kind guest starts" start $kind; done
    while read -r kind name; do
        check "$name makes calls" wait_for 60 said $name "ready 1"
    done </run/bed/random.running
}

end_all() {
    local kind name
    while read -r kind name; do
        report "$name, seed $((SEED * 100 + ${name#*-})): $(last_words $name)"
        ! is_there $name || check "$name can be destroyed" xl destroy $name
    done </run/bed/random.running
}
only_the_innocent() { [ "$(xl list | grep -vc '^Name')" = $((1 + $(echo $INNOCENT | wc -w))) ]; }

at_last_only_the_innocent() {
    wait_for 30 only_the_innocent && return
    xl list
    xl debug-keys q
    xl debug-keys g
    sleep 2
    return 1
}

# --- Updates -------------------------------------------------------------------------------------

generation() { xen-liveupdate status | sed -n 's/^generation: //p'; }

# What the documentation says that a guest can do against an update, as "resource: reason".
known() {
    sed -n '/^## What a guest can do/,/^## /s/^| \([a-z0-9_]*\): `\([^`]*\)`.*/\1: \2/p' /bed/files/limits.md
}
# of_a_guest RESOURCE REASON: is it one of these?
of_a_guest() {
    known | while read -r line; do
        echo "$1: $2" | grep -qx "$(pattern "$line" | sed 's/…/.*/g')" && echo yes
    done | grep -q yes
}

# culprits: who kept the last attempt from being made, one a line: domid, resource, reason, with tabs between.
culprits() {
    sed -n 's/^refused: domain \([0-9]*\) *([^)]*): \([a-z0-9_]*\): \(.*\) ([A-Z0-9]*)$/\1	\2	\3/p
        s/^refused: domain \([0-9]*\): \([a-z0-9_]*\): \(.*\) ([A-Z0-9]*)$/\1	\2	\3/p' /run/bed/attempt
    xen-liveupdate result | awk -F': ' '
        /^state: / { failed = $2 == "failed" }
        /^failed domain: / { domain = $2 }
        /^failed resource: / { resource = $2 }
        /^reason: / { reason = substr($0, 9) }
        END { if (failed) print domain "\t" resource "\t" reason }'
}

# The way out: that domain's end. One that is being destroyed already is held by those that have mapped its pages.
get_rid_of() {
    local kind name
    while read -r kind name; do
        if [ "$2" = "is being destroyed" ] || [ "$(xl domid $name 2>/dev/null)" = $1 ]; then
            xl destroy $name
        fi
    done </run/bed/random.running
}

# attempt VERB: a rehearsal or an update, which is made at last; what is in its way is a guest that is to blame for it.
attempt() {
    local n=0 was=$(generation) domain resource reason
    while ! xen-liveupdate $1 >/run/bed/attempt 2>&1; do
        [ $1 = rehearse ] || [ "$(generation)" = $was ] || return 0
        n=$((n + 1))
        culprits | sort -u >/run/bed/culprits
        note "$1: $(tr '\n\t' ';:' </run/bed/culprits)"
        [ $n -lt $ATTEMPTS ] || { cat /run/bed/attempt; return 1; }
        sleep 1
        # What lasts for a moment only needs no end.
        [ $n -gt 1 ] || continue
        while read -r domain resource reason; do
            if of_a_guest $resource "$reason" && grep -q . /run/bed/random.running; then
                note "$1: refused: domain $domain: $resource: $reason"
                get_rid_of $domain "$reason"
            else
                not_ok "$1: refused: domain $domain: $resource: $reason"
            fi
        done </run/bed/culprits
    done
}

update() {
    local n=0
    if [ "$UPDATE" = none ]; then
        sleep $SECONDS_BETWEEN
        return
    fi
    stage_image "$1" || return
    while [ $n -lt $REHEARSALS ] && [ -s /run/bed/random.running ]; do
        attempt rehearse || return
        replace_dead
        sleep 1
        n=$((n + 1))
    done
    attempt apply
}

# slow_down PERCENT: of a CPU for each guest; 0: as much as there is. What they do costs the emulator more than its time.
slow_down() {
    local name
    for name in $INNOCENT $(sed 's/.* //' /run/bed/random.running); do
        [ -z "$CAP" ] || ! is_there $name || xl sched-credit2 -d $name -c $1
    done
}

# --- The scenario --------------------------------------------------------------------------------

before() {
    local k
    report "SEED=$SEED KINDS=$KINDS"
    start_xen
    # Guests that are rarely idle: dom0's tools come first.
    xl sched-credit2 -d 0 -w 4096
    touch /run/bed/random.running
    for k in $INNOCENT; do check "$k: starts" start_innocent $k; done
    for k in $INNOCENT; do check "$k: is ready" wait_for 60 said $k "ready 1"; done
}

after_each() {
    innocent_unharmed $1
    wait_for 60 settled
    case $1 in
    1)
        free_pages >/run/bed/free
        start_all
        ;;
    *) replace_dead ;;
    esac
    if [ $1 != "$UPDATES" ]; then
        slow_down $CAP
        sleep $SECONDS_BETWEEN
        slow_down 0
    fi
}

after() {
    local now
    end_all
    check "only dom0 and the innocent ones are left" at_last_only_the_innocent
    # Where Xen's heap has holes depends on its past; an update makes a new heap.
    : >/run/bed/random.running
    if [ "$UPDATE" != none ]; then
        check "one more update" update $(update_image 1)
        innocent_unharmed $((UPDATES + 1))
    fi
    wait_for 60 settled
    now=$(free_pages)
    report "free pages: $(cat /run/bed/free) before the first of them, now $now"
    check "none is lost, but for dom0's tables of event channels and grants" all_free $now
    check "Xen has nothing to say against it" no_complaint
}
