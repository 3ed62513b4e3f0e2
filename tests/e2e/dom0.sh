# SPDX-License-Identifier: GPL-2.0-only
# dom0 alone lives on: its time, its memory, its processes on every CPU.
# bed-long: smp=1,4 timeout=240
# bed-long: smp=2 timeout=240
# bed-long: emulator=bochs cpu=corei7_haswell_4770,broadwell_ult,corei7_skylake_x,ryzen smp=1,2 updates=3
# bed: smp=2 update=kexec-tools budget=25 timeout=240

before() {
    start_xen
    start_watch dom0
    start_memsum dom0
    sleep 3
}

after() {
    check_equal "all CPUs are online" "$(nproc)" "$DOM0_VCPUS"
    check_equal "Xen has all physical CPUs" "$(physinfo | sed 's/.*nr_cpus=//')" "$SMP"
    check "every CPU runs processes" on_every_cpu
    check_watch dom0
    check_memsum dom0
    check "xenstored answers" xenstore-read /local/domain/0/domid
    check "timers fire" timed_sleep
}

on_every_cpu() {
    local c=0
    while [ $c -lt "$DOM0_VCPUS" ]; do
        timeout 20 taskset -c $c true || return 1
        c=$((c + 1))
    done
}

# A second of sleep takes a second, not none and not ten.
timed_sleep() {
    local a=$(uptime_s)
    sleep 2
    local d=$(($(uptime_s) - a))
    [ $d -ge 1 ] && [ $d -le 10 ]
}
