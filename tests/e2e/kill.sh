# SPDX-License-Identifier: GPL-2.0-only
# `apply` is killed at any moment, its terminal is closed, it is interrupted: the update happens or it does not,
# and result and history say which.
# bed: smp=1 updates=0 budget=60 timeout=400

before() {
    start_xen
    make_guest g1 memory=128
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    note_life
    rounds=0
    # Milliseconds after the journal's entry: before Xen is asked, in check, about the pause, settling, ended.
    for ms in 0 20 60 120 250 600 1500; do killed KILL $ms; done
    # Who closes the terminal does not end it; who interrupts it takes it back, or waits for what came of it.
    survives HUP
    survives INT
    fails_and_killed
    journal_damaged
    check_life
}

after() { check "the guest ticks to the end" wait_tick g1 60; }

JOURNAL=/var/lib/xen/liveupdate/journal.db

generation() { xen-liveupdate status | sed -n 's/^generation: //p'; }
# SQLite counts its commits in the file; one is over when its rollback journal is empty.
commits() { od -An -tx1 -j24 -N4 $JOURNAL; }
idle() { xen-liveupdate status | grep -q '^phase: idle'; }
committed() { [ "$(commits)" != "$before" ] && [ ! -s $JOURNAL-journal ]; }

# begin: apply in the background, up to the moment when its journal entry is there.
begin() {
    rounds=$((rounds + 1))
    xen-liveupdate status | grep -q '^staged: yes' || stage_image "$(image)" >/dev/null
    old=$(generation)
    before=$(commits)
    xen-liveupdate apply >/run/bed/apply.out 2>&1 &
    pid=$!
    while ! committed && [ -d /proc/$pid ]; do usleep 1000; done
}

# Another one than what runs.
image() { if xen_version | grep -q target; then echo /boot/xen-source; else echo /boot/xen-target; fi; }

# last: the last line about an update in the history.
last() { xen-liveupdate history | grep ' update ' | tail -n 1; }

killed() {
    begin
    usleep $(($2 * 1000))
    kill -$1 $pid 2>/dev/null
    wait $pid
    rc=$?
    check "killed after $2 ms: Xen comes to rest" wait_for 60 idle
    new=$(generation)
    check "killed after $2 ms (exit code $rc, generation $old, then $new): the history tells the truth" truth
    check "killed after $2 ms: the result tells the truth" result_truth
    report "after $2 ms, generation $old -> $new: $(last)"
}

# The history says "done" if, and only if, another Xen runs.
truth() {
    xen-liveupdate history
    if [ $new = $((old + 1)) ]; then
        last | grep -q ' done '
    else
        [ $new = $old ] && last | grep -q -e ' not tried ' -e ' failed '
    fi
}

result_truth() {
    xen-liveupdate result >/run/bed/result.now
    cat /run/bed/result.now
    if [ $new = $old ]; then
        grep -q '^last update: .*: \(not tried\|failed\)' /run/bed/result.now
    else
        grep -q '^state: done' /run/bed/result.now && grep -q '^last update: .*: done' /run/bed/result.now
    fi
}

survives() {
    begin
    kill -$1 $pid
    wait $pid
    rc=$?
    check "after SIG$1 Xen comes to rest" wait_for 60 idle
    new=$(generation)
    check "after SIG$1 the exit code is apply's own ($rc)" own_exit_code
    check "after SIG$1 the history tells the truth" truth
    [ $1 != HUP ] || check_equal "after SIGHUP the update was done" $rc 0
}

own_exit_code() { cat /run/bed/apply.out; if [ $new = $old ]; then [ $rc = 1 ] || [ $rc = 4 ]; else [ $rc = 0 ]; fi; }

# An update that fails while nobody looks.
fails_and_killed() {
    xen-liveupdate status | grep -q '^staged: yes' || stage_image "$(image)" >/dev/null
    xen-liveupdate fault save host >/dev/null 2>&1 || { skip "faults need a debug build"; return; }
    killed KILL 300
    xen-liveupdate fault off >/dev/null
    check_equal "the failed update changed nothing" $new $old
}

# A journal that is damaged: no update without a record of it; put aside, the next one is written.
journal_damaged() {
    mv $JOURNAL /run/bed/whole
    head -c 6000 /run/bed/whole >$JOURNAL
    xen-liveupdate status >/run/bed/status.now 2>&1
    grep -q '^staged: yes' /run/bed/status.now ||
        (export XEN_LIVEUPDATE_DIR=/run/bed; stage_image "$(image)" >/dev/null)
    old=$(generation)
    check "with a damaged journal nothing is updated" sh -c '! xen-liveupdate apply 2>&1'
    check "and the reason is told" sh -c 'xen-liveupdate apply 2>&1 | grep "the journal: .*journal.db: is damaged: .*put it aside"'
    check_equal "nothing was" "$(generation)" "$old"
    mv $JOURNAL $JOURNAL.damaged
    stage_image "$(image)" >/dev/null
    check "the next update succeeds" xen-liveupdate apply
    new=$(generation)
    check "and is in the history" truth
    save_file $JOURNAL
}
