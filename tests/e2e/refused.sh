# SPDX-License-Identifier: GPL-2.0-only
# What cannot be carried is refused by name while domains run, and nothing is paused; once it is gone, an
# update succeeds. Then what stays until the next reboot.
# bed: smp=2 budget=85 timeout=600 files="docs/carried.md tests/e2e/refusals.txt" qemu_args="-device e1000e,romfile="

. /bed/refused.sh

before() {
    start_xen
    # Its first frame.
    REGION=$(xl dmesg | sed -n 's/.*liveupdate: .* slots of .* at \(0x[0-9a-f]*\)000$/\1/p')
    make_guest g1 memory=128
    make_guest g2 memory=96
    DOMAINS=g1
    for g in g1 g2; do check "$g ticks" wait_tick $g 120; done
    G2=$(xl domid g2)
    check "nothing is refused" nothing_refused

    provoke_cpus
    provoke_memory
    provoke_interrupts
    provoke_hvm
    provoke_observers
    provoke_target
    check "nothing is refused any more" nothing_refused
}

provoke_cpus() {
    provoke park 1
    wait_for 10 cpus_are 1
    provoked host "<number> CPUs sleep as the hardware domain wants it (core parking)"
    provoke park 0
    check "the CPU is back" wait_for 10 cpus_are 2
}
cpus_are() { [ "$(xl info | sed -n 's/^nr_cpus *: //p')" = $1 ]; }

provoke_memory() {
    local d

    memoffline offline $REGION
    provoked memmap "frame <number> of the region is broken or going offline"
    memoffline online $REGION

    provoke log-dirty $G2
    provoked features "is in a paging mode (<number>: shadow or log-dirty)" $G2
    provoke log-dirty-off $G2

    d=$(provoke create-pv)
    provoke claim $d 100
    provoked features "has claimed <number> pages" $d
    also_provoked frames "<number> pages are claimed" $d
    provoke claim $d 0
    provoke vnuma $d
    provoked features "has virtual NUMA nodes" $d
    provoke fill $d 40
    provoked memmap "<number> MiB of memory are free, the target needs <number> MiB to start with"
    provoke destroy $d

    provoke zombie >/tmp/zombie &
    wait_for 10 test -s /tmp/zombie
    provoked domain "is being destroyed" $(cat /tmp/zombie)
    kill $!
    wait $!
}

provoke_interrupts() {
    local port pirq card=$(ls /sys/bus/pci/devices | sed -n '$s/^0000://p')

    port=$(provoke unmap-bound)
    provoked pirq "pirq <number> was unmapped while bound to port <number>" 0
    provoke close-port $port

    pirq=$(provoke map-message $card)
    provoke permit-irq $G2 $pirq 1
    provoked pirq "may use irq <number>, which is not its own" $G2
    provoke permit-irq $G2 $pirq 0
    provoke permit-irq 0 $pirq 0
    provoked pirq "pirq <number>: access to its irq was denied" 0
    provoke unmap $pirq
}

# Each of an empty domain of its own.
provoke_hvm() {
    local d stub

    with_hvm create-shadow
    provoked p2m "has shadow page tables (no hardware assisted paging)" $d
    without_hvm
    with_hvm create-begun
    provoked hvm "has no vCPU yet" $d
    without_hvm
    with_hvm create-nested
    provoked hvm "runs virtual machines (nested HVM)" $d
    also_provoked domain "was created with options <number> that are not carried" $d
    without_hvm
    with_hvm create-hvm
    provoke log-dirty $d
    provoked p2m "its memory is tracked (log-dirty)" $d
    without_hvm
    with_hvm create-hvm
    provoke populate-on-demand $d
    provoked p2m "has memory to be populated on demand (PoD)" $d
    without_hvm
    with_hvm create-hvm
    provoke intercept $d
    provoked p2m "a device model intercepts writes to its memory" $d
    without_hvm
    with_hvm create-hvm
    provoke hvm-param $d 14 3 # HVM_PARAM_ACPI_S_STATE
    provoked hvm "sleeps (ACPI S3)" $d
    without_hvm

    with_hvm create-hvm
    stub=$(provoke create-pv)
    provoke stubdom $stub $d
    provoked domain "serves <domain> as its stub domain" $stub
    provoke destroy $stub
    provoke monitor $d
    provoked features "is watched (vm_event)" $d
    also_provoked features "vCPU <number> is watched (vm_event)" $d
    also_provoked evtchn "port <number> is consumed by Xen in <function>" $d
    without_hvm
}

# What a target is built without: nobody stages one that lacks what a domain needs, nor what the running Xen has,
# unless that is agreed to; and a domain that needs it may come later.
provoke_target() {
    local d
    # The bits of features.def: PV, HVM, SHADOW_PAGING, SCHED_CREDIT2.
    breakxen lacks=0x4d /boot/xen-target /tmp/less
    # PV32, which this Xen has not.
    breakxen has=0x2 /tmp/less /tmp/less
    breakxen lacks=0x4 /boot/xen-target /tmp/no-hvm

    with_hvm create-shadow
    CHECKED=/tmp/less
    provoked target "is a PV domain, the target is built without PV" 0
    also_provoked target "is an HVM or PVH domain, the target is built without HVM" $d
    also_provoked target "has shadow page tables, the target is built without SHADOW_PAGING" $d
    also_provoked target "the target is built with PV32, this Xen is not and has no M2P for it"
    also_provoked target "cpupool <number>: the target is built without its scheduler (<text>)"
    CHECKED=
    check "what a domain needs cannot be given up" is_answer 3 "domain $d: is an HVM or PVH domain, the target is built without HVM" \
        stage --without hvm /tmp/no-hvm
    without_hvm

    check "what is lost has to be agreed to" is_answer 3 "built without what the running Xen has: hvm" stage /tmp/no-hvm
    check "and may be" is_answer 0 "lost: hvm: HVM and PVH domains (accepted)" stage --without hvm /tmp/no-hvm
    check "nothing is refused" nothing_refused
    with_hvm create-hvm
    provoked target "is an HVM or PVH domain, the target is built without HVM" $d
    check "an update is refused" is_answer 3 "is an HVM or PVH domain, the target is built without HVM" apply
    check "and a rehearsal, by Xen itself" is_answer 4 "is an HVM or PVH domain, the target is built without HVM" rehearse
    without_hvm
    check "unstage" xen-liveupdate unstage
}

# is_answer EXIT_CODE PATTERN ARGUMENTS...: xen-liveupdate with these arguments ends so, and says that.
is_answer() {
    local wanted=$1 pattern=$2 rc
    shift 2
    xen-liveupdate "$@" >/run/bed/answer 2>&1
    rc=$?
    cat /run/bed/answer
    [ $rc = $wanted ] && grep -q "$pattern" /run/bed/answer
}

with_hvm() { d=$(provoke $1); }
without_hvm() { provoke destroy $d; }

provoke_observers() {
    provoke live-patch /usr/bin/nothing.livepatch
    provoked platform "live patches are loaded"
    provoke live-patch-unload

    provoke debugger $G2
    provoked domain "a debugger is attached" $G2
    xl destroy g2
}

after() {
    local d

    provoke trace
    provoked platform "trace buffers are allocated (xentrace)"
    powerstates odd
    provoked power "power states of CPUs cannot be told again: <text>"
    d=$(provoke create-pv)
    provoke profile $d
    provoked features "is profiled (xenoprof)" $d
    # The last one: this scheduler of Xen 4.17 does not survive the removal of its CPU.
    xl cpupool-cpu-remove Pool-0 1
    printf 'name="rtds"\nsched="rtds"\ncpus=["1"]\n' >/tmp/pool
    xl cpupool-create /tmp/pool
    provoked cpupool "cpupool <number>: scheduler <text> is not carried"
    refusals_summary refused.sh
}
