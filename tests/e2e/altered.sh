# SPDX-License-Identifier: GPL-2.0-only
# What a target finds wrong with its stream it says in the words of docs/carried.md, and comes back: for each reason that
# tests/e2e/altered.txt has for this run, an update whose stream was altered on its way; then one that succeeds. Debug
# builds only. ARGS: groups of the file beside the common one; alone: without that; only=WORDS with which a reason begins.
# bed: smp=1 budget=60 timeout=300 files=tests/e2e/altered.txt args=only=domain
# bed-long: smp=2 hvm=1 mem=4096 net=e1000e timeout=900 files=tests/e2e/altered.txt
# bed-long: smp=2 iommu=amdvi net=e1000e timeout=900 files=tests/e2e/altered.txt args="alone iommu"
# bed-long: smp=2 iommu=vtd net=e1000e timeout=900 files=tests/e2e/altered.txt args="alone iommu vtd"
# bed-long: smp=2 timeout=900 files=tests/e2e/altered.txt args="alone xsave" qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="SandyBridge,-monitor" xen_args="liveupdate=64M spec-ctrl=no,eager-fpu" qemu_args="-L /usr/share/qemu -L /usr/share/seabios"

GROUPS=" "
COMMON=1
ONLY=

for word in $ARGS; do
    case $word in
    only=*) ONLY=${word#*=} ;;
    alone) COMMON=0 ;;
    *) GROUPS="$GROUPS$word " ;;
    esac
done

before() {
    start_xen
    list_points || return
    choose_cases >/run/bed/cases
    check "there are cases" test -s /run/bed/cases
    [ -z "$NET" ] || check "dom0's network card works" start_net
    ! needs 'cpupool=1' || check "another cpupool" make_cpupool
    ! needs WATCHDOG || domwatchdog 3600 &
    make_guest g1 type=pv vcpus=2 memory=128 vif=1 disk=32
    DOMAINS=g1
    if needs '\.g2[.:]'; then
        make_guest g2 type=pvh memory=128
        DOMAINS="$DOMAINS g2"
    fi
    if needs '\.g3[.:]'; then
        make_guest g3 type=hvm memory=192 emulated=1 extra=viridian=1
        DOMAINS="$DOMAINS g3"
    fi
    for d in $DOMAINS; do check "$d ticks" wait_tick $d 300; done
    check "g1 is pinned" xl vcpu-pin g1 0 0
    ! needs '\.g4[.:]' || check "a domain has a page table validated in part" start_kernel g4 abandon-PIN
    ! needs '\.g5[.:]' || check "a domain has a page table torn down in part" start_kernel g5 abandon-TEARDOWN
    check "a target is staged" stage_image "$(update_image 1)"
    check "what the stream has" read_stream
    note_life
    refuse_everything
    check_life
    for d in $DOMAINS; do check "$d ticks after $cases targets that came back" wait_tick $d 60; done
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
    check "a target is staged once more" stage_image "$(update_image 1)"
}

# choose_cases: those of the file that this run is about, "reason|alterations" each.
choose_cases() {
    local line chosen=0 reason=
    while IFS= read -r line; do
        case $line in
        '' | '#'*) ;;
        '[altered.sh]') chosen=$COMMON ;;
        '[altered.sh '*)
            line=${line#* }
            chosen=0
            case $GROUPS in *" ${line%]} "*) chosen=1 ;; esac
            ;;
        '['*) chosen=0 ;;
        '    '*)
            [ $chosen = 1 ] || continue
            case $reason in "$ONLY"*) echo "$reason|${line#    }" ;; esac
            ;;
        *) reason=$line ;;
        esac
    done </bed/files/altered.txt
}

# needs PATTERN: does one of the cases speak of it?
needs() { grep -q "$1" /run/bed/cases; }

make_cpupool() {
    xl cpupool-cpu-remove Pool-0 1 && echo 'name="p1"
sched="credit2"
cpus=["1"]' >/run/bed/p1.cfg && xl cpupool-create /run/bed/p1.cfg
}

# start_kernel NAME FILE: one that says when it is ready.
start_kernel() { make_kernel $1 /boot/guests/hostile/$2 && xl unpause $1 && wait_for 60 said $1 "ready 1"; }

# read_stream: what a rehearsal wrote.
read_stream() { xen-liveupdate rehearse && xen-liveupdate read-stream /run/bed/stream; }

refuse_everything() {
    local reason how
    cases=0
    while IFS='|' read -r reason how <&4; do
        check "$reason ($how)" refused_so "$reason" "$how"
        # Nothing is staged then, nor after the others.
        [ $cases != 0 ] || free_pages >/run/bed/free.first
        cases=$((cases + 1))
    done 4</run/bed/cases
    check_equal "they cost no page" "$(free_pages)" "$(cat /run/bed/free.first)"
}

# with_domids WORDS: .g1 and the like are domids.
with_domids() {
    local words=$1 d
    for d in g1 g2 g3 g4 g5; do
        [ ! -s /run/bed/$d.id ] || words=$(echo "$words" | sed "s/\.$d\([.:]\)/.$(cat /run/bed/$d.id)\1/g")
    done
    echo "$words"
}

# as_pattern REASON: for the shell.
as_pattern() {
    echo "$1" | sed 's/[][*?\\]/\\&/g; s/<[a-z]*>/*/g'
}

refused_so() {
    local resource=${1%%: *} phase=plan pattern message rc bad=0
    pattern=$(as_pattern "${1#*: }")
    if [ $resource = boot ]; then
        phase=adopt resource=
        # The report is without the words that all of them begin with.
        pattern="*${pattern#*: }*"
    fi
    # Nothing is, once a target came back.
    [ $cases = 0 ] || stage_image "$(update_image 1)" || return 1
    # Each word is one alteration.
    set -- "$1" $(with_domids "$2")
    alter /run/bed/stream $(shift; echo "$@") || return 1
    xen-liveupdate apply 2>/run/bed/apply.err
    rc=$?
    xen-liveupdate result >/run/bed/altered.result
    expect "exit code" $rc 7
    expect_field state returned /run/bed/altered.result
    expect_field "failed phase" $phase /run/bed/altered.result
    [ -z "$resource" ] || expect_field "failed resource" $resource /run/bed/altered.result
    message=$(sed -n 's/^reason: //p' /run/bed/altered.result)
    case $message in $pattern) ;; *) expect reason "$message" "$1" ;; esac
    expect "alterations made" "$(alter made)" $(($# - 1))
    return $bad
}

after() {
    check_equal "the update that succeeds says so" "$(xen-liveupdate result | sed -n 's/^state: //p')" done
    check_equal "the guest has its CPUs" "$(guest g1 nproc)" 2
}
