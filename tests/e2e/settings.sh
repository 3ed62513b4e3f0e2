# SPDX-License-Identifier: GPL-2.0-only
# What the toolstack has set up for a domain stays: scheduling, pinning, pauses, shutdown, permissions. So does what
# dom0 has told of the power states of CPUs, from one update to the next.
# bed: smp=2 mem=3584 updates=3 budget=65 timeout=300 xen_args="liveupdate=64M lapic_timer_c2_ok"

before() {
    start_xen
    make_guest g1 vcpus=2 memory=128
    make_guest g2 vcpus=1 memory=96
    make_guest g3 vcpus=1 memory=96 extra='on_poweroff="preserve"'
    DOMAINS=g1
    for g in g1 g2 g3; do check "$g ticks" wait_tick $g 120; done

    check "power states of CPUs are told" powerstates tell
    check_equal "Xen knows them" "$(powerstates show | grep -c 'states=3 .*c2=0')" $SMP
    xl sched-credit2 -d g1 -w 512 -c 80
    xl sched-credit2 -s -r 2000
    xl vcpu-pin g1 0 1 0
    xl vcpu-pin g1 1 0-1 1
    xl vcpu-set g1 1
    check "g1 is down to one CPU" wait_for 30 has_cpus g1 1
    xl pause g2
    guest_bg g3 'sleep 3; poweroff -f'
    check "g3 has shut down" wait_for 60 is_shut_down g3

    look >/run/bed/settings.before
    cpu_time g1 >/run/bed/time.before
    ticks g2 >/run/bed/ticks.before
}

after_each() {
    power_records >/run/bed/power.$1
    save_file /run/bed/power.$1
    # A vCPU is offline in the first update, online in the second, offline in the third.
    case $1 in
    1)
        check "g1 has one CPU still" has_cpus g1 1
        xl vcpu-set g1 2
        check "its other CPU comes online" wait_for 30 cpu_comes g1 1
        ;;
    2)
        xl vcpu-set g1 1
        check "and goes offline again" wait_for 30 has_cpus g1 1
        ;;
    esac
}

# What the last update told of power states, bottom up: a record's type is its end.
power_records() {
    xen-liveupdate --json inspect --last | tac |
        sed -n '/"type": "\(CSTATES\|PERFORMANCE\|PSTATES\)"/,/^      {/p'
}

after() {
    check_equal "all performance states are told" "$(grep -c '"frequency":' /run/bed/power.1)" $((2 * SMP))
    check "power states are told again as they were" diff /run/bed/power.1 /run/bed/power.2
    look >/run/bed/settings.after
    save_file /run/bed/settings.before
    save_file /run/bed/settings.after
    check "every setting is what it was" diff /run/bed/settings.before /run/bed/settings.after
    check "CPU time that was used counts on" test "$(cpu_time g1)" -ge "$(cat /run/bed/time.before)"

    sleep 3
    check_equal "a paused guest stands still" "$(ticks g2)" "$(cat /run/bed/ticks.before)"
    xl unpause g2
    check "and goes on" wait_tick g2 30

    check "a guest that has shut down can be destroyed" xl destroy g3
    xl vcpu-set g1 2
    check "a vCPU that was offline comes online" wait_for 30 cpu_comes g1 1
    check "and runs processes" guest g1 'taskset -c 1 true'
    xl sched-credit2 -d g1 -w 256
    check_equal "settings can be changed" "$(xl sched-credit2 -d g1 | awk '$1 == "g1" { print $3 }')" 256
}

has_cpus() { [ "$(guest $1 nproc)" = "$2" ]; }
# There is no udev in the guest to do it.
cpu_comes() { guest $1 "echo 1 >/sys/devices/system/cpu/cpu$2/online"; has_cpus $1 $(($2 + 1)); }
is_shut_down() { xl list $1 | awk 'NR == 2 { print $5 }' | grep -q s; }
# Whole seconds of CPU that the guest has used.
cpu_time() { xl list $1 | awk 'NR == 2 { print int($6) }'; }

look() {
    powerstates show
    xl sched-credit2
    xl vcpu-list | awk '{ print $1, $2, $3, $5 ~ /p/ ? "paused" : "", $(NF - 2), $NF }'
    xl list | awk '{ print $1, $2, $3, $4, $5 ~ /p/ ? "paused" : "", $5 ~ /s/ ? "shut down" : "" }'
    xl list -v | awk '{ print $1, $7 }'
    grep -E '^(model name|flags|bugs)' /proc/cpuinfo
    guest g1 "grep -E '^(model name|flags|bugs)' /proc/cpuinfo"
    # The key prints what each domain may use; interrupts that are not GSIs have Xen's numbers.
    xl dmesg -c >/dev/null
    xl debug-keys q
    sleep 1
    xl dmesg -c | sed 's/^(XEN) \[[^]]*\] //; s/dirty_cpus={[^}]*} //' |
        grep -E '^General information for domain|I/O Ports|I/O Memory|vm_assist=|max_pages='
}
