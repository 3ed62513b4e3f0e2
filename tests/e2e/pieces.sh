# SPDX-License-Identifier: GPL-2.0-only
# Free memory in very many pieces, which is what any guest can make of its own (tests/guests/pieces/). As long as there are
# large ones as well, updates are made; without, the check refuses, says why, and the host goes on.
# bed-long: smp=1 mem=4096 xen_args=liveupdate=48M updates=2 timeout=400

before() {
    start_xen
    check "the guest starts" make_kernel pieces /boot/guests/pieces/pieces "memory=2200"
    xl unpause pieces
    check "it has given up every second page" wait_for 120 said pieces "ready 1"
    report "free pages: $(free_pages)"
    [ "$UPDATE" = none ] || no_large_pieces
}

# What is free besides goes to a domain that does nothing with it, but for less than a target needs.
no_large_pieces() {
    local gave=$(tr -d '\r' <"$(guest_log pieces)" | sed -n 's/^gave \([0-9]*\) of .*/\1/p')
    check "another domain has what is free besides" fill $((($(free_pages) - gave) / 256 - 24))
    report "free pages: $(free_pages), of which the guest gave $gave"
    check "the check refuses" check_refuses "free memory is in small pieces"
    report "$(grep 'small pieces' /run/bed/refused)"
    check "so does the update" not_made
    check "the other domain goes" xl destroy fill
    check "an update is possible without it" wait_for 60 xen-liveupdate check
}

# fill MIB
fill() { xl create -qp /dev/null "name='fill'; type='pvh'; memory=$1; kernel='/boot/guests/area-pvh'"; }
not_made() {
    stage_image "$(update_image 1)" && ! xen-liveupdate apply >/run/bed/refused 2>&1 &&
        grep "free memory is in small pieces" /run/bed/refused
}

after_each() {
    echo >"$(guest_path pieces console/tty)"
    check "the guest has what it kept" wait_for 60 said pieces "PASS $1"
    [ $1 = "$UPDATES" ] || check "and is ready for another update" wait_for 60 said pieces "ready $(($1 + 1))"
}

after() {
    check "it can be destroyed" xl destroy pieces
    check "only dom0 is left" wait_for 60 only_dom0
    check "Xen has nothing to say against it" no_complaint
}
