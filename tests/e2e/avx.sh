# SPDX-License-Identifier: GPL-2.0-only
# XSAVE: on a CPU with AVX a process in dom0 and one in a guest find x87, SSE and AVX registers as they were, update
# after update. The emulator's XSAVE does not heed CR0.TS, so Xen has to switch eagerly (as it does on Intel's CPUs of
# its own accord); and Xen takes this emulated one for one whose AVX leaks, unless it is told not to care.
# bed: smp=1 updates=3 budget=40 timeout=300 qemu=build/qemu/usr/bin/qemu-system-x86_64 cpu="SandyBridge,-monitor" xen_args="liveupdate=64M spec-ctrl=no,eager-fpu" qemu_args="-L /usr/share/qemu -L /usr/share/seabios"

before() {
    start_xen
    make_guest g1 memory=192
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 200
    start_memsum dom0 g1
    sleep 3
}

after() {
    sleep 2
    check_memsum dom0 g1
    for d in dom0 g1; do check_equal "$d: AVX was there" "$(value avx /run/bed/$d.memsum)" 1; done
}
