# SPDX-License-Identifier: GPL-2.0-only
# Cpupools: a guest with a scheduler and a CPU of its own, a cpupool without CPUs, a CPU without a cpupool. All of it is
# there after an update, and can be changed. A CPU that was taken offline stays so until somebody brings it online.
# bed-long: smp=2 updates=6 timeout=400 cpu=Nehalem,+rdrand
# Two threads of a core: of QEMU's CPUs it is Intel's that say so in a way that Xen understands.
# qemu: -smp 2,threads=2

before() {
    start_xen
    make_guest g2 memory=96
    make_pool idle null
    check "a cpupool without a CPU" xl cpupool-cpu-remove idle 1
    make_pool own credit
    xl sched-credit -p own -s -t 10 -r 500
    make_guest g1 vcpus=2 memory=128 extra='pool="own"'
    xl sched-credit -d g1 -w 512 -c 90
    DOMAINS="g1 g2"
    for g in $DOMAINS; do check "$g ticks" wait_tick $g 120; done
    check_equal "g1 has CPU 1" "$(cpus_of g1)" 1
    look >/run/bed/look
}

after_each() {
    look >/run/bed/look.$1
    save_file /run/bed/look.$1
    check "$1: every cpupool is what it was" diff /run/bed/look /run/bed/look.$1
    case $1 in
    1)
        check_equal "g1 has CPU 1" "$(cpus_of g1)" 1
        leave g1
        ;;
    2)
        check "a CPU that was free is added" xl cpupool-cpu-add own 1
        make_guest g3 memory=96 extra='pool="own"'
        DOMAINS="g2 g3"
        check "a new guest runs on it" wait_tick g3 120
        check_equal "and on no other" "$(cpus_of g3)" 1
        ;;
    3)
        leave g3
        check "it goes offline" xen-hptool cpu-offline 1
        # That is every CPU there is, for the time being.
        check "a guest is kept to the other" xl vcpu-pin g2 0 0 0
        check_equal "one CPU is online" "$(online)" 1
        ;;
    4)
        check_equal "one CPU is online still" "$(online)" 1
        ;;
    5)
        check_equal "one CPU is online still" "$(online)" 1
        check "the other comes online" xen-hptool cpu-online 1
        check_equal "it is in cpupool 0" "$(xl cpupool-list -c Pool-0 | awk 'NR > 1 { print $2 }')" 0,1
        check_equal "a guest is kept to its own still" "$(xl vcpu-list g2 | awk 'NR > 1 { print $7 }')" 0
        make_guest g4 memory=96 extra='cpus="1"'
        check "another runs on the one that came" wait_tick g4 120
        check_equal "and on no other" "$(cpus_of g4)" 1
        check "it leaves" xl destroy g4
        check "SMT is switched off" xen-hptool smt-disable
        check_equal "the other was a thread of the same core" "$(online)" 1
        ;;
    esac
    look >/run/bed/look
}

after() {
    check_equal "one CPU is online still" "$(online)" 1
    xen-hptool cpu-online 1
    check_equal "nor does it come online without SMT" "$(online)" 1
    check "SMT is switched on" xen-hptool smt-enable
    check_equal "both are online" "$(online)" 2
}

# make_pool NAME SCHEDULER: takes CPU 1 along. Nobody runs there by then: csched2_context_saved() of a vCPU that has just
# stopped can come after its CPU has left the scheduler (Xen 4.17, without any update), most of all where emulated CPUs
# take turns.
make_pool() {
    local domain
    for domain in $(domains); do xl vcpu-pin $domain all 0; done
    check "nobody runs on CPU 1" wait_for 10 nobody_on 1
    xl cpupool-cpu-remove Pool-0 1
    for domain in $(domains); do xl vcpu-pin $domain all all; done
    printf 'name="%s"\nsched="%s"\ncpus=["1"]\n' $1 $2 >/tmp/pool
    check "cpupool $1 ($2)" xl cpupool-create /tmp/pool
}

domains() { xl list | awk 'NR > 1 { print $1 }'; }
nobody_on() { ! xl vcpu-list | awk 'NR > 1 { print $4 }' | grep -qx $1; }

# leave GUEST: the one in cpupool own. It is in there until Xen has let go of it. csched_deinit_pdata() waits with the
# scheduler's lock for a timer that may wait for that lock (Xen 4.17, without any update): it expires once in a time slice,
# so that is as long as can be.
leave() {
    check "$1 leaves its cpupool" xl destroy $1
    DOMAINS=g2
    check "it is gone" wait_for 10 is_empty own
    xl sched-credit -p own -s -t 1000 -r 500
    check "so does the CPU" xl cpupool-cpu-remove own 1
}
is_empty() { [ "$(xl cpupool-list | awk -v name=$1 '$1 == name { print $5 }')" = 0 ]; }

online() { xl info | sed -n 's/^nr_cpus *: //p'; }

# Those that its vCPUs have been placed on.
cpus_of() { xl vcpu-list $1 | awk 'NR > 1 { print $4 }' | sort -u; }

look() {
    xl cpupool-list
    xl cpupool-list -c
    physinfo domains | sed -n 's/ tot_pages.*pool=/ pool=/p'
    xl sched-credit2
    xl sched-credit
}
