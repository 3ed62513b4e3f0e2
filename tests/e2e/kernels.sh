# SPDX-License-Identifier: GPL-2.0-only
# Each test kernel of tests/guests/ finds the thing that it holds unharmed, after an update and after the one back.
# bed: smp=2 iommu=amdvi updates=2 mem=3584 budget=140 timeout=600
# bed: smp=1 guest=pvh updates=2 mem=3584 budget=70 timeout=600
# bed: emulator=bochs smp=1 guest=pvh updates=2 args=kernels=area-pvh,nmi-pvh,timer-pvh,xsave-pvh,pagetable,registers budget=65
# bed-long: emulator=bochs smp=2 guest=pvh updates=2 args=kernels=init-pvh
# bed-long: emulator=bochs cpu=corei7_haswell_4770,corei7_skylake_x,ryzen smp=1 guest=pvh,pv updates=2 timeout=900
# bed-long: smp=2 updates=2 mem=3584 timeout=600
# bed-long: smp=1 iommu=amdvi,vtd updates=2 mem=3584 timeout=600
# bed-long: smp=1 guest=pvh iommu=amdvi,vtd updates=2 mem=3584 timeout=600
# bed-long: smp=2 iommu=amdvi updates=2 mem=3584 timeout=900 returns=adopt:unit,adopt:drivers,plan:power
# bed-long: smp=1 guest=pvh updates=2 mem=3584 timeout=900 returns=adopt:m2p,adopt:drivers,plan:power

# The kernel "domid" runs under these domids, besides the one it gets; 32751 is the highest there is.
DOMIDS="100 20000 32751"

# All kernels that were built for this kind of guest, each in a domain of its own, "domid" in several; or those that
# ARGS names ("kernels=fifo-pvh,timer-pvh").
names() {
    local f id
    case "$ARGS" in
    kernels=*) echo ${ARGS#kernels=} | tr , '\n'; return ;;
    esac
    for f in $(grep -l "^type=\"$GUEST\"" /boot/guests/*.cfg); do basename $f .cfg; done
    if [ $GUEST = pv ] && [ -e /boot/guests/domid ]; then
        for id in $DOMIDS; do echo domid-$id; done
    fi
}

# The clocks of two CPUs can be milliseconds apart in the emulator (xl debug-keys t), even before an update.
# Who measures timers has to stay on one of them.
pin() {
    local v
    case $1 in
    timer*)
        for v in $(seq 0 $(($(sed -n 's/^vcpus=//p' /run/bed/$1.cfg) - 1))); do
            xl vcpu-pin $1 $v $((v % SMP)) || return
        done
        ;;
    esac
}

# xl has the Hyper-V interface for HVM guests only: HVM_PARAM_VIRIDIAN, without TLB flushes.
enlighten() {
    case $1 in
    viridian*) provoke hvm-param $(cat /run/bed/$1.id) 9 $((0x1ed)) ;;
    esac
}

start_kernel() {
    case $1 in
    domid-[0-9]*) createdom ${1#domid-} $1 /boot/guests/domid 8 && xl domid $1 >/run/bed/$1.id ;;
    *) make_kernel $1 /boot/guests/$1 && pin $1 && enlighten $1 && xl unpause $1 ;;
    esac
}

is_up() { said $1 "ready $2" || said $1 FAIL:; }
has_verdict() { said $1 "PASS $2" || said $1 "FAIL $2" || said $1 FAIL:; }

# What a kernel needs besides, before update N. NMIs: the second one waits for the first one's end.
prepare() {
    case $1 in
    nmi*) xl trigger $1 nmi 0; wait_for 30 said $1 "in NMI $2"; xl trigger $1 nmi 0 ;;
    esac
}

# all_ready N: for update N.
all_ready() {
    local k
    for k in $(names); do
        check "$k: is ready for update $1" wait_for 60 is_up $k $1
        prepare $k $1
    done
}

before() {
    local k
    start_xen
    # Many guests that are never idle: dom0's tools, which wait for each of them, come first.
    xl sched-credit2 -d 0 -w 4096
    for k in $(names); do check "$k: starts" start_kernel $k; done
    all_ready 1
    # A pause after which all of them go on here.
    [ "$UPDATE" != lu ] || check "a rehearsal" xen-liveupdate rehearse
}

after_each() {
    local k
    for k in $(names); do
        echo >"$(xenstore-read /local/domain/$(cat /run/bed/$k.id)/console/tty)"
    done
    for k in $(names); do
        wait_for 60 has_verdict $k $1
        if said $k "PASS $1"; then
            ok "$k: unharmed after update $1"
        else
            not_ok "$k: after update $1: $(grep -a FAIL "$(guest_log $k)" | tail -n 1 | tr -d '\r')"
        fi
        check_equal "$k: still has its domid" "$(xl domid $k)" "$(cat /run/bed/$k.id || echo none)"
    done
    [ $1 = "$UPDATES" ] || all_ready $(($1 + 1))
}

# What is left of a domain when it is destroyed shows that a count has gone wrong.
after() {
    local k with pages
    with=$(free_pages)
    pages=$(pages_of_guests)
    for k in $(names); do xl destroy $k; done
    check "all of them can be destroyed" wait_for 30 only_dom0
    check "their memory comes back in full" wait_for 30 freed $((with + pages))
    say "free pages: $with with the guests, $pages theirs, $(free_pages) without"
}
pages_of_guests() { physinfo domains | sed '/^domain=0 /d' | tr ' ' '\n' | awk -F= '$1 == "tot_pages" { n += $2 } END { print n + 0 }'; }
# Page tables and Xen's structures for them come on top.
freed() { [ "$(free_pages)" -ge $1 ]; }
