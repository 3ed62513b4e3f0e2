# SPDX-License-Identifier: GPL-2.0-only
# A TCP connection from outside into dom0 carries checked data both ways across the update.
# e1000e uses MSI-X, e1000 a level-triggered line of the IO-APIC, virtio-net MSI-X.
# bed: smp=2 net=e1000,virtio-net budget=25 timeout=240
# bed-long: smp=2 net=e1000e timeout=120

before() {
    start_xen
    check "dom0's network card works" start_net
    check "it interrupts by $(interrupt_kind)" grep -Eq "$(interrupt_kind) +(eth0|virtio0)" /proc/interrupts
    tcpsum listen 7000 /tmp/tcpsum &
    echo $! >/run/bed/tcpsum.pid
    # QEMU accepts for dom0: a connection that comes before dom0 listens is reset later.
    check "dom0 listens" wait_for 20 test -s /tmp/tcpsum
    host_start
    check "the connection is up" wait_for 30 received_more 65536
    start_watch dom0
    sleep 2
}

interrupt_kind() { if [ "$NET" = e1000 ]; then echo ioapic-level; else echo msi-x; fi; }
received_more() { [ "$(value received /tmp/tcpsum)" -gt "$1" ]; }

after() {
    check "data goes on arriving" wait_for 60 received_more $(($(value received /tmp/tcpsum) + 262144))
    check_watch dom0
    host_stop
    kill $(cat /run/bed/tcpsum.pid) 2>/dev/null
    sleep 1
    say "$(cat /tmp/tcpsum)"
    check_equal "no byte differs" "$(value mismatches /tmp/tcpsum)" 0
    check_equal "the connection was not reset" "$(value error /tmp/tcpsum)" 0
    check "dom0 can still reach the outside" ping -c 2 -W 5 10.0.2.2
}
