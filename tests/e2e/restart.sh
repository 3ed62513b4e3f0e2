# SPDX-License-Identifier: GPL-2.0-only
# An update that comes while a guest is being built, while it reboots or while it is being destroyed is
# either made or refused by name for that moment; then it succeeds, the guest comes up or is gone, and
# the others have noticed nothing.
# bed: smp=2 updates=3 budget=55 timeout=400

before() {
    start_xen
    make_guest g1 memory=96
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    start_watch g1
}

# The first update comes while a guest is being built, the second while it reboots, the third while it is
# being destroyed.
update() {
    local n=$(cat /run/bed/nr 2>/dev/null || echo 1) busy rc=0
    echo $((n + 1)) >/run/bed/nr
    [ "$UPDATE" = none ] || stage_image "$1" || return 1
    case $n in
    1) make_guest g3 memory=128 >/run/bed/g3.out 2>&1 & ;;
    2) xl reboot g3 ;;
    3) xl destroy g3 & ;;
    esac
    busy=$!
    [ "$UPDATE" = none ] || apply_at_last || rc=1
    [ $n = 2 ] || wait $busy || rc=1
    return $rc
}

# A domain that comes or goes is a reason to come back, before the attempt or in it. What is missed of g3 afterwards is
# xl's doing.
apply_at_last() {
    local attempt
    for attempt in $(seq 100); do
        xen-liveupdate apply >/run/bed/apply.txt 2>&1
        case $? in
        0) return 0 ;;
        2) ;;
        3 | 4) grep -q "EBUSY\|resource busy" /run/bed/apply.txt || break ;;
        6)
            report "the update is made: $(grep '^missing: ' /run/bed/apply.txt)"
            ! grep "^missing: domain \(0\|$(cat /run/bed/g1.id)\)[ :]" /run/bed/apply.txt
            return
            ;;
        *) break ;;
        esac
        report "attempt $attempt: $(grep -m 1 '^refused: \|^error: \|^xen-liveupdate: ' /run/bed/apply.txt)"
        usleep 100000
    done
    cat /run/bed/apply.txt
    return 1
}

after_each() {
    case $1 in
    1)
        check "the guest that was being built comes up" wait_for 90 grep -aq '^tick ' $(guest_log g3)
        find_guest g3
        ;;
    2)
        check "the guest that was to reboot is there again" wait_for 90 has_other_id g3 "$(cat /run/bed/g3.id)"
        check "and ticks" wait_tick g3 90
        ;;
    3) check "the guest that was being destroyed is gone" wait_for 30 only_g1_is_left ;;
    esac
}

only_g1_is_left() { [ "$(xl list | awk 'NR > 1 { print $1 }' | tr '\n' ' ')" = "Domain-0 g1 " ]; }

after() {
    check_watch g1
    [ "$UPDATE" = none ] ||
        check_equal "three updates were made" "$(xen-liveupdate status | sed -n 's/^generation: //p')" 3
}
