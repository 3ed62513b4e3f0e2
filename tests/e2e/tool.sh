# SPDX-License-Identifier: GPL-2.0-only
# Every verb of xen-liveupdate, as text and as JSON, on a host with three guests; hooks, metrics, journal,
# a limit for the pause. What JSON was printed is held against its schema outside (tool.host).
# bed: smp=1 budget=70 timeout=300

TARGET=/boot/xen-target
HOOKS=/run/bed/hooks
export XEN_LIVEUPDATE_HOOKS=$HOOKS XEN_LIVEUPDATE_METRICS=/run/bed/metrics

before() {
    # Images made by an ordinary user have his files, and hooks are root's from the root directory on.
    chown 0:0 / /run
    start_xen
    make_guest g1 memory=128
    make_guest g2 memory=128 vif=1
    make_guest g3 vcpus=2 memory=128 disk=16
    DOMAINS="g1 g2 g3"
    for g in $DOMAINS; do check "$g ticks" wait_tick $g 120; done
    mkdir -p $HOOKS/pre-check $HOOKS/pre-apply $HOOKS/post-apply $HOOKS/on-failure $XEN_LIVEUPDATE_METRICS
    host_start
    look
    stage_and_unstage
    rehearse_and_inspect
    refused
    failed
}

# verb NAME EXIT_CODE PATTERN ARGUMENTS...: the verb as JSON (kept for the host) and as text, which matches.
# What changes something is run twice, which has to work.
verb() {
    local name=$1 wanted=$2 pattern=$3
    shift 3
    check "$name as JSON" json $name $wanted "$@"
    check "$name as text" text $wanted "$pattern" "$@"
}

json() {
    local name=$1 wanted=$2 rc
    shift 2
    xen-liveupdate -j "$@" >/run/bed/$name.json 2>/run/bed/json.err
    rc=$?
    cat /run/bed/json.err
    save_file /run/bed/$name.json
    [ $rc = $wanted ] || { echo "exit code $rc, expected $wanted"; return 1; }
}

text() {
    local wanted=$1 pattern=$2 rc
    shift 2
    xen-liveupdate "$@" >/run/bed/text 2>&1
    rc=$?
    cat /run/bed/text
    [ $rc = $wanted ] || { echo "exit code $rc, expected $wanted"; return 1; }
    grep -q "$pattern" /run/bed/text || { echo "the text does not say '$pattern'"; return 1; }
}

metric() { grep "^xen_liveupdate_$1 $2\$" $XEN_LIVEUPDATE_METRICS/xen_liveupdate.prom; }

look() {
    check "help names every verb" sh -c 'xen-liveupdate --help | grep -c -e "^  [a-z]" | grep 13'
    verb status 0 "^staged: no" status
    verb check 0 "^check: passed" check
    verb check-target 0 "^build id: [0-9a-f]" check $TARGET
    verb check-bad 3 "not an ELF file" check /init
    verb history-none 0 "no update so far" history
    verb result-none 0 "^state: none" result
    verb report-none 1 "no such update in the journal" report
}

stage_and_unstage() {
    verb stage-dry 0 "^would stage" -n stage $TARGET
    check "a dry run stages nothing" sh -c 'xen-liveupdate status | grep "^staged: no"'
    verb stage 0 "^version: .*->" stage $TARGET
    check "metrics: staged" metric staged 1
    check "unstage as JSON" json unstage 0 unstage
    check "metrics: not staged" metric staged 0
    verb unstage-none 1 "no target is staged" unstage
    check "stage again" xen-liveupdate stage $TARGET
    check "status as JSON, staged" json status-staged 0 status
    check "the status names the target" text 0 "^target: .*, $TARGET" status
    verb abort-none 1 "no update is scheduled" abort
}

rehearse_and_inspect() {
    verb rehearse 0 "^predicted pause: .*this rehearsal" rehearse
    report "rehearsed: $(grep '^pause' /run/bed/text), $(grep '^predicted' /run/bed/text)"
    check "the guests go on" wait_tick g3 30
    verb inspect 0 "bytes, sound" inspect --rehearsed
    check "the stream is read" json read-stream 0 read-stream /run/bed/rehearsed.bin
    save_file /run/bed/rehearsed.bin
    check "inspect a file" text 0 "bytes, sound" inspect /run/bed/rehearsed.bin
    verb inspect-none 1 "a rehearsal" inspect --last
    verb history-rehearsed 0 "rehearsal *rehearsed" history
    verb report-rehearsal 0 "^rehearsal 1: rehearsed" report 1
}

refused() {
    printf '#!/bin/sh\necho "not now: $XEN_LIVEUPDATE_VERB of $XEN_LIVEUPDATE_TARGET"\nexit 7\n' >$HOOKS/pre-apply/10-no
    chmod 755 $HOOKS/pre-apply/10-no
    verb apply-hook 3 "failed with exit code 7; nothing has been tried" apply
    check "the hook knows the facts" grep -q "^not now: apply of $TARGET" /run/bed/text
    mv $HOOKS/pre-apply/10-no $HOOKS/pre-check/
    verb check-hook 3 "nothing has been tried" check
    rm $HOOKS/pre-check/10-no
    # A file that would not be run stops it before the others are run.
    printf '#!/bin/sh\nexit 0\n' >$HOOKS/pre-apply/20-forgotten
    verb apply-bad-hook 3 "20-forgotten: not executable; nothing has been tried" apply
    verb check-bad-hook 3 "20-forgotten: not executable; nothing has been tried" check
    rm $HOOKS/pre-apply/20-forgotten
    verb apply-dry 0 "^would update" -n apply
    printf '#!/bin/sh\necho "drained" >>/run/bed/drain\n' >$HOOKS/pre-apply/10-drain
    printf '#!/bin/sh\necho "$XEN_LIVEUPDATE_OUTCOME" >>/run/bed/drain\n' >$HOOKS/on-failure/10-note
    chmod 755 $HOOKS/pre-apply/10-drain $HOOKS/on-failure/10-note
    verb apply-limit 3 "longer than the 1 ms that are allowed" apply --max-pause 1
    check_equal "what pre-apply did is told to be undone" "$(tr '\n' ' ' </run/bed/drain)" "drained refused drained refused "
    rm $HOOKS/pre-apply/10-drain $HOOKS/on-failure/10-note
    check "nothing has happened" sh -c 'xen-liveupdate status | grep "^generation: 0"'
    check "the history says so" text 0 "update *not tried" history
}

failed() {
    printf '#!/bin/sh\necho "$XEN_LIVEUPDATE_OUTCOME $XEN_LIVEUPDATE_PHASE $XEN_LIVEUPDATE_RESOURCE" >/run/bed/failure\n' \
        >$HOOKS/on-failure/10-note
    chmod 755 $HOOKS/on-failure/10-note
    xen-liveupdate fault list >/dev/null 2>&1 || { skip "faults need a debug build"; return; }
    check "fault as JSON" json fault 0 fault save host
    check "a failing apply as JSON" json apply-failed 4 apply
    check "fault off" xen-liveupdate fault off
    check_equal "the hook is told of the failure" "$(cat /run/bed/failure)" "failed save host"
    verb result-failed 0 "^failed phase: save" result
    check "the history says so" text 0 "update *failed" history
    check "metrics: failed" metric 'last_result{outcome="failed"}' 1
}

update() {
    printf '#!/bin/sh\necho "$XEN_LIVEUPDATE_OUTCOME $XEN_LIVEUPDATE_GENERATION" >/run/bed/success\n' >$HOOKS/post-apply/10-note
    chmod 755 $HOOKS/post-apply/10-note
    xen-liveupdate apply --max-pause 100000
}

after() {
    report "update: $(grep '^pause' /run/bed/update.out), $(grep '^predicted.*real' /run/bed/update.out)"
    # How close it is decides the benchmark, whose clock does not depend on what else the machine does.
    check "the prediction is held against the real pause" \
        grep '^predicted pause: .*([+-][0-9]* % against the real one)$' /run/bed/update.out
    check "the survivors are counted" grep "^survivors: all of 4 domains" /run/bed/update.out
    check_equal "the hook is told of the success" "$(cat /run/bed/success)" "done 0"
    check "it is the Xen that was approved" sh -c '! grep -q "is not the one that was approved" /run/bed/update.out'
    check "metrics: done" metric 'last_result{outcome="done"}' 1
    check "metrics: generation" metric generation 1
    verb result 0 "^last update: .*done" result
    verb history 0 "update *done" history
    verb history-one 0 "^outcome: done" history "$(xen-liveupdate history | sed -n 's/^ *\([0-9]*\) .*update *done.*/\1/p')"
    verb report 0 "settle" report
    check "report --format json" json report-json 0 report --format json
    check "report --format trace" sh -c 'xen-liveupdate report --format trace >/run/bed/trace.json'
    save_file /run/bed/trace.json
    check "inspect --last" text 0 "bytes, sound" inspect --last
    check "stage once more" xen-liveupdate stage /boot/xen-source
    check "apply as JSON" json apply 0 apply
    save_file /var/lib/xen/liveupdate/journal.db
    host_stop
}
