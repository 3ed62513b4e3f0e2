# SPDX-License-Identifier: GPL-2.0-only
# NMIs from outside (LINT1) come all through the updates (nmi.host), some of them in the jump, where neither Xen has an IDT: the
# pin is masked there.
# bed: smp=2 updates=3 budget=35 timeout=240 xen_args="liveupdate=64M nmi=ignore"
# qemu: -qmp unix:@RUN@/qmp,server=on,wait=off

before() {
    start_xen
    start_memsum dom0
    sleep 1
    host_start
}

after() {
    host_stop
    check_memsum dom0
    check "Xen has seen NMIs since the last update" [ "$(nmis_seen)" -gt 100 ]
}

# Xen's own count of the boot CPU: "  0	 123" below "CPU	NMI".
nmis_seen() {
    xl debug-keys n
    xl dmesg -c | sed -n 's/^.*\] *0\t *\([0-9]*\)$/\1/p' | tail -n 1
}
